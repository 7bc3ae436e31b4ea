"""Which pictures is something chosen on, and on which is it scored? Two halves with as many pictures of each group."""

from __future__ import annotations

import numpy as np


def halves(group: np.ndarray) -> np.ndarray:
    """Return in which half, 0 or 1, each sample is: drawn with a fixed seed, balanced within each group, (sample).

    Groups are classes, or classes and parts of their places. The odd one of a group falls to either half in turn.
    """
    rng = np.random.default_rng(0)
    half = np.zeros(len(group), dtype=np.int64)
    for turn, k in enumerate(np.unique(group)):
        own = rng.permutation(np.flatnonzero(group == k))
        half[own] = (np.arange(len(own)) + turn) % 2
    return half
