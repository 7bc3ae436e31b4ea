"""Map a pure function over seeds: in parallel, one process and one thread each, whatever the machine.

Results depend on the seed alone, not on the number of workers, their order or the engine. A seed that fails
names itself and its log while the others finish. On one machine (``Engine``) a worker process that dies (killed,
out of memory) takes the pool with it: what is unfinished is then submitted once more, each seed in a pool of its
own, so that the seed that dies again is known by name. ``cluster.Dask`` is the engine for more than one machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

from annotated_types import Ge

from seedscope.files.errors import SeedscopeError
from seedscope.files.names import ReplicaName, folder_name, in_a_sentence, in_order, parsed
from seedscope.files.writing import keep_traceback

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Name = TypeVar("Name", bound=ReplicaName)  # int where all replicas are trained
Name_contra = TypeVar("Name_contra", bound=ReplicaName, contravariant=True)
Report = Callable[[int, int], None]


class Task(Protocol[Name_contra, T_co]):
    """What is mapped: a picklable function of one seed that reports (steps done, steps in all)."""

    def __call__(self, seed: Name_contra, report: Report) -> T_co:
        """Do the work of one seed."""


@dataclass(frozen=True)
class Outcome(Generic[T_co]):
    """What became of one seed: the task's value, or in words why there is none."""

    seed: ReplicaName
    value: T_co | None = None
    failure: str | None = None


class SeedEngine(Protocol):
    """Where the seeds run."""

    def folder(self) -> Path | None:
        """Return the folder in which progress is written, one that the workers see; ``None``: any of this machine."""

    def outcomes(
        self, run: Callable[[Path, Name], Outcome[T]], folder: Path, seeds: Sequence[Name]
    ) -> Iterator[Outcome[T]]:
        """Yield ``run(folder, seed)`` of every seed, in any order; a seed whose worker dies for good is a failure."""

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return what independent calls return, in their order, from where :func:`do_once` runs."""


@dataclass(frozen=True)
class Engine:
    """The processes of this machine.

    Attributes:
        workers: processes at once; ``None`` takes one per core. It does not change any result.
    """

    workers: Annotated[int, Ge(1)] | None = None

    def processes(self, tasks: int) -> int:
        """Return how many processes work on that many tasks."""
        import joblib

        return max(1, min(self.workers or joblib.cpu_count(), tasks))

    def folder(self) -> Path | None:
        """Return no folder in particular: the machine's temporary one will do."""
        return None

    def outcomes(
        self, run: Callable[[Path, Name], Outcome[T]], folder: Path, seeds: Sequence[Name]
    ) -> Iterator[Outcome[T]]:
        """Yield the outcome of every seed as it comes; see ``SeedEngine.outcomes``."""
        here = partial(run, folder)
        unfinished: list[Name] = list(seeds)
        try:
            for outcome in _in_pool(here, seeds, self.processes(len(seeds))):
                unfinished = [seed for seed in unfinished if seed != outcome.seed]
                yield outcome
        except _broken_pool():
            sys.stderr.write(f"A worker process died; trying once more: seeds {unfinished}\n")
            for seed in unfinished:
                try:
                    yield from _in_pool(here, [seed], 2)  # 2: with one process joblib would run it in this one
                except _broken_pool():
                    yield Outcome(seed, failure="its worker process died twice (killed, or out of memory)")

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make independent calls in the processes of this machine; return what they return, in their order.

        Raises:
            SeedscopeError: a process died.
        """
        from joblib import Parallel, delayed

        # By name: inside :func:`do_once`, which joblib runs in this process, its default would be threads.
        parallel = Parallel(n_jobs=self.processes(len(calls)), backend="loky", batch_size=1)
        try:
            return list(parallel(delayed(_call_in_worker)(os.getpid(), call) for call in calls))
        except _broken_pool() as error:
            raise SeedscopeError("a worker process died (killed, or out of memory)") from error


def map_seeds(
    task: Task[Name, T],
    seeds: Sequence[Name],
    engine: SeedEngine,
    label: str,
    called: Callable[[Name], str] = in_a_sentence,
) -> dict[Name, T]:
    """Return ``{seed: task(seed)}`` in the order of ``seeds``.

    Args:
        task: the work of one seed.
        seeds: the seeds, or ``given``.
        engine: where they run.
        label: what is done, for the progress bar and the names of the logs (``train squares``).
        called: what a seed is called in sentences, where the numbers stand for something else.

    Raises:
        SeedscopeError: some seeds failed; the others are done. The sentence names each and its reason.
    """
    outcomes = map_outcomes(task, seeds, engine, label)
    failures = [f"{called(seed)}: {outcomes[seed].failure}" for seed in seeds if outcomes[seed].failure]
    if failures:
        finished = len(seeds) - len(failures)
        raise SeedscopeError(f"{label}: {'; '.join(failures)} ({finished} of {len(seeds)} seeds finished)")
    return {seed: outcomes[seed].value for seed in seeds}  # type: ignore[misc]  # no failure, so a value


def do_once(work: Callable[[], T], engine: SeedEngine, label: str) -> T:
    """Return ``work()``, done where the seeds run: on this machine in this very process.

    Raises:
        SeedscopeError: it failed.
    """
    outcome = map_outcomes(partial(_without_seed, work), [0], engine, label)[0]
    if outcome.failure:
        raise SeedscopeError(f"{label}: {outcome.failure}")
    return outcome.value  # type: ignore[return-value]  # no failure, so a value


def _without_seed(work: Callable[[], T], _seed: int, report: Report) -> T:
    value = work()
    report(1, 1)
    return value


def map_outcomes(
    task: Task[Name, T], seeds: Sequence[Name], engine: SeedEngine, label: str
) -> dict[ReplicaName, Outcome[T]]:
    """Return what became of every seed, as :func:`map_seeds`, whether it failed or not."""
    run = partial(_run, task, label, os.environ.get("DVC_ROOT"))
    # A worker that is about to be told of the end may still write into the folder that is removed.
    with tempfile.TemporaryDirectory(dir=engine.folder(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with _progress_bar(folder, seeds, label):
            return {outcome.seed: outcome for outcome in engine.outcomes(run, folder, seeds)}


def _in_pool(run: Callable[[Name], Outcome[T]], seeds: Iterable[Name], processes: int) -> Iterator[Outcome[T]]:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_in_worker)(os.getpid(), run, seed) for seed in seeds)


def _in_worker(stage: int, run: Callable[[Name], Outcome[T]], seed: Name) -> Outcome[T]:
    if os.getpid() != stage:  # with one process joblib runs it in the stage's own
        _end_with(stage)
    return run(seed)


def _call_in_worker(stage: int, call: Callable[[], T]) -> T:
    from threadpoolctl import threadpool_limits

    if os.getpid() != stage:
        _end_with(stage)
    with threadpool_limits(limits=1, user_api="blas"):
        return call()


@cache
def _end_with(stage: int) -> None:
    """End this process soon after the stage: killed, it must not leave workers that write on, or wait for minutes."""

    def watch() -> None:
        while os.getppid() == stage:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _broken_pool() -> type[Exception]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    broken: type[Exception] = BrokenProcessPool
    return broken


def _run(task: Task[Name, T], label: str, dvc_root: str | None, folder: Path, seed: Name) -> Outcome[T]:
    """Run one seed in its worker; whatever goes wrong comes back as words."""
    from threadpoolctl import threadpool_limits

    os.environ.pop("DVC_ROOT", None)  # a worker may have been started elsewhere
    if dvc_root is not None:
        os.environ["DVC_ROOT"] = dvc_root

    def report(done: int, total: int) -> None:
        with suppress(OSError):  # a full temporary folder costs the progress bar, not the work
            (folder / str(seed)).write_text(f"{done} {total}")

    try:
        with threadpool_limits(limits=1, user_api="blas"):
            return Outcome(seed, value=task(seed, report))
    except SeedscopeError as error:
        return Outcome(seed, failure=str(error))
    except (Exception, SystemExit) as error:  # the boundary of a replica: the others go on
        return Outcome(seed, failure=keep_traceback(error, f"{label.replace(' ', '-')}-{folder_name(seed)}"))


@contextmanager
def _progress_bar(folder: Path, seeds: Sequence[ReplicaName], label: str) -> Iterator[None]:
    """Show one bar for all seeds on a terminal; anywhere else stay quiet."""
    if not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    form = "{desc} |{bar:24}| {percentage:3.0f}%{postfix} [{elapsed}<{remaining}]"
    with tqdm(total=float(len(seeds)), desc=label, bar_format=form) as bar:
        finished = threading.Event()

        def watch() -> None:
            while not finished.wait(0.5):
                _show(bar, folder, len(seeds))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()
            _show(bar, folder, len(seeds))


def _show(bar: Any, folder: Path, n_seeds: int) -> None:
    done, running = 0, []
    total = 0.0
    for file in sorted(folder.iterdir(), key=lambda file: in_order(parsed(file.name))):
        match file.read_text().split():
            case [step, steps]:
                fraction = int(step) / max(1, int(steps))
                total += fraction
                if fraction >= 1:
                    done += 1
                else:
                    running.append(f"{in_a_sentence(parsed(file.name))}: {step}/{steps}")
            case _:  # caught between opening and writing: the next look sees it
                continue
    bar.n = total
    bar.set_postfix_str(", ".join([f"{done}/{n_seeds} seeds", *running]))
