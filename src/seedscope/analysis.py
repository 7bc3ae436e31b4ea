"""Look at one replica through every lens: numbers first, then figures."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

from seedscope.artifacts import read_dataset, write_dataset
from seedscope.experiment import Experiment
from seedscope.figures import save
from seedscope.lenses import Replica
from seedscope.replicas import Report

Summaries = dict[str, dict[str, float | None]]


def analyze_replica(experiment: Experiment, seed: int, report: Report) -> Summaries:
    """Write what every lens measures and draws of one replica; return its scalars by lens, ``None`` where undefined.

    How training ended stands with them under ``training``. Figures are drawn from the written numbers, so what is
    seen is what is kept.
    """
    replica = Replica.open(experiment.at, seed)
    summaries: Summaries = {"training": _last_epoch(experiment.at.history(seed))}
    lenses = experiment.lenses()
    for done, (name, lens) in enumerate(lenses.items()):
        report(done, len(lenses))
        path = experiment.at.measures(seed, name)
        write_dataset(path, lens.measure(replica))
        folder = experiment.at.figures(seed, name)
        shutil.rmtree(folder, ignore_errors=True)
        with read_dataset(path) as measured:
            scalars = lens.summarize(measured)
            summaries[name] = {key: float(value) if math.isfinite(value) else None for key, value in scalars.items()}
            for drawing in lens.draw(measured):
                save(drawing, folder)
    report(1, 1)
    return summaries


def _last_epoch(history: Path) -> dict[str, float | None]:
    with history.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: float(value) for key, value in rows[-1].items() if key != "epoch"} if rows else {}
