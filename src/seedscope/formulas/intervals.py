"""Intervals over seeds.

    mean ± t(0.975, n − 1) · s / √n                          for values that each seed gives independently
    logit⁻¹(logit m ± t(0.975, n − 1) · s / (√n · m (1 − m)))  for shares, in [0, 1]; m: their mean
    θ̂ ± t(0.975, n − 1) · √((n − 1)/n · Σ_i (θ₋ᵢ − θ̄)²)       for statistics of pairs of seeds: jackknife over seeds

**Shares.** Near 0 and 1 the mean of few seeds is skewed and its t interval leaves [0, 1]. On the logit scale the error
of the mean is s/(√n · m (1 − m)) (delta method), and the bounds go back to either side of the mean of the shares
itself. Not the mean of logits: that is the logit of another number, further from 1/2, and needs a correction for shares
of 0 and 1 that then decides: where seeds differ more than pictures do, at m = 0.99, its interval holds the mean in one
case of four. This one asks for no correction, since m (1 − m) is 0 only where all shares are alike.

**Alike.** A number that is the same in every seed, to within rounding, has no interval: seeds say nothing of its
spread, and often none can change it (the size of a receptive field). ``same`` says so.

**Pairs.** Pairs of seeds share seeds, so they are not independent; the jackknife (Quenouille 1956; Tukey 1958) leaves
out one seed with all its pairs. It is right where seeds differ, x_ab = μ + g_a + g_b + …: what a seed has then shows in
all its pairs. Of **unrelated** seeds it is not: the kernel is degenerate (Hoeffding 1948; g = 0), the jackknife takes
2 (n − 1)/(n − 2) times the variance that is left, and with the t of few seeds the interval is about twice too wide; it
holds the mean in 98.4 (n = 5) to 99.5 (n = 20) cases of 100. There a permutation says whether the mean is that of
unrelated seeds, and this interval is no test.

Families of p-values are corrected by Holm (1979). A share of n independent trials has the score interval of
Wilson (1927).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval.

    ``low`` and ``high`` are ``None`` where n is too small for one, and where the number is the ``same`` in every seed.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    same: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the interval as a metric; only a number that is the same in every seed has the entry ``same``."""
        found = {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}
        return {**found, "same": True} if self.same else found

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return low and high; the mean, twice, of what is the same in every seed; ``None`` where there are none."""
        if self.same and self.mean is not None:
            return self.mean, self.mean
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Return mean, low and high; NaN for what there is not."""
        mean, low, high = (float("nan") if one is None else one for one in (self.mean, self.low, self.high))
        return mean, low, high


def mean_interval(values: np.ndarray) -> Interval:
    """Return the mean over seeds and its t interval; NaN values are left out and not counted in n."""
    kept = _finite(values)
    without = _without(kept)
    if without is not None:
        return without
    mean, half = float(kept.mean()), _half_width(kept)
    return Interval(mean, mean - half, mean + half, len(kept))


def share_interval(values: np.ndarray) -> Interval:
    """Return the mean over seeds of shares, in [0, 1], and its interval on the logit scale; NaN values are left out.

    Raises:
        ValueError: a value lies outside [0, 1] by more than rounding.
    """
    kept = _finite(values)
    if (odd := kept[(kept < -_ROUNDING) | (kept > 1 + _ROUNDING)]).size:
        raise ValueError(f"{odd[0]:g} is no share")
    without = _without(kept)
    if without is not None:
        return without
    mean = float(kept.mean())
    low, high = map(float, on_logit_scale(mean, _half_width(kept)))
    return Interval(mean, low, high, len(kept))


def on_logit_scale(mean: float, half: np.ndarray | float) -> tuple[Any, Any]:
    """Return low and high of a share that is known to ± ``half``, by the module's formula."""
    from scipy.special import expit, logit

    centre, reach = logit(mean), np.asarray(half) / (mean * (1 - mean))
    return expit(centre - reach)[()], expit(centre + reach)[()]


def _finite(values: np.ndarray) -> np.ndarray:
    kept = np.asarray(values, dtype=np.float64)
    return kept[np.isfinite(kept)]


def _without(kept: np.ndarray) -> Interval | None:
    """Return what there is to say of values that have no interval; ``None`` of others."""
    if len(kept) == 0:
        return Interval(None, None, None, 0)
    if len(kept) == 1 or alike(kept):
        return Interval(float(kept.mean()), None, None, len(kept), same=len(kept) > 1)
    return None


def alike(values: np.ndarray) -> bool:
    """Return whether values are equal to within rounding, 10⁻⁹ of the largest."""
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def _half_width(kept: np.ndarray) -> float:
    from scipy.stats import t

    n = len(kept)
    return float(t.ppf(0.975, n - 1) * kept.std(ddof=1) / np.sqrt(n))


def pair_interval(pairs: np.ndarray) -> Interval:
    """Return the mean over pairs of seeds, with the jackknife interval whose unit is the seed: see the module's text.

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
    if alike(pairs[upper][known[upper]]):
        return Interval(mean, None, None, n, same=True)
    without = (values.sum() - 2 * values.sum(1)) / left
    half = float(t.ppf(0.975, n - 1) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return Interval(mean, mean - half, mean + half, n)


def of_each_seed(pairs: np.ndarray) -> np.ndarray:
    """Return the mean over the pairs of each seed: (seed, seed) → (seed); NaN of a seed without a pair."""
    n = len(pairs)
    total = np.where(np.eye(n, dtype=bool), 0.0, pairs).sum(1)
    return total / (n - 1) if n > 1 else np.full(n, np.nan)


def p_of_zero(interval: Interval) -> float | None:
    """Return the two-sided p-value of a mean of 0, from the t interval around it; ``None`` where there is none."""
    from scipy.stats import t

    if interval.mean is None or interval.high is None:
        return None
    error = (interval.high - interval.mean) / t.ppf(0.975, interval.n - 1)
    return float(2 * t.sf(abs(interval.mean) / error, interval.n - 1))


def corrected_p_of_zero(family: Sequence[Interval]) -> list[float | None]:
    """Return :func:`p_of_zero` of each, corrected by Holm for all that have one."""
    found = [p_of_zero(interval) for interval in family]
    corrected = iter(holm(np.array([p for p in found if p is not None])).tolist())
    return [None if p is None else next(corrected) for p in found]


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
