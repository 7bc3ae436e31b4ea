"""What tests do to the miniature experiment, and what a reader of MLflow then sees of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

import seedscope
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json

SOURCE = Path(seedscope.__file__).parents[1]
REPOSITORY = SOURCE.parent
CURRENT = "tags.`seedscope.superseded` IS NULL"
PUBLISH = "from pathlib import Path; from seedscope.tracking import publish; print(publish(Path(), ['toy']))"


@contextlib.contextmanager
def tracking_server(store: str, artifacts: str, **environment: str) -> Iterator[str]:
    """Serve a database, and files that travel over HTTP too; yield the address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store, "--artifacts-destination", artifacts]
    process = subprocess.Popen(
        command,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=1):
                break
            time.sleep(0.1)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def client(database: Path = Path("mlflow.db")) -> MlflowClient:
    return MlflowClient(f"sqlite:///{database.absolute()}")


def runs(query: str = "", mlflow: MlflowClient | None = None) -> dict[str, Run]:
    """All active runs of the miniature by name; a name that stands for two runs fails the test."""
    mlflow = mlflow or client()
    found = mlflow.search_runs([mlflow.get_experiment_by_name("toy").experiment_id], query)
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found)
    return by_name


def artifacts(run: Run, folder: str | None = None, mlflow: MlflowClient | None = None) -> set[str]:
    mlflow = mlflow or client()
    names = set()
    for entry in mlflow.list_artifacts(run.info.run_id, folder):
        names |= artifacts(run, entry.path, mlflow) if entry.is_dir else {entry.path}
    return names


def everything(root: Path = Path()) -> tuple[list[str], dict[str, bytes]]:
    """The whole content of the database and of the artifacts."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as connection:
        rows = sorted(connection.iterdump())
    files = (root / "mlartifacts").rglob("*")
    return rows, {str(path): path.read_bytes() for path in files if path.is_file()}


def shown(root: Path = Path()) -> dict[str, object]:
    """What a reader of MLflow sees, without ids and times: equal for equal publications."""
    mlflow = client(root / "mlflow.db")
    seen: dict[str, object] = {}
    for name, run in runs(mlflow=mlflow).items():
        keys = sorted(run.data.metrics)
        steps = {
            key: [(m.step, repr(m.value)) for m in mlflow.get_metric_history(run.info.run_id, key)] for key in keys
        }
        files = Path(run.info.artifact_uri.removeprefix("file://"))
        content = {
            re.sub(r"timestamp\+\d+\+[0-9a-f-]{36}", "", str(path.relative_to(files))): path.read_bytes()
            for path in sorted(files.rglob("*"))
            if path.is_file()
        }
        assert len(content) == len(artifacts(run, mlflow=mlflow))
        seen[name] = (run.info.status, run.data.params, run.data.tags, steps, content, len(run.inputs.dataset_inputs))
    return seen


def redraw(at: Artifacts, seed: int = 3, colour: int = 7) -> Path:
    """Draw a figure anew: another analysis of the same replica."""
    path = at.figures(seed, "contribution") / "contribution_votes.png"
    path.unlink()
    Image.fromarray(np.full((8, 12, 3), colour, np.uint8)).save(path)
    return path


def retrain(at: Artifacts, seed: int, fingerprint: str) -> None:
    write_json(at.identity(seed), {**read_json(at.identity(seed)), "fingerprint": fingerprint})


def with_config(at: Artifacts, **changes: object) -> None:
    write_json(at.config, {**read_json(at.config), **changes})


def in_process(code: str, **environment: str) -> subprocess.Popen[str]:
    """Start Python in the working directory with the library on its path."""
    before = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "PYTEST"))}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**before, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(REPOSITORY)]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
