"""Do two maps of one picture agree?

    rank correlation   Spearman's ρ over the places
    cosine             signs included
    same place         do both have their largest value in the same place? Ties share.

A constant map has no ranks, and one of zeros no direction: there the first two (see
:mod:`seedscope.formulas.correlation`) count as 0, no agreement.
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.correlation import cosines, spearman

AGREEMENTS = ("rank_correlation", "cosine", "same_place")
SHARES = ("same_place",)  # of pictures; the others have signs


def agreement(exact: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how well maps (sample, y, x) agree, (measure, sample) as ``AGREEMENTS``."""
    if not len(exact):
        return np.zeros((len(AGREEMENTS), 0))
    a, b = (np.asarray(maps, dtype=np.float64).reshape(len(maps), -1) for maps in (exact, other))
    top = [values == values.max(1, keepdims=True) for values in (a, b)]
    shared = (top[0] & top[1]).sum(1) / np.maximum(top[0].sum(1), top[1].sum(1))
    return np.stack([np.nan_to_num(spearman(a, b)), np.nan_to_num(cosines(a, b)), shared])
