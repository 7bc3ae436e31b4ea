"""Where everything stands on the page: panels have their sizes, and the page grows with what stands around them.

What the ticks of each panel say is found first, its margins follow from it, then the size of the page, and then all is
drawn in its place. matplotlib's own engines (``constrained``, ``tight``, ``compressed``) draw a figure to lay it out,
which takes many times as long (``python -m benchmarks figures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from seedscope.figures.renderer.area import Area, Side
from seedscope.figures.renderer.keys import explained, in_corner, key_size, write_key
from seedscope.figures.renderer.page import LABEL, PAD, TICK, Page, bar_size
from seedscope.figures.renderer.panels import one_frame, tick_places
from seedscope.figures.renderer.text import height, width, wrapped
from seedscope.figures.sheet import Above, Axis, Beside, Body, Grid, Key, Panel

NOTE = 9.0  # size of the line below the title, and of captions, points
_HEADING, _TITLE = 12.0, 9.5
_BARE = 0.05  # of an axis without words, inches
_EDGE = 0.12  # of the page
_NARROWEST = 6.5  # of a page: titles need room


class Block(Protocol):
    """A part of the page: its size, what of it lies left of and above its first panel, and how it is put into place."""

    @property
    def width(self) -> float: ...  # noqa: D102  # as the class says

    @property
    def height(self) -> float: ...  # noqa: D102

    @property
    def left(self) -> float: ...  # noqa: D102

    @property
    def top(self) -> float: ...  # noqa: D102

    def place(self, page: Page, x: float, y: float) -> None:
        """Draw it where its left edge is at ``x`` and its top at ``y``."""


class PanelBlock:
    """A panel with what stands around it."""

    def __init__(self, panel: Panel, hide_x: bool = False, hide_y: bool = False) -> None:
        self.panel, self.area = panel, Area(panel)
        self._x_label = "" if hide_x or not panel.axes else panel.x.label
        self._y_label = "" if hide_y or not panel.axes else panel.y.label
        self._hidden = hide_x, hide_y
        self._labels = explained([panel]) if panel.key else {}
        self.measure()

    def measure(self) -> None:
        """Find how much room the words around the panel take; limits may change until then."""
        panel = self.panel
        below = [] if self._hidden[0] else tick_places(self.area, panel, "x")[1]
        beside = [] if self._hidden[1] else tick_places(self.area, panel, "y")[1]
        tall = [_turned(words, panel.x) for words in below]
        self._ticks_below = max((high for _, high in tall), default=_BARE - TICK) + TICK if panel.axes else 0.0
        self._ticks_left = max((width(one, panel.y.size) for one in beside), default=_BARE - TICK) + TICK
        self._ticks_left = self._ticks_left if panel.axes else 0.0
        half_tick = max((wide for wide, _ in tall), default=0.0) / 2
        over = max(0.0, width(panel.title, _TITLE) - panel.width) / 2
        self.left = max(self._ticks_left + _room(self._y_label), min(half_tick, 0.5), over)
        self.right = max(min(half_tick, 0.5), over, 0.02)
        above = tick_places(self.area, panel, "top")[1]
        self._ticks_above = max((_room(words, panel.top.size) for words in above), default=0.0) if panel.top else 0.0
        self.top = self._ticks_above + _room(panel.title, _TITLE) + (0.05 if panel.axes else 0.0)
        self.bottom = self._ticks_below + _room(self._x_label)
        self._bar_at = panel.width + self.right
        bar = bar_size(panel.bar, panel.height)
        self.right += bar[0]
        self.bottom = max(self.bottom, bar[1] - panel.height)
        if panel.key and self._labels:
            self._make_room(panel.key)

    def _make_room(self, key: Key) -> None:
        """Widen the margins by a key beside or below the panel."""
        wide, high = key_size(key, self._labels)
        self._key_at = self.panel.width + self.right + PAD, 0.0
        if key.place == "right":
            self.right += PAD + wide
        elif key.place == "below":
            self._key_at = (self.panel.width - wide) / 2, self.panel.height + self.bottom + PAD
            self.bottom += PAD + high
            self.left, self.right = (max(side, (wide - self.panel.width) / 2) for side in (self.left, self.right))

    @property
    def width(self) -> float:
        """Return the width of all."""
        return self.left + self.panel.width + self.right

    @property
    def height(self) -> float:
        """Return the height of all."""
        return self.top + self.panel.height + self.bottom

    def place(self, page: Page, x: float, y: float) -> None:
        """See :class:`Block`."""
        self.place_panel(page, x + self.left, y + self.top)

    def place_panel(self, page: Page, x: float, y: float) -> None:
        """Draw the panel itself, inside its axes, where its top left corner is at ``x``, ``y``."""
        panel = self.panel
        page.panel(self.area, panel, x, y)
        self._write_ticks(page, x, y)
        if panel.title:
            page.write(x + panel.width / 2, y - self._ticks_above - PAD, panel.title, _TITLE, stand="bottom")
        page.write(x + panel.width / 2, y + panel.height + self._ticks_below + PAD, self._x_label, LABEL)
        beside = x - self._ticks_left - PAD
        page.write(beside, y + panel.height / 2, self._y_label, LABEL, stand="bottom", turned=90)
        if panel.bar:
            page.bar(panel.bar, x + self._bar_at, y, panel.height)
        if panel.key and self._labels:
            around = panel.key.place in ("right", "below")
            at = (x + self._key_at[0], y + self._key_at[1]) if around else None
            write_key(page.canvas, panel.key, self._labels, *(at or in_corner(panel.key, self._labels, self.area.box)))

    def _write_ticks(self, page: Page, x: float, y: float) -> None:
        panel = self.panel
        if not self._hidden[0]:
            axis, (places, words) = panel.x, tick_places(self.area, panel, "x")
            turned: dict[str, Any] = {"turned": axis.turned, "align": "right", "stand": "center"}
            style = turned if axis.turned else {}
            for index, (place, said) in enumerate(zip(places, words, strict=True)):
                across, down = x + place * panel.width, y + panel.height + TICK - 0.01
                page.write(across, down, said, axis.size, **style, **_emphasis(axis, index))
        if not self._hidden[1]:
            axis, (places, words) = panel.y, tick_places(self.area, panel, "y")
            for index, (place, said) in enumerate(zip(places, words, strict=True)):
                across, down = x - TICK + 0.01, y + (1 - place) * panel.height
                page.write(across, down, said, axis.size, align="right", stand="middle", **_emphasis(axis, index))
        if panel.top:
            for index, (place, said) in enumerate(zip(*tick_places(self.area, panel, "top"), strict=True)):
                across = x + place * panel.width
                page.write(across, y - PAD / 2, said, panel.top.size, stand="bottom", **_emphasis(panel.top, index))


class GridBlock:
    """Panels whose edges are aligned."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        count, columns = len(grid.panels), grid.columns
        self._blocks = [
            PanelBlock(
                panel,
                bool(grid.share_x) and index + columns < count,
                bool(grid.share_y) and index % columns >= grid.group,
            )
            for index, panel in enumerate(grid.panels)
        ]
        self._columns = [self._blocks[column::columns] for column in range(min(columns, count))]
        self._rows = [self._blocks[start : start + columns] for start in range(0, count, columns)]
        for which, shared, lines in (("x", grid.share_x, self._columns), ("y", grid.share_y, self._rows)):
            of_groups = [self._blocks[first :: grid.group] for first in range(grid.group)]
            for sharing in of_groups if shared is True else lines if shared else []:
                _share(which, sharing)
        self._label_left, self._label_below = _room(grid.y_label), _room(grid.x_label)
        # What stands below a panel in a row that is not the last hangs into the empty place below it.
        below = [*(len(row) for row in self._rows[1:]), columns]
        self._tall = [_tallest(row, row[:count]) for row, count in zip(self._rows, below, strict=True)]
        wide, tall = sum(map(_widest, self._columns)), sum(self._tall)
        self._inner = wide + grid.gap * (len(self._columns) - 1), tall + grid.gap * (len(self._rows) - 1)
        self.width, self.height = self._label_left + self._inner[0], self._inner[1] + self._label_below
        self.left = self._label_left + max(block.left for block in self._columns[0])
        self.top = max(block.top for block in self._rows[0])
        self._bar_at = self.width
        bar = bar_size(grid.bar, self._inner[1])
        self.width, self.height = self.width + bar[0], max(self.height, self.top + bar[1])
        self._labels = explained(grid.panels) if grid.key else {}
        self._key = key_size(grid.key, self._labels) if grid.key and self._labels else (0.0, 0.0)
        self._indent = 0.0  # of the panels, where the key is broader
        if grid.key and grid.key.place == "right":
            self.width += self._key[0] + PAD
        elif grid.key:
            self.height += self._key[1] + PAD
            self._indent = max(0.0, (self._key[0] - self.width) / 2)
            self.width, self.left = self.width + 2 * self._indent, self.left + self._indent

    def place(self, page: Page, x: float, y: float) -> None:
        """See :class:`Block`."""
        grid = self.grid
        if grid.key and self._labels:
            below = x + (self.width - self._key[0]) / 2, y + self.height - self._key[1]
            right = x + self.width - self._key[0], y
            write_key(page.canvas, grid.key, self._labels, *(right if grid.key.place == "right" else below))
        x += self._indent
        top = y
        for row, tall in zip(self._rows, self._tall, strict=True):
            left, above = x + self._label_left, max(block.top for block in row)
            for column, block in zip(self._columns, row, strict=False):
                block.place_panel(page, left + max(one.left for one in column) + _indent(block, column), top + above)
                left += _widest(column) + grid.gap
            top += tall + grid.gap
        if grid.x_label:
            page.write(x + self._label_left + self._inner[0] / 2, y + self._inner[1] + PAD, grid.x_label, LABEL)
        if grid.y_label:
            middle = y + self._inner[1] / 2
            page.write(x, middle, grid.y_label, LABEL, turned=90)
        if grid.bar:
            page.bar(grid.bar, x + self._bar_at, y + max(block.top for block in self._rows[0]), self._inner[1])


class LineBlock:
    """Parts beside or above each other."""

    def __init__(self, line: Beside | Above) -> None:
        self._parts = [block_of(part) for part in line.parts]
        self._gap, self._beside = line.gap, isinstance(line, Beside)
        gaps = line.gap * (len(self._parts) - 1)
        first = self._parts[0]
        self.left = first.left if self._beside else max(part.left for part in self._parts)
        self.top = max(part.top for part in self._parts) if self._beside else first.top
        if self._beside:
            self.width = sum(part.width for part in self._parts) + gaps
            self.height = self.top + max(part.height - part.top for part in self._parts)
        else:
            self.width = self.left + max(part.width - part.left for part in self._parts)
            self.height = sum(part.height for part in self._parts) + gaps

    def place(self, page: Page, x: float, y: float) -> None:
        """See :class:`Block`; panels beside each other have their tops level, those above each other their sides."""
        for part in self._parts:
            if self._beside:
                part.place(page, x, y + self.top - part.top)
                x += part.width + self._gap
            else:
                part.place(page, x + self.left - part.left, y)
                y += part.height + self._gap


def block_of(body: Body) -> Block:
    """Return a body as a block."""
    if isinstance(body, Panel):
        return PanelBlock(body)
    return GridBlock(body) if isinstance(body, Grid) else LineBlock(body)


def laid_out(heading: str, note: str, body: Body, caption: str | None = None) -> tuple[Page, tuple[float, float]]:
    """Return the page with everything drawn in its place, and where a film's captions stand, inches.

    ``caption`` is the longest of a film's captions; what moves in a film, and its captions, are not drawn.
    """
    block = block_of(body)
    inner = max(block.width, _NARROWEST, min(width(caption or "", NOTE), 12.0))
    heading, note = wrapped(heading, _HEADING, inner), wrapped(note, NOTE, inner)
    above = [_EDGE + height(heading, _HEADING) + PAD]
    above.append(above[-1] + (height(note, NOTE) + PAD if note else 0.0))
    above.append(above[-1] + (height(caption, NOTE) + PAD if caption else 0.0))
    wide = inner + 2 * _EDGE
    page = Page(wide, above[-1] + block.height + _EDGE, film=caption is not None)
    page.write(wide / 2, _EDGE, heading, _HEADING)
    page.write(wide / 2, above[0], note, NOTE)
    block.place(page, (wide - block.width) / 2, above[-1])
    return page, (wide / 2, above[1])


def filmed(heading: str, note: str, body: Body, frames: np.ndarray, captions: Sequence[str]) -> np.ndarray:
    """Return all frames of a film (frame, y, x, colour), bytes: what stands still is drawn once."""
    page, (x, y) = laid_out(heading, note, body, max(captions, key=len))
    if page.moving is None:
        raise ValueError("no image of this film's sheet is marked as filmed")
    pixels, still = page.canvas.pixels, page.canvas.pixels.copy()
    film = np.empty((len(frames), *pixels.shape), dtype=np.uint8)
    for index, (values, words) in enumerate(zip(frames, captions, strict=True)):
        pixels[:] = still
        one_frame(page.canvas, *page.moving, values)
        page.write(x, y, words, NOTE)
        film[index] = pixels
    return film


def _room(label: str, size: float = LABEL) -> float:
    return height(label, size) + PAD if label else 0.0


def _indent(block: PanelBlock, column: Sequence[PanelBlock]) -> float:
    """Return how far a panel without axes, such as a picture, stands in, so that it is centred in its column."""
    return 0.0 if block.panel.axes else (max(one.panel.width for one in column) - block.panel.width) / 2


def _widest(column: Sequence[PanelBlock]) -> float:
    return sum(max(value) for value in zip(*((one.left, one.panel.width, one.right) for one in column), strict=True))


def _tallest(row: Sequence[PanelBlock], above_others: Sequence[PanelBlock]) -> float:
    top, high = (max(sizes) for sizes in zip(*((one.top, one.panel.height) for one in row), strict=True))
    return top + high + max(one.bottom for one in above_others)


def _share(which: str, blocks: Sequence[PanelBlock]) -> None:
    """Give all panels with axes that show something the same limits, in the direction that the first one has."""
    shown = [block for block in blocks if block.panel.axes and not block.panel.empty]
    if not shown:
        return
    sides: list[Side] = [block.area.x if which == "x" else block.area.y for block in shown]
    ends = [end for side in sides for end in (side.start, side.end)]
    low, high = (max(ends), min(ends)) if sides[0].start > sides[0].end else (min(ends), max(ends))
    for side, block in zip(sides, shown, strict=True):
        side.start, side.end = low, high
        block.measure()


def _emphasis(axis: Axis, index: int) -> dict[str, Any]:
    return {"color": axis.coloured[index], "bold": True} if index in axis.coloured else {}


def _turned(words: str, axis: Axis) -> tuple[float, float]:
    """Return width and height of a tick's words as they are turned."""
    wide, tall = width(words, axis.size), height(words, axis.size)
    angle = np.deg2rad(axis.turned)
    across, up = abs(np.cos(angle)), abs(np.sin(angle))
    return float(wide * across + tall * up), float(wide * up + tall * across)
