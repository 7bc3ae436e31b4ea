"""How few of many hold most?

    Gini                 G = Σ_j (2j − L − 1) g_(j) / (L Σ g),   g_(1) ≤ … ≤ g_(L);   0: all alike, 1 − 1/L: only one
    participation ratio  PR = (Σ g)² / Σ g²                                         1: only one, L: all alike
    cumulative share     of the largest 1, 2, …, and how many reach a level of the total
    broken stick         what share of L values must be taken to reach the level where these are the pieces of a stick
                         broken at random, L independent exponential values over their sum; as L → ∞ the x with
                         x (1 − ln x) = level, 0.4385 of 0.8; of few values more, as the last one counts whole

of L values g ≥ 0. Sources: Gini (1912); participation ratio: Bell and Dean (1970);
broken stick: MacArthur (1957).
"""

from __future__ import annotations

import numpy as np

_MOST_DRAWS = 10_000
_DRAWN = 4_000_000  # values, of many at a time; then the error of the mean is below 0.001


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


def share_by_broken_stick(count: int, level: float) -> float:
    """Return the mean of :func:`reaching` as a share of ``count`` pieces of a stick broken at random; NaN of none."""
    if not count:
        return float("nan")
    rng, times = np.random.default_rng(0), int(np.clip(_DRAWN // count, 20, _MOST_DRAWS))
    at_a_time = max(1, _DRAWN // (10 * count))
    reached = [
        reaching(cumulative_share(rng.exponential(size=(min(at_a_time, times - done), count))), level).sum()
        for done in range(0, times, at_a_time)
    ]
    return float(np.sum(reached) / times / count)
