"""Put the patterns of all seeds together (see :meth:`seedscope.lenses.patterns.Patterns.compare`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from seedscope.figures import Axis, Facts, Panel, Rule, Sheet
from seedscope.figures.over import curves_over_seeds
from seedscope.formulas.intervals import mean_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.comparison import Comparison


def compare(measured: xr.Dataset) -> Comparison:
    """Return whether groups of votes are places beyond chance, over seeds, and the gap statistic of all."""
    metrics = {"place_information": _places(measured)} if "place_information" in measured else {}
    return Comparison(metrics, [_sheet(measured)])


def _places(measured: xr.Dataset) -> dict[str, Any]:
    """Return the AMI of groups and places, mean over classes and seeds; by chance it is 0."""
    known = np.isfinite(measured.information.values)  # (seed, true)
    by_seed = np.array(
        [
            values[of].mean() if of.any() else np.nan
            for values, of in zip(measured.place_information.values, known, strict=True)
        ]
    )
    found = {**mean_interval(by_seed).as_dict(), "null": None, "p": None}
    if not known.any():
        return found
    drawn = measured.information_null.values[known].mean(0)
    return found | {"null": 0.0, "p": permutation_p(float(measured.information.values[known].mean()), drawn)}


def _sheet(measured: xr.Dataset) -> Sheet:
    """Show the gap statistic, mean over classes, of every seed."""
    gap = measured.gap.values
    known = np.isfinite(gap)
    total = np.where(known, gap, 0).sum(1)
    mean = np.divide(total, known.sum(1), out=np.full(total.shape, np.nan), where=known.any(1))
    groups = np.arange(1, gap.shape[-1] + 1)
    patterns = measured.patterns.values
    seen = patterns[np.isfinite(patterns)]
    said = f"{int((seen > 1).sum())} of {len(seen)} classes of all seeds have several" if len(seen) else "no value"
    return Sheet(
        "patterns_across_seeds",
        Facts.of(measured),
        f"One class, one pattern of votes, or several? {said}",
        "Gap statistic of the votes for a class over its rightly decided pictures, mean over classes, of each seed "
        "(grey) and over seeds with a 95 % t interval (blue), by the number of groups: how far below that of evenly "
        "spread samples (0) the scatter within groups is. A class has as many patterns as the first number after which "
        "no step up exceeds its error.",
        Panel(
            [Rule(0.0, width=0.6), *curves_over_seeds(groups, mean)],
            x=Axis("groups", whole=True),
            y=Axis("gap (log of the scatter within groups)"),
            width=4.2,
            height=2.8,
            empty="" if known.any() else "too few pictures, or nothing varies",
        ),
    )
