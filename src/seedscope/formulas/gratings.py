"""Gratings: stripes of every orientation and width, to ask how far something answers to which.

    picture[θ, p, φ](y, x) = 1/2 + 1/2 cos(2π (x sin θ + y cos θ) / p + φ),   y counted downwards
    r[c, p, θ]  ≥ 0: how far pictures of orientation θ and period p move the channel c, whatever the phase φ
    p*[c]       = the period at which the channel's largest response over θ lies

θ is the orientation **of the stripes**: 0° horizontal, 45° rising to the right, 90° vertical. How sharply a channel
answers to one orientation is :func:`seedscope.formulas.selectivity.orientation_selectivity` of r[c, p*[c], θ]. Choosing
p* favours high selectivity a little, in any network: so one whose p* is chosen likewise is what to compare with.
"""

from __future__ import annotations

import numpy as np

ORIENTATIONS = np.arange(12) * 15.0  # degrees
PHASES = np.arange(8) / 8 * 2 * np.pi
_PERIODS = 2 ** np.arange(4, 1.4, -0.5)  # pixels: 16, 11.3, 8, 5.7, 4, 2.8


def periods(shape: tuple[int, int, int]) -> np.ndarray:
    """Return the periods that fit into a picture (channel, y, x), pixels; the shortest is always among them."""
    return _PERIODS[max(min(shape[1:]), _PERIODS[-1]) >= _PERIODS]


def grating(shape: tuple[int, int, int], orientation: float, period: float) -> np.ndarray:
    """Return grey gratings (phase, channel, y, x) in [0, 1] with stripes of this orientation (degrees)."""
    channels, height, width = shape
    angle = np.deg2rad(orientation)
    along = np.arange(width) * np.sin(angle) + np.arange(height)[:, None] * np.cos(angle)
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * along / period + PHASES[:, None, None])
    return np.repeat(wave[:, None], channels, 1)


def at_best_period(response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (channel, orientation) at each channel's best period, and that period's index; the first of equals."""
    best = response.max(-1).argmax(-1)
    return np.take_along_axis(response, best[:, None, None], 1)[:, 0], best
