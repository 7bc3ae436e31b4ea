"""Measure one replica through a lens, or through all: numbers, and a few scalars of them. Nothing is drawn."""

from __future__ import annotations

import math
from pathlib import Path

from seedscope.files.arrays import load_measured, write_measured
from seedscope.files.experiment import Experiment
from seedscope.files.reading import read_history
from seedscope.lenses.lens import Lens, measuring
from seedscope.lenses.replica import Replica
from seedscope.replicas.mapping import Report

Scalars = dict[str, float | None]
"""Scalars by name; ``None`` where there is no value."""
Summaries = dict[str, Scalars]
"""Scalars by lens."""


def measure(name: str, lens: Lens, replica: Replica, path: Path) -> Scalars:
    """Write what ``lens`` measures of ``replica`` to ``path``; return the scalars that follow from what was written.

    Raises:
        SeedscopeError: the lens draws, or reads a setting that only drawing reads.
    """
    with measuring(lens, name) as blind:
        write_measured(path, blind.measure(replica))
        scalars = {key: float(value) for key, value in blind.summarize(load_measured(path)).items()}
    return {key: value if math.isfinite(value) else None for key, value in scalars.items()}


def measure_replica(experiment: Experiment, seed: int, report: Report) -> Summaries:
    """Write what every lens measures of one replica, and draw nothing; return its scalars by lens."""
    at = experiment.at
    replica = Replica.open(at, seed)
    summaries: Summaries = {"training": last_epoch(at.history(seed))}
    lenses = experiment.lenses()
    for done, (name, lens) in enumerate(lenses.items()):
        report(done, len(lenses))
        summaries[name] = measure(name, lens, replica, at.measures(seed, name))
    report(1, 1)
    return summaries


def last_epoch(history: Path) -> Scalars:
    """Return how training ended: the last row of a ``history.csv``."""
    return {key: values[-1] for key, values in read_history(history).items() if key != "epoch" and values}
