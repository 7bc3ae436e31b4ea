"""A copy of the project in a folder of its own, in which a test runs real stages."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "experiments": ["digits_tiny"],
    "seeds": [0, 1],
    "sweeps": [],
    "digits_tiny": {
        "data": {"n_train": 300, "n_probe": 200},
        "train": {"epochs": 3},
        "lenses": {"mistakes": {"shown": 2}},
    },
}


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
    """Return the environment in which a person would run the project."""
    return {
        **{key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "1",
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
    project = Project(path)
    project.run("git", "init", "--quiet")
    project.params()
    project.commit()
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy in which the whole pipeline has run once on the tiny setting."""
    copy = copy_of_the_project(tmp_path_factory.mktemp("pipeline") / "project")
    assert copy.repro() == [
        "compose",
        "generate@digits_tiny",
        "train@digits_tiny",
        "dump@digits_tiny",
        "analyze@digits_tiny",
        "compare@digits_tiny",
        "report",
        "track",
    ]
    copy.commit()
    return copy


@pytest.fixture
def settled(project: Project) -> Project:
    """Return the project with the tiny setting reproduced, whatever the test before did."""
    project.params()
    project.repro()
    return project


def outs(project: Project) -> dict[str, str]:
    folders = ("runs", "reports")
    files = (file for folder in folders for file in (project.path / folder).rglob("*") if file.is_file())
    return {str(f.relative_to(project.path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
