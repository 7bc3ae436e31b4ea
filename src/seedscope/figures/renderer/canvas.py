"""The canvas: lines, shapes, dots, images and words in pixels of the page, x from the left and y from the top.

It hands them to Agg, matplotlib's drawer, as they are. matplotlib's own figure, axes and artists stay out of it: to
make and ask them took more than half of a figure's time, and they read the user's ``matplotlibrc``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox

from seedscope.figures.marks import DPI, Colours
from seedscope.figures.renderer.text import written

_DASHES = {"--": (3.7, 1.6), "-.": (6.4, 1.6, 1.0, 1.6), ":": (1.0, 1.65)}  # in widths of the line
_TOGETHER = 200  # rectangles in one path: Agg keeps edges to whole pixels in paths of up to 1024 points


@dataclass(frozen=True)
class Box:
    """A rectangle of the page, pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box, slack: float = 0.0) -> bool:
        """Return whether they share more than a border of ``slack`` pixels."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > slack and down > slack


@dataclass(frozen=True)
class Said:
    """Words on the page: what they are, where they stand, how they are turned (degrees), and their colour."""

    words: str
    box: Box
    turned: float
    color: str


class Canvas:
    """A white page of ``wide × tall`` pixels.

    Attributes:
        pixels: (y, x, 4), bytes: what has been drawn so far.
        said: all words on it.
    """

    def __init__(self, wide: int, tall: int) -> None:
        agg: Any = RendererAgg  # matplotlib leaves its methods untyped
        self._agg = agg(wide, tall, DPI)
        self._flip = Affine2D.from_values(1, 0, 0, -1, 0, tall)  # Agg counts from the bottom
        self._tall, self._plain = tall, self._agg.new_gc()
        self.pixels = np.asarray(self._agg.buffer_rgba())
        self.pixels[:] = 255
        self.said: list[Said] = []

    def lines(
        self,
        points: Sequence[np.ndarray],
        colors: Colours,
        width: float,
        *,
        style: str = "-",
        opacity: float = 1.0,
        cap: str = "butt",
        clip: Box | None = None,
    ) -> None:
        """Draw lines, each (point, 2), in one colour or each in its own; ``width`` is in points."""
        for first, last, color in _runs(_rgba(colors, opacity), len(points)):
            pen = self._pen(color, width, clip, cap)
            if style in _DASHES:
                pen.set_dashes(0.0, [width * part for part in _DASHES[style]])
            self._agg.draw_path(pen, _joined(points[first:last]), self._flip)

    def shapes(
        self,
        corners: Sequence[np.ndarray],
        faces: Colours,
        edges: Colours = "none",
        width: float = 0.0,
        *,
        opacity: float = 1.0,
        clip: Box | None = None,
    ) -> None:
        """Draw closed shapes, each (corner, 2), in the order given; neighbours of one colour are drawn as one."""
        face, edge, count = _rgba(faces, opacity), _rgba(edges, opacity), len(corners)
        if not len(edge):
            for first, last, color in _runs(face, count):
                self._agg.draw_path(self._pen(None, 0.0, clip), _closed(corners[first:last]), self._flip, tuple(color))
        elif not len(face):
            for first, last, color in _runs(edge, count):
                self._agg.draw_path(self._pen(color, width, clip), _closed(corners[first:last]), self._flip)
        else:
            each = zip(corners, np.broadcast_to(face, (count, 4)), np.broadcast_to(edge, (count, 4)), strict=True)
            for own, inner, outer in each:
                self._agg.draw_path(self._pen(outer, width, clip), _closed([own]), self._flip, tuple(inner))

    def dots(
        self,
        points: np.ndarray,
        colors: Colours,
        shape: str,
        size: float,
        edge: float,
        *,
        opacity: float = 1.0,
        filled: bool = True,
        clip: Box | None = None,
    ) -> None:
        """Draw a mark at each of the ``points`` (point, 2); ``size`` and the width of its ``edge`` are in points."""
        rgba = _rgba(colors, opacity)
        path, form, least, join, cap = _marker(shape)
        form = form.frozen().scale(size * DPI / 72)
        pen = self._pen(None, edge, clip, cap, join)
        pen.set_snap(None if least is None else size * DPI / 72 >= least)
        for first, last, color in _runs(rgba, len(points)):
            pen.set_foreground(tuple(color), isRGBA=True)
            face = tuple(color) if filled and shape not in "|_+x" else None
            self._agg.draw_markers(pen, path, form, _path(points[first:last]), self._flip, face)

    def image(self, rgba: np.ndarray, left: int, top: int) -> None:
        """Put an image (y, x, 4), of bytes, where its upper left corner is at ``left``, ``top``."""
        if rgba.size:
            self._agg.draw_image(self._plain, left, self._tall - top - len(rgba), np.ascontiguousarray(rgba[::-1]))

    def words(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        *,
        align: str = "center",
        stand: str = "top",
        color: Colours = "black",
        turned: float = 0.0,
        bold: bool = False,
        halo: bool = False,
        paper: bool = False,
    ) -> Said:
        """Write words; see :func:`seedscope.figures.renderer.text.written`. They are nowhere cut but by the page."""
        name = color if isinstance(color, str) else to_hex(color)
        one = written(words, size, align, stand, name, turned, bold)
        left, top = round(x - one.x), round(y - one.y)
        box = Box(left, top, left + one.image.shape[1], top + one.image.shape[0])
        if paper:
            beyond = 1.5 * DPI / 72
            around = Box(box.left - beyond, box.top - beyond, box.right + beyond, box.bottom + beyond)
            self.shapes([corners(around)], "white")
        if halo:
            edge = written(words, size, align, stand, "white", turned, bold, edge=True)
            self.image(edge.image, round(x - edge.x), round(y - edge.y))
        self.image(one.image, left, top)
        self.said.append(said := Said(words, box, turned, name))
        return said

    def _pen(
        self, color: np.ndarray | None, width: float, clip: Box | None, cap: str = "butt", join: str = "round"
    ) -> Any:
        pen = self._agg.new_gc()
        pen.set_linewidth(width)
        if cap != "butt":
            pen.set_capstyle(cap)
        if join != "round":
            pen.set_joinstyle(join)
        if color is not None:
            pen.set_foreground(tuple(color), isRGBA=True)
        if clip is not None:
            pen.set_clip_rectangle(Bbox([[clip.left, self._tall - clip.bottom], [clip.right, self._tall - clip.top]]))
        return pen


def corners(box: Box) -> np.ndarray:
    """Return the corners of a box, (corner, 2)."""
    return np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])


def _runs(rgba: np.ndarray, count: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (first, last + 1, colour) of neighbours that have one colour; ``rgba`` is of all or of each."""
    if not len(rgba) or not count:
        return
    every = np.broadcast_to(rgba, (count, 4))
    changes = np.flatnonzero((every[1:] != every[:-1]).any(1)) + 1
    starts = np.union1d(np.arange(0, count, _TOGETHER), changes)
    for first, last in zip(starts, [*starts[1:], count], strict=True):
        yield int(first), int(last), every[first]


def _rgba(colors: Colours, opacity: float) -> np.ndarray:
    """Return one colour, or each of several, as (colour, 4); none of ``none``."""
    rgba = _one_rgba(colors).copy() if isinstance(colors, str) else to_rgba_array(colors)
    rgba[:, 3] *= opacity
    return rgba


@lru_cache(256)
def _one_rgba(color: str) -> np.ndarray:
    return to_rgba_array(color)


@lru_cache(32)
def _marker(shape: str) -> tuple[Path, Any, float | None, str, str]:
    """Return a mark's outline, its size, from how many pixels on it keeps to whole ones, and its corners and ends."""
    style: Any = MarkerStyle(shape, fillstyle="full")
    least = style.get_snap_threshold()
    return style.get_path(), style.get_transform(), least, style.get_joinstyle(), style.get_capstyle()


def _path(points: np.ndarray, codes: np.ndarray | None = None) -> Path:
    """Return a path whose points are all kept, whatever the user's settings say."""
    path = Path(points, codes)
    path.should_simplify = False
    return path


def _joined(lines: Sequence[np.ndarray]) -> Path:
    """Return many open lines as one path."""
    codes = [np.full(len(line), Path.LINETO, dtype=Path.code_type) for line in lines]
    for own in codes:
        own[:1] = Path.MOVETO
    return _path(np.concatenate(list(lines)), np.concatenate(codes))


def _closed(shapes: Sequence[np.ndarray]) -> Path:
    """Return closed shapes as one path."""
    codes, points = [], []
    for shape in shapes:
        own = np.full(len(shape) + 1, Path.LINETO, dtype=Path.code_type)
        own[0], own[-1] = Path.MOVETO, Path.CLOSEPOLY
        codes.append(own)
        points.append(np.concatenate([shape, shape[:1]]))
    return _path(np.concatenate(points), np.concatenate(codes))
