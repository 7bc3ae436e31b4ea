"""What a replica is called: by the seed it was trained from, or ``given`` where its weights came from elsewhere.

    name     folder or file   in sentences     MLflow's run
    3        seed-3           seed 3           seed=3
    given    given            given weights    given

Names stand as they are in ``reports/figures/<experiment>/seeds/<name>/`` and in the metrics by replica.
"""

from __future__ import annotations

from typing import Final, Literal

ReplicaName = int | Literal["given"]
GIVEN: Final = "given"


def folder_name(name: ReplicaName) -> str:
    """Return the name of a replica's folder, and of its files before their ending."""
    return GIVEN if name == GIVEN else f"seed-{name}"


def in_a_sentence(name: ReplicaName) -> str:
    """Return what a replica is called in titles and sentences."""
    return "given weights" if name == GIVEN else f"seed {name}"


def run_of(name: ReplicaName) -> str:
    """Return the name of a replica's run in MLflow."""
    return GIVEN if name == GIVEN else f"seed={name}"


def in_order(name: ReplicaName) -> tuple[bool, int]:
    """Return what sorts names: seeds by size."""
    return (True, 0) if name == GIVEN else (False, int(name))


def parsed(text: str) -> ReplicaName:
    """Return the name that ``str(name)`` was made of."""
    return GIVEN if text == GIVEN else int(text)
