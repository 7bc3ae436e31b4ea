"""Do two maps of one picture agree?

    rank correlation   Spearman's ρ over the places, ties sharing their mean rank
    cosine             Σ a · b / (‖a‖ ‖b‖), signs included
    same place         do both have their largest value in the same place? Ties share.

A constant map has no ranks, and one of zeros no direction: there the first two are 0, no agreement.
"""

from __future__ import annotations

import numpy as np

AGREEMENTS = ("rank_correlation", "cosine", "same_place")


def agreement(exact: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how well maps (sample, y, x) agree, (measure, sample) as ``AGREEMENTS``."""
    from scipy.stats import rankdata

    if not len(exact):
        return np.zeros((len(AGREEMENTS), 0))
    a, b = (np.asarray(maps, dtype=np.float64).reshape(len(maps), -1) for maps in (exact, other))
    ranks = [rankdata(values, axis=1) for values in (a, b)]
    top = [values == values.max(1, keepdims=True) for values in (a, b)]
    shared = (top[0] & top[1]).sum(1) / np.maximum(top[0].sum(1), top[1].sum(1))
    return np.stack([_cosine(*(values - values.mean(1, keepdims=True) for values in ranks)), _cosine(a, b), shared])


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), size, out=np.zeros(len(a)), where=size > 0)
