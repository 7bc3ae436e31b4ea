"""Intervals over seeds.

    mean ± t(0.975, n − 1) · s / √n                          for values that each seed gives independently
    θ̂ ± t(0.975, n − 1) · √((n − 1)/n · Σ_i (θ₋ᵢ − θ̄)²)       for statistics of pairs of seeds: jackknife over seeds

Pairs of seeds share seeds, so they are not independent; the jackknife (Quenouille 1956; Tukey 1958) leaves out
one seed with all its pairs. Families of p-values are corrected by Holm (1979). A share of n independent trials has
the score interval of Wilson (1927).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval; ``low`` and ``high`` are ``None`` where n is too small for one."""

    mean: float | None
    low: float | None
    high: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the interval as a metric."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Return mean, low and high; NaN for what there is not."""
        mean, low, high = (float("nan") if one is None else one for one in (self.mean, self.low, self.high))
        return mean, low, high


def mean_interval(values: np.ndarray) -> Interval:
    """Return the mean over seeds and its t interval; NaN values are left out and not counted in n."""
    from scipy.stats import t

    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    if n == 0:
        return Interval(None, None, None, 0)
    mean = float(kept.mean())
    if n == 1:
        return Interval(mean, None, None, 1)
    half = float(t.ppf(0.975, n - 1) * kept.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def pair_interval(pairs: np.ndarray) -> Interval:
    """Return the mean over pairs of seeds, with the jackknife interval whose unit is the seed.

    Args:
        pairs: (seed, seed), symmetric; NaN of a pair that was not looked at. The diagonal is not either.
    """
    from scipy.stats import t

    n = len(pairs)
    known = np.isfinite(pairs) & ~np.eye(n, dtype=bool)
    if n < 2 or not known.any():
        return Interval(None, None, None, n)
    upper = np.triu_indices(n, 1)
    mean = float(pairs[upper][known[upper]].mean())
    values = np.where(known, pairs, 0.0)
    left = known.sum() - 2 * known.sum(1)
    if n < 3 or not left.all():  # leaving out one of two seeds leaves no pair
        return Interval(mean, None, None, n)
    without = (values.sum() - 2 * values.sum(1)) / left
    half = float(t.ppf(0.975, n - 1) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return Interval(mean, mean - half, mean + half, n)


def of_each_seed(pairs: np.ndarray) -> np.ndarray:
    """Return the mean over the pairs of each seed: (seed, seed) → (seed); NaN of a seed without a pair."""
    n = len(pairs)
    total = np.where(np.eye(n, dtype=bool), 0.0, pairs).sum(1)
    return total / (n - 1) if n > 1 else np.full(n, np.nan)


def p_of_zero(interval: Interval) -> float | None:
    """Return the two-sided p-value of a mean of 0, from the t interval around it."""
    from scipy.stats import t

    if interval.mean is None or interval.high is None:
        return None
    error = (interval.high - interval.mean) / t.ppf(0.975, interval.n - 1)
    if error == 0:
        return float(interval.mean == 0)
    return float(2 * t.sf(abs(interval.mean) / error, interval.n - 1))


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm-corrected p-values of one family, in the order given."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1)
    return corrected


def wilson_interval(hits: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % Wilson score interval of a share ``hits / n``; NaN where n is 0."""
    z = 1.959963984540054
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half
