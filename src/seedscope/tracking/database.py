"""Where to publish, and what is known to be there: the part that runs each time, without MLflow.

    destination   a tracking URI: SQLite in the repository, a server, or another database that MLflow can drive
    receipt       beside it: the runs that it was seen to show, and the digests of the files they were made of

A receipt only saves time. That the runs are still there is asked of the database itself: one query of SQLite, or one
request to a server. Of any other database only its own driver, which MLflow loads, could tell.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import sqlite3
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, url2pathname, urlopen

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import state_folder
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json
from seedscope.tracking.results import Digests, Found

PLACE = "seedscope.database"  # the tag of an MLflow experiment that says for which file its addresses were written
_SECONDS_FOR_AN_ANSWER = 10


@dataclass(frozen=True)
class Destination:
    """A tracking database: ``shown`` is its URI without a password, ``file`` is it where it is SQLite."""

    uri: str
    shown: str
    file: Path | None
    receipt: Path
    lock: Path

    @classmethod
    def of(cls, uri: str | None = None) -> Destination:
        """Return what a URI names; without one ``MLFLOW_TRACKING_URI``, without that a file in the repository."""
        uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        state = state_folder().absolute()
        if uri.startswith("sqlite:///"):
            path, question_mark, query = uri.removeprefix("sqlite:///").partition("?")
            file = (state.parent / path).resolve()
            full = f"sqlite:///{file}{question_mark}{query}"
            return cls(full, uri, file, Path(f"{file}.published.json"), Path(f"{file}.lock"))
        named = state / f"published-{hashlib.sha256(uri.encode()).hexdigest()[:12]}"
        return cls(uri, _public(uri), None, named.with_suffix(".json"), named.with_suffix(".lock"))

    @property
    def is_server(self) -> bool:
        """Return whether it is an MLflow server."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def is_postgresql(self) -> bool:
        """Return whether it is PostgreSQL, without a server of MLflow's before it."""
        return self.uri.startswith(("postgresql://", "postgresql+"))


@dataclass(frozen=True)
class Entry:
    """A run that a database was seen to show; ``run`` and ``within`` are MLflow's ids of it and of its experiment."""

    experiment: str
    name: str
    run: str
    within: str
    fingerprint: str
    analysis: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what at most one current run is of."""
        return self.experiment, self.name


@dataclass(frozen=True)
class Receipt:
    """What a database was seen to show, and the :class:`Digests` of the files it was made of."""

    entries: Sequence[Entry] = ()
    digests: Mapping[str, list[Any]] = field(default_factory=dict)


def read_receipt(destination: Destination) -> Receipt:
    """Return the receipt of a database; one that is missing or damaged counts as empty."""
    try:
        content = read_json(destination.receipt)
        return Receipt([Entry(**entry) for entry in content["runs"]], content["digests"])
    except (SeedscopeError, KeyError, TypeError):
        return Receipt()


def write_receipt(destination: Destination, receipt: Receipt) -> None:
    """Write the receipt of a database."""
    runs = [asdict(entry) for entry in receipt.entries]
    write_json(destination.receipt, {"runs": runs, "digests": receipt.digests})


def update_receipt(destination: Destination, shown: Sequence[Entry], found: Found, digests: Digests) -> None:
    """Add what the database shows now to its receipt; what a DVC experiment changed only leaves it."""
    receipt = read_receipt(destination)  # another process may have published since
    touched = {entry.run for entry in shown}
    replaced = set() if dvc_experiment() else {entry.experiment for entry in shown}
    kept = [
        entry
        for entry in receipt.entries
        if entry.run not in touched and (entry.experiment not in replaced or entry.key in found.left_out)
    ]
    if dvc_experiment():
        write_receipt(destination, Receipt(kept, receipt.digests))
    else:
        write_receipt(destination, Receipt([*kept, *shown], digests.seen))


def dvc_experiment() -> str:
    """Return the name of the ``dvc exp run`` that this is, if it is one.

    It tries something beside the workspace, often several at a time: its results supersede none.
    """
    return os.environ.get("DVC_EXP_NAME", "")


def is_published(destination: Destination, receipt: Receipt, found: Found) -> bool:
    """Return whether the receipt names exactly what was found, and the database still has those runs."""
    entries = [
        entry for entry in receipt.entries if entry.experiment in found.results and entry.key not in found.left_out
    ]
    said = {(*entry.key, entry.fingerprint, entry.analysis) for entry in entries}
    if said != {
        (experiment, result.name, result.fingerprint, result.analysis)
        for experiment, results in found.results.items()
        for result in results
    }:
        return False
    runs = {(entry.run, entry.analysis) for entry in entries}
    if destination.file is not None:
        return runs <= _shown_in_file(destination.file)
    return not runs or (destination.is_server and runs <= _shown_on_server(destination, entries))


def _shown_in_file(file: Path) -> set[tuple[str, str]]:
    """Return (run, analysis) of an SQLite database where the artifacts are there; nothing if it cannot be read."""
    query = (
        "SELECT run_uuid, value, artifact_uri FROM runs JOIN tags USING (run_uuid) "
        "WHERE lifecycle_stage = 'active' AND key = 'seedscope.analysis' "
        "AND NOT EXISTS (SELECT 1 FROM experiment_tags WHERE key = ? AND value != ?)"  # not settled where it is now
    )
    try:
        with contextlib.closing(opened(file, "ro")) as connection:
            shown = connection.execute(query, [PLACE, str(file)])
            return {(run, analysis) for run, analysis, artifacts in shown if _is_there(artifacts)}
    except sqlite3.Error:
        return set()  # why, the way through MLflow says


def _is_there(artifact_uri: str) -> bool:
    where = urlsplit(artifact_uri)
    return where.scheme != "file" or Path(url2pathname(where.path)).is_dir()


def _shown_on_server(destination: Destination, entries: Sequence[Entry]) -> set[tuple[str, str]]:
    """Return (run, analysis) of those runs of a receipt that the server still has."""
    query = {
        "experiment_ids": sorted({entry.within for entry in entries}),
        "filter": "attributes.run_id IN ({})".format(", ".join(f"'{entry.run}'" for entry in entries)),
        "max_results": len(entries),
    }
    answer = ask(destination, "/api/2.0/mlflow/runs/search", query) or {}
    return {
        (run["info"]["run_id"], tag["value"])
        for run in answer.get("runs", [])
        for tag in run["data"]["tags"]
        if tag["key"] == "seedscope.analysis"
    }


def opened(file: Path, mode: str) -> sqlite3.Connection:
    """Return an SQLite database, opened to read (``ro``) or to read and write (``rw``)."""
    uri = f"{file.as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_SECONDS_FOR_AN_ANSWER, isolation_level=None)


def artifact_root(file: Path) -> Path:
    """Return the folder for the files of an SQLite database's runs."""
    return file.with_name("mlartifacts")


def settle(file: Path) -> None:
    """Make a database that was moved or copied with its folder say where its artifacts lie now, in one transaction.

    MLflow keeps absolute addresses, of each experiment and of each run. For which place they were written stands in
    a tag of ours; addresses of others, elsewhere, stay as they are.
    """
    with contextlib.closing(opened(file, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiment_tags'").fetchone():
            query = "SELECT DISTINCT value FROM experiment_tags WHERE key = ? AND value != ?"
            for (place,) in connection.execute(query, [PLACE, str(file)]).fetchall():
                before, now = (f"{artifact_root(path).as_uri()}/" for path in (Path(place), file))
                for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        [now, len(before) + 1, len(before), before],
                    )
                connection.execute(
                    "UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?", [str(file), PLACE, place]
                )
        connection.execute("COMMIT")


def ask(destination: Destination, path: str, query: Mapping[str, Any] | None = None, part: Part | None = None) -> Any:
    """Return the JSON that the server answers with; ``None`` where it says no.

    Raises:
        SeedscopeError: it does not answer, or says that the ``part`` which it needs for that fails.
    """
    body = None if query is None else json.dumps(query).encode()
    headers = {"Content-Type": "application/json", **_authorization(destination.uri)}
    try:
        request = Request(destination.shown.rstrip("/") + path, body, headers)
        with urlopen(request, timeout=_SECONDS_FOR_AN_ANSWER) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        if part is not None and error.code in part.failing:
            raise _no_answer(destination, part, _message(error)) from error
        return None  # somebody is there; what it wants, MLflow's own client knows or says
    except (ssl.SSLError, ValueError):
        return None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return None
        raise _no_answer(destination, part, first_line(reason)) from error


def ask_all(destination: Destination) -> None:
    """Ask the server and all that it stands on.

    Raises:
        SeedscopeError: one of them does not answer.
    """
    ask(destination, "/health")
    for part in _PARTS:
        ask(destination, part.path, part.query, part)


@dataclass(frozen=True)
class Part:
    """What an MLflow server stands on; a request that needs it, and the statuses that say it fails."""

    name: str
    path: str
    query: Mapping[str, Any] | None
    failing: tuple[int, ...]


_PARTS = (
    Part("its database", "/api/2.0/mlflow/experiments/search", {"max_results": 1}, (500, 503)),
    Part("its store of artifacts", "/api/2.0/mlflow-artifacts/artifacts?path=", None, (500,)),  # 503: it has none
)


def _message(error: HTTPError) -> str:
    """Return what a server says of an error of its own."""
    try:
        return first_line(json.loads(error.read())["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return first_line(error)


def _no_answer(destination: Destination, part: Part | None, reason: str) -> SeedscopeError:
    if part is None:
        return SeedscopeError(
            f"the MLflow server {destination.shown} does not answer ({reason}): "
            "start it, or set MLFLOW_TRACKING_URI to one that runs; nothing else depends on it"
        )
    return SeedscopeError(
        f"the MLflow server {destination.shown} runs, but {part.name} does not answer ({reason}): "
        "start that, then run `dvc repro track`; nothing else depends on it"
    )


def _authorization(uri: str) -> dict[str, str]:
    """Return the header by which MLflow's own client would make itself known."""
    where = urlsplit(uri)
    user = where.username or os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = where.password or os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user and password:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _public(uri: str) -> str:
    """Return a URI without its user and password."""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise SeedscopeError(f"MLFLOW_TRACKING_URI {uri!r} is not a URI ({error})") from error
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def first_line(error: object) -> str:
    """Return what an error says first, as part of a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
