"""Compose and validate every experiment of params.yaml."""

from pathlib import Path

from pipeline import stage
from seedscope.settings.compose import compose_all


def compose() -> None:
    """Write ``runs/configs/<experiment>.json`` for every experiment, or refuse what is wrong in any of them."""
    compose_all(Path())


if __name__ == "__main__":
    stage(compose)
