"""A layer's number: the median over its live channels, those that answer to any of the pictures.

A dead channel takes no part in a decision, and after training it mostly is what it was before: it is counted, never
averaged in, though gratings may move it.

Of the same channel orientation selectivity is another number at every period, so a change is one at a fixed period,
``orientation_selectivity_at_period_8``: rounded, in pixels. Where each channel may choose the period of its largest
response, training may move that period, and the filter need not change at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

NETWORKS = ("trained", "untrained")
AT_BEST = ("orientation_selectivity_at_best_period", "orientation_selectivity_of_mean_at_best_period")
CLASS = ("class_selectivity", "class_variance")
MEASURES = (*AT_BEST, "effective_field", "extent", *CLASS)
SHARES = ("orientation_selectivity", "extent", *CLASS)  # by definition in [0, 1]


def live(part: xr.Dataset) -> np.ndarray:
    """Return which channels answer to any picture, (network, channel)."""
    answers: np.ndarray = part.active_share.values > 0
    return answers


def at_periods(measured: xr.DataTree) -> dict[str, int]:
    """Return the names of orientation selectivity at each period, and which period that is."""
    periods = next(iter(measured.children.values())).period.values
    return {f"orientation_selectivity_at_period_{period:.0f}": index for index, period in enumerate(periods)}


def medians(part: xr.Dataset, name: str, period: int | None = None) -> tuple[float, float]:
    """Return the median over live channels that have a value, trained and untrained; NaN where none has.

    Args:
        part: a layer.
        name: a variable of it.
        period: of orientation selectivity at a fixed period, which.
    """
    found = part[name] if period is None else part.orientation_selectivity.isel(period=period)
    rows = np.where(live(part), found.values, np.nan)
    kept = [row[np.isfinite(row)] for row in rows]
    trained, untrained = (float(np.median(row)) if len(row) else float("nan") for row in kept)
    return trained, untrained


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return each layer's medians, their nulls and gains, and the steps from the first to the last layer."""
    summary: dict[str, float] = {}
    fixed = at_periods(measured)
    for layer, node in measured.children.items():
        part = node.to_dataset()
        summary[f"{layer}_receptive_field"] = float(np.sqrt(part.receptive_field.values.prod()))
        for name in (*fixed, *MEASURES):
            trained, untrained = medians(part, name, fixed.get(name))
            summary[f"{layer}_{name}"] = trained
            summary[f"{layer}_{name}_null_untrained"] = untrained
            summary[f"{layer}_{name}_gain_untrained"] = trained - untrained
            if name in CLASS:
                summary[f"{layer}_{name}_null_shuffled"] = medians(part, f"{name}_null_shuffled")[0]
        trained, untrained = map(float, (~live(part)).sum(1))
        summary[f"{layer}_silent_channels"], summary[f"{layer}_silent_channels_null_untrained"] = trained, untrained
    layers = list(measured.children)
    first, last = layers[0], layers[-1]
    for name in (*fixed, *AT_BEST, *CLASS) if len(layers) > 1 else ():
        for version in ("", "_gain_untrained"):
            step = summary[f"{last}_{name}{version}"] - summary[f"{first}_{name}{version}"]
            summary[f"{first}_to_{last}_{name}{version}"] = step
    return summary
