"""One panel on the canvas: its marks in the order in which they are listed, its axes' lines, and its ticks' lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from seedscope.figures.colours import NEUTRAL
from seedscope.figures.marks import Band, Bars, Dots, Image, Line, Mark, Rule, Shapes, Spans, Stripe, Strokes, Words
from seedscope.figures.renderer.area import Area, bar_edges, span_ends
from seedscope.figures.renderer.canvas import Canvas, corners
from seedscope.figures.renderer.images import on_page
from seedscope.figures.sheet import Panel

TICK = 0.045  # length of a tick, inches
_LINE = 0.8  # width of an axis, points


def fill(canvas: Canvas, area: Area, panel: Panel) -> None:
    """Draw a panel's background and its marks, or why it has none."""
    if panel.background != "none":
        canvas.shapes([corners(area.box)], panel.background)
    if panel.empty:
        x, y = float(area.across(0.5, fraction=True)), float(area.down(0.55, fraction=True))
        canvas.words(x, y, panel.empty, 8.5, stand="bottom", color=NEUTRAL)
    else:
        draw(canvas, area, panel.marks)


def filmed(panel: Panel) -> int | None:
    """Return which of a panel's marks is a film's image, if one is."""
    marks = enumerate(panel.marks)
    return next((index for index, mark in marks if isinstance(mark, Image) and mark.filmed), None)


def still(canvas: Canvas, area: Area, panel: Panel) -> None:
    """Draw what stands still in a panel that holds a film's image: what lies below it."""
    fill(canvas, area, replace(panel, marks=panel.marks[: filmed(panel)]))


def one_frame(canvas: Canvas, area: Area, panel: Panel, values: np.ndarray) -> None:
    """Draw the rest of that panel, with ``values`` in the image."""
    image, *above = panel.marks[filmed(panel) :]
    if isinstance(image, Image):
        draw(canvas, area, [replace(image, values=values), *above])
    frame(canvas, area, panel)


def draw(canvas: Canvas, area: Area, marks: Iterable[Mark]) -> None:
    """Draw marks."""
    for mark in marks:
        _DRAW[type(mark)](canvas, area, mark)


def frame(canvas: Canvas, area: Area, panel: Panel) -> None:
    """Draw the lines of both axes with their ticks."""
    if not (panel.axes and panel.lines):
        return
    box, dpi = area.box, (area.box.right - area.box.left) / panel.width
    lines = [np.array([[box.left, box.top], [box.left, box.bottom], [box.right, box.bottom]])]
    for x in area.across(tick_places(area, panel, "x")[0], fraction=True):
        lines.append(np.array([[x, box.bottom], [x, box.bottom + TICK * dpi]]))
    for y in area.down(tick_places(area, panel, "y")[0], fraction=True):
        lines.append(np.array([[box.left, y], [box.left - TICK * dpi, y]]))
    canvas.lines(lines, "black", _LINE, cap="projecting")


def tick_places(area: Area, panel: Panel, which: str) -> tuple[np.ndarray, list[str]]:
    """Return where the ticks of an axis (``x``, ``y``, ``top``) are, as shares of its length, and what they say."""
    axis = {"x": panel.x, "y": panel.y, "top": panel.top}[which]
    if axis is None or not panel.axes or (panel.empty and (axis.names is None or which == "top")):
        return np.zeros(0), []
    return (area.y if which == "y" else area.x).ticks(axis)


def dot_edge(dots: Dots) -> float:
    """Return the width of the edge of dots, points."""
    if dots.shape in "|_+x":
        return 1.6
    large = dots.shape in "sD" and dots.size > 5
    return 1.2 if isinstance(dots.color, str) and (large or not dots.filled) else 0.0


def _bars(canvas: Canvas, area: Area, bars: Bars) -> None:
    (near, far), (low, high) = bar_edges(bars)
    left, right, bottom, top = (low, high, near, far) if bars.across else (near, far, low, high)
    x, y = (area.across(left), area.across(right)), (area.down(bottom), area.down(top))
    points = np.stack([np.stack([x[i], y[j]], -1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], -2).reshape(-1, 4, 2)
    canvas.shapes(list(points), bars.color, clip=area.box)


def _spans(canvas: Canvas, area: Area, spans: Spans) -> None:
    at, low, high = span_ends(spans)
    ends = [area.points(end, at) if spans.across else area.points(at, end) for end in (low, high)]
    known = np.isfinite(low)
    colors = spans.color if isinstance(spans.color, str) else np.asarray(spans.color)[known]
    canvas.lines(np.stack(ends, 1)[known], colors, spans.width, clip=area.box)


def _dots(canvas: Canvas, area: Area, dots: Dots) -> None:
    style: dict[str, Any] = {"opacity": dots.opacity, "clip": area.box if dots.clipped else None}
    points = area.points(dots.x, dots.y)
    canvas.dots(points, dots.color, dots.shape, dots.size, dot_edge(dots), filled=dots.filled, **style)


def _line(canvas: Canvas, area: Area, line: Line) -> None:
    points = area.points(line.x, line.y)
    style: dict[str, Any] = {"opacity": line.opacity, "clip": area.box}
    if line.style and line.style != "none":
        canvas.lines([points], line.color, line.width, style=line.style, cap=_cap(line.style), **style)
    if line.shape:
        canvas.dots(points, line.color, line.shape, line.size, 1.0, **style)


def _band(canvas: Canvas, area: Area, band: Band) -> None:
    x, low, high = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (band.x, band.low, band.high)))
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(low) & np.isfinite(high))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if len(run):
            ends = area.points(x[run], low[run]), area.points(x[run], high[run])[::-1]
            canvas.shapes([np.concatenate(ends)], band.color, opacity=band.opacity, clip=area.box)


def _rule(canvas: Canvas, area: Area, rule: Rule) -> None:
    box = area.box
    if rule.across:
        y = float(area.down(rule.at))
        ends = np.array([[box.left, y], [box.right, y]])
    else:
        x = float(area.across(rule.at))
        ends = np.array([[x, box.bottom], [x, box.top]])
    canvas.lines([ends], rule.color, rule.width, style=rule.style, cap=_cap(rule.style), clip=box)


def _stripe(canvas: Canvas, area: Area, stripe: Stripe) -> None:
    ends = np.array([stripe.low, stripe.high])
    if stripe.across:
        (x, y) = np.array([area.box.left, area.box.right]), area.down(ends)
    else:
        (x, y) = area.across(ends), np.array([area.box.bottom, area.box.top])
    corner = np.array([[x[i], y[j]] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    canvas.shapes([corner], stripe.color, opacity=stripe.opacity, clip=area.box)


def _image(canvas: Canvas, area: Area, image: Image) -> None:
    canvas.image(*on_page(image, area))


def _words(canvas: Canvas, area: Area, words: Words) -> None:
    canvas.words(
        float(area.across(words.x, fraction="x" in words.fraction)),
        float(area.down(words.y, fraction="y" in words.fraction)),
        words.text,
        words.size,
        align=words.align,
        stand=words.stand,
        color=words.color,
        turned=words.turned,
        bold=words.bold,
        halo=words.halo,
        paper=words.paper,
    )


def _shapes(canvas: Canvas, area: Area, shapes: Shapes) -> None:
    corner = [area.points(own[:, 0], own[:, 1]) for own in shapes.corners]
    canvas.shapes(corner, shapes.face, shapes.edge, shapes.width, clip=area.box)


def _strokes(canvas: Canvas, area: Area, strokes: Strokes) -> None:
    lines = [area.points(own[:, 0], own[:, 1]) for own in strokes.points]
    style: dict[str, Any] = {"style": strokes.style, "opacity": strokes.opacity, "clip": area.box}
    canvas.lines(lines, strokes.color, strokes.width, **style)


def _cap(style: str) -> str:
    return "projecting" if style == "-" else "butt"


_DRAW: dict[type[Mark], Callable[[Canvas, Area, Any], None]] = {
    Bars: _bars,
    Spans: _spans,
    Dots: _dots,
    Line: _line,
    Band: _band,
    Rule: _rule,
    Stripe: _stripe,
    Image: _image,
    Words: _words,
    Shapes: _shapes,
    Strokes: _strokes,
}
