"""``make quick``, and ``dvc repro`` of all default experiments with nothing to do, in a copy of the project.

What DVC does where there is nothing to do grows with the number of stages and the length of their configurations, not
with the size of the data: so the experiments run with one seed, few pictures and one epoch first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks import Row, seconds
from benchmarks.pipeline import choose, copy_project, run

_ROUNDS = 7


def measure() -> list[Row]:
    """Return the seconds of each, and of the two stages that always run."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        quick = seconds(lambda: run(project, "make", "--old-file=setup", "quick"))  # the environment is ours
        params = yaml.safe_load((project / "params.yaml").read_text())
        small = {name: {**(params[name] or {}), "train.epochs": 1} for name in params["experiments"]}
        small["squares"] = {"data.n_train": 180, "data.n_probe": 90, "train.epochs": 1}
        choose(project, seeds=[0], **small)
        run(project, "dvc", "repro")
        rows = [
            Row("make quick, environment set up", quick, "s", "≤ 45"),
            _of("dvc repro, nothing to do", project, "dvc", "repro", asked="≤ 2"),
            _of("dvc status, which runs nothing", project, "dvc", "status"),
        ]
        for stage in ("compose", "track"):
            rows.append(_of(f"stage {stage}, nothing to do", project, sys.executable, "-m", f"pipeline.{stage}"))
    return rows


def _of(name: str, project: Path, *command: str, asked: str = "") -> Row:
    return Row.of(name, [seconds(lambda: run(project, *command)) for _ in range(_ROUNDS)], "s", asked)
