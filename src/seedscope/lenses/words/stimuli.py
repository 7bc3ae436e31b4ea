"""The pictures that a channel is asked with: grey 1/2 all over, changed by at most 1/2.

    grating[θ, p, φ]   1/2 + 1/2 cos(2π (x sin θ + y cos θ) / p + φ)   :func:`seedscope.formulas.gratings.grating`
    rings[±, p, q]     1/2 ± 1/2 cos(2π d / p),   d: distance to the place q; the spot in the middle has radius p / 4
    hue[h]             1/2 + 1/2 (cos h, cos(h − 120°), cos(h − 240°))       red 0°, green 120°, blue 240°
    black, white       0, 1

Periods p grow from 2.8 pixels by √2 to 16, or to the side of the receptive field where that is larger. Rings have the
same waves as gratings and no orientation, as a grating has an orientation and no place; so their sizes and strengths
can be compared. q: the middle of the picture and a quarter of the receptive field to each side of it, diagonals too;
together with the places of the map they lie all over the field.
All hues have the same mean over red, green and blue, that of grey.
"""

from __future__ import annotations

import numpy as np

HUES = np.arange(12) * 30.0  # degrees
SIGNS = (1, -1)  # a bright spot, a dark one
_SHORTEST, _LONGEST = 2 * np.sqrt(2), 16.0  # pixels


def periods(side: float) -> np.ndarray:
    """Return the periods of gratings and rings for a receptive field of this side, pixels."""
    steps = int(np.floor(2 * np.log2(max(side, _LONGEST) / _SHORTEST) + 1e-9))
    return np.round(_SHORTEST * 2 ** (np.arange(steps + 1) / 2), 9)  # a longer field has the same ones, and more


def rings(shape: tuple[int, int, int], period: float, side: float) -> np.ndarray:
    """Return rings around bright spots, then around dark ones, each at all places q, (picture, channel, y, x)."""
    channels, height, width = shape
    step = round(side / 4)
    places = [(height // 2 + down * step, width // 2 + right * step) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    y, x = np.arange(height)[:, None], np.arange(width)
    distance = np.stack([np.hypot(y - down, x - right) for down, right in places])
    waves = np.concatenate([0.5 + sign * 0.5 * np.cos(2 * np.pi * distance / period) for sign in SIGNS])
    return np.repeat(waves[:, None], channels, 1)


def colour(hue: np.ndarray) -> np.ndarray:
    """Return the colours (…, 3) in [0, 1] of hues, degrees."""
    turned = np.asarray(hue, dtype=np.float64)[..., None] - np.array([0.0, 120.0, 240.0])
    return 0.5 + 0.5 * np.cos(np.deg2rad(turned))


def even(shape: tuple[int, int, int], colours: np.ndarray) -> np.ndarray:
    """Return a picture of each colour (picture, channel) all over, (picture, channel, y, x)."""
    return np.broadcast_to(colours[..., None, None], (*colours.shape, *shape[1:]))
