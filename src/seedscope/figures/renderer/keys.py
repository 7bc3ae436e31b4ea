"""Keys: what the labels of marks mean, each with a sample of its mark, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from seedscope.figures.marks import DPI, Band, Bars, Dots, Line, Mark, Rule, Spans, Stripe
from seedscope.figures.renderer.canvas import Box, Canvas, corners
from seedscope.figures.renderer.panels import dot_edge
from seedscope.figures.renderer.text import LINE, height, width
from seedscope.figures.sheet import Key, Panel

_SIZE = 8.0  # of the letters, points
_SAMPLE, _GAP, _BETWEEN = 0.22, 0.09, 0.22  # width of a sample, and room after it and between columns, inches
_ROW = _SIZE * 1.55 / 72  # from one line to the next, inches
_AWAY = 0.1  # of a key in a panel, from its border, inches


def explained(panels: Iterable[Panel]) -> dict[str, Mark]:
    """Return what is to be explained: each label once, with the first mark that has it."""
    found: dict[str, Mark] = {}
    for panel in panels:
        for mark in () if panel.empty else panel.marks:
            label = getattr(mark, "label", "")
            if label:
                found.setdefault(label, mark)
    return found


def key_size(key: Key, labels: dict[str, Mark]) -> tuple[float, float]:
    """Return the (width, height) of a key, inches."""
    columns = _columns(key, labels)
    wide = sum(_wide(column) for column in columns) + _BETWEEN * (len(columns) - 1)
    lines = sum(_lines(labels)[: -(-len(labels) // key.columns)])
    title = height(key.title, _SIZE) + 0.04 if key.title else 0.0
    return max(wide, width(key.title, _SIZE)) + 0.1, lines * _ROW + title + 0.06


def write_key(canvas: Canvas, key: Key, labels: dict[str, Mark], x: float, y: float) -> None:
    """Draw a key with its upper left corner at ``x``, ``y``, inches."""
    wide, _ = key_size(key, labels)
    if key.title:
        canvas.words((x + wide / 2) * DPI, (y + 0.03) * DPI, key.title, _SIZE)
        y += height(key.title, _SIZE) + 0.04
    left = x + 0.05
    for column in _columns(key, labels):
        top = y + 0.03
        for label, lines in zip(column, _lines(column), strict=True):
            middle = (top + _ROW / 2) * DPI
            _SAMPLES[type(labels[label])](canvas, labels[label], left * DPI, (left + _SAMPLE) * DPI, middle)
            canvas.words((left + _SAMPLE + _GAP) * DPI, middle, label, _SIZE, align="left", stand="middle")
            top += lines * _ROW
        left += _wide(column) + _BETWEEN


def in_corner(key: Key, labels: dict[str, Mark], box: Box) -> tuple[float, float]:
    """Return where the upper left corner of a key in a corner of a panel is, inches."""
    wide, tall = key_size(key, labels)
    up, side = key.place.split()
    x = box.left / DPI + _AWAY / 2 if side == "left" else box.right / DPI - wide - _AWAY / 2
    return x, box.top / DPI + _AWAY / 2 if up == "upper" else box.bottom / DPI - tall - _AWAY / 2


def _columns(key: Key, labels: dict[str, Mark]) -> list[list[str]]:
    said, rows = list(labels), -(-len(labels) // key.columns)
    return [said[start : start + rows] for start in range(0, len(said), rows)]


def _wide(column: Iterable[str]) -> float:
    return max(width(label, _SIZE) for label in column) + _SAMPLE + _GAP


def _lines(labels: Iterable[str]) -> list[float]:
    return [1 + label.count("\n") * LINE / 1.55 for label in labels]


def _patch(canvas: Canvas, mark: Bars | Band | Stripe, left: float, right: float, middle: float) -> None:
    half = 0.35 * _SIZE * DPI / 72
    opacity = getattr(mark, "opacity", 1.0)
    canvas.shapes([corners(Box(left, middle - half, right, middle + half))], _one(mark.color), opacity=opacity)


def _stroke(canvas: Canvas, mark: Line | Rule | Spans, left: float, right: float, middle: float) -> None:
    style, opacity = getattr(mark, "style", "-"), getattr(mark, "opacity", 1.0)
    ends = np.array([[left, middle], [right, middle]])
    canvas.lines([ends], _one(mark.color), mark.width, style=style, opacity=opacity)
    if isinstance(mark, Line) and mark.shape:
        canvas.dots(ends.mean(0, keepdims=True), _one(mark.color), mark.shape, mark.size, 1.0, opacity=opacity)


def _dot(canvas: Canvas, mark: Dots, left: float, right: float, middle: float) -> None:
    at = np.array([[(left + right) / 2, middle]])
    canvas.dots(at, _one(mark.color), mark.shape, mark.size, dot_edge(mark), opacity=mark.opacity, filled=mark.filled)


def _one(colors: Any) -> Any:
    """Return the first of several colours."""
    if isinstance(colors, str):
        return colors
    return colors[0] if isinstance(colors[0], str) or np.ndim(colors) > 1 else colors


_SAMPLES: dict[type[Mark], Callable[[Canvas, Any, float, float, float], None]] = {
    Bars: _patch,
    Band: _patch,
    Stripe: _patch,
    Line: _stroke,
    Rule: _stroke,
    Spans: _stroke,
    Dots: _dot,
}
