"""The page: a canvas in inches from the top left, its words, and its colour bars."""

from __future__ import annotations

from typing import Any

import numpy as np

from seedscope.figures.marks import DPI
from seedscope.figures.renderer import panels as drawn
from seedscope.figures.renderer.area import Area, Side
from seedscope.figures.renderer.canvas import Box, Canvas, Said, corners
from seedscope.figures.renderer.images import coloured
from seedscope.figures.renderer.text import height, width
from seedscope.figures.sheet import Axis, Bar, Panel

PAD, TICK = 0.06, 0.09  # between neighbouring words, and of a tick with its gap, inches
LABEL = 9.0  # size of labels, points
_NUMBER = 8.0  # of the numbers beside a colour bar
_BAR, _BAR_GAP, _TALLEST, _SHADES = 0.13, 0.14, 3.0, 256


class Page:
    """A page of a size in inches; its canvas is as many whole pixels as hold it.

    Attributes:
        canvas: what has been drawn.
        film: whether it is the page of a film, on which what moves is left out.
        areas: of all panels, in the order in which they were drawn.
        around: the words that stand around the panels.
        moving: the area and the panel that hold a film's image.
    """

    def __init__(self, wide: float, tall: float, *, film: bool = False) -> None:
        self.canvas = Canvas(int(np.ceil(round(wide * DPI, 6))), int(np.ceil(round(tall * DPI, 6))))
        self.film = film
        self.areas: list[Area] = []
        self.around: list[Said] = []
        self.moving: tuple[Area, Panel] | None = None

    def write(self, x: float, y: float, words: str, size: float, **style: Any) -> None:
        """Write words, centred below their place unless ``style`` says otherwise."""
        if words:
            self.around.append(self.canvas.words(x * DPI, y * DPI, words, size, **style))

    def panel(self, area: Area, panel: Panel, x: float, y: float) -> None:
        """Draw a panel with the lines of its axes, its upper left corner at ``x``, ``y``."""
        area.put(Box(x * DPI, y * DPI, (x + panel.width) * DPI, (y + panel.height) * DPI))
        self.areas.append(area)
        if self.film and drawn.filmed(panel) is not None:
            self.moving = area, panel
            drawn.still(self.canvas, area, panel)
        else:
            drawn.fill(self.canvas, area, panel)
            drawn.frame(self.canvas, area, panel)

    def bar(self, bar: Bar, x: float, y: float, tall: float) -> None:
        """Draw a colour bar beside something ``tall`` whose upper right corner is at ``x``, ``y``."""
        reach, left, canvas = _reach(bar, tall), x + _BAR_GAP, self.canvas
        box = Box(left * DPI, y * DPI, (left + _BAR) * DPI, (y + reach) * DPI)
        first, last = round(box.top), round(box.bottom)
        shade = 1 - (np.arange(first, last) + 0.5 - first) / (last - first)
        shade = (np.floor(shade * _SHADES) + 0.5) / _SHADES
        columns = round(box.right) - round(box.left)
        low, high = bar.scale.ends
        shades = coloured(low + shade * (high - low), bar.scale)
        canvas.image(np.repeat(shades[:, None], columns, 1), round(box.left), first)
        canvas.shapes([corners(box)], "none", "black", 0.8)
        places, words = _side(bar, reach).ticks()
        for place, said in zip(places, words, strict=True):
            at = y + reach * (1 - float(place))
            ends = np.array([[box.right, at * DPI], [box.right + drawn.TICK * DPI, at * DPI]])
            canvas.lines([ends], "black", 0.8)
            self.write(left + _BAR + TICK - 0.01, at, said, _NUMBER, align="left", stand="middle")
        beside = left + _BAR + TICK + max(width(one, _NUMBER) for one in words) + PAD
        self.write(beside, y + reach / 2, bar.label, LABEL, turned=90)


def bar_size(bar: Bar | None, tall: float) -> tuple[float, float]:
    """Return the (width, height) of a colour bar beside something ``tall``, inches: it may be the taller one."""
    if bar is None:
        return 0.0, 0.0
    reach = _reach(bar, tall)
    numbers = max(width(one, _NUMBER) for one in _side(bar, reach).ticks()[1])
    label = height(bar.label, LABEL) + PAD if bar.label else 0.0
    return _BAR_GAP + _BAR + TICK + numbers + label, reach + height("0", _NUMBER) / 2


def _reach(bar: Bar, tall: float) -> float:
    return max(min(tall, _TALLEST), min(width(bar.label, LABEL), _TALLEST), 1.0)


def _side(bar: Bar, reach: float) -> Side:
    most = int(np.clip(reach * 72 / (2.5 * _NUMBER), 1, 9))
    return Side(Axis(size=_NUMBER), *bar.scale.ends, most)
