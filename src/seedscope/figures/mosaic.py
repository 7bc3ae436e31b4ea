"""Many small maps as one image: a layer's feature maps in a grid, beside the picture that they answer.

The grid is one array with gaps, drawn at once: 32 panels would take twice as long. Maps lie row by row,
by default eight, and more where they are so many that the grid would be too high to read. Where a map has more pixels
than it gets on the page, neighbours share a cell that shows the largest of them, by size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seedscope.figures.colours import SILENT, scale_of
from seedscope.figures.marks import DPI, Image
from seedscope.figures.sheet import Axis, Bar, Beside, Panel, picture

_PER_ROW, _ROWS = 8, 16
_WIDEST, _LARGEST = 8.6, 1.7  # of a grid and of one map, inches
_HIGHEST = 14.0
_SLENDER = 4.0  # of longer maps the pixels are not square: else they would be lines


@dataclass(frozen=True)
class MapGrid:
    """Where each of ``count`` maps of ``height × width`` pixels lies, ``per_row`` of them in a row if it is given."""

    count: int
    height: int
    width: int
    per_row: int | None = None

    @property
    def columns(self) -> int:
        """Return how many maps stand in a row."""
        if self.per_row is not None or self.count <= _PER_ROW * _ROWS:
            return min(self.count, self.per_row or _PER_ROW)
        return _PER_ROW * int(np.ceil(np.sqrt(self.count) / _PER_ROW))

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return -(-self.count // self.columns)

    @property
    def size(self) -> tuple[float, float]:
        """Return the (width, height) of the grid on the page, inches."""
        map_width = min(_LARGEST, _WIDEST / self.columns)
        map_height = map_width * float(np.clip(self.height / self.width, 1 / _SLENDER, _SLENDER))
        shrink = min(1.0, _HIGHEST / (self.rows * map_height), _LARGEST / map_height)
        return self.columns * map_width * shrink, self.rows * map_height * shrink

    @property
    def shared(self) -> int:
        """Return how many pixels of a map, along each side, share one cell."""
        return max(1, int(np.ceil(self.columns * self.width / (self.size[0] * DPI))))

    def shared_words(self) -> str:
        """Return the sentence that a description needs where pixels share cells."""
        side = self.shared
        return f" Each cell stands for {side} × {side} pixels and shows the largest." if side > 1 else ""

    @property
    def _cell(self) -> tuple[int, int, int, int]:
        """Return (height, width) of a map in the drawn array, and of the gap after it."""
        height, width = -(-self.height // self.shared), -(-self.width // self.shared)
        return height, width, max(1, round(height / 16)), max(1, round(width / 16))

    def tile(self, maps: np.ndarray) -> np.ndarray:
        """Return maps (channel, y, x) as one array (y, x); gaps and places without a map are NaN."""
        height, width, below, beside = self._cell
        whole = np.full((self.rows * self.columns, height + below, width + beside), np.nan, dtype=np.float32)
        whole[: self.count, :height, :width] = _largest(maps, self.shared)
        grid = whole.reshape(self.rows, self.columns, height + below, width + beside)
        return grid.swapaxes(1, 2).reshape(self.rows * (height + below), -1)[:-below, :-beside]

    def ticks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the centres of the columns and of the rows in the drawn array."""
        height, width, below, beside = self._cell
        x = np.arange(self.columns) * (width + beside) + (width - 1) / 2
        return x, np.arange(self.rows) * (height + below) + (height - 1) / 2

    def axes(self, kind: str) -> tuple[Axis, Axis]:
        """Return axes that number the maps of the drawn array: ``kind`` says what each stands for."""
        columns, rows = self.ticks()
        if self.rows == 1:
            return Axis(kind, columns, [str(column) for column in range(self.columns)]), Axis(ticks=())
        every = max(1, round(0.16 / (self.size[1] / self.rows)))  # as many labels as there is room for
        whole = f"{kind}: the number at the left plus the number below"
        x = Axis(
            whole if self.size[0] > 3.5 else f"{kind}: left + below",
            columns,
            [f"+{column}" for column in range(self.columns)],
        )
        return x, Axis(kind, rows[::every], [str(row * self.columns) for row in range(0, self.rows, every)])


def _largest(maps: np.ndarray, shared: int) -> np.ndarray:
    """Return the largest value, by size, of each ``shared × shared`` block of (channel, y, x)."""
    if shared == 1:
        return maps
    channels, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (0, -height % shared), (0, -width % shared)))  # 0 is never the larger
    blocks = padded.reshape(channels, -(-height // shared), shared, -(-width // shared), shared)
    blocks = blocks.swapaxes(2, 3).reshape(*blocks.shape[:2], blocks.shape[3], shared**2)
    return np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]


def shown(maps: np.ndarray, silent: np.ndarray, low: float) -> np.ndarray:
    """Return the maps with those of ``silent`` channels below the scale that begins at ``low``: they are grey."""
    return np.where(silent[:, None, None], low - 1, maps)


def maps_beside(
    image: np.ndarray,
    words: str,
    grid: MapGrid,
    maps: np.ndarray,
    low: float,
    high: float,
    unit: str = "activation",
    *,
    silent: np.ndarray | None = None,
    filmed: bool = False,
) -> Beside:
    """Show maps (channel, y, x) beside the picture (channel, y, x) that they answer.

    Args:
        image: the picture.
        words: above it.
        grid: where the maps lie.
        maps: their values.
        low: where the colour scale begins, over all figures to compare.
        high: where it ends; where both are 0 there is no scale.
        unit: of the values.
        silent: (channel), which are grey.
        filmed: whether the maps change from frame to frame.
    """
    scale = replace(scale_of(low, high), absent="white", below=SILENT)
    silent = np.zeros(len(maps), dtype=bool) if silent is None else silent
    tiled = grid.tile(shown(maps, silent, scale.low))
    x, y = grid.axes("channel")
    width, height = grid.size
    bar = Bar(scale, unit) if low < 0 or high > 0 else None
    return Beside(
        [
            picture(image, words, side=1.9),
            Panel([Image(tiled, scale, filmed=filmed)], x=x, y=y, width=width, height=height, bar=bar, lines=False),
        ]
    )
