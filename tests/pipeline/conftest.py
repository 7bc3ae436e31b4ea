"""A copy of the project in a folder of its own, in which a test runs real stages.

The whole pipeline runs once for all tests (also where several processes share them); each gets a copy of what came.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from seedscope.tracking.database import settle
from tests.read_before import take_what_was_read

from .preloaded import preloaded

ROOT = Path(__file__).resolve().parents[2]
# A PATH with the python that imports what it needs itself.
REAL = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
# Squares in 2×2 cells: of four classes there are half as many figures as of ten.
TINY = {
    "experiments": ["digits_tiny"],
    "seeds": [0, 1],
    "sweeps": [],
    "digits_tiny": {
        "data": "squares",
        "data.n_train": 300,
        "data.n_probe": 200,
        "data.size": 8,
        "data.side": 3,
        "data.grid": 2,
        "model": {"classes": 4},
        "train": {"epochs": 3},
        "lenses": {"contribution": None, "space": None, "mistakes": {"shown": 2}},
    },
}
STAGES = [
    "compose",
    *(f"{stage}@digits_tiny" for stage in ("generate", "train", "dump", "analyze", "compare")),
    "report",
    "track",
]


@dataclass(frozen=True)
class Project:
    """A copy of the project, its own git and DVC repository."""

    path: Path

    def run(self, *command: str, expect: int = 0, **environment: str) -> str:
        """Run a command in the project and return what it printed; it must exit with ``expect``."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=surroundings(**environment),
            capture_output=True,
            text=True,
            timeout=1800,  # every experiment of conf/ one after the other, on a busy machine
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == expect, f"{' '.join(command)} exited with {done.returncode}:\n{said}"
        return said

    def repro(self, *arguments: str, expect: int = 0, **environment: str) -> list[str]:
        """Run ``dvc repro`` and return the stages that ran."""
        return ran(self.run("dvc", "repro", *arguments, expect=expect, **environment))

    def params(self, **changes: object) -> None:
        """Write params.yaml: the tiny setting with ``changes``."""
        (self.path / "params.yaml").write_text(yaml.safe_dump({**TINY, **changes}, sort_keys=False))

    def commit(self) -> None:
        """Commit everything, as a person would after a run."""
        self.run("git", "add", "--all")
        self.run(
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "state",
        )


def surroundings(**environment: str) -> dict[str, str]:
    """Return the environment in which a person would run the project, on a machine with one core.

    Another process imports everything again, which takes longer than what these small stages do; so their libraries are
    imported already.
    """
    return {
        **{key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")},
        "PATH": f"{preloaded()}{os.pathsep}{REAL}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "1",
        "LOKY_MAX_CPU_COUNT": "1",
        **environment,
    }


def ran(said: str) -> list[str]:
    """Return the stages that ``dvc repro`` says it ran."""
    return re.findall(r"Running stage '([^']+)'", said)


def copy_of_the_project(path: Path) -> Project:
    """Copy the working tree (tracked and new files, no results) into ``path``."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    path.mkdir(parents=True)
    archive = subprocess.run(
        ["tar", "--null", "--files-from=-", "-cf", "-"], cwd=ROOT, input=files, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-xf", "-"], cwd=path, input=archive, check=True)
    (path / "dvc.lock").unlink(missing_ok=True)
    take_what_was_read(path)
    project = Project(path)
    project.run("git", "init", "--quiet")
    project.params()
    project.commit()
    return project


@dataclass(frozen=True)
class Prepared:
    """A project in which the whole pipeline has run once on the tiny setting, and how long each stage took, seconds."""

    path: Path
    took: dict[str, float]

    def copy(self, path: Path) -> Project:
        """Return a copy of it in ``path``: there is nothing to do."""
        shutil.copytree(self.path, path, symlinks=True)
        settle(path / "mlflow.db")
        return Project(path)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Prepared:
    """Return the project that all tests share, and that none changes."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    with FileLock(folder / "prepared.lock"):
        if not (folder / "took.json").exists():
            shutil.rmtree(folder / "prepared", ignore_errors=True)  # another process failed here
            copy = copy_of_the_project(folder / "prepared")
            # What the tests that kill go by: real stages, with workers.
            took = timed(copy, PATH=REAL, LOKY_MAX_CPU_COUNT="2")
            assert list(took) == STAGES
            copy.commit()
            (folder / "took.json").write_text(json.dumps(took))
        return Prepared(folder / "prepared", json.loads((folder / "took.json").read_text()))


def timed(project: Project, **environment: str) -> dict[str, float]:
    """Run ``dvc repro`` and return how long each stage took, seconds."""
    began: dict[str, float] = {}
    said = []
    command = ["dvc", "repro"]
    with subprocess.Popen(
        command,
        cwd=project.path,
        env=surroundings(PYTHONUNBUFFERED="1", **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            began |= {stage: time.monotonic() for stage in ran(line)}
    assert process.returncode == 0, "".join(said)
    moments = [*began.values(), time.monotonic()]
    return {stage: after - before for stage, before, after in zip(began, moments, moments[1:], strict=False)}


@pytest.fixture(scope="module")
def project(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy of the prepared project for the tests of a file."""
    return prepared.copy(tmp_path_factory.mktemp("pipeline") / "project")


@pytest.fixture
def settled(prepared: Prepared, tmp_path: Path) -> Project:
    """Return a copy of the prepared project for one test."""
    return prepared.copy(tmp_path / "project")


def outs(project: Project) -> dict[str, str]:
    folders = ("runs", "reports")
    files = (file for folder in folders for file in (project.path / folder).rglob("*") if file.is_file())
    return {str(f.relative_to(project.path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
