"""Where everything stands on the page: panels have their sizes, and the page grows with what stands around them.

Axes are made first, at their size in inches but anywhere. What their ticks say is then known, each panel's margins
follow from it, and all are put into their places. matplotlib's own engines (``constrained``, ``tight``,
``compressed``) draw a figure to lay it out, which takes four times as long or more (``python -m benchmarks figures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seedscope.figures.marks import DPI
from seedscope.figures.renderer import axes as drawn
from seedscope.figures.renderer.text import height, width, wrapped
from seedscope.figures.sheet import Above, Axis, Bar, Beside, Body, Grid, Key, Panel

_HEADING, _NOTE, _TITLE, _LABEL, _KEY = 12.0, 9.0, 9.5, 9.0, 8.0  # points
_PAD, _TICK = 0.06, 0.09  # between neighbouring words, and of a tick with its gap, inches
_BARE = 0.05  # of an axis without words
_EDGE = 0.12  # of the page
_BAR, _BAR_GAP, _TALLEST = 0.13, 0.14, 3.0
_SWATCH = 0.42  # of a key, before the words
_NARROWEST = 6.5  # of a page: titles need room


class Page:
    """The figure, in inches from the top left."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(10, 10), dpi=DPI)

    def axes(self, wide: float, tall: float) -> Axes:
        """Make axes of a size, to be put into their place later."""
        now = self.figure.get_size_inches()
        return self.figure.add_axes((0, 0, wide / now[0], tall / now[1]))

    def put(self, ax: Axes, x: float, y: float, wide: float, tall: float) -> None:
        """Put axes into their place."""
        page = self.figure.get_size_inches()
        ax.set_position((x / page[0], 1 - (y + tall) / page[1], wide / page[0], tall / page[1]))

    def write(self, x: float, y: float, words: str, size: float, **style: Any) -> Any:
        """Write words, centred below their place unless ``style`` says otherwise."""
        page = self.figure.get_size_inches()
        style = {"ha": "center", "va": "top", "fontsize": size, "parse_math": False, **style}
        return self.figure.text(x / page[0], 1 - y / page[1], words, **style)

    def bar(self, bar: Bar, x: float, y: float, tall: float) -> None:
        """Draw a colour bar beside something ``tall``, at its upper end."""
        from matplotlib.cm import ScalarMappable

        ax = self.axes(_BAR, reach := _bar_reach(bar, tall))
        self.put(ax, x, y, _BAR, reach)
        self.figure.colorbar(ScalarMappable(*drawn.coloured(bar.scale)), cax=ax).set_label(bar.label, fontsize=_LABEL)
        ax.tick_params(labelsize=8)


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

    def place(self, x: float, y: float) -> None:
        """Put it where its left edge is at ``x`` and its top at ``y``."""


class PanelBlock:
    """A panel with what stands around it."""

    def __init__(self, page: Page, panel: Panel, hide_x: bool = False, hide_y: bool = False) -> None:
        self.page, self.panel = page, panel
        self.ax = page.axes(panel.width, panel.height)
        drawn.fill(self.ax, panel)
        self._x_label = "" if hide_x or not panel.axes else panel.x.label
        self._y_label = "" if hide_y or not panel.axes else panel.y.label
        self._hidden = hide_x, hide_y
        self.measure()

    def measure(self) -> None:
        """Find how much room the words around the panel take; limits may change until then."""
        panel = self.panel
        below = [] if self._hidden[0] else drawn.ticks(self.ax, panel, "x")[1]
        beside = [] if self._hidden[1] else drawn.ticks(self.ax, panel, "y")[1]
        tall = [_turned(words, panel.x) for words in below]
        self._ticks_below = max((high for _, high in tall), default=_BARE - _TICK) + _TICK if panel.axes else 0.0
        self._ticks_left = max((width(one, panel.y.size) for one in beside), default=_BARE - _TICK) + _TICK
        self._ticks_left = self._ticks_left if panel.axes else 0.0
        half_tick = max((wide for wide, _ in tall), default=0.0) / 2
        over = max(0.0, width(panel.title, _TITLE) - panel.width) / 2
        self.left = max(self._ticks_left + _room(self._y_label), min(half_tick, 0.5), over)
        self.right = max(min(half_tick, 0.5), over, 0.02)
        above = drawn.ticks(self.ax, panel, "top")[1]
        self._ticks_above = max((_room(words, panel.top.size) for words in above), default=0.0) if panel.top else 0.0
        self.top = self._ticks_above + _room(panel.title, _TITLE) + (0.05 if panel.axes else 0.0)
        self.bottom = self._ticks_below + _room(self._x_label)
        self._bar_at = panel.width + self.right + _BAR_GAP
        self.right += _bar_width(panel.bar) if panel.bar else 0.0
        labels = _labels([self.ax]) if panel.key else {}
        self._key_at, self._key_below = panel.width + self.right + _PAD, self.bottom + _PAD
        if panel.key and labels and panel.key.place == "right":
            self.right += _PAD + _key_size(panel.key, labels)[0]
        elif panel.key and labels and panel.key.place == "below":
            wide, high = _key_size(panel.key, labels)
            self.bottom += _PAD + high
            self.left, self.right = (max(side, (wide - panel.width) / 2) for side in (self.left, self.right))

    @property
    def width(self) -> float:
        """Return the width of all."""
        return self.left + self.panel.width + self.right

    @property
    def height(self) -> float:
        """Return the height of all."""
        return self.top + self.panel.height + self.bottom

    def place(self, x: float, y: float) -> None:
        """See :class:`Block`."""
        self.place_panel(x + self.left, y + self.top)

    def place_panel(self, x: float, y: float) -> None:
        """Put the panel itself, inside its axes, where its top left corner is at ``x``, ``y``."""
        panel, page = self.panel, self.page
        page.put(self.ax, x, y, panel.width, panel.height)
        drawn.frame(self.ax, panel)
        self._write_ticks(x, y)
        if panel.title:
            page.write(x + panel.width / 2, y - self._ticks_above - _PAD, panel.title, _TITLE, va="bottom")
        if self._x_label:
            page.write(x + panel.width / 2, y + panel.height + self._ticks_below + _PAD, self._x_label, _LABEL)
        if self._y_label:
            where = x - self._ticks_left - _PAD
            middle = y + panel.height / 2
            page.write(where, middle, self._y_label, _LABEL, ha="right", va="center", rotation=90, ma="center")
        if panel.bar:
            page.bar(panel.bar, x + self._bar_at, y, panel.height)
        if panel.key:
            beside = (self._key_at / panel.width, 1.0), "upper left"
            under = (0.5, -self._key_below / panel.height), "upper center"
            anchor, loc = under if panel.key.place == "below" else beside
            drawn.legend(self.ax, panel.key, loc=loc, bbox_to_anchor=anchor, borderaxespad=0.0)

    def _write_ticks(self, x: float, y: float) -> None:
        panel, page = self.panel, self.page
        if not self._hidden[0]:
            axis, (places, words) = panel.x, drawn.ticks(self.ax, panel, "x")
            slanted: dict[str, Any] = {
                "rotation": axis.turned,
                "rotation_mode": "anchor",
                "ha": "right",
                "va": "center",
            }
            plain: dict[float, dict[str, Any]] = {0.0: {}, 90.0: {"rotation": 90}}
            style = plain.get(float(axis.turned), slanted)
            for index, (place, said) in enumerate(zip(places, words, strict=True)):
                across, down = x + place * panel.width, y + panel.height + _TICK - 0.01
                page.write(across, down, said, axis.size, **style, **_emphasis(axis, index))
        if not self._hidden[1]:
            axis, (places, words) = panel.y, drawn.ticks(self.ax, panel, "y")
            for index, (place, said) in enumerate(zip(places, words, strict=True)):
                across, down = x - _TICK + 0.01, y + (1 - place) * panel.height
                style = {"ha": "right", "va": "center_baseline", "rotation": axis.turned}
                page.write(across, down, said, axis.size, **style, **_emphasis(axis, index))
        if panel.top:
            for index, (place, said) in enumerate(zip(*drawn.ticks(self.ax, panel, "top"), strict=True)):
                across = x + place * panel.width
                page.write(across, y - _PAD / 2, said, panel.top.size, va="bottom", **_emphasis(panel.top, index))


class GridBlock:
    """Panels whose edges are aligned."""

    def __init__(self, page: Page, grid: Grid) -> None:
        self.page, self.grid = page, grid
        count, columns = len(grid.panels), grid.columns
        self._blocks = [
            PanelBlock(
                page,
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
        self._bar_at = self.width + _BAR_GAP
        self.width += _bar_width(grid.bar) if grid.bar else 0.0
        self._labels = _labels([block.ax for block in self._blocks]) if grid.key else {}
        self._key = _key_size(grid.key, self._labels) if grid.key and self._labels else (0.0, 0.0)
        self._indent = 0.0  # of the panels, where the key is broader
        if grid.key and grid.key.place == "right":
            self._key_at = self.width + _PAD
            self.width += self._key[0] + _PAD
        elif grid.key:
            self.height += self._key[1] + _PAD
            self._indent = max(0.0, (self._key[0] - self.width) / 2)
            self.width, self.left = self.width + 2 * self._indent, self.left + self._indent

    def place(self, x: float, y: float) -> None:
        """See :class:`Block`."""
        grid, page = self.grid, self.page
        if grid.key and self._labels:
            self._explain(grid.key, x, y)
        x += self._indent
        top = y
        for row, tall in zip(self._rows, self._tall, strict=True):
            left, above = x + self._label_left, max(block.top for block in row)
            for column, block in zip(self._columns, row, strict=False):
                block.place_panel(left + max(one.left for one in column) + _indent(block, column), top + above)
                left += _widest(column) + grid.gap
            top += tall + grid.gap
        if grid.x_label:
            page.write(x + self._label_left + self._inner[0] / 2, y + self._inner[1] + _PAD, grid.x_label, _LABEL)
        if grid.y_label:
            middle = y + self._inner[1] / 2
            page.write(x, middle, grid.y_label, _LABEL, ha="left", va="center", rotation=90, ma="center")
        if grid.bar:
            page.bar(grid.bar, x + self._bar_at, y + max(block.top for block in self._rows[0]), self._inner[1])

    def _explain(self, key: Key, x: float, y: float) -> None:
        """Draw the key of all panels."""
        right = key.place == "right"
        at = (x + self._key_at, y) if right else (x + self.width / 2, y + self.height - self._key[1])
        size = self.page.figure.get_size_inches()
        self.page.figure.legend(
            list(self._labels.values()),
            list(self._labels),
            loc="upper left" if right else "upper center",
            bbox_to_anchor=(at[0] / size[0], 1 - at[1] / size[1]),
            borderaxespad=0.0,
            title=key.title or None,
            ncols=key.columns,
            fontsize=_KEY,
            title_fontsize=_KEY,
            frameon=False,
        )


class LineBlock:
    """Parts beside or above each other."""

    def __init__(self, page: Page, line: Beside | Above) -> None:
        self._parts = [block_of(page, part) for part in line.parts]
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

    def place(self, x: float, y: float) -> None:
        """See :class:`Block`; panels beside each other have their tops level, those above each other their sides."""
        for part in self._parts:
            if self._beside:
                part.place(x, y + self.top - part.top)
                x += part.width + self._gap
            else:
                part.place(x + self.left - part.left, y)
                y += part.height + self._gap


def block_of(page: Page, body: Body) -> Block:
    """Return a body as a block."""
    if isinstance(body, Panel):
        return PanelBlock(page, body)
    return GridBlock(page, body) if isinstance(body, Grid) else LineBlock(page, body)


def laid_out(heading: str, note: str, body: Body, caption: str = "") -> tuple[Page, Any]:
    """Return the page with everything in its place, and the text of the caption, if there is one.

    ``caption`` is the longest of a film's captions.
    """
    page = Page()
    block = block_of(page, body)
    inner = max(block.width, _NARROWEST, min(width(caption, _NOTE), 12.0))
    heading, note = wrapped(heading, _HEADING, inner), wrapped(note, _NOTE, inner)
    above = [_EDGE + height(heading, _HEADING) + _PAD]
    above.append(above[-1] + (height(note, _NOTE) + _PAD if note else 0.0))
    above.append(above[-1] + (height(caption, _NOTE) + _PAD if caption else 0.0))
    wide, tall = inner + 2 * _EDGE, above[-1] + block.height + _EDGE
    # Whole pixels, so that a picture is as large as its page says.
    page.figure.set_size_inches(np.ceil(wide * DPI) / DPI, np.ceil(tall * DPI) / DPI)
    page.write(wide / 2, _EDGE, heading, _HEADING)
    if note:
        page.write(wide / 2, above[0], note, _NOTE)
    words = page.write(wide / 2, above[1], caption, _NOTE) if caption else None
    block.place((wide - block.width) / 2, above[-1])
    return page, words


def _room(label: str, size: float = _LABEL) -> float:
    return height(label, size) + _PAD if label else 0.0


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
    limits = np.array([block.ax.get_xlim() if which == "x" else block.ax.get_ylim() for block in shown])
    low, high = limits.min(), limits.max()
    ends = (high, low) if limits[0, 0] > limits[0, 1] else (low, high)
    for block in shown:
        (block.ax.set_xlim if which == "x" else block.ax.set_ylim)(*ends)
        block.measure()


def _emphasis(axis: Axis, index: int) -> dict[str, Any]:
    return {"color": axis.coloured[index], "fontweight": "bold"} if index in axis.coloured else {}


def _turned(words: str, axis: Axis) -> tuple[float, float]:
    """Return width and height of a tick's words as they are turned."""
    wide, tall = width(words, axis.size), height(words, axis.size)
    angle = np.deg2rad(axis.turned)
    across, up = abs(np.cos(angle)), abs(np.sin(angle))
    return float(wide * across + tall * up), float(wide * up + tall * across)


def _bar_reach(bar: Bar, tall: float) -> float:
    return max(min(tall, _TALLEST), min(width(bar.label, _LABEL), _TALLEST), 1.0)


def _bar_width(bar: Bar) -> float:
    numbers = width("−0.00", 8.0)
    return _BAR_GAP + _BAR + _TICK + numbers + _room(bar.label)


def _labels(axes: Sequence[Axes]) -> dict[str, Any]:
    """Return what is explained: each label once, with the mark that has it."""
    found: dict[str, Any] = {}
    for handles, labels in (ax.get_legend_handles_labels() for ax in axes):
        for handle, label in zip(handles, labels, strict=True):
            found.setdefault(label, handle)
    return found


def _key_size(key: Key, labels: dict[str, Any]) -> tuple[float, float]:
    said, rows = list(labels), -(-len(labels) // key.columns)
    columns = [said[start : start + rows] for start in range(0, len(said), rows)]
    lines = max(label.count("\n") + 1 for label in labels) * rows
    wide = sum(max(width(label, _KEY) for label in column) + _SWATCH for column in columns) + 0.22 * (len(columns) - 1)
    wide = max(wide, width(key.title, _KEY)) + 0.1
    return wide, lines * _KEY * 1.55 / 72 + (_room(key.title, _KEY) if key.title else 0.0) + 0.06
