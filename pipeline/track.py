"""Publish everything into MLflow: last of all stages, so that a dead server costs nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline import stage
from seedscope.files.experiment import Project
from seedscope.tracking import publish


def track() -> None:
    """Publish what the experiments and sweeps that were composed have left behind, and say what was new."""
    project = Project.load()
    publication = publish(Path(), project.experiments, sweeps=project.sweeps)
    if publication.left_out:
        sys.stderr.write(f"track: not published, for it is not whole: {'; '.join(publication.left_out)}\n")
    print(f"track: {publication}")


if __name__ == "__main__":
    stage(track)
