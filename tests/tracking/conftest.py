"""The miniature experiment beside a database of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seedscope.files.paths import Artifacts
from seedscope.tracking.connection import prepare


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow has made and nobody has written to; making one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    prepare(file)
    return file


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of its own: a relative database must never be that of this repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def toy(miniature: Artifacts, empty_database: Path) -> Artifacts:
    """The miniature experiment in the working directory, and a database beside it."""
    shutil.copyfile(empty_database, miniature.root / "mlflow.db")
    return Artifacts("toy")
