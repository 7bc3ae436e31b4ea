"""The stages: one thin script each, named for what it does. ``dvc.yaml`` chains them."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

# A queued experiment runs in a temporary clone: its stages must run that clone's library, not the installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def stage(run: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; a mistake is told in one sentence and exit status 1.

    So is an interruption, with the status that shells expect of one, 130.
    """
    from seedscope.errors import SeedscopeError

    wanted = list(inspect.signature(run).parameters)
    if len(sys.argv) - 1 != len(wanted):
        sys.stderr.write(
            " ".join([f"usage: python -m pipeline.{run.__name__}", *(f"<{one}>" for one in wanted)]) + "\n"
        )
        sys.exit(2)
    try:
        run(*sys.argv[1:])
    except SeedscopeError as error:
        sys.stderr.write(f"{run.__name__}: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write(f"{run.__name__}: interrupted; what was finished is kept\n")
        sys.exit(130)
