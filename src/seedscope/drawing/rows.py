"""Pictures in rows: each row has a line of words above it and panels of one size beside each other.

All panels are images in one pair of axes, whose unit is the inch: a pair for each panel would take five times as long.
Above the first row stand the names of the columns, at the right is room for a colour bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seedscope import drawing as figures

_SIDE, _GAP, _LINE = 1.4, 0.08, 0.24  # of a panel, between panels, of the words above a row; inches
_LEFT, _TOP, _BOTTOM, _RIGHT = 0.3, 0.95, 0.15, 0.95
_LOWEST = 3.6  # figure: room for the words along a colour bar


class PictureRows:
    """A figure of rows of panels.

    Attributes:
        figure: the figure.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[str], extent: tuple[int, int]) -> None:
        """Lay out a figure.

        Args:
            title: its title.
            columns: the names of the columns.
            rows: the words above each row.
            extent: height and width of the pictures, pixels; a panel has their shape.
        """
        self._extent = extent
        self._tall = _SIDE * extent[0] / extent[1]
        self._width = max(8.0, _LEFT + len(columns) * (_SIDE + _GAP) + _RIGHT)
        self._height = max(_LOWEST, _TOP + len(rows) * (self._tall + _LINE + _GAP) + _BOTTOM)
        self.figure = figures.canvas(title, self._width, self._height)
        self._ax = self.figure.add_axes((0, 0, 1, 1))
        self._ax.set_axis_off()
        self._ax.set_autoscale_on(False)
        self._ax.set_xlim(0, self._width)
        self._ax.set_ylim(0, self._height)
        for row, words in enumerate(rows):
            y = self._corner(row, 0)[1] + self._tall + 0.4 * _LINE
            self._ax.text(_LEFT, y, words, fontsize=8.5, va="center")
        for column, name in enumerate(columns):
            x = self._corner(0, column)[0] + _SIDE / 2
            self._ax.text(x, self._height - _TOP + 0.06, name, fontsize=9, ha="center", va="bottom")

    def show(self, row: int, column: int, values: np.ndarray, **style: Any) -> None:
        """Put an image into a panel: values (y, x) with norm and cmap, or colours (y, x, colour)."""
        x, y = self._corner(row, column)
        box = (x, x + _SIDE, y, y + self._tall)
        self._ax.imshow(values, extent=box, aspect="auto", **style)

    def say(self, row: int, column: int, words: str) -> None:
        """Write into the middle of a panel."""
        x, y = self._corner(row, column)
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        self._ax.text(x + _SIDE / 2, y + self._tall / 2, words, ha="center", va="center", fontsize=8.5, bbox=paper)

    def outline(self, row: int, column: int, box: np.ndarray) -> None:
        """Frame the pixels of a box (top, left, height, width), to be seen on any colours."""
        from matplotlib.patches import Rectangle

        x, y = self._corner(row, column)
        pixel = _SIDE / self._extent[1]
        top, left, height, width = (float(side) * pixel for side in box)
        at = (x + left, y + self._tall - top - height)
        for color, thick in (("black", 2.2), ("white", 1.0)):
            self._ax.add_patch(Rectangle(at, width, height, fill=False, edgecolor=color, linewidth=thick))

    def color_bar(self, image: Any, label: str) -> None:
        """Add a colour bar beside the first rows."""
        reach = min(2.5, self._height - _TOP - _LINE - _BOTTOM)
        x, y = self._width - _RIGHT + 0.15, self._height - _TOP - _LINE - reach
        box = (x / self._width, y / self._height, 0.12 / self._width, reach / self._height)
        figures.color_bar(self.figure, image, box, label)

    def _corner(self, row: int, column: int) -> tuple[float, float]:
        """Return the lower left corner of a panel."""
        top = self._height - _TOP - row * (self._tall + _LINE + _GAP)
        return _LEFT + column * (_SIDE + _GAP), top - _LINE - self._tall


def grey_or_rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture (channel, y, x) as (y, x, colour) in [0, 1]; where it has not 3 channels, their mean."""
    shown = picture if len(picture) == 3 else np.repeat(picture.mean(0, keepdims=True), 3, axis=0)
    return np.clip(np.moveaxis(shown, 0, -1), 0, 1)
