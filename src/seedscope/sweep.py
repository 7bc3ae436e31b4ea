"""Run a sweep: train, dump and measure every variant of an experiment from every seed, then compare the conditions.

    (variant × seed) replicas in one pool → runs/sweeps/<sweep>/<variant>/ → reports/figures/sweeps/<sweep>/

What is done to a replica is what the stages of an experiment do, figures apart: five conditions of five seeds would be
thousands. Replicas pass through the store, so one that equals the experiment's own, or was finished before a sweep was
killed, is not trained again. Kept of a variant are ``replicas/seed-<s>/`` (``history.csv``, ``identity.json``) and
``measures/``; pictures, weights, frames and activations, which nothing reads after that and which are most of the
bytes, are removed when a replica is measured. The network itself stays in the store.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from seedscope.across.conditions import compare_conditions
from seedscope.across.headlines import Headline, Metrics, headlines
from seedscope.analysis import Summaries, measure_replica
from seedscope.artifacts import digest, write_json, write_text
from seedscope.comparison import as_csv, compare_lenses, over_replicas, summary
from seedscope.components import build
from seedscope.dump import dump_replica
from seedscope.experiment import Experiment, Sweep
from seedscope.figures import save
from seedscope.generation import generate_data
from seedscope.replicas import Report, map_seeds
from seedscope.store import train_replica


@dataclass(frozen=True)
class Measured:
    """What measuring one replica gave: its scalars by lens, and whether it had to be trained."""

    summaries: Summaries
    trained: bool


@dataclass(frozen=True)
class _Task:
    """One replica of one variant."""

    experiment: Experiment
    data_digest: str
    seed: int


def measure_variants(sweep: Sweep) -> dict[str, dict[int, Measured]]:
    """Train and measure every variant from every seed; return what was measured by variant and seed."""
    shutil.rmtree(sweep.at.variants, ignore_errors=True)  # what a killed run, or one of other seeds, left
    digests = {}
    for variant in sweep.variants:
        generate_data(variant.experiment)
        digests[variant.name] = digest(variant.experiment.at.data)
    pairs = list(product(sweep.variants, sweep.seeds))
    tasks = [_Task(variant.experiment, digests[variant.name], seed) for variant, seed in pairs]

    def called(index: int) -> str:
        variant, seed = pairs[index]
        return f"{sweep.key} = {variant.value}, seed {seed}"

    measured = map_seeds(
        partial(_measure, tasks), range(len(tasks)), build(sweep.engine), f"sweep {sweep.at.sweep}", called
    )
    for variant in sweep.variants:
        at = variant.experiment.at
        at.data.unlink()
        shutil.rmtree(at.activations(0).parent)
    found: dict[str, dict[int, Measured]] = {}
    for index, (variant, seed) in enumerate(pairs):
        found.setdefault(variant.name, {})[seed] = measured[index]
    return found


def _measure(tasks: list[_Task], index: int, report: Report) -> Measured:
    task = tasks[index]
    at, seed = task.experiment.at, task.seed
    trained = train_replica(task.experiment, task.data_digest, seed, _part(report, 0))
    dump_replica(task.experiment, seed, _part(report, 1))
    summaries = measure_replica(task.experiment, seed, _part(report, 2))
    for path in (at.model(seed), at.frames(seed), at.activations(seed)):
        path.unlink()
    return Measured(summaries, trained)


def _part(report: Report, part: int) -> Report:
    """Return a report for the first, second or third of three parts of the work."""
    return lambda done, total: report(part * total + done, 3 * total)


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
