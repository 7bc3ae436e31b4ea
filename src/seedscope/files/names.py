"""What replicas and classes are called.

A replica is called by the seed it was trained from, or ``given`` where its weights came from elsewhere:

    name     folder or file   in sentences     MLflow's run
    3        seed-3           seed 3           seed=3
    given    given            given weights    given

Names stand as they are in ``reports/figures/<experiment>/seeds/<name>/`` and in the metrics by replica.

A class is called by its number, or by its name, of which ImageNet's are cut down to the first.
"""

from __future__ import annotations

import re
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


def imagenet_name(line: str) -> tuple[str, str]:
    """Return (WordNet id, first name) of a class of ImageNet: ``n02504458 African elephant, Loxodonta africana``.

    A line that does not begin with a WordNet id has none: ("", the line).
    """
    found = re.fullmatch(r"(n\d{8})\s+([^,]+).*", line)
    return (found[1], found[2].strip()) if found else ("", line)


def class_in_a_sentence(number: int, name: str) -> str:
    """Return what a class is called in sentences: ``class 3``, or its first name where that is another word."""
    return f"class {number}" if name == str(number) else " ".join(imagenet_name(name)).strip()
