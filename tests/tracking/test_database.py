"""The database that is meant is found, asked cheaply, filled again when it was lost, and refused in one sentence."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts
from seedscope.tracking import connection, database, publish
from tests.tracking.toy import PUBLISH, client, everything, free_port, in_process, redraw, runs, shown

# Nothing to do


@pytest.mark.usefixtures("toy")
def test_publishing_twice_adds_nothing() -> None:
    publish(Path(), ["toy"])
    before = everything()
    assert str(publish(Path(), ["toy"])).startswith("nothing new")
    assert everything() == before


@pytest.mark.parametrize("damage", ["", "{", '{"database": 1}'], ids=["missing", "truncated", "alien"])
@pytest.mark.usefixtures("toy")
def test_without_its_receipt_a_full_database_gets_nothing_more(damage: str) -> None:
    publish(Path(), ["toy"])
    before = everything()
    Path("mlflow.db.published.json").write_text(damage) if damage else Path("mlflow.db.published.json").unlink()
    assert not publish(Path(), ["toy"]).added
    assert everything() == before


@pytest.mark.usefixtures("toy")
def test_nothing_to_do_takes_no_mlflow_and_no_time() -> None:
    publish(Path(), ["toy"])
    asked = "import sys, time; print({'mlflow', 'numpy', 'PIL', 'filelock'} & sys.modules.keys(), time.process_time())"
    output, _ = in_process(f"{PUBLISH}; {asked}").communicate()
    said, imported_and_took = output.splitlines()
    imported, _, seconds = imported_and_took.rpartition(" ")
    assert (said, imported) == ("nothing new for sqlite:///mlflow.db", "set()")
    assert float(seconds) < 0.3  # of processor time: others may keep it waiting


# The one that is meant


@pytest.mark.usefixtures("toy")
def test_another_database_is_filled_too(empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(Path(), ["toy"])
    shutil.copyfile(empty_database, "elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    assert len(publish(Path(), ["toy"]).added) == 3
    assert set(runs(mlflow=client(Path("elsewhere.db")))) == {"seed=3", "seed=5", "across seeds"}
    assert not publish(Path(), ["toy"]).added
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert not publish(Path(), ["toy"]).added


@pytest.mark.usefixtures("toy")
def test_in_a_queued_experiment_the_database_is_that_of_the_real_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_database: Path
) -> None:
    clone = tmp_path / "clone"
    for folder in ("runs", "reports"):
        shutil.copytree(folder, clone / folder)
    monkeypatch.chdir(clone)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    shutil.copytree(empty_database.parent, tmp_path / "other")
    publish(Path(), ["toy"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other/mlflow.db")
    publish(Path(), ["toy"])
    assert sorted(path.name for path in clone.iterdir()) == ["reports", "runs"]
    for folder in (tmp_path, tmp_path / "other"):
        uri = runs(mlflow=client(folder / "mlflow.db"))["seed=3"].info.artifact_uri
        assert uri.startswith((folder / "mlartifacts" / "toy").as_uri())


# Its folder is somewhere else now


@pytest.fixture
def project(toy: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own in which the miniature experiment was published."""
    folder = tmp_path / "it's 50 % of _ project"
    folder.mkdir()
    for name in ("runs", "reports", "mlflow.db"):
        (toy.root / name).rename(folder / name)
    monkeypatch.chdir(folder)
    publish(Path(), ["toy"])
    return folder


def figure(seed: str) -> bytes:
    """A figure of a run as MLflow hands it out."""
    mlflow = client()
    run = runs(mlflow=mlflow)[seed].info
    return Path(mlflow.download_artifacts(run.run_id, "figures/contribution/contribution_votes.png")).read_bytes()


def go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder as a new process does: MLflow's client remembers where a run's artifacts lay in the last one."""
    monkeypatch.chdir(folder)
    _artifact_repos_cache.clear()


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree], ids=["moved", "copied"])
def test_a_project_that_was_moved_or_copied_goes_on_where_it_is(
    how: Callable[[Path, Path], object], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, drawn = everything(), figure("seed=3")
    there = tmp_path / "elsewhere"
    how(project, there)
    go(there, monkeypatch)
    assert not publish(Path(), ["toy"]).added
    assert figure("seed=3") == drawn
    assert {run.info.artifact_uri.startswith(there.as_uri()) for run in runs().values()} == {True}
    assert everything()[1] == before[1]
    redrawn = redraw(Artifacts("toy")).read_bytes()
    assert publish(Path(), ["toy"]).revised == ("toy seed=3",)
    assert figure("seed=3") == redrawn != drawn
    assert not publish(Path(), ["toy"]).revised
    if project.exists():
        go(project, monkeypatch)
        assert everything() == before
        assert not publish(Path(), ["toy"]).revised
        assert figure("seed=3") == drawn


@pytest.mark.usefixtures("project")
def test_what_others_keep_elsewhere_in_the_same_database_stays_there(tmp_path: Path) -> None:
    other = client().create_experiment("other", (tmp_path / "theirs").as_uri())
    theirs = client().create_run(other).info.artifact_uri
    shutil.copyfile("mlflow.db", tmp_path / "mlflow.db")
    database.settle(tmp_path / "mlflow.db")
    moved = client(tmp_path / "mlflow.db")
    assert [run.info.artifact_uri for run in moved.search_runs([other])] == [theirs]
    assert moved.get_experiment(other).artifact_location == (tmp_path / "theirs").as_uri()
    assert moved.get_experiment_by_name("toy").artifact_location == (tmp_path / "mlartifacts/toy").as_uri()


# What was lost comes back


@pytest.mark.usefixtures("toy")
def test_a_deleted_database_is_filled_again_once(empty_database: Path) -> None:
    publish(Path(), ["toy"])
    before = shown()
    Path("mlflow.db").unlink()
    shutil.copyfile(empty_database, "mlflow.db")  # recreated by somebody else, the receipt beside it
    assert len(publish(Path(), ["toy"]).added) == 3
    assert shown() == before
    assert not publish(Path(), ["toy"]).added


def test_a_database_restored_from_a_backup_is_brought_up_to_date(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    shutil.copyfile("mlflow.db", "backup.db")
    redraw(toy)
    publish(Path(), ["toy"])
    shutil.copyfile("backup.db", "mlflow.db")
    assert publish(Path(), ["toy"]).revised == ("toy seed=3",)
    assert not publish(Path(), ["toy"]).revised


# What goes wrong is one sentence


@pytest.mark.usefixtures("toy")
def test_a_dead_server_is_one_sentence_at_once() -> None:
    uri = f"http://user:secret@127.0.0.1:{free_port()}"
    started = time.monotonic()
    with pytest.raises(SeedscopeError, match="does not answer") as error:
        publish(Path(), ["toy"], uri)
    assert time.monotonic() - started < 5
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("toy")
def test_a_hanging_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SECONDS_FOR_AN_ANSWER", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(SeedscopeError, match=r"does not answer \(timed out\)"),
    ):
        publish(Path(), ["toy"], f"http://127.0.0.1:{listener.getsockname()[1]}")


@pytest.mark.usefixtures("toy")
def test_a_server_that_hangs_half_way_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                time.sleep(1.5)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    assert float(connection._PATIENCE["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 10
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(SeedscopeError, match="stopped") as error:
            publish(Path(), ["toy"], f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("uri", ["./mlruns", "nonsense://x", "http://[::1", "http://", "http://localhost:port"])
@pytest.mark.usefixtures("toy")
def test_a_wrong_uri_is_one_sentence(uri: str) -> None:
    with pytest.raises(SeedscopeError) as error:
        publish(Path(), ["toy"], uri)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("toy")
def test_a_file_that_is_no_database_is_one_sentence() -> None:
    Path("mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SeedscopeError, match=r"mlflow\.db cannot be written \(file is not a database\)"):
        publish(Path(), ["toy"])


@pytest.mark.usefixtures("toy")
def test_a_folder_that_cannot_be_written_is_one_sentence() -> None:
    Path("file").touch()
    with pytest.raises(SeedscopeError, match=r"file/mlflow\.db"):
        publish(Path(), ["toy"], "sqlite:///file/mlflow.db")


@pytest.mark.usefixtures("toy")
def test_a_locked_database_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SECONDS_FOR_AN_ANSWER", 0.2)
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SeedscopeError, match="database is locked"):
            publish(Path(), ["toy"])


@pytest.mark.usefixtures("toy")
def test_a_database_of_another_mlflow_is_one_sentence() -> None:
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
    with pytest.raises(SeedscopeError, match="out-of-date database schema") as error:
        publish(Path(), ["toy"])
    assert "\n" not in str(error.value)
