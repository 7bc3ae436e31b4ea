"""A real MLflow server."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from seedscope.files.paths import Artifacts
from seedscope.tracking import publish
from tests.tracking.toy import PUBLISH, artifacts, in_process, redraw, runs, shown, tracking_server


@pytest.fixture(scope="module")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URI and the folder of a server that keeps its artifacts to itself, so that they travel over HTTP."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(empty_database, folder / "mlflow.db")
    with tracking_server(f"sqlite:///{folder}/mlflow.db", f"{folder}/files") as uri:
        yield uri, folder


@pytest.fixture
def empty_server(server: tuple[str, Path], empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The server, which has never heard of us, as where to publish."""
    uri, folder = server
    overwrite(folder / "mlflow.db", empty_database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return server


def overwrite(database: Path, by: Path) -> None:
    """Replace what a database holds under the eyes of its server."""
    with (
        contextlib.closing(sqlite3.connect(by)) as source,
        contextlib.closing(sqlite3.connect(database)) as target,
    ):
        source.backup(target)


def test_a_server_shows_each_result_once_also_after_a_new_analysis_and_an_emptied_database(
    toy: Artifacts, empty_server: tuple[str, Path], empty_database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uri, folder = empty_server
    assert len(publish(Path(), ["toy"]).added) == 3
    mlflow = MlflowClient(uri)
    first = runs(mlflow=mlflow)
    assert first["seed=3"].info.artifact_uri.startswith("mlflow-artifacts:")
    process = in_process(f"{PUBLISH}; import sys; print('mlflow' in sys.modules)", MLFLOW_TRACKING_URI=uri)
    assert process.communicate()[0].splitlines() == [f"nothing new for {uri}", "False"]

    new = redraw(toy).read_bytes()
    assert publish(Path(), ["toy"]).revised == ("toy seed=3",)
    assert capfd.readouterr() == ("", "")
    run = runs(mlflow=mlflow)["seed=3"]
    earlier = first["seed=3"].data.tags["seedscope.analysis"][:8]
    names = artifacts(run, mlflow=mlflow)
    assert f"earlier/{earlier}/figures/contribution/contribution_votes.png" in names
    figure = mlflow.download_artifacts(run.info.run_id, "figures/contribution/contribution_votes.png", str(toy.root))
    assert Path(figure).read_bytes() == new
    mlflow.delete_run(run.info.run_id)
    publish(Path(), ["toy"])
    assert runs(mlflow=mlflow)["seed=3"].info.run_id == run.info.run_id

    overwrite(folder / "mlflow.db", empty_database)
    assert len(publish(Path(), ["toy"]).added) == 3
    assert set(runs(mlflow=mlflow)) == {"seed=3", "seed=5", "across seeds"}
    assert not publish(Path(), ["toy"]).added


@pytest.mark.usefixtures("toy")
def test_a_server_on_a_database_that_was_filled_without_it_gets_nothing_more(empty_server: tuple[str, Path]) -> None:
    uri, folder = empty_server
    publish(Path(), ["toy"], f"sqlite:///{folder}/mlflow.db")
    before = shown(folder)
    assert str(publish(Path(), ["toy"])) == f"nothing new for {uri}"
    assert shown(folder) == before
