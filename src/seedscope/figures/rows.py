"""Pictures in rows: each row has a line of words above it and panels of one size beside each other.

Panels are plain axes without ticks; above the first row stand the names of the columns, at the right is room for a
colour bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seedscope import figures

_SIDE, _GAP, _LINE = 1.4, 0.08, 0.24  # of a panel, between panels, of the words above a row; inches
_LEFT, _TOP, _BOTTOM, _RIGHT = 0.3, 0.95, 0.15, 0.95


class PictureRows:
    """A figure of rows of panels.

    Attributes:
        figure: the figure.
        axes: by row and column.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[str], tall: float) -> None:
        """Lay out a figure.

        Args:
            title: its title.
            columns: the names of the columns.
            rows: the words above each row.
            tall: height of a panel, in widths.
        """
        step_x, step_y = _SIDE + _GAP, _SIDE * tall + _LINE + _GAP
        self._width = max(8.0, _LEFT + len(columns) * step_x + _RIGHT)
        self._height = _TOP + len(rows) * step_y + _BOTTOM
        self.figure = figures.canvas(title, self._width, self._height)
        self.axes: list[list[Axes]] = []
        for row, words in enumerate(rows):
            top = self._height - _TOP - row * step_y
            self._write(_LEFT, top - 0.6 * _LINE, words, fontsize=8.5, va="center")
            panels = []
            for column in range(len(columns)):
                box = (_LEFT + column * step_x, top - _LINE - _SIDE * tall, _SIDE, _SIDE * tall)
                ax = self.figure.add_axes(self._share(*box))
                ax.set_axis_off()
                panels.append(ax)
            self.axes.append(panels)
        for column, name in enumerate(columns):
            x = _LEFT + column * step_x + _SIDE / 2
            self._write(x, self._height - _TOP + 0.06, name, fontsize=9, ha="center", va="bottom")

    def color_bar(self, image: Any, label: str) -> None:
        """Add a colour bar beside the first rows."""
        reach = min(2.5, self._height - _TOP - _LINE - _BOTTOM)
        x, y = self._width - _RIGHT + 0.15, self._height - _TOP - _LINE - reach
        figures.color_bar(self.figure, image, self._share(x, y, 0.12, reach), label)

    def _share(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        return x / self._width, y / self._height, width / self._width, height / self._height

    def _write(self, x: float, y: float, words: str, **style: Any) -> None:
        self.figure.text(x / self._width, y / self._height, words, **style)


def outline(ax: Axes, box: np.ndarray) -> None:
    """Frame the pixels of a box (top, left, height, width), to be seen on any colours."""
    from matplotlib.patches import Rectangle

    top, left, height, width = (float(side) for side in box)
    for color, thick in (("black", 2.2), ("white", 1.0)):
        ax.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=thick))


def grey_or_rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture (channel, y, x) as (y, x, colour) in [0, 1]; where it has not 3 channels, their mean."""
    shown = picture if len(picture) == 3 else np.repeat(picture.mean(0, keepdims=True), 3, axis=0)
    return np.clip(np.moveaxis(shown, 0, -1), 0, 1)
