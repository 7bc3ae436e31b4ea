"""Look at one replica through every lens: numbers, then figures where they are asked for; what is kept is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.writing import copy_file, keep_only
from seedscope.lenses.lens import Lens
from seedscope.lenses.replica import Replica
from seedscope.looks.draw import draw
from seedscope.looks.measure import Scalars, Summaries, last_epoch, measure
from seedscope.looks.shelf import Make, Shelf
from seedscope.replicas.mapping import Report

MEASURED = "measured.nc"


@dataclass(frozen=True)
class Analysis:
    """What all lenses saw of one replica.

    Attributes:
        scalars: by lens and name, ``None`` where undefined; how training ended, of a
            network that was trained here, stands with them under ``training``.
        measured: the lenses that had to measure; what the others measured was kept.
        drawn: the lenses that had to draw.
    """

    scalars: Summaries
    measured: tuple[str, ...]
    drawn: tuple[str, ...]


def analyze_replica(experiment: Experiment, seed: ReplicaName, report: Report) -> Analysis:
    """Write what every lens measures and draws of one replica; what is kept is copied: :mod:`seedscope.looks.shelf`."""
    at = experiment.at
    replica = Replica.open(at, seed)
    shelf = Shelf.of(experiment, seed)
    summaries: Summaries = {} if seed == GIVEN else {"training": last_epoch(at.history(seed))}
    measured, drawn = [], []
    lenses = experiment.lenses()
    for done, (name, lens) in enumerate(lenses.items()):
        report(done, len(lenses))
        numbers = shelf.measured(name, lens, _measuring(name, lens, replica))
        # Another run may put other numbers on the shelf while these are drawn.
        copy_file(numbers.folder / MEASURED, at.measures(seed, name))
        summaries[name] = dict(numbers.found)
        measured += [name] * numbers.made
        if seed not in experiment.drawn:
            continue
        figures = shelf.drawn(name, numbers.files[MEASURED], _drawing(name, lens, at.measures(seed, name)))
        drawn += [name] * figures.made
        shown = {figures.folder / file: at.figures(seed, name) / file for file in figures.files}
        for figure, place in shown.items():
            copy_file(figure, place)
        keep_only(at.figures(seed, name), set(shown.values()))
    report(1, 1)
    return Analysis(summaries, tuple(measured), tuple(drawn))


def _measuring(name: str, lens: Lens, replica: Replica) -> Make:
    def make(folder: Path) -> tuple[list[Path], Scalars]:
        path = folder / MEASURED
        return [path], measure(name, lens, replica, path)

    return make


def _drawing(name: str, lens: Lens, numbers: Path) -> Make:
    return lambda folder: (draw(name, lens, numbers, folder), {})
