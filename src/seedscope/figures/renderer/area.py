"""A panel's area: which numbers its edges stand for, where ticks are, and which pixel a number has.

    pixel = left + width · (T(value) − T(start)) / (T(end) − T(start))

with T the identity, log₁₀, or matplotlib's symmetrical logarithm. Where a panel sets no limit the marks do: their
extremes and 5 % beyond, but images end at the edge (matplotlib's own rule, Axes.autoscale_view).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.scale import SymmetricalLogTransform
from matplotlib.ticker import LogLocator, MaxNLocator, SymmetricalLogLocator

from seedscope.figures.marks import Band, Bars, Dots, Image, Line, Mark, Rule, Shapes, Spans, Stripe, Strokes
from seedscope.figures.renderer.canvas import Box
from seedscope.figures.sheet import Axis, Panel

_MARGIN = 0.05  # beyond the marks, of the axis
_SYMLOG = SymmetricalLogTransform(10, 1, 0.35)
_DECIMALS = 6  # that are written at most: smaller numbers have an exponent
_CLIPPED = -1000.0  # what stands for the logarithm of what has none


@dataclass
class Side:
    """One axis of an area.

    Attributes:
        axis: what the panel says of it.
        start: the number at the left or at the bottom.
        end: the number at the right or at the top.
        most: how many numbers there is room for.
    """

    axis: Axis
    start: float
    end: float
    most: int

    def share(self, values: Any) -> np.ndarray:
        """Return where values are, as shares of the side's length."""
        start, end = _scaled(self.axis, np.array([self.start, self.end]))
        return np.asarray((_scaled(self.axis, np.asarray(values, dtype=float)) - start) / (end - start))

    def ticks(self, axis: Axis | None = None) -> tuple[np.ndarray, list[str]]:
        """Return where the ticks are, as shares, and what they say; ``axis`` may be that above the panel."""
        axis = axis or self.axis
        low, high = sorted((self.start, self.end))
        if axis.ticks is None:
            places = self._places(low, high)
            words = _said(places) if axis.kind == "linear" else [f"{place:g}" for place in places]
        else:
            places = np.asarray(list(axis.ticks), dtype=float)
            words = list(axis.names) if axis.names is not None else [f"{place:g}" for place in places]
            words = words if axis.names is not None else [one.replace("-", "−") for one in words]
        slack = 1e-9 * (high - low)
        inside = np.flatnonzero((low - slack <= places) & (places <= high + slack))
        return self.share(places[inside]), [words[one] for one in inside]

    def _places(self, low: float, high: float) -> np.ndarray:
        locator: Any
        if self.axis.kind == "log":
            locator = LogLocator(numticks=max(self.most, 2))
        elif self.axis.kind == "symlog":
            locator = SymmetricalLogLocator(base=10, linthresh=1)
        elif self.axis.whole:
            locator = MaxNLocator(self.most, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
        else:
            locator = MaxNLocator(self.most, steps=[1, 2, 2.5, 5, 10])
        return np.asarray(locator.tick_values(low, high), dtype=float)


class Area:
    """The inside of a panel. It has no place on the page until :meth:`put`."""

    def __init__(self, panel: Panel) -> None:
        found = _Found()
        for mark in () if panel.empty else panel.marks:
            if type(mark) in _REACH:  # words reach nowhere
                _REACH[type(mark)](found, mark)
        self.x = _side(panel.x, panel.width, found, 0)
        self.y = _side(panel.y, panel.height, found, 1)
        self.box = Box(0, 0, 0, 0)

    def put(self, box: Box) -> None:
        """Put it into its place on the page."""
        self.box = box

    def across(self, x: Any, *, fraction: bool = False) -> np.ndarray:
        """Return the pixels from the left of values, or of shares of the panel."""
        share = np.asarray(x, dtype=float) if fraction else self.x.share(x)
        return self.box.left + share * (self.box.right - self.box.left)

    def down(self, y: Any, *, fraction: bool = False) -> np.ndarray:
        """Return the pixels from the top of values, or of shares of the panel from below."""
        share = np.asarray(y, dtype=float) if fraction else self.y.share(y)
        return self.box.bottom - share * (self.box.bottom - self.box.top)

    def points(self, x: Any, y: Any) -> np.ndarray:
        """Return the pixels (point, 2) of values."""
        return np.stack(np.broadcast_arrays(np.atleast_1d(self.across(x)), np.atleast_1d(self.down(y))), 1)


class _Found:
    """How far marks reach: the points that they have, where images end, and the rules through a panel."""

    def __init__(self) -> None:
        self.reach: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self.edges: tuple[list[float], list[float]] = ([], [])
        self.rules: tuple[list[float], list[float]] = ([], [])
        self.downwards = False

    def points(self, x: Any, y: Any) -> None:
        x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        known = np.isfinite(x) & np.isfinite(y)
        self.reach[0].append(x[known])
        self.reach[1].append(y[known])

    def limits(self, which: int, axis: Axis) -> tuple[float, float]:
        """Return the lowest and the highest number to be seen."""
        values = np.concatenate([np.ravel(one) for one in self.reach[which]] or [np.zeros(0)])
        limits = self._with_margin(values, axis, np.array(self.edges[which]))
        beyond = [at for at in self.rules[which] if not limits[0] <= at <= limits[1]]
        return self._with_margin(np.append(values, beyond), axis, np.array(self.edges[which])) if beyond else limits

    @staticmethod
    def _with_margin(values: np.ndarray, axis: Axis, edges: np.ndarray) -> tuple[float, float]:
        if axis.kind == "log":
            values = values[values > 0]
        if not len(values):
            return (1.0, 10.0) if axis.kind == "log" else (0.0, 1.0)
        low, high = _apart(float(values.min()), float(values.max()))
        slack = 1e-5 * (high - low)
        start, end = _scaled(axis, np.array([low, high]))
        margin = _MARGIN * (end - start)
        wider = _unscaled(axis, np.array([start - margin, end + margin]))
        ends = [edges[edges < low + slack], edges[edges > high - slack]]
        lowest = max(wider[0], ends[0].max()) if len(ends[0]) else wider[0]
        return float(lowest), float(min(wider[1], ends[1].min()) if len(ends[1]) else wider[1])


def _side(axis: Axis, inches: float, found: _Found, which: int) -> Side:
    low, high = found.limits(which, axis)
    if which == 1 and found.downwards:
        low, high = high, low
    start, end = low if axis.low is None else axis.low, high if axis.high is None else axis.high
    start, end = _apart(float(start), float(end))
    room = inches * 72 / (axis.size * (3 if which == 0 else 2))
    return Side(axis, start, end, int(np.clip(room, 1, 9)))


def _apart(start: float, end: float) -> tuple[float, float]:
    """Return two numbers as they are, or where they are the same, two to both sides of it."""
    if abs(end - start) > 1e-12 * max(abs(start), abs(end)):
        return start, end
    return (start - _MARGIN * abs(start), end + _MARGIN * abs(end)) if start else (-_MARGIN, _MARGIN)


def _scaled(axis: Axis, values: np.ndarray) -> np.ndarray:
    if axis.kind == "log":
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), _CLIPPED)
    return np.asarray(_SYMLOG.transform(values)) if axis.kind == "symlog" else values


def _unscaled(axis: Axis, values: np.ndarray) -> np.ndarray:
    if axis.kind == "log":
        return np.asarray(10.0**values)
    return np.asarray(_SYMLOG.inverted().transform(values)) if axis.kind == "symlog" else values


def _said(places: np.ndarray) -> list[str]:
    """Return numbers with as many decimals as tell them apart."""
    wide = float(np.ptp(places)) if len(places) > 1 else float(np.abs(places).max(initial=0.0))
    exact = 1e-3 * 10 ** np.floor(np.log10(wide)) if wide > 0 else 1.0
    decimals = next((n for n in range(13) if np.abs(places - np.round(places, n)).max(initial=0.0) < exact), 13)
    said = [f"{place:.{decimals}f}" if decimals <= _DECIMALS else f"{place:.3g}" for place in places + 0.0]
    return [one.replace("-", "−") for one in said]


def _of_points(found: _Found, mark: Dots | Line) -> None:
    found.points(mark.x, mark.y)


def _of_bars(found: _Found, bars: Bars) -> None:
    (left, right), (low, high) = bar_edges(bars)
    for along, up in ((left, low), (right, high)):
        found.points(*((up, along) if bars.across else (along, up)))


def _of_spans(found: _Found, spans: Spans) -> None:
    at, low, high = span_ends(spans)
    for end in (low, high):
        found.points(*((end, at) if spans.across else (at, end)))


def _of_band(found: _Found, band: Band) -> None:
    found.points(band.x, band.low)
    found.points(band.x, band.high)


def _of_rule(found: _Found, rule: Rule) -> None:
    found.rules[1 if rule.across else 0].append(rule.at)


def _of_stripe(found: _Found, stripe: Stripe) -> None:
    found.reach[1 if stripe.across else 0].append(np.array([stripe.low, stripe.high], dtype=float))


def _of_image(found: _Found, image: Image) -> None:
    left, right, bottom, top = image_edges(image)
    found.points([left, right], [bottom, top])
    found.edges[0].extend((left, right))
    found.edges[1].extend((bottom, top))
    found.downwards |= bottom > top


def _of_outlines(found: _Found, corners: Sequence[np.ndarray]) -> None:
    for own in corners:
        found.points(own[:, 0], own[:, 1])


def bar_edges(bars: Bars) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the edges of bars: along the axis that they stand on, and at their lower and upper ends."""
    height = np.asarray(bars.height, dtype=float)
    at = np.broadcast_to(np.asarray(bars.at, dtype=float), height.shape)
    base = np.broadcast_to(np.asarray(bars.base, dtype=float), height.shape)
    ends = np.minimum(base, base + height), np.maximum(base, base + height)
    return (at - bars.width / 2, at + bars.width / 2), ends


def span_ends(spans: Spans) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where spans stand and their ends; both NaN where one is."""
    at, low, high = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(one, dtype=float)) for one in (spans.at, spans.low, spans.high))
    )
    unknown = ~(np.isfinite(low) & np.isfinite(high))
    return at, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def image_edges(image: Image) -> tuple[float, float, float, float]:
    """Return the left, right, bottom and top edge of an image."""
    rows, columns = np.shape(image.values)[:2]
    return image.extent or (-0.5, columns - 0.5, rows - 0.5, -0.5)


_REACH: dict[type[Mark], Callable[[_Found, Any], None]] = {
    Bars: _of_bars,
    Spans: _of_spans,
    Dots: _of_points,
    Line: _of_points,
    Band: _of_band,
    Rule: _of_rule,
    Stripe: _of_stripe,
    Image: _of_image,
    Shapes: lambda found, shapes: _of_outlines(found, shapes.corners),
    Strokes: lambda found, strokes: _of_outlines(found, strokes.points),
}
