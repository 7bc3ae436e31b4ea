"""The conditions of a sweep against each other.

runs/sweeps/<sweep>/<variant>/ → reports/figures/sweeps/<sweep>/
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import numpy as np

from seedscope.drawing import save
from seedscope.files.experiment import Sweep
from seedscope.files.writing import write_json, write_text
from seedscope.looks.variants import Measured
from seedscope.seeds.comparison import as_csv, compare_lenses, over_replicas, summary
from seedscope.seeds.conditions import compare_conditions
from seedscope.seeds.headlines import Headline, Metrics, headlines


def compare_variants(sweep: Sweep, measured: Mapping[str, Mapping[int, Measured]]) -> None:
    """Write the figure, the tables and the metrics that compare the conditions."""
    import pandas as pd

    numbers, every = [], []
    summaries: list[Metrics] = [
        {str(seed): one.summaries for seed, one in measured[variant.name].items()} for variant in sweep.variants
    ]
    for variant, by_seed in zip(sweep.variants, summaries, strict=True):
        experiment = variant.experiment
        comparisons = compare_lenses(experiment.at, sweep.seeds, experiment.lenses())
        numbers.append({one.metric: one for one in headlines(by_seed, comparisons)})
        every.append(summary(over_replicas(by_seed, comparisons)).assign(condition=variant.name))
    comparison = compare_conditions(
        sweep.at.sweep,
        sweep.key,
        sweep.base,
        [variant.value for variant in sweep.variants],
        _alike(numbers, summaries),
        sweep.seeds,
    )
    shutil.rmtree(sweep.at.figures, ignore_errors=True)
    for drawing in comparison.drawings:
        save(drawing, sweep.at.figures)
    for name, table in {**comparison.tables, "every_number": pd.concat(every, ignore_index=True)}.items():
        write_text(sweep.at.figures / f"{name}.csv", as_csv(table))
    write_json(sweep.at.metrics, comparison.metrics)


def _alike(conditions: Sequence[Mapping[str, Headline]], summaries: Sequence[Metrics]) -> list[list[Headline]]:
    """Return the numbers that every condition has; dead units as a share where the number of units is not the same."""
    shared = [metric for metric in conditions[0] if all(metric in numbers for numbers in conditions)]
    found = [{metric: numbers[metric] for metric in shared} for numbers in conditions]
    if "dead_units" in shared:
        units = np.array([[_units(of_seed) for of_seed in by_seed.values()] for by_seed in summaries])
        if len(np.unique(units)) > 1:
            for numbers, size in zip(found, units, strict=True):
                share = numbers["dead_units"].values / size
                numbers["dead_units"] = Headline("dead_share", "dead units, share of all", share, 0.05)
    return [list(numbers.values()) for numbers in found]


def _units(summaries: Mapping[str, Mapping[str, float | None]]) -> float:
    dominance = summaries["dominance"]
    return (dominance["dead_units"] or 0.0) + (dominance["live_units"] or 0.0)
