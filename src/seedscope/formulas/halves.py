"""Which pictures is something chosen on, and on which is it scored? Two halves with as many pictures of each class."""

from __future__ import annotations

import numpy as np


def first_half(label: np.ndarray) -> np.ndarray:
    """Return which samples are in the first half, (sample): of every class the first, the third, …."""
    first = np.zeros(len(label), dtype=bool)
    for k in np.unique(label):
        first[np.flatnonzero(label == k)[::2]] = True
    return first
