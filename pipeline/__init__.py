"""The stages: one thin script each, named for what it does. ``dvc.yaml`` chains them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

# A queued experiment runs in a temporary clone: its stages must run that clone's library, not the installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def stage(run: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; a mistake is told in one sentence and exit status 1."""
    from seedscope.errors import SeedscopeError

    try:
        run(*sys.argv[1:])
    except SeedscopeError as error:
        sys.stderr.write(f"{run.__name__}: {error}\n")
        sys.exit(1)
