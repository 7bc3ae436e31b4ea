"""Draw the votes for each class along their first components, and into how many groups they fall."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from seedscope.figures import (
    FOR,
    Axis,
    Dots,
    Facts,
    Grid,
    Line,
    Panel,
    Rule,
    Sheet,
    Spans,
    blended,
    class_names,
    grid_shape,
)

_CORNERS = ("#0072B2", "#CC79A7", "#009E73", "#E69F00")  # of a class's region: top left, top right, bottom …
_MOST = 16  # classes


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.patterns.Patterns.draw`."""
    names = class_names(measured)[:_MOST]
    columns = grid_shape(len(names))[1]
    places = "square_y" in measured
    several = int((measured.patterns.values > 1).sum())
    words = " Colours: where in the class's region the square is, blended between its corners." if places else ""
    more = f" The first {_MOST} classes are shown." if measured.sizes["true"] > _MOST else ""
    yield Sheet(
        "patterns",
        Facts.of(measured),
        f"One class, one pattern of votes, or several? {several} of {measured.sizes['true']} classes have several",
        "Each point is a picture of the class that is rightly decided: the votes of all units for the class, along "
        f"their first two principal components (logit units).{words}{more}",
        Grid([_points(measured, k, name) for k, name in enumerate(names)], columns, gap=0.35),
    )
    yield Sheet(
        "patterns_gap",
        Facts.of(measured),
        "Into how many groups do the votes for a class fall?",
        "Gap statistic by the number of groups, with its error: how far below that of evenly spread samples (0) the "
        "scatter within groups is. Blue dot: how many there are, the first after which no step up exceeds its error."
        f"{more}",
        Grid(
            [_gap(measured, k, name) for k, name in enumerate(names)],
            columns,
            share_x=True,
            share_y=True,
            x_label="groups",
            y_label="gap",
        ),
    )


def _points(measured: xr.Dataset, k: int, name: str) -> Panel:
    own = (measured.label.values == k) & measured.shown.values
    x, y = measured.score.values[own].T
    patterns = measured.patterns.values[k]
    said = f"\n{int(patterns)} pattern{'s' if patterns > 1 else ''}" if np.isfinite(patterns) else ""
    return Panel(
        [Dots(x, y, _colours(measured, own), size=2.6, opacity=0.8)],
        f"{name}{said}",
        Axis(size=6.5),
        Axis(size=6.5),
        width=1.7,
        height=1.7,
        empty="" if own.any() else "none is\nrightly decided,\nor no unit acts",
    )


def _colours(measured: xr.Dataset, own: np.ndarray) -> str | np.ndarray:
    """Return the colours of pictures by place, or one colour where it is not known."""
    if "square_y" not in measured:
        return FOR
    down, right = (measured[name].values[own].astype(float) for name in ("square_y", "square_x"))
    share = [(one - one.min(initial=np.inf)) / max(1, np.ptp(one)) if len(one) else one for one in (down, right)]
    return blended(_CORNERS, *share)


def _gap(measured: xr.Dataset, k: int, name: str) -> Panel:
    gap, error = measured.gap.values[k], measured.gap_error.values[k]
    groups, patterns = measured.groups.values, measured.patterns.values[k]
    known = bool(np.isfinite(gap).all())
    chosen = [int(patterns) - 1] if known else []
    return Panel(
        [
            Rule(0.0, width=0.6),
            Spans(groups, gap - error, gap + error, "black", 0.8),
            Line(groups, gap, "black", width=0.9),
            Dots(groups[chosen], gap[chosen], FOR, size=7),
        ],
        name,
        Axis(whole=True, low=0.5, high=len(groups) + 0.5),
        width=1.7,
        height=1.2,
        empty="" if known else "no value",
    )
