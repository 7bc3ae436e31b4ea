"""What things are called: experiments, sweeps and lenses by their users, replicas by us.

A name of the user's becomes the name of files, of DVC's stages and commands, of keys and of MLflow's tags. So one rule
holds for all: 1 to 64 letters and digits (ASCII), with ``_``, ``-`` and ``.`` inside; no word that has a meaning of its
own; and no two of a kind that differ in case alone, which is one file on some machines.

A replica is called by the seed it was trained from, or ``given`` where its weights came from elsewhere:

    name     folder or file   in sentences     MLflow's run
    3        seed-3           seed 3           seed=3
    given    given            given weights    given

Names stand as they are in ``reports/figures/<experiment>/seeds/<name>/`` and in the metrics by replica.

And what a class is called: by its number, or by its name, of which ImageNet's are cut down to the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

ReplicaName = int | Literal["given"]
GIVEN: Final = "given"

# Keys of params.yaml; folders and files that lie beside those of the experiments; entries of the metrics, which stand
# beside those of the lenses; and what DVC calls the values of a matrix.
RESERVED = frozenset(
    {
        *("experiments", "sweeps", "seeds", "engine", "store"),
        *("configs", "project"),
        *(GIVEN, "training", "seeds_needed"),
        *("item", "key"),
    }
)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?")


def name_problem(name: object, others: Iterable[object] = ()) -> str | None:
    """Return what is wrong with a name that a user gave, in words that follow it; ``None`` of a good one.

    Args:
        name: of an experiment, a sweep or a lens.
        others: the names of the same kind.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        return "a name has 1 to 64 letters and digits, with _, - and . only inside"
    if name in RESERVED:
        return "this word has a meaning of its own"
    alike = [other for other in others if other != name and str(other).lower() == name.lower()]
    return f"it differs from {alike[0]!r} in case alone" if alike else None


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
