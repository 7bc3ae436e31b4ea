"""Every variant of a sweep from every seed: its data made, then trained, dumped and measured in one pool.

    (variant × seed) replicas in one pool → runs/sweeps/<sweep>/<variant>/

What is done to a replica is what the stages of an experiment do, figures apart: five conditions of five seeds would be
thousands. Replicas that are stacked are trained before, a variant at a time. Replicas pass through the store, so one
that equals the experiment's own, or was finished before a sweep was killed, is not trained again. Kept of a variant are
``replicas/seed-<s>/`` (``history.csv``, ``identity.json``) and ``measures/``; pictures, weights, frames and
activations, which nothing reads after that and which are most of the bytes, are removed when a replica is measured. The
network itself stays in the store.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from seedscope.activations.dump import dump_replica
from seedscope.data.generation import generate_data
from seedscope.files.components import build
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment, Sweep
from seedscope.looks.measure import Summaries, measure_replica
from seedscope.replicas.mapping import Report, map_seeds
from seedscope.replicas.store import train_replica, train_stacks_ahead


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
    label, engine = f"sweep {sweep.at.sweep}", build(sweep.engine)
    ahead = {
        variant.name: train_stacks_ahead(
            dict.fromkeys(sweep.seeds, variant.experiment),
            digests[variant.name],
            engine,
            f"{label}, {sweep.key} = {variant.value}",
        )
        for variant in sweep.variants
    }
    pairs = list(product(sweep.variants, sweep.seeds))
    tasks = [_Task(variant.experiment, digests[variant.name], seed) for variant, seed in pairs]

    def called(index: int) -> str:
        variant, seed = pairs[index]
        return f"{sweep.key} = {variant.value}, seed {seed}"

    measured = map_seeds(partial(_measure, tasks), range(len(tasks)), engine, label, called)
    for variant in sweep.variants:
        at = variant.experiment.at
        at.data.unlink()
        shutil.rmtree(at.activations(0).parent)
    found: dict[str, dict[int, Measured]] = {}
    for index, (variant, seed) in enumerate(pairs):
        trained = measured[index].trained or ahead[variant.name][seed]
        found.setdefault(variant.name, {})[seed] = replace(measured[index], trained=trained)
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
