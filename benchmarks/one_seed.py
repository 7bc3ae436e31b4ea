"""What one seed costs beside its training: what lenses measure of it, and all of its figures.

Of squares and mlp one seed is trained by the stages; then, in one process on one core, it is measured through every
lens and drawn, twice: the second time imports nothing. What lenses take from each other is not kept between the two.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import Row
from benchmarks.pipeline import choose, copy_project, run

_LOOK = """
import json, os, pathlib, sys, tempfile, time, torch
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment
from seedscope.lenses.replica import Replica
from seedscope.looks.draw import draw
from seedscope.looks.measure import measure
from seedscope.replicas.store import train_replica
torch.set_num_threads(1)
experiment = Experiment.load(sys.argv[1])
lenses = experiment.lenses()

def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

def training(store):
    os.environ["DVC_ROOT"] = os.path.abspath(store)  # nothing is kept there
    return timed(lambda: train_replica(experiment, digest(experiment.at.data), 0, lambda done, total: None))

training("imports")
found = {"training": training("alone")}
with tempfile.TemporaryDirectory() as folder:
    at = pathlib.Path(folder)
    for _ in range(2):
        replica = Replica.open(experiment.at, 0)
        found["measured"] = {n: timed(lambda: measure(n, lens, replica, at / f"{n}.nc")) for n, lens in lenses.items()}
        found["drawn"] = {n: timed(lambda: draw(n, lens, at / f"{n}.nc", at / n)) for n, lens in lenses.items()}
    found["figures"] = sum(path.suffix in (".png", ".gif") for path in at.rglob("*"))
print(json.dumps(found))
"""


def measure() -> list[Row]:
    """Return seconds by kind of work, and by those lenses that were asked about."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        choose(project, experiments=["squares", "mlp"], seeds=[0])
        run(project, "dvc", "repro", "dump")
        squares, mlp = (_looked(project, name) for name in ("squares", "mlp"))
    rows = [Row("one seed of squares: training", squares["training"], "s")]
    rows += [Row(f"one seed of squares, {name}: measured", took, "s") for name, took in squares["measured"].items()]
    rule = mlp["measured"]["learning_rule"]
    return [
        *rows,
        Row("one seed of squares: heat maps", squares["measured"]["heat_maps"], "s", "≤ 2"),
        Row("one seed of squares: all lenses measured", sum(squares["measured"].values()), "s"),
        Row("one seed of squares: all figures", sum(squares["drawn"].values()), "s", "≤ 6"),
        Row("one seed of squares: a figure", 1000 * sum(squares["drawn"].values()) / squares["figures"], "ms"),
        Row("one seed of mlp: training", mlp["training"], "s"),
        Row("one seed of mlp, learning_rule: measured", rule, "s"),
        Row("one seed of mlp: learning_rule ÷ training", rule / mlp["training"], "×", "≤ 1.2"),
    ]


def _looked(project: Path, experiment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(project, sys.executable, "-c", _LOOK, experiment).splitlines()[-1])
    return found
