"""Maps that know nothing of the network, for the heat maps to beat.

    centre_prior       exp(−d² / 2σ²), d: distance of a pixel from the middle, σ: a quarter of the shorter side
    brightest_window   1 in the window of the object's size with the largest sum of brightness, else 0

The window is told the object's size (as is the number of hottest pixels for every map), not its place; of windows
that tie the first counts, from the top left. Brightness is the mean of the channels.
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.boxes import Boxes


def centre_prior(extent: tuple[int, int]) -> np.ndarray:
    """Return the map (y, x) that is hottest in the middle."""
    y, x = (np.arange(pixels) - (pixels - 1) / 2 for pixels in extent)
    return np.exp(-(y[:, None] ** 2 + x**2) / (2 * (min(extent) / 4) ** 2))


def brightest_window(pictures: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return the map (sample, y, x) of each picture's brightest window, from (sample, channel, y, x)."""
    n, _, height, width = pictures.shape
    integral = np.zeros((n, height + 1, width + 1))
    integral[:, 1:, 1:] = pictures.mean(1, dtype=np.float64).cumsum(1).cumsum(2)
    found = np.zeros((n, height, width))
    for s in range(n):
        h, w = min(int(boxes.height[s]), height), min(int(boxes.width[s]), width)
        corners = integral[s]
        sums = corners[h:, w:] - corners[:-h, w:] - corners[h:, :-w] + corners[:-h, :-w]
        top, left = np.unravel_index(sums.argmax(), sums.shape)
        found[s, top : top + h, left : left + w] = 1
    return found
