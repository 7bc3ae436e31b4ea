"""How far over a map does a channel's response reach, and how much of it tells the classes apart?

For picture s and channel c, r[y, x] = max(0, output), N places; m[s, c] = mean of r; μ_k = mean of m over class k:

    extent             (Σ r)² / (N Σ r²), mean over the pictures with a response    1/N: one place, 1: all alike
    active share       share of places with r > 0, mean over all pictures
    class selectivity  (μ_max − μ_rest) / (μ_max + μ_rest), μ_rest: mean of the other classes' μ (Morcos et al. 2018)
    class variance     η² = Σ_k n_k (μ_k − μ)² / Σ_s (m − μ)²: the share of m's variance that classes explain

Both class measures choose or fit: few pictures look selective. *Shuffled* is the mean over shufflings of the labels of
the same number, its choice of the largest class included; for η² its expectation is (K − 1)/(n − 1). A channel without
response, or η² of one whose m never changes, has no value. Participation ratio: Bell and Dean (1970).
"""

from __future__ import annotations

import numpy as np

SHUFFLES = 200


def extent(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return participation ratio and active share of maps ≥ 0, (…, y, x) → (…), as shares of their places."""
    squares = (maps**2).sum((-2, -1)) * (maps.shape[-2] * maps.shape[-1])
    ratio = np.divide(maps.sum((-2, -1)) ** 2, squares, out=np.full(squares.shape, np.nan), where=squares > 0)
    return ratio, (maps > 0).mean((-2, -1))


def class_means(mean: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """Return μ (class, channel) of m (sample, channel); NaN for a class without pictures."""
    member = (label == np.arange(classes)[:, None]).astype(np.float64)
    count = member.sum(1, keepdims=True)
    return np.divide(member @ mean, count, out=np.full((classes, mean.shape[1]), np.nan), where=count > 0)


def class_selectivity(means: np.ndarray) -> np.ndarray:
    """Return the selectivity (channel) of μ (class, channel); classes without pictures do not count."""
    means = means[np.isfinite(means).all(1)]
    none = np.full(means.shape[1], np.nan)
    if len(means) < 2:
        return none
    largest = means.max(0)
    rest = (means.sum(0) - largest) / (len(means) - 1)
    return np.divide(largest - rest, largest + rest, out=none, where=largest > 0)


def class_variance(means: np.ndarray, mean: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return η² (channel) of m (sample, channel), from its μ (class, channel)."""
    count = np.bincount(label, minlength=len(means))[:, None]
    centre = mean.mean(0)
    total = ((mean - centre) ** 2).sum(0)
    between = np.nansum(count * (means - centre) ** 2, 0)
    varies = total > 1e-18 * len(mean) * centre**2  # rounding alone leaves less of a constant
    return np.divide(between, total, out=np.full(total.shape, np.nan), where=varies & (np.count_nonzero(count) > 1))


def shuffled(mean: np.ndarray, label: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return class selectivity and class variance (channel) under shuffled labels: means over the same shuffles."""
    rng = np.random.default_rng(0)
    selectivity, variance = np.zeros(mean.shape[1]), np.zeros(mean.shape[1])
    for _ in range(SHUFFLES):
        other = rng.permutation(label)
        means = class_means(mean, other, classes)
        selectivity += class_selectivity(means)
        variance += class_variance(means, mean, other)
    return selectivity / SHUFFLES, variance / SHUFFLES
