"""The stages: one thin script each, named for what it does. ``dvc.yaml`` chains them."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# A queued experiment runs in a temporary clone: its stages must run that clone's library, not the installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def stage(run: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; a mistake is told in one sentence and exit status 1.

    So is an interruption, with the status that shells expect of one, 130.
    """
    from seedscope.files.errors import SeedscopeError
    from seedscope.files.writing import keep_traceback

    wanted = list(inspect.signature(run).parameters)
    if len(sys.argv) - 1 != len(wanted):
        sys.stderr.write(
            " ".join([f"usage: python -m pipeline.{run.__name__}", *(f"<{one}>" for one in wanted)]) + "\n"
        )
        sys.exit(2)
    try:
        with _alone(*sys.argv[1:]):
            _require_composed(run.__name__, *sys.argv[1:])
            run(*sys.argv[1:])
    except SeedscopeError as error:
        sys.stderr.write(f"{run.__name__}: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write(f"{run.__name__}: interrupted; what was finished is kept\n")
        sys.exit(130)
    except Exception as error:  # the boundary of a stage: what nobody foresaw is told in one sentence too
        sys.stderr.write(f"{run.__name__}: {keep_traceback(error, '-'.join([run.__name__, *sys.argv[1:]]))}\n")
        sys.exit(1)


def _require_composed(stage: str, name: str = "") -> None:
    """Refuse to run code that was edited since ``compose``: results are hashed and kept by what that wrote."""
    if not name:
        return
    from seedscope.files.experiment import Experiment
    from seedscope.settings.code import require_composed

    require_composed(stage, Experiment.load(name))


@contextmanager
def _alone(experiment: str = "") -> Iterator[None]:
    """Keep two stages of one experiment from writing at once.

    A ``dvc`` that is killed leaves its stage running; DVC then starts it again, perhaps with other settings. The
    second waits, so that the last to write is the one whose results DVC records. The lock is the system's: it ends
    with the process that holds it.
    """
    if not experiment:
        yield
        return
    from filelock import FileLock, Timeout

    path = Path(".dvc/tmp") / f"{experiment}.writing"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(
            f"An earlier stage of {experiment} is still at work, perhaps of a dvc that was killed: waiting for it\n"
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
