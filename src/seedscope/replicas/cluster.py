"""Run the seeds on a Dask cluster, with the same bytes as on one machine.

What travels to a Dask worker is a command, not a function: it starts the project's own Python in the project's
folder, where one seed is worked on and the process ends. So a worker needs nothing but that folder and that Python
under the same paths (a shared file system, or the same container image); it never computes with code or packages
that were changed after it started; and two threads of one worker share neither torch's generator nor its number of
threads. The price is the start of a process per seed, about two seconds.

A seed whose worker dies is run again by Dask on another worker, up to three times, and once more alone where several
seeds shared the workers that died; one whose process dies is run once more. The process of a seed ends when its worker
does, and when the stage that asked for it is gone: nobody writes what nobody waits for. All this carries results and
computes none, so no stage depends on this file.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import os
import pickle
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from annotated_types import Gt

from seedscope.files.errors import SeedscopeError, SettingError, in_one_line
from seedscope.files.paths import PACKAGE_ROOT, state_folder
from seedscope.replicas.mapping import Name, Outcome

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
Finished = subprocess.CompletedProcess[bytes]
_Death = Literal["process", "worker"]

_ADDRESS = "DASK_SCHEDULER_ADDRESS"
_CONNECTED_WITHIN = 10.0  # seconds
_A_LOOK_EVERY = 1.0  # seconds
_ABANDONED_AFTER = 120.0  # seconds; attributes on NFS may be a minute old
_DIED: dict[_Death, str] = {
    "process": "its process died twice (killed, or out of memory)",
    "worker": "its workers died one after another (killed, or out of memory)",
}
_PROCESS = (
    "import os, pickle, sys; parent = os.getppid(); "
    "sys.path[:], work = pickle.load(sys.stdin.buffer); pickle.loads(work)(parent)"
)
_IN_THE_BYTES = [
    *("h5py", "matplotlib", "netCDF4", "numpy", "pandas", "pillow", "safetensors", "scikit-learn", "scipy"),
    *("torch", "xarray"),
]


@dataclass(frozen=True)
class Dask:
    """A Dask cluster: one process per seed, on whichever of its workers is free.

    Attributes:
        address: the scheduler, such as ``tcp://10.0.0.1:8786``; ``None`` takes ``DASK_SCHEDULER_ADDRESS`` from the
            surroundings, as Dask's own tools do.
        patience: seconds to wait for a worker where there is none, at the start or after the last one has gone.
    """

    address: str | None = None
    patience: Annotated[float, Gt(0)] = 60.0

    def __post_init__(self) -> None:
        if not (self.address or os.environ.get(_ADDRESS)):
            raise SettingError(
                "address", f"no scheduler: write its address, such as tcp://10.0.0.1:8786, or set {_ADDRESS}"
            )

    @property
    def scheduler(self) -> str:
        """Return the scheduler's address."""
        return self.address or os.environ[_ADDRESS]

    def folder(self) -> Path:
        """Return where progress is written: where the workers see it, too."""
        folder = state_folder().resolve() / "running"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SeedscopeError(f"{folder} cannot be made: {error.strerror}") from error
        return folder

    def outcomes(
        self, run: Callable[[Path, Name], Outcome[T]], folder: Path, seeds: Sequence[Name]
    ) -> Iterator[Outcome[T]]:
        """Yield the outcome of every seed as it comes; see ``replicas.Engine.outcomes``.

        Raises:
            SeedscopeError: the scheduler does not answer or is lost, or there is no worker.
        """
        lease = Path(f"{folder}.lease")
        with _lease(lease), _connected(self.scheduler) as client:
            died: dict[_Death, list[Name]] = {"process": [], "worker": []}
            for seed, outcome in self._outcomes(client, run, folder, lease, seeds):
                if isinstance(outcome, Outcome):
                    yield outcome
                else:
                    died[outcome].append(seed)
            again: list[list[Name]] = []
            if died["process"]:
                sys.stderr.write(f"The process of a seed died; trying once more: seeds {died['process']}\n")
                again.append(died["process"])
            if len(died["worker"]) > 1:  # Dask blames all that waited on a worker that died: alone, each shows its own
                sys.stderr.write(f"Workers died under several seeds; trying each alone: seeds {died['worker']}\n")
                again += [[seed] for seed in died["worker"]]
            elif died["worker"]:
                yield Outcome(died["worker"][0], failure=_DIED["worker"])
            for some in again:
                for seed, outcome in self._outcomes(client, run, folder, lease, some):
                    yield outcome if isinstance(outcome, Outcome) else Outcome(seed, failure=_DIED[outcome])

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make independent calls in turn: what is done once runs in the one process that a worker started for it."""
        return [call() for call in calls]

    def _outcomes(
        self, client: Client, run: Callable[[Path, Name], Outcome[T]], folder: Path, lease: Path, seeds: Sequence[Name]
    ) -> Iterator[tuple[Name, Outcome[T] | _Death]]:
        """Yield every seed with its outcome as it comes, or with what died of its work."""
        import cloudpickle

        here = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # '' is the working folder
        expected = _installed()

        def submitted(seed: Name) -> Future[Finished]:
            work = cloudpickle.dumps(partial(_answer, run, folder, lease, expected, seed))
            return client.submit(
                subprocess.run,
                [sys.executable, "-c", _PROCESS, str(seed)],
                input=pickle.dumps((here, work)),
                cwd=str(Path.cwd()),
                capture_output=True,
                pure=False,  # the same command twice is to be run twice
            )

        running = {submitted(seed): seed for seed in seeds}
        while running:
            for future in self._next_done(client, running, lease):
                seed = running.pop(future)
                yield seed, self._outcome(seed, future)

    def _next_done(self, client: Client, running: Collection[Future[Finished]], lease: Path) -> set[Future[Finished]]:
        """Wait for the next of the processes to end, and meanwhile keep the lease fresh; return those that have."""
        from distributed import wait

        worked = time.monotonic()
        while True:
            lease.touch()
            try:
                with client.as_current():
                    return set(wait(list(running), timeout=_A_LOOK_EVERY, return_when="FIRST_COMPLETED").done)
            except concurrent.futures.CancelledError as error:
                raise SeedscopeError(
                    f"the Dask scheduler at {self.scheduler} was lost; what was finished is kept"
                ) from error
            except TimeoutError:
                with suppress(OSError, TimeoutError):  # a scheduler that does not answer has no worker for us either
                    if client.sync(client.scheduler.ncores, callback_timeout=5):
                        worked = time.monotonic()
            if time.monotonic() - worked > self.patience:
                raise SeedscopeError(
                    f"the Dask cluster at {self.scheduler} has had no worker for {self.patience:g} s; start some, or "
                    "raise engine.patience"
                )

    def _outcome(self, seed: Name, future: Future[Finished]) -> Outcome[Any] | _Death:
        """Return what the process of a seed answered, how it ended instead, or what was killed of its work."""
        from distributed import KilledWorker

        try:
            done = future.result()
        except KilledWorker:
            return "worker"
        except FileNotFoundError as error:
            raise SeedscopeError(
                f"a worker of the Dask cluster at {self.scheduler} has no {error.filename}: workers need this "
                "project's folder and its Python under the same paths"
            ) from error
        if done.returncode < 0:
            return "process"
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode:
            return Outcome(seed, failure=said.splitlines()[-1] if said else f"exit status {done.returncode}")
        if said:
            sys.stderr.write(f"{said}\n")
        answer: Outcome[Any] = pickle.loads(done.stdout)
        return answer


@contextmanager
def _lease(lease: Path) -> Iterator[None]:
    lease.touch()
    try:
        yield
    finally:
        lease.unlink(missing_ok=True)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told in a sentence of ours
    try:
        client = Client(address, timeout=_CONNECTED_WITHIN, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SeedscopeError(
            f"no Dask scheduler answers at {address} ({in_one_line(error)}): correct engine.address"
        ) from error
    with client:
        yield client


# --- What follows runs in the process of a seed. ----------------------------------------------------------------


def _answer(
    run: Callable[[Path, Name], Outcome[Any]],
    folder: Path,
    lease: Path,
    expected: dict[str, str],
    seed: Name,
    parent: int,
) -> None:
    """Work on one seed and write its outcome to the standard output, which is the worker's to read."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what the work prints must not mix with the answer
    refusal = _refusal(lease, expected)
    if refusal is not None:
        outcome: Outcome[Any] = Outcome(seed, failure=refusal)
    else:
        threading.Thread(target=_end_with, args=(parent, lease), daemon=True).start()
        outcome = run(folder, seed)
    with os.fdopen(answer, "wb") as file:
        pickle.dump(outcome, file)


def _refusal(lease: Path, expected: dict[str, str]) -> str | None:
    """Return why this machine would not give the same bytes."""
    if not lease.exists():
        return f"{socket.gethostname()} does not share the folder {lease.parent} with the machine that asks"
    for name, found in _installed().items():
        if found != expected[name]:
            return f"{socket.gethostname()} has {name} {found}, and the machine that asks {expected[name]}"
    return None


def _installed() -> dict[str, str]:
    """Return the version of everything that shows in the bytes; of this package it is a digest of its source."""
    code = hashlib.sha256()
    for path in sorted((PACKAGE_ROOT / "seedscope").rglob("*.py")):
        code.update(path.read_bytes())
    return {
        "Python": platform.python_version(),
        **{name: _version(name) for name in _IN_THE_BYTES},
        "seedscope": f"of source {code.hexdigest()[:12]}",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _end_with(parent: int, lease: Path) -> None:
    """End this process when its worker is gone, or the stage that holds the lease."""
    seen, since = -1, time.monotonic()
    while os.getppid() == parent:
        time.sleep(0.5)
        try:
            touched = lease.stat().st_mtime_ns
        except OSError:
            break
        if touched != seen:
            seen, since = touched, time.monotonic()
        elif time.monotonic() - since > _ABANDONED_AFTER:
            break
    os._exit(1)
