"""Many seeds on all cores: the train stage against a plain PyTorch loop that takes one seed after the other.

The plain loop (see ``benchmarks/training.py``) has torch's default number of threads, the stage its engine's default:
one process per core with one thread each. The stage's time is that of its process, imports included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import Row, seconds
from benchmarks.pipeline import choose, copy_project, environment, run

_EPOCHS = 8  # the default of squares
_PLAIN = """
import numpy as np, time, torch
from benchmarks.training import plain_loop
from seedscope.files.arrays import read_dataset
with read_dataset("runs/squares/data.nc") as data:
    train = data.isel(sample=np.flatnonzero(data.split.values == "train")).load()
image, label = torch.from_numpy(train.image.values), torch.from_numpy(train.label.values)
plain_loop(image[:640], label[:640], 1)
start = time.perf_counter()
plain_loop(image, label, {epochs})
print(time.perf_counter() - start)
"""


def measure() -> list[Row]:
    """Train one seed, then six, then take the plain loop, three times in turn."""
    one, six, plain = [], [], []
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        _choose(project, [0])
        run(project, "dvc", "repro", "generate")
        for _ in range(3):
            one.append(_stage(project, [0]))
            six.append(_stage(project, list(range(6))))
            plain.append(_plain(project))
    per_hour = [6 * 3600 / took for took in six]
    plainly = [3600 / took for took in plain]
    return [
        Row.of("train stage, one seed", one, "s"),
        Row.of(f"train stage, six seeds on {cores} cores", six, "s"),
        Row.of("six seeds ÷ one", [b / a for a, b in zip(one, six, strict=True)], "×", f"≤ {6.6 / cores:.2g}"),
        Row.of(f"seeds per hour, {cores} cores", per_hour, "seeds/h"),
        Row.of("seeds per hour, plain loop, default threads", plainly, "seeds/h"),
        Row.of("seeds per hour ÷ plain loop's", [a / b for a, b in zip(per_hour, plainly, strict=True)], "×", "≥ 1.6"),
    ]


def _choose(project: Path, seeds: list[int]) -> None:
    choose(project, experiments=["squares"], seeds=seeds)
    run(project, sys.executable, "-m", "pipeline.compose")


def _stage(project: Path, seeds: list[int]) -> float:
    _choose(project, seeds)
    subprocess.run(["rm", "-rf", str(project / ".replicas"), str(project / "runs/squares/replicas")], check=True)
    return seconds(lambda: run(project, sys.executable, "-m", "pipeline.train", "squares"))


def _plain(project: Path) -> float:
    """Return the seconds of one seed of the plain loop, in a process that has torch's default threads."""
    surroundings = {key: value for key, value in environment().items() if key != "OMP_NUM_THREADS"}
    code = _PLAIN.format(epochs=_EPOCHS)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=project, env=surroundings, capture_output=True, text=True, check=True)
    return float(done.stdout)
