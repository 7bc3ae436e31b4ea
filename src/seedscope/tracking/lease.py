"""One publisher of an experiment at a time, on however many machines: a lease that the tracking database itself keeps.

    flag      a registered model ``seedscope is publishing <experiment> (<n>)``; a name can be created only once
    raise     create flag n + 1, where n is the highest that is there; wait while the flag of a living one is
    hold      mine is the only one, looked at after it was raised; those of the dead do not count and are deleted
    renew     every 5 s; a flag that has not changed for 30 s, by the clock of who watches it, is of a dead one
    release   delete it

Two never hold it at once: each looks after it has raised, so that of two at least one sees the other's flag, and
lowers its own (the flag principle; Herlihy and Shavit, *The Art of Multiprocessor Programming*, chapter 1). No two
clocks are compared. Who holds it may die: 30 s later the next one goes on where it stopped (leases; Gray and Cheriton,
SOSP 1989). Who only slept that long, and wakes to find its flag gone, stops before the next run.

Nothing else in MLflow would do: of runs and tags any number can be created and overwritten, a deleted experiment keeps
its name, and what PostgreSQL offers (advisory locks) cannot be asked for through MLflow's server.
"""

from __future__ import annotations

import contextlib
import getpass
import random
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from sqlalchemy.exc import SQLAlchemyError

from seedscope.files.errors import SeedscopeError

_SECONDS_TO_RENEW = 5.0
_SECONDS_TO_LIVE = 30.0
_SECONDS_TO_WAIT = 600.0
_SECONDS_TO_RELEASE = 3.0  # where the server has died meanwhile, its sentence is not kept waiting for longer
_BETWEEN_LOOKS = (0.5, 2.0)  # at random: of two that lowered their flags one comes first

_Seen = tuple[str, int | None]  # who raised a flag, and when it was renewed last by the server's clock


@contextlib.contextmanager
def alone(client: MlflowClient, experiment: str) -> Iterator[Callable[[], None]]:
    """Hold the lease of an experiment; give a function that raises where it was lost.

    Raises:
        SeedscopeError: somebody else has held it for ten minutes, or it was lost.
    """
    me = f"{_who()} {uuid.uuid4()}"
    name = _raised(client, experiment, me)

    def held() -> None:
        if not _is_mine(client, name, me):
            raise SeedscopeError(
                f"publishing {experiment} was interrupted for so long that it was somebody else's turn: "
                "run `dvc repro track` again"
            )

    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(client, name, me, done), daemon=True)
    keeper.start()
    try:
        yield held
    finally:
        done.set()
        keeper.join(_SECONDS_TO_RELEASE)


def _who() -> str:
    with contextlib.suppress(OSError, KeyError):  # a container may know no name for its user
        return f"{getpass.getuser()} on {socket.gethostname()}"
    return f"somebody on {socket.gethostname()}"


def _raised(client: MlflowClient, experiment: str, me: str) -> str:
    """Wait for the lease; return the name of the flag that says it is mine."""
    give_up = time.monotonic() + _SECONDS_TO_WAIT
    since: dict[_Seen, float] = {}
    while True:
        flags, now = _flags(client, experiment), time.monotonic()
        since = {seen: since.get(seen, now) for seen in flags.values()}
        living = {seen: number for number, seen in flags.items() if now - since[seen] < _SECONDS_TO_LIVE}
        if not living:
            number = max(flags, default=0) + 1
            mine = _name(experiment, number)
            with _unless(RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST):  # it is, or was until a moment ago
                client.create_registered_model(mine, description=me)
            there = {key: seen for key, seen in _flags(client, experiment).items() if seen not in since}
            if there.keys() == {number} and there[number][0] == me:
                for dead in flags:
                    _lower(client, _name(experiment, dead))
                return mine
            if there.get(number, ("",))[0] == me:
                _lower(client, mine)
        elif now > give_up:
            holder = max(living, key=lambda seen: living[seen])[0].rpartition(" ")[0]
            raise SeedscopeError(
                f"{holder} has been publishing {experiment} for {_SECONDS_TO_WAIT / 60:.0f} minutes: "
                "see what it waits for, then run `dvc repro track` again"
            )
        time.sleep(random.uniform(*_BETWEEN_LOOKS))


def _name(experiment: str, number: int) -> str:
    return f"seedscope is publishing {experiment} ({number})"


def _flags(client: MlflowClient, experiment: str) -> Mapping[int, _Seen]:
    """Return the flags that are raised, by number."""
    models = client.search_registered_models(f"name LIKE 'seedscope is publishing {experiment} (%'")
    pattern = re.escape(_name(experiment, 0)).replace("0", r"(\d+)")
    found = [(re.fullmatch(pattern, model.name), model) for model in models]
    return {int(hit[1]): (model.description or "", model.last_updated_timestamp) for hit, model in found if hit}


def _lower(client: MlflowClient, name: str) -> None:
    with _unless(RESOURCE_DOES_NOT_EXIST):
        client.delete_registered_model(name)


def _is_mine(client: MlflowClient, name: str, me: str) -> bool:
    with _unless(RESOURCE_DOES_NOT_EXIST):
        return bool(client.get_registered_model(name).description == me)
    return False


def _keep(client: MlflowClient, name: str, me: str, done: threading.Event) -> None:
    """Renew a flag until done, then lower it; a server that has died is for the publisher to report."""
    while not done.wait(_SECONDS_TO_RENEW):
        with contextlib.suppress(MlflowException, SQLAlchemyError):
            if _is_mine(client, name, me):
                client.update_registered_model(name, me)
    with contextlib.suppress(MlflowException, SQLAlchemyError):
        if _is_mine(client, name, me):
            _lower(client, name)


@contextlib.contextmanager
def _unless(*codes: int) -> Iterator[None]:
    """Pass over some of MLflow's errors."""
    try:
        yield
    except MlflowException as error:
        if error.error_code not in map(ErrorCode.Name, codes):
            raise
