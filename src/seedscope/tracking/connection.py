"""MLflow, opened: by one process of a machine at a time, quiet, patient for seconds, and with errors of one sentence.

SQLite       is made whole, or moved with its folder
PostgreSQL   makes its tables for one at a time; MLflow's server does so before it answers
a server     is asked first, and its database and its store of artifacts through it
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.files.errors import SeedscopeError
from seedscope.files.writing import replacing
from seedscope.tracking.database import Destination, artifact_root, ask_all, first_line, settle

if TYPE_CHECKING:
    from mlflow import MlflowClient

# With these every fit of a dead or hanging server ends within 30 s; MLflow's own defaults take 246 s.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
    "AWS_DEFAULTS_MODE": "cross-region",  # three tries to connect of 3.1 s, not five of a minute
}
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # an open connection would go on writing into a deleted file
}
_SECONDS_FOR_ANOTHER_PUBLISHER = 600


@contextlib.contextmanager
def connected(destination: Destination) -> Iterator[MlflowClient]:
    """Give a client of a database that is there, can be written, and is nobody else's meanwhile.

    Raises:
        SeedscopeError: there is none; also in place of what MLflow and its libraries raise in the block.
    """
    if destination.is_server:
        ask_all(destination)
    with _settings(), _alone(destination), _one_sentence(destination):
        from mlflow import MlflowClient

        if destination.file is not None:
            prepare(destination.file)
        with _tables_alone(destination) if destination.is_postgresql else contextlib.nullcontext():
            client = MlflowClient(destination.uri, registry_uri=destination.uri)
        yield client


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Let MLflow neither log, report home, nor wait for minutes; leave everything as it was found."""
    before = {name: os.environ.get(name) for name in (*_PATIENCE, *_QUIET)}
    threshold = logging.root.manager.disable
    os.environ.update({**_PATIENCE, **os.environ, **_QUIET})
    logging.disable(logging.CRITICAL)  # it logs a traceback for what is one sentence to a user
    try:
        yield
    finally:
        logging.disable(threshold)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _alone(destination: Destination) -> Iterator[None]:
    """Hold the lock of a database: of two processes at once, both would miss a run and create it.

    It is a file, for the receipt too is this machine's: between machines there is :mod:`seedscope.tracking.lease`.
    """
    from filelock import FileLock, Timeout

    try:
        destination.lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(destination.lock, timeout=_SECONDS_FOR_ANOTHER_PUBLISHER)
        lock.acquire()
    except Timeout as error:
        minutes = _SECONDS_FOR_ANOTHER_PUBLISHER // 60
        raise SeedscopeError(
            f"another process has been publishing into {destination.shown} for {minutes} minutes: "
            "see what it waits for, then run `dvc repro track` again"
        ) from error
    except OSError as error:
        raise SeedscopeError(f"{destination.lock} cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _one_sentence(destination: Destination) -> Iterator[None]:
    """Turn what MLflow and its libraries raise into one sentence."""
    try:
        yield
    except _kinds(destination) as error:
        if destination.is_server:
            ask_all(destination)  # MLflow says which request has failed, and not what has died
        reason = first_line(error).replace(destination.uri, destination.shown)
        raise SeedscopeError(f"publishing into {destination.shown} stopped: {reason}") from error


def _kinds(destination: Destination) -> tuple[type[Exception], ...]:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    kinds: tuple[type[Exception], ...] = (MlflowException, SQLAlchemyError, CommandError, OSError)
    if destination.file is None:
        with contextlib.suppress(ImportError):  # who keeps no files in S3 does not have them
            from boto3.exceptions import Boto3Error
            from botocore.exceptions import BotoCoreError, ClientError

            kinds += (Boto3Error, BotoCoreError, ClientError)
    return kinds


@contextlib.contextmanager
def _tables_alone(destination: Destination) -> Iterator[None]:
    """Hold the lock under which MLflow makes its tables in PostgreSQL: two at once fail half-way.

    Raises:
        SeedscopeError: it does not answer, or lets nobody in; MLflow would find that out ten times, in 100 s.
    """
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        connection = create_engine(destination.uri, poolclass=NullPool).connect()
    except (SQLAlchemyError, ImportError) as error:
        reason = first_line(error).replace(destination.uri, destination.shown)
        raise SeedscopeError(
            f"the database {destination.shown} does not answer ({reason}): "
            "start it, or set MLFLOW_TRACKING_URI to one that runs; nothing else depends on it"
        ) from error
    with connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtext('seedscope'))"))  # let go with the connection
        yield


def prepare(file: Path) -> None:
    """Make an SQLite database where there is none, whole or not at all; refuse one that cannot be written.

    One that was moved or copied with its folder then says where its artifacts lie now.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    if not file.exists() or not file.stat().st_size:
        # MLflow creates its schema step by step; killed half-way it leaves a file that it refuses ever after.
        with replacing(file) as temporary:
            store: Any = SqlAlchemyStore  # it carries no types
            store(f"sqlite:///{temporary}", artifact_root(file).as_uri()).engine.dispose()
    try:
        settle(file)
    except sqlite3.Error as error:
        raise SeedscopeError(
            f"{file} cannot be written ({error}): close what holds it, or delete it, and it is filled again"
        ) from error
