"""The conditions of a sweep against each other.

runs/sweeps/<sweep>/<variant>/ → reports/figures/sweeps/<sweep>/
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures.renderer import save
from seedscope.files.experiment import Sweep
from seedscope.files.writing import write_json, write_text
from seedscope.seeds.comparison import as_csv, compare_lenses, over_replicas, summary
from seedscope.seeds.conditions import compare_conditions
from seedscope.seeds.headlines import Followed, Metrics, followed

if TYPE_CHECKING:
    from seedscope.looks.variants import Measured


def compare_variants(sweep: Sweep, measured: Mapping[str, Mapping[int, Measured]]) -> None:
    """Write the figure, the tables and the metrics that compare the conditions."""
    import pandas as pd

    numbers, every = [], []
    summaries: list[Metrics] = [
        {str(seed): one.summaries for seed, one in measured[variant.name].items()} for variant in sweep.variants
    ]
    for variant, by_seed in zip(sweep.variants, summaries, strict=True):
        experiment = variant.experiment
        lenses = experiment.lenses()
        comparisons = compare_lenses(experiment.at, sweep.seeds, lenses)
        numbers.append({one.metric: one for one in followed(by_seed, lenses, comparisons)})
        every.append(summary(over_replicas(by_seed, comparisons, lenses)).assign(condition=variant.name))
    comparison = compare_conditions(
        sweep.at.sweep,
        sweep.key,
        sweep.base,
        [variant.value for variant in sweep.variants],
        _alike(numbers),
        sweep.seeds,
    )
    shutil.rmtree(sweep.at.figures, ignore_errors=True)
    for sheet in comparison.sheets:
        save(sheet, sweep.at.figures)
    for name, table in {**comparison.tables, "every_number": pd.concat(every, ignore_index=True)}.items():
        write_text(sweep.at.figures / f"{name}.csv", as_csv(table))
    write_json(sweep.at.metrics, comparison.metrics)


def _alike(conditions: Sequence[Mapping[str, Followed]]) -> list[list[Followed]]:
    """Return the numbers that every condition has; of counts the share where what they are part of is not the same."""
    shared = [metric for metric in conditions[0] if all(metric in numbers for numbers in conditions)]
    followed_alike = [_comparable([one[metric] for one in conditions]) for metric in shared]
    return [list(numbers) for numbers in zip(*followed_alike, strict=True)]


def _comparable(numbers: Sequence[Followed]) -> Sequence[Followed]:
    wholes = [one.whole for one in numbers if one.whole is not None]
    if len(wholes) < len(numbers) or len(np.unique(wholes)) == 1:
        return numbers
    first = numbers[0]
    name, words = f"{first.metric}_share", f"{first.words}, share of all"
    return [
        Followed(name, words, one.values / whole, 0.05, share=True) for one, whole in zip(numbers, wholes, strict=True)
    ]
