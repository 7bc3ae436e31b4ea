"""For which class each row of the last layer speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def own_classes(measured: xr.DataTree) -> np.ndarray:
    """Return the class that each row of the last layer speaks for; a single logit speaks for class 1."""
    rows = list(measured.children.values())[-1].unit.values
    return rows if len(rows) > 1 else np.ones(1, dtype=np.int64)
