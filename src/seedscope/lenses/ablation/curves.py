"""What is read from a removal curve, and which null goes with which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.ablation import KEPT, removal_area, units_to_halve

if TYPE_CHECKING:
    import xarray as xr

NULL_OF = {
    "class": "random",
    "mean_subtracted": "random",
    "other_class": "random",
    "overall": "random_overall",
    "weight_size": "random_overall",
    "activation": "random_overall",
}
"""The orders of removal, and the null of each."""

FIVE = 5
READ = ("area_log_probability", "units_to_halve", "flips_at_5")
"""What is read from a curve: see :func:`read_curves`."""


def read_curves(curve: np.ndarray, measured: xr.Dataset) -> dict[str, np.ndarray]:
    """Return what removal curves (…, kept, removed) of one replica say, each (…).

    ``area_log_probability``: the mean loss over log m; ``units_to_halve``: how many cost half of the accuracy that all
    cost; ``flips_at_5``: the share of decisions that are others without the first five.
    """
    steps, live = measured.removed.values, int(measured.live.sum())
    by = {name: curve[..., at, :] for at, name in enumerate(KEPT)}
    five = by["flips"][..., np.searchsorted(steps, FIVE)] if live >= FIVE else np.full(curve.shape[:-2], np.nan)
    return {
        "area_log_probability": removal_area(by["log_probability"], steps, live),
        "units_to_halve": units_to_halve(by["accuracy"], steps, live),
        "flips_at_5": five,
    }
