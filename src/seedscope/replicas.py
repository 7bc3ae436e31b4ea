"""Map a pure function over seeds: in parallel, one process and one thread each, whatever the machine.

Results depend on the seed alone, not on the number of workers, their order or the engine. A seed that fails
names itself and its log while the others finish. A worker process that dies (killed, out of memory) takes the
pool with it: what is unfinished is then submitted once more, each seed in a pool of its own, so that the seed
that dies again is known by name.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

from annotated_types import Ge

from seedscope.artifacts import state_folder, write_text
from seedscope.errors import SeedscopeError, in_one_line

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Report = Callable[[int, int], None]


class Task(Protocol[T_co]):
    """What is mapped: a picklable function of one seed that reports (steps done, steps in all)."""

    def __call__(self, seed: int, report: Report) -> T_co:
        """Do the work of one seed."""


@dataclass(frozen=True)
class Engine:
    """Where the seeds run.

    Attributes:
        workers: processes at once; ``None`` takes one per core. It does not change any result.
    """

    workers: Annotated[int, Ge(1)] | None = None

    def processes(self, tasks: int) -> int:
        """Return how many processes work on that many tasks."""
        import joblib

        return max(1, min(self.workers or joblib.cpu_count(), tasks))


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    seed: int
    value: T | None = None
    failure: str | None = None


def map_seeds(task: Task[T], seeds: Sequence[int], engine: Engine, label: str) -> dict[int, T]:
    """Return ``{seed: task(seed)}`` in the order of ``seeds``.

    Args:
        task: the work of one seed.
        seeds: the seeds.
        engine: where they run.
        label: what is done, for the progress bar and the names of the logs (``train squares``).

    Raises:
        SeedscopeError: some seeds failed; the others are done. The sentence names each and its reason.
    """
    with tempfile.TemporaryDirectory() as folder, _progress_bar(Path(folder), seeds, label):
        run = partial(_run, task, Path(folder), label, os.environ.get("DVC_ROOT"))
        outcomes = {outcome.seed: outcome for outcome in _outcomes(run, seeds, engine)}
    failures = [f"seed {seed}: {outcomes[seed].failure}" for seed in seeds if outcomes[seed].failure]
    if failures:
        finished = len(seeds) - len(failures)
        raise SeedscopeError(f"{label}: {'; '.join(failures)} ({finished} of {len(seeds)} seeds finished)")
    return {seed: outcomes[seed].value for seed in seeds}  # type: ignore[misc]  # no failure, so a value


def _outcomes(run: Callable[[int], _Outcome[T]], seeds: Sequence[int], engine: Engine) -> Iterator[_Outcome[T]]:
    unfinished = list(seeds)
    try:
        for outcome in _in_pool(run, seeds, engine.processes(len(seeds))):
            unfinished.remove(outcome.seed)
            yield outcome
    except _broken_pool():
        sys.stderr.write(f"A worker process died; trying once more: seeds {unfinished}\n")
        for seed in unfinished:
            try:
                yield from _in_pool(run, [seed], 2)  # 2: with one process joblib would run it in this one
            except _broken_pool():
                yield _Outcome(seed, failure="its worker process died twice (killed, or out of memory)")


def _in_pool(run: Callable[[int], _Outcome[T]], seeds: Iterable[int], processes: int) -> Iterator[_Outcome[T]]:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(run)(seed) for seed in seeds)


def _broken_pool() -> type[Exception]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    broken: type[Exception] = BrokenProcessPool
    return broken


def _run(task: Task[T], folder: Path, label: str, dvc_root: str | None, seed: int) -> _Outcome[T]:
    """Run one seed in its worker; whatever goes wrong comes back as words."""
    from threadpoolctl import threadpool_limits

    if dvc_root is not None:  # a reused worker may have been started elsewhere
        os.environ["DVC_ROOT"] = dvc_root

    def report(done: int, total: int) -> None:
        with suppress(OSError):  # a full temporary folder costs the progress bar, not the work
            (folder / str(seed)).write_text(f"{done} {total}")

    try:
        with threadpool_limits(limits=1, user_api="blas"):
            return _Outcome(seed, value=task(seed, report))
    except SeedscopeError as error:
        return _Outcome(seed, failure=str(error))
    except (Exception, SystemExit) as error:  # the boundary of a replica: the others go on
        log = state_folder() / "logs" / f"{label.replace(' ', '-')}-seed-{seed}.log"
        try:
            write_text(log, traceback.format_exc())
            kept = f"traceback in {log}"
        except SeedscopeError as unwritten:
            kept = f"its log {unwritten}"
        return _Outcome(seed, failure=f"{in_one_line(error)} ({kept})")


@contextmanager
def _progress_bar(folder: Path, seeds: Sequence[int], label: str) -> Iterator[None]:
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
    for file in sorted(folder.iterdir(), key=lambda file: int(file.name)):
        match file.read_text().split():
            case [step, steps]:
                fraction = int(step) / max(1, int(steps))
                total += fraction
                if fraction >= 1:
                    done += 1
                else:
                    running.append(f"seed {file.name}: {step}/{steps}")
            case _:  # caught between opening and writing: the next look sees it
                continue
    bar.n = total
    bar.set_postfix_str(", ".join([f"{done}/{n_seeds} seeds", *running]))
