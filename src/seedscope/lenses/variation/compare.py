"""What makes votes vary, and how much change is borne, over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import AGAINST, MARK, NEUTRAL, Axis, Facts, Grid, Line, Mark, Panel, Rule, Sheet, class_names
from seedscope.figures.over import curves_over_seeds, over_seeds
from seedscope.formulas.intervals import mean_interval
from seedscope.formulas.variance import shares
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.variation.designs import SOURCES
from seedscope.lenses.variation.panels import SOURCE_COLOURS, curve_grid, settings_sheet

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_CURVES = ("accuracy", "margin", "overlap", "picture_overlap", "rank_correlation")


def compare(measured: xr.Dataset, top: int) -> Comparison:
    """Put the seeds' shares of variance and their curves together, with means and intervals over seeds."""
    import pandas as pd

    sheets, tables = [], {}
    if "component" in measured:
        sheets.append(_shares(measured))
    if "setting_share" in measured:
        sheets.append(settings_sheet(measured, "vote_variance_by_setting_across_seeds"))
    if "accuracy" in measured:
        tables["robustness"] = pd.DataFrame([row for name in _CURVES for row in _curve(measured, name)])
        sheets.append(_robustness(measured, top))
    return Comparison({}, sheets, tables)


def _curve(measured: xr.Dataset, name: str) -> Iterator[dict[str, object]]:
    values = measured[name].values  # (seed, condition)
    for at, (design, level) in enumerate(zip(measured["design"].values, measured["level"].values, strict=True)):
        yield {
            "design": str(design),
            "level": float(level),
            "measure": name,
            **mean_interval(values[:, at]).as_dict(),
        }


def _robustness(measured: xr.Dataset, top: int) -> Sheet:
    n_classes, chance = len(class_names(measured)), mean_interval(measured["overlap_null_chance"].values).mean

    def marks(name: str, part: xr.Dataset) -> Sequence[Mark]:
        level, values = part["level"].values, part[name].values
        if not np.isfinite(values).any():
            return []
        return [*_null(name, part, n_classes, chance), *curves_over_seeds(level, values)]

    return Sheet(
        "robustness_across_seeds",
        Facts.of(measured),
        "What a decision bears, one line per seed",
        "As one thing changes in the same pictures: accuracy, mean margin of the true class, how many of the "
        f"top {top} voters of each class and of each picture are those of the same seed's base level (dotted vertical "
        "line), and Spearman's correlation of all live units' mean votes with it. Grey: each seed; blue: mean with its "
        "95 % t interval over seeds, which may reach beyond what is possible where seeds are few; dashed: chance; "
        "orange dots: what two different pictures of a class share, green dots: what pictures of two classes share, "
        "asked for the class of the first, means over seeds.",
        curve_grid(measured, _CURVES, top, marks, "no value"),
    )


def _null(name: str, part: xr.Dataset, n_classes: int, chance: float | None) -> list[Mark]:
    """Show what a quantity is held against."""
    if name == "accuracy":
        return [Rule(1 / n_classes, "black", "--", 0.9)]
    if name == "overlap":
        return [] if chance is None else [Rule(chance, "black", "--", 0.9)]
    if name == "picture_overlap":
        nulls = {"another_picture": AGAINST, "other_class": MARK}
        return [
            Line(part["level"].values, part[f"picture_overlap_null_{which}"].values.mean(0), color, ":", 1.3)
            for which, color in nulls.items()
        ]
    return [Rule(0, "black", width=0.6)]


def _shares(measured: xr.Dataset) -> Sheet:
    votes = np.stack([shares(of_seed.sum((1, 2))) for of_seed in measured["component"].values])
    margin = np.stack([shares(of_seed.sum(1)) for of_seed in measured["margin_component"].values])
    return Sheet(
        "vote_variance_across_seeds",
        Facts.of(measured),
        "What makes votes vary, over seeds",
        "The shares of place, noise and their interaction in the variance of the votes and of the margin within a "
        "class, at this data set's noise and range of places: a dot per seed, the mean and its 95 % t interval over "
        "seeds.",
        Grid(
            [_sources(votes, "votes of all live units"), _sources(margin, "margin of the true class")],
            2,
            share_y=True,
        ),
        _shares_table({"votes": votes, "margin": margin}),
    )


def _sources(values: np.ndarray, title: str) -> Panel:
    """Show the shares of each source, (seed, source)."""
    marks: list[Mark] = [Rule(0, NEUTRAL, width=0.6)]
    for at, source in enumerate(SOURCES):
        marks += over_seeds(at, values[:, at], SOURCE_COLOURS[source])
    return Panel(
        marks,
        title,
        Axis(ticks=range(len(SOURCES)), names=SOURCES, low=-0.6, high=len(SOURCES) - 0.4, size=9),
        Axis("share of the variance"),
        width=3.4,
        height=2.6,
        empty="" if np.isfinite(values).any() else "nothing varies",
    )


def _shares_table(values: dict[str, np.ndarray]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {"of": what, "source": source, **mean_interval(of_seeds[:, at]).as_dict()}
            for what, of_seeds in values.items()
            for at, source in enumerate(SOURCES)
        ]
    )
