"""Where within its class's region does an object lie? The region cut into a few parts of each axis.

    part(y) = ⌊parts · (y − first) / (last − first + 1)⌋      first, last: the class's first and last place on that axis
    group   = one number for each class and pair of parts that has samples, from 0

Shuffling within these groups keeps the class and, roughly, the place. Exact places would leave groups of a sample or
two, which shuffle nothing.
"""

from __future__ import annotations

import numpy as np

PARTS = 3


def subcells(y: np.ndarray, x: np.ndarray, label: np.ndarray, parts: int = PARTS) -> np.ndarray:
    """Return the group of each sample by its class and its place (y, x) in the class's region, (sample)."""
    part = np.stack([_part(axis, label, parts) for axis in (y, x)])
    return np.unique(np.stack([label, *part]), axis=1, return_inverse=True)[1].reshape(-1)


def _part(place: np.ndarray, label: np.ndarray, parts: int) -> np.ndarray:
    place = np.asarray(place, dtype=np.int64)
    part = np.zeros(len(place), dtype=np.int64)
    for k in np.unique(label):
        own = place[label == k]
        part[label == k] = parts * (own - own.min()) // (np.ptp(own) + 1)
    return part
