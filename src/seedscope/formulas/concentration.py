"""How few of many hold most?

    Gini                 G = Σ_j (2j − L − 1) g_(j) / (L Σ g),   g_(1) ≤ … ≤ g_(L);   0: all alike, 1 − 1/L: only one
    participation ratio  PR = (Σ g)² / Σ g²                                         1: only one, L: all alike
    cumulative share     of the largest 1, 2, …, and how many reach a level of the total

of L values g ≥ 0. Sources: Gini (1912); participation ratio: Bell and Dean (1970).
"""

from __future__ import annotations

import numpy as np


def gini(values: np.ndarray) -> np.ndarray:
    """Return the Gini coefficient of non-negative values along the last axis; NaN where there is nothing."""
    ordered = np.sort(values, axis=-1)
    n = values.shape[-1]
    total = ordered.sum(-1)
    weighted = (ordered * (2 * np.arange(1, n + 1) - n - 1)).sum(-1)
    return np.divide(weighted, n * total, out=np.full(total.shape, np.nan), where=total > 0)


def participation_ratio(values: np.ndarray) -> np.ndarray:
    """Return how many equal values would be as concentrated, along the last axis; NaN where there is nothing."""
    squares = (values**2).sum(-1)
    return np.divide(values.sum(-1) ** 2, squares, out=np.full(squares.shape, np.nan), where=squares > 0)


def cumulative_share(values: np.ndarray) -> np.ndarray:
    """Return the share of the total that the largest 1, 2, … values hold, along the last axis."""
    ordered = -np.sort(-values, axis=-1)
    total = ordered.sum(-1, keepdims=True)
    return np.divide(np.cumsum(ordered, -1), total, out=np.full(ordered.shape, np.nan), where=total > 0)


def reaching(share: np.ndarray, level: float) -> np.ndarray:
    """Return how many of the largest values reach ``level`` of the total; NaN where there is no total."""
    count = (share < level - 1e-12).sum(-1) + 1.0
    return np.where(np.isnan(share).any(-1) | (share.shape[-1] == 0), np.nan, count)
