"""Pictures in rows: each row has a line of words above it and pictures of one size beside each other.

All pictures are marks of one panel whose unit is the inch, which takes a third less time than a panel for each. Above
the first row stand the names of the columns, at the right a colour bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seedscope.figures.colours import Scale
from seedscope.figures.marks import Image, Mark, Words, box, outlined
from seedscope.figures.sheet import Bar, Panel, board

_SIDE, _GAP, _LINE = 1.4, 0.08, 0.24  # of a picture, between pictures, of the words above a row; inches
_LEFT, _TOP = 0.1, 0.45


@dataclass(frozen=True)
class PictureRows:
    """Rows of pictures.

    Attributes:
        columns: the names of the columns.
        rows: the words above each row.
        extent: height and width of the pictures, pixels.
        marks: what was put into them.
    """

    columns: Sequence[str]
    rows: Sequence[str]
    extent: tuple[int, int]
    marks: list[Mark] = field(default_factory=list)

    @property
    def _tall(self) -> float:
        return _SIDE * self.extent[0] / self.extent[1]

    def show(self, row: int, column: int, values: np.ndarray, scale: Scale | None = None, opacity: float = 1.0) -> None:
        """Put an image into a place: values (y, x) on a scale, or colours (y, x, colour)."""
        x, y = self._corner(row, column)
        self.marks.append(Image(values, scale, (x, x + _SIDE, y + self._tall, y), opacity))

    def say(self, row: int, column: int, words: str) -> None:
        """Write into the middle of a picture."""
        x, y = self._corner(row, column)
        self.marks.append(Words(x + _SIDE / 2, y + self._tall / 2, words, paper=True))

    def outline(self, row: int, column: int, area: np.ndarray) -> None:
        """Frame the pixels of an area (top, left, height, width), to be seen on any colours."""
        x, y = self._corner(row, column)
        pixel = _SIDE / self.extent[1]
        top, left, height, width = (float(side) * pixel for side in area)
        self.marks.extend(outlined([box(y + top, x + left, height, width)]))

    def panel(self, bar: Bar | None = None) -> Panel:
        """Return all of them as one panel."""
        words: list[Mark] = []
        for row, said in enumerate(self.rows):
            words.append(Words(_LEFT, self._corner(row, 0)[1] - 0.4 * _LINE, said, align="left"))
        for column, name in enumerate(self.columns):
            x = self._corner(0, column)[0] + _SIDE / 2
            words.append(Words(x, _TOP - 0.06, name, size=9, stand="bottom"))
        width = _LEFT + len(self.columns) * (_SIDE + _GAP)
        height = _TOP + len(self.rows) * (self._tall + _LINE + _GAP)
        return board([*self.marks, *words], max(width, 6.0), height, bar)

    def _corner(self, row: int, column: int) -> tuple[float, float]:
        """Return the upper left corner of a picture."""
        return _LEFT + column * (_SIDE + _GAP), _TOP + row * (self._tall + _LINE + _GAP) + _LINE
