"""The designs of the varied pictures: ``crossed``, and those in which one thing changes level by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

SOURCES = ("place", "noise", "interaction")
"""What can make a vote vary in the crossed design."""


def designs_of(measured: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield each design that changes one thing, with what was measured of its conditions, ascending."""
    if "accuracy" in measured:
        of_condition = measured["design"].values.astype(str)
        for design in dict.fromkeys(of_condition.tolist()):
            yield design, measured.isel(condition=np.flatnonzero(of_condition == design))
