"""Look at one replica through every lens: numbers first, then figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seedscope.drawing import save
from seedscope.files.arrays import read_dataset, write_dataset
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.reading import read_history
from seedscope.files.writing import copy_file, keep_only
from seedscope.lenses import Lens, Replica
from seedscope.looks.shelf import FIGURES, MEASURED, Looks, Scalars
from seedscope.replicas.mapping import Report

Summaries = dict[str, Scalars]


@dataclass(frozen=True)
class Analysis:
    """What all lenses saw of one replica.

    Attributes:
        scalars: by lens and name, ``None`` where undefined; how training ended, of a
            network that was trained here, stands with them under ``training``.
        looked: the lenses that had to look; what the others saw was kept.
    """

    scalars: Summaries
    looked: tuple[str, ...]


def analyze_replica(experiment: Experiment, seed: ReplicaName, report: Report) -> Analysis:
    """Write what every lens measures and draws of one replica.

    A look that is kept is copied (see
    :mod:`seedscope.looks.shelf`). Figures are drawn from the written numbers, so what is seen is what is kept.
    """
    at = experiment.at
    replica = Replica.open(at, seed)
    looks = Looks.at(experiment, seed)
    summaries: Summaries = {} if seed == GIVEN else {"training": _last_epoch(at.history(seed))}
    looked = []
    lenses = experiment.lenses()
    for done, (name, lens) in enumerate(lenses.items()):
        report(done, len(lenses))
        look = looks.kept_or_made(name, partial(_look, lens, replica))
        summaries[name] = look.scalars
        if look.made:
            looked.append(name)
        copy_file(look.measured, at.measures(seed, name))
        figures = {figure: at.figures(seed, name) / figure.name for figure in sorted(look.figures.glob("*"))}
        for figure, shown in figures.items():
            copy_file(figure, shown)
        keep_only(at.figures(seed, name), set(figures.values()))
    report(1, 1)
    return Analysis(summaries, tuple(looked))


def measure_replica(experiment: Experiment, seed: int, report: Report) -> Summaries:
    """Write what every lens measures of one replica, and draw nothing; return its scalars as :class:`Analysis` does."""
    at = experiment.at
    replica = Replica.open(at, seed)
    summaries: Summaries = {"training": _last_epoch(at.history(seed))}
    lenses = experiment.lenses()
    for done, (name, lens) in enumerate(lenses.items()):
        report(done, len(lenses))
        summaries[name] = _measure(lens, replica, at.measures(seed, name))
    report(1, 1)
    return summaries


def _look(lens: Lens, replica: Replica, folder: Path) -> Scalars:
    """Measure, summarize and draw."""
    scalars = _measure(lens, replica, folder / MEASURED)
    with read_dataset(folder / MEASURED) as measured:
        for drawing in lens.draw(measured):
            save(drawing, folder / FIGURES)
    return scalars


def _measure(lens: Lens, replica: Replica, path: Path) -> Scalars:
    write_dataset(path, lens.measure(replica))
    with read_dataset(path) as measured:
        scalars = {name: float(value) for name, value in lens.summarize(measured).items()}
    return {name: value if math.isfinite(value) else None for name, value in scalars.items()}


def _last_epoch(history: Path) -> Scalars:
    return {key: values[-1] for key, values in read_history(history).items() if key != "epoch" and values}
