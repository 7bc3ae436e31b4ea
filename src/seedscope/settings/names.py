"""The rule for names that users give: to experiments, sweeps and lenses.

A name becomes the name of files, of DVC's stages and commands, of keys and of MLflow's tags. So one rule holds for
all: 1 to 64 letters and digits (ASCII), with ``_``, ``-`` and ``.`` inside; no word that has a meaning of its own; and
no two of a kind that differ in case alone, which is one file on some machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from seedscope.files.names import GIVEN

# Keys of params.yaml; folders and files that lie beside those of the experiments; entries of the metrics, which stand
# beside those of the lenses; and what DVC calls the values of a matrix.
RESERVED = frozenset(
    {
        *("experiments", "sweeps", "seeds", "drawn", "engine", "store"),
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
    if name.lower() in RESERVED:
        return "this word has a meaning of its own"
    alike = [other for other in others if other != name and str(other).lower() == name.lower()]
    return f"it differs from {alike[0]!r} in case alone" if alike else None
