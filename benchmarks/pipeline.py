"""The whole pipeline in a fresh copy of the project, for squares alone: seconds and peak memory of every stage.

The other default experiments are in the last figure only: the seconds of the defaults as they are.

Memory is the proportional set size of the stage with all its worker processes, sampled every 50 ms.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks import Row, seconds

_ONE = """
import os, time
from seedscope.looks.analysis import analyze_replica
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment
from seedscope.replicas.store import train_replica
os.environ["DVC_ROOT"] = os.path.abspath("alone")  # a store of its own: nothing is kept there
experiment = Experiment.load("squares")
import seedscope.replicas.training
start = time.perf_counter()
train_replica(experiment, digest(experiment.at.data), 0, lambda done, total: None)
trained = time.perf_counter()
analyze_replica(experiment, 0, lambda done, total: None)
print(trained - start, time.perf_counter() - trained)
"""
STAGES = ("compose", "generate", "train", "dump", "analyze", "compare", "report", "track")


def measure() -> list[Row]:
    """Run squares from nothing, then stage by stage; at last all default experiments."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        defaults = yaml.safe_load((project / "params.yaml").read_text())
        choose(project, experiments=["squares"])
        whole = seconds(lambda: run(project, "dvc", "repro"))
        shown = (project / "reports/figures/squares/seeds").rglob("*")
        figures = sum(1 for path in shown if path.suffix in (".png", ".gif"))
        rows = [
            Row("dvc repro, from nothing", whole, "s"),
        ]
        training, looking = map(float, run(project, sys.executable, "-c", _ONE).split())
        workers = min(os.cpu_count() or 1, 5)
        rows += [
            Row("one replica: training", training, "s"),
            Row("one replica: all lenses and figures", looking, "s"),
            Row(
                "dvc repro from nothing ÷ (training, lenses and figures of 5 seeds ÷ cores)",
                whole * workers / (5 * (training + looking)),
                "×",
                "≤ 1.3",
            ),
            Row("dvc repro, one seed added", _one_seed_added(project), "s"),
        ]
        (project / "mlflow.db").unlink()  # so that track has its work to do
        for kept in (project / ".replicas").iterdir():
            subprocess.run(["rm", "-rf", str(kept)], check=True)
        took: dict[str, float] = {}
        for stage in STAGES:
            argument = [] if stage in ("compose", "report", "track") else ["squares"]
            took[stage], peak = watched(project, sys.executable, "-m", f"pipeline.{stage}", *argument)
            rows.append(Row(f"stage {stage}: time", took[stage], "s"))
            rows.append(Row(f"stage {stage}: peak memory", peak / 1e6, "MB", "≤ 1500"))
        rows.append(Row("analysis: seconds of a worker per figure", took["analyze"] * workers / figures, "s", "≤ 0.35"))
        rows.append(Row("size of runs/ and reports/", _size(project / "runs") + _size(project / "reports"), "MB"))
        rows.append(Row("size of the DVC cache", _size(project / ".dvc" / "cache"), "MB"))
        all_of_it = ("runs", "reports", ".replicas", ".dvc/cache", "mlartifacts", "mlflow.db")
        rows.append(Row("disk use of squares, all in all", sum(_size(project / one) for one in all_of_it), "MB"))
        rows.append(Row("size of .replicas", _size(project / ".replicas"), "MB"))
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        everything = seconds(lambda: run(Path(folder), "dvc", "repro"))
        name = f"dvc repro of {', '.join(defaults['experiments'])}, from nothing"
        rows.append(Row(name, everything, "s", "≤ 330"))
    return rows


def _one_seed_added(project: Path) -> float:
    """Return the seconds of ``dvc repro`` with a sixth seed; the five are chosen again afterwards."""
    choose(project, seeds=[0, 1, 2, 3, 4, 5])
    took = seconds(lambda: run(project, "dvc", "repro"))
    choose(project, seeds=[0, 1, 2, 3, 4])
    run(project, "dvc", "repro", "compare")
    return took


def copy_project(folder: Path) -> None:
    """Copy the working tree, without results, into ``folder``."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    archive = subprocess.run(
        ["tar", "--null", "--files-from=-", "-cf", "-"], input=files, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-xf", "-"], cwd=folder, input=archive, check=True)
    run(folder, "git", "init", "--quiet")


def choose(project: Path, **changes: Any) -> None:
    """Change keys of params.yaml."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump({**params, **changes}, sort_keys=False))


def environment() -> dict[str, str]:
    """Return the surroundings of a command of the project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def run(folder: Path, *command: str) -> str:
    """Run a command in the project and return what it printed; it must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def watched(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command; return its seconds and the peak memory of its process tree, bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        looked, total = time.perf_counter(), 0.0
        for member in [root, *_children(root)]:
            try:
                total += member.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue  # it ended between being listed and being looked at
        peak = max(peak, total)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.05, 20 * (time.perf_counter() - looked)))  # to look is not to take the time of a core
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
    return time.perf_counter() - start, peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _size(path: Path) -> float:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
