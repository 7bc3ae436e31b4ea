"""Colours and colour scales: 0 is the centre of what diverges, and every pair can be told apart with any colour vision.

The palette is Okabe and Ito's (2008), with four more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOR, AGAINST, NEUTRAL, MARK = "#0072B2", "#D55E00", "#767676", "#009E73"
SILENT, ABSENT = "#c9c9c9", "#d9d9d9"  # units that never act; what there is no value of
DIVERGING, SEQUENTIAL = "RdBu", "viridis"
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7A5195",
    "#8C564B",
    "#4D4D4D",
    "#A0A000",
)


@dataclass(frozen=True)
class Scale:
    """Which colour a number has.

    Attributes:
        low: the number of the first colour.
        high: the number of the last one.
        colours: the name of a colour map.
        absent: the colour of NaN.
        below: the colour of what lies below ``low``; by default the first one.
    """

    low: float
    high: float
    colours: str = SEQUENTIAL
    absent: str = ABSENT
    below: str | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Return the numbers of the first and the last colour; around a single number there is room on both sides."""
        if self.high > self.low:
            return self.low, self.high
        room = 0.1 * abs(self.low) or 1.0
        return self.low - room, self.low + room


def centred(values: np.ndarray) -> Scale:
    """Return a diverging scale, symmetric around 0, that holds all finite ``values``."""
    finite = np.abs(values[np.isfinite(values)])
    reach = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    return Scale(-reach, reach, DIVERGING)


def scale_of(low: float, high: float) -> Scale:
    """Return a scale for values from ``low`` to ``high``: 0 at the centre where there are negatives."""
    if low < 0:
        return centred(np.array([low, high]))
    return Scale(0.0, high if high > 0 else 1.0)


def sign_colours(values: np.ndarray) -> list[str]:
    """Return the colour of votes for (positive) and against (negative)."""
    return [FOR if value >= 0 else AGAINST for value in np.asarray(values)]


def rgb(color: str) -> np.ndarray:
    """Return ``#rrggbb`` as red, green and blue in [0, 1]."""
    return np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def of_member(index: int) -> str:
    """Return the colour of the ``index``-th of several lines, such as those of seeds or classes."""
    return PALETTE[index % len(PALETTE)]


def blended(corners: Sequence[str], down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the colour of places in a square, blended between those of its corners.

    Args:
        corners: ``#rrggbb`` at the top left, top right, bottom left and bottom right.
        down: how far down each place is, 0 to 1.
        right: how far to the right.

    Returns:
        (…, 3), red, green and blue in [0, 1].
    """
    top_left, top_right, bottom_left, bottom_right = map(rgb, corners)
    down, right = np.asarray(down)[..., None], np.asarray(right)[..., None]
    top, bottom = top_left + right * (top_right - top_left), bottom_left + right * (bottom_right - bottom_left)
    return np.asarray(top + down * (bottom - top))
