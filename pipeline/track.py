"""Publish everything into MLflow: last of all stages, so that a dead server costs nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from pipeline import stage
from seedscope.tracking import publish


def track() -> None:
    """Publish what the experiments and sweeps of ``params.yaml`` have left behind, and say what was new."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    publication = publish(Path(), params["experiments"], sweeps=params["sweeps"])
    if publication.left_out:
        sys.stderr.write(f"track: not published, for it is not whole: {'; '.join(publication.left_out)}\n")
    print(f"track: {publication}")


if __name__ == "__main__":
    stage(track)
