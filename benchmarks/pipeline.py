"""The whole pipeline at its defaults, in a fresh copy of the project: seconds and peak memory of every stage.

Memory is the proportional set size of the stage with all its worker processes, sampled every 50 ms.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import Row, seconds

STAGES = ("compose", "generate", "train", "dump", "analyze", "compare", "report", "track")


def measure() -> list[Row]:
    """Run the default pipeline from nothing, again with nothing to do, then stage by stage."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        whole = seconds(lambda: run(project, "dvc", "repro"))
        settled = [seconds(lambda: run(project, "dvc", "repro")) for _ in range(5)]
        shown = (project / "reports/figures/squares/seeds").rglob("*")
        figures = sum(1 for path in shown if path.suffix in (".png", ".gif"))
        rows = [
            Row("dvc repro, from nothing", whole, "s"),
            Row.of("dvc repro, nothing to do", settled, "s", "≤ 3"),
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
        workers = min(os.cpu_count() or 1, 5)
        rows.append(Row("analysis: seconds of a worker per figure", took["analyze"] * workers / figures, "s", "≤ 0.35"))
        rows.append(Row("size of runs/ and reports/", _size(project / "runs") + _size(project / "reports"), "MB"))
        rows.append(Row("size of the DVC cache", _size(project / ".dvc" / "cache"), "MB"))
        all_of_it = ("runs", "reports", ".replicas", ".dvc/cache", "mlartifacts", "mlflow.db")
        rows.append(Row("disk use of a default run, all in all", sum(_size(project / one) for one in all_of_it), "MB"))
        rows.append(Row("size of .replicas", _size(project / ".replicas"), "MB"))
        quick = seconds(lambda: _run_quick(project))
        rows.append(Row("make quick, environment set up", quick, "s", "≤ 60"))
    return rows


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


def _run_quick(folder: Path) -> None:
    recipe = re.search(r"^quick:.*\n((?:\t.*\n)+)", (folder / "Makefile").read_text(), re.M)
    assert recipe is not None
    run(folder, "sh", "-ec", recipe.group(1).replace("\t", "").replace("@", ""))


def watched(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command; return its seconds and the peak memory of its process tree, bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        total = 0.0
        for member in [root, *_children(root)]:
            try:
                total += member.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue  # it ended between being listed and being looked at
        peak = max(peak, total)
        time.sleep(0.05)
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
