"""Words: how much room they take, in inches, and what they look like, as pictures that are kept.

Pillow writes them, in the font that matplotlib brings along: matplotlib's own text lays out every letter anew, which
took a third of the time of a figure. The same words stand in many places (ticks, names of units), so that each is
written once and then only put down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont

from seedscope.figures.marks import DPI

LINE = 1.2  # of a line, in sizes of its letters
_RISE, _FALL = 0.76, 0.24  # of letters above and below the line that they stand on, in sizes
_EDGE = 2.5  # width of the white edge around letters, points
_KEPT = 4096  # words whose looks and widths are kept


@dataclass(frozen=True)
class Written:
    """Words as they look, and the point in them that is put into its place.

    Attributes:
        image: (y, x, 4), bytes: their colour, and how much of it is in each pixel.
        x: of the point, pixels from the left.
        y: of the point, pixels from the top.
    """

    image: np.ndarray
    x: float
    y: float


@lru_cache(_KEPT)
def width(words: str, size: float) -> float:
    """Return the width of the longest line, inches."""
    return max(_font(size).getlength(line) for line in words.split("\n")) / DPI


def height(words: str, size: float) -> float:
    """Return the height of all lines, inches."""
    return (words.count("\n") + 1) * LINE * size / 72 if words else 0.0


def wrapped(words: str, size: float, inches: float) -> str:
    """Return ``words`` broken into lines no longer than ``inches``, where they have spaces."""
    lines: list[str] = []
    for word in words.split(" "):
        if lines and width(f"{lines[-1]} {word}", size) <= inches:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


@lru_cache(_KEPT)
def written(
    words: str,
    size: float,
    align: str,
    stand: str,
    color: str = "black",
    turned: float = 0.0,
    bold: bool = False,
    edge: bool = False,
) -> Written:
    """Write words.

    Args:
        words: one or more lines; a line that is shorter than others is aligned with them.
        size: of the letters, points.
        align: which side of the words the point is on: ``left``, ``center``, ``right``.
        stand: ``top``, ``center``, ``middle`` (of small letters of the first line), ``bottom``.
        color: of the letters.
        turned: degrees by which the words are turned around the point, against the clock.
        bold: whether they are.
        edge: whether it is their edge that is asked for.
    """
    font, lines = _font(size, bold), words.split("\n")
    em = size * DPI / 72
    lengths = [font.getlength(line) for line in lines]
    long, tall = max(lengths), em * (_RISE + _FALL + LINE * (len(lines) - 1))
    room = int(em)  # around, for what reaches beyond
    image = Image.new("L", (int(np.ceil(long)) + 2 * room, int(np.ceil(tall)) + 2 * room))
    pen, share = ImageDraw.Draw(image), {"left": 0.0, "center": 0.5, "right": 1.0}[align]
    stroke = round(_EDGE / 2 * DPI / 72) if edge else 0
    for number, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        at = room + round(share * (long - length)), room + round(em * (_RISE + LINE * number))
        pen.text(at, line, fill=255, font=font, anchor="ls", stroke_width=stroke)
    x = room + share * long
    y = room + {"top": 0.0, "center": tall / 2, "middle": em * _RISE / 2, "bottom": tall}[stand]
    return _inked(*_turned(image, x, y, turned), color)


def _turned(image: Image.Image, x: float, y: float, degrees: float) -> tuple[np.ndarray, float, float]:
    """Return (grey levels, x, y) of an image turned around its point."""
    wide, tall = image.size
    if degrees == 0:
        return np.asarray(image), x, y
    if degrees == 90:
        return np.asarray(image.transpose(Image.Transpose.ROTATE_90)), y, wide - x
    turned = image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    right, down = x - wide / 2, y - tall / 2
    middle = turned.size[0] / 2, turned.size[1] / 2
    return np.asarray(turned), middle[0] + right * cos + down * sin, middle[1] - right * sin + down * cos


def _inked(ink: np.ndarray, x: float, y: float, color: str) -> Written:
    """Return ink, grey levels (y, x), in its colour and without the empty paper around it."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return Written(np.zeros((0, 0, 4), dtype=np.uint8), 0.0, 0.0)
    shown = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = np.empty((*shown.shape, 4), dtype=np.uint8)
    image[..., :3] = np.round(255 * np.array(to_rgb(color)))
    image[..., 3] = shown
    return Written(image, x - float(columns[0]), y - float(rows[0]))


@lru_cache(64)
def _font(size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return a font of a size in points; its letters are set one by one, without the libraries for other scripts."""
    file = Path(get_data_path()) / "fonts" / "ttf" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    return ImageFont.truetype(file, size * DPI / 72, layout_engine=ImageFont.Layout.BASIC)
