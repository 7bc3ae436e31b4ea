"""Measure one replica through one lens: numbers, and a few scalars of them. Nothing is drawn."""

from __future__ import annotations

import math
from pathlib import Path

from seedscope.files.arrays import read_measured, write_measured
from seedscope.lenses.lens import Lens, measuring
from seedscope.lenses.replica import Replica

Scalars = dict[str, float | None]
"""Scalars by name; ``None`` where there is no value."""


def measure(name: str, lens: Lens, replica: Replica, path: Path) -> Scalars:
    """Write what ``lens`` measures of ``replica`` to ``path``; return the scalars that follow from what was written.

    Raises:
        SeedscopeError: the lens draws, or reads a setting that only drawing reads.
    """
    with measuring(lens, name) as blind:
        write_measured(path, blind.measure(replica))
        with read_measured(path) as measured:
            scalars = {key: float(value) for key, value in blind.summarize(measured).items()}
    return {key: value if math.isfinite(value) else None for key, value in scalars.items()}
