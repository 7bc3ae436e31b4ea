"""Marks: what stands in a panel. Each is a description of numbers, colours and sizes; nothing here draws.

Positions are in the units of the panel's axes. A mark with ``across`` set lies on its side: bars and spans then run
along x, rules too. Marks are drawn in the order in which they are listed, and those with a ``label`` are named in the
panel's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures.colours import FOR, NEUTRAL, Scale, centred

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Colours = Any
"""One colour (a name, ``#rrggbb``, or red, green and blue in [0, 1]), or one for each item of the mark."""

DPI = 100


@dataclass(frozen=True)
class Bars:
    """Bars from ``base`` to ``base + height``; with ``across`` they lie, and ``at`` is on the y axis."""

    at: ArrayLike
    height: ArrayLike
    color: Colours = FOR
    base: ArrayLike = 0.0
    width: float = 0.8
    across: bool = False
    label: str = ""


@dataclass(frozen=True)
class Spans:
    """Lines from ``low`` to ``high``, such as intervals; with ``across`` they run along x."""

    at: ArrayLike
    low: ArrayLike
    high: ArrayLike
    color: Colours = "black"
    width: float = 0.8
    across: bool = False
    label: str = ""


@dataclass(frozen=True)
class Dots:
    """Points; ``size`` is their diameter in points, ``clipped`` whether the panel's border cuts them.

    Those that are not ``filled`` are rings.
    """

    x: ArrayLike
    y: ArrayLike
    color: Colours = FOR
    shape: str = "o"
    size: float = 4.0
    opacity: float = 1.0
    label: str = ""
    clipped: bool = True
    filled: bool = True


@dataclass(frozen=True)
class Line:
    """A line through points, with a mark on each where ``shape`` is given."""

    x: ArrayLike
    y: ArrayLike
    color: Colours = FOR
    style: str = "-"
    width: float = 1.3
    shape: str = ""
    size: float = 3.5
    opacity: float = 1.0
    label: str = ""


@dataclass(frozen=True)
class Band:
    """What lies between two curves."""

    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    color: Colours = FOR
    opacity: float = 0.25
    label: str = ""


@dataclass(frozen=True)
class Rule:
    """A line through the whole panel: upright at x, or with ``across`` level at y."""

    at: float
    color: Colours = NEUTRAL
    style: str = "-"
    width: float = 0.8
    across: bool = True
    label: str = ""


@dataclass(frozen=True)
class Stripe:
    """A stripe through the whole panel, such as an interval behind dots; with ``across`` it is level."""

    low: float
    high: float
    color: Colours = NEUTRAL
    opacity: float = 0.15
    across: bool = True
    label: str = ""


@dataclass(frozen=True)
class Image:
    """Numbers (y, x) on a colour scale, or colours (y, x, 3) in [0, 1]; the first row is on top.

    Attributes:
        values: the numbers or colours.
        scale: of numbers.
        extent: left, right, bottom and top edge; by default cell (row, column) is centred on ``x = column, y = row``.
        opacity: 1 hides what lies below.
        filmed: whether it is the one that changes from frame to frame of a film.
    """

    values: np.ndarray
    scale: Scale | None = None
    extent: tuple[float, float, float, float] | None = None
    opacity: float = 1.0
    filmed: bool = False


@dataclass(frozen=True)
class Words:
    """Words at a place.

    Attributes:
        x: the place.
        y: the place.
        text: the words, as they are: nothing in them is read as a formula.
        size: points.
        color: of the letters.
        align: ``left``, ``center`` or ``right`` of the words stands at x.
        stand: ``bottom``, ``center`` or ``top`` of the words stands at y.
        bold: whether they are.
        turned: degrees.
        fraction: which of x and y are shares of the panel in place of units of its axes: ``""``, ``x``, ``y``, ``xy``.
        halo: whether they have a white edge, to be read on any colours.
        paper: whether they stand on white.
    """

    x: float
    y: float
    text: str
    size: float = 8.5
    color: Colours = "black"
    align: str = "center"
    stand: str = "center"
    bold: bool = False
    turned: float = 0.0
    fraction: str = ""
    halo: bool = False
    paper: bool = False


@dataclass(frozen=True)
class Shapes:
    """Closed shapes, each a polygon (corner, 2); ``face`` may be ``none``."""

    corners: Sequence[np.ndarray]
    face: Colours = "none"
    edge: Colours = "none"
    width: float = 1.0


@dataclass(frozen=True)
class Strokes:
    """Open lines, each (point, 2): many of one kind, drawn at once."""

    points: Sequence[np.ndarray]
    color: Colours = "black"
    width: float = 1.0
    style: str = "-"
    opacity: float = 1.0


Mark = Bars | Spans | Dots | Line | Band | Rule | Stripe | Image | Words | Shapes | Strokes


def gap(at: float) -> Rule:
    """Mark that something is left out between two neighbours."""
    return Rule(at, color=NEUTRAL, style=":", width=1.2, across=False)


def box(top: float, left: float, height: float, width: float) -> np.ndarray:
    """Return the corners of a rectangle, x to the right and y down."""
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])


def disc(x: float, y: float, diameter: float) -> np.ndarray:
    """Return a circle as a polygon."""
    angle = np.linspace(0, 2 * np.pi, 33)[:-1]
    return np.stack([x + diameter / 2 * np.cos(angle), y + diameter / 2 * np.sin(angle)], 1)


def outlined(corners: Sequence[np.ndarray]) -> list[Mark]:
    """Frame areas so that the frames are seen on any colours."""
    return [Shapes(corners, edge="black", width=2.2), Shapes(corners, edge="white", width=1.0)]


def heat_map(values: np.ndarray, inches: float, scale: Scale | None = None) -> Image:
    """Show a matrix (row, column), one cell for each number, in a panel ``inches`` wide.

    Where there are more columns than pixels, neighbours share a cell that shows the largest of them, by size: else
    some units would go unseen. :func:`shared_cells` says so.
    """
    columns = values.shape[1]
    shared = _columns_per_cell(columns, inches)
    cells = heat_cells(values, inches)
    extent = (-0.5, cells.shape[1] * shared - 0.5, len(values) - 0.5, -0.5)
    return Image(cells, scale or centred(values), extent)


def heat_cells(values: np.ndarray, inches: float) -> np.ndarray:
    """Return the cells that a heat map of ``values`` shows, (row, cell)."""
    rows, columns = values.shape
    shared = _columns_per_cell(columns, inches)
    padded = np.pad(values.astype(float), ((0, 0), (0, -columns % shared)), constant_values=np.nan)
    padded = padded.reshape(rows, -1, shared)
    largest = np.where(np.isnan(padded), -1, np.abs(padded)).argmax(-1)[..., None]
    return np.asarray(np.take_along_axis(padded, largest, -1)[..., 0])


def shared_cells(columns: int, inches: float) -> str:
    """Return the sentence that a heat map of that many columns needs in its description, if any."""
    shared = _columns_per_cell(columns, inches)
    return f" Each cell stands for {shared} neighbours and shows the largest." if shared > 1 else ""


def _columns_per_cell(columns: int, inches: float) -> int:
    return max(1, -(-columns // max(1, int(inches * DPI))))
