"""How much room words take, in inches, from the font's own widths: to lay out text only to measure it costs more."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import LoadFlags

LINE = 1.2  # of a line, in sizes of its letters
_FONT = "DejaVu Sans"


@cache
def _advance(letter: str) -> float:
    """Return how far one letter moves the pen, in sizes of the font."""
    font = get_font(findfont(_FONT))
    font.set_size(1000, 72)
    return float(font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 1000


def width(words: str, size: float) -> float:
    """Return the width of the longest line, inches."""
    return max((sum(map(_advance, line)) for line in words.split("\n")), default=0.0) * size / 72


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
