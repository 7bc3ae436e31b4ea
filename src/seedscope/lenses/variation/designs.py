"""The designs of the varied pictures: crossed ones, and those in which one thing changes level by level in pairs.

``crossed`` is every place of a class under every noise field, at the data set's own setting; a design whose name begins
with ``crossed_`` is the same at the levels of another setting. All others are pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

SOURCES = ("place", "noise", "interaction")
"""What can make a vote vary in the crossed design."""

CROSSED = "crossed"


def is_crossed(design: np.ndarray) -> np.ndarray:
    """Return which pictures are of a crossed design, at the data set's own setting or at another."""
    return np.array([name == CROSSED or name.startswith(f"{CROSSED}_") for name in design.astype(str).tolist()], bool)


def designs_of(measured: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield each design that changes one thing, with what was measured of its conditions, ascending."""
    if "accuracy" in measured:
        of_condition = measured["design"].values.astype(str)
        for design in dict.fromkeys(of_condition.tolist()):
            yield design, measured.isel(condition=np.flatnonzero(of_condition == design))


def settings_of(measured: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield each design that crosses pictures at other settings, with its shares, ascending by level."""
    if "setting_share" in measured:
        of_setting = measured["setting_design"].values.astype(str)
        for design in dict.fromkeys(of_setting.tolist()):
            yield design, measured.isel(setting=np.flatnonzero(of_setting == design))
