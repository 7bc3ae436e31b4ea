"""How much do seeds differ, and how wide is an interval over n of them?

    h(n) = t(0.975, n − 1) · c4(n) · σ / √n,   c4(n) = √(2/(n − 1)) · Γ(n/2) / Γ((n − 1)/2)

h is the half-width to be expected of n seeds: c4 is what the standard deviation of n normal values comes to, in units
of σ (Holtzman 1950). The σ put in is s/c4(N), so that h(N) is the half-width that the N seeds at hand give. Of shares
h is put on the logit scale around their mean, as their intervals are (:mod:`seedscope.formulas.intervals`), and the
half-width is half the distance of the bounds.

N seeds know their own spread badly. (N − 1) s²/σ² is χ² with N − 1 degrees of freedom, which bounds σ. It holds for
normal values.

Numbers of *pairs* of seeds are not asked. Their spread over seeds is that of a degenerate kernel where seeds are
unrelated: the jackknife is then about twice too wide, and so would be its answer; whether they are unrelated, a
permutation says with the seeds at hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seedscope.formulas.intervals import mean_interval, on_logit_scale, share_interval

MOST = 10**7  # seeds; nobody trains more
FEWEST = 2  # that have an interval
_SUBSETS = 200  # at most, of each size


@dataclass(frozen=True)
class Spread:
    """How much seeds differ, as N of them show.

    Attributes:
        variance: over seeds.
        n: the number of seeds that this is known from.
        share: of shares their mean, around which half-widths lie; else ``None``.
    """

    variance: float
    n: int
    share: float | None = None

    @classmethod
    def of(cls, values: np.ndarray, *, share: bool = False) -> Spread | None:
        """Return the spread of values (seed), perhaps of a ``share``; ``None`` of fewer than two seeds."""
        if len(values) < FEWEST:
            return None
        return cls(float(values.var(ddof=1)), len(values), float(values.mean()) if share else None)

    def half_width(self, n: np.ndarray | int, scale: float | None = None) -> np.ndarray:
        """Return the expected half-width of the 95 % interval over ``n`` seeds.

        Args:
            n: numbers of seeds, from 2.
            scale: the true σ in units of the one that was seen; by default what makes the result unbiased.
        """
        from scipy.stats import t

        n = np.asarray(n, dtype=np.float64)
        known = 1 / c4(self.n) if scale is None else scale
        half: np.ndarray = t.ppf(0.975, n - 1) * c4(n) * known * np.sqrt(self.variance / n)
        if self.share is None or not 0 < self.share < 1:
            return half
        low, high = on_logit_scale(self.share, half)
        return (high - low) / 2

    def bounds(self) -> tuple[float, float]:
        """Return between which factors of the σ that was seen the true one lies, with 95 % confidence."""
        from scipy.stats import chi2

        low, high = np.sqrt((self.n - 1) / chi2.ppf([0.975, 0.025], self.n - 1))
        return float(low), float(high)

    def seeds_for(self, half_width: float, scale: float | None = None) -> int | None:
        """Return the smallest number of seeds whose expected half-width is no more than this; ``None`` beyond 10⁷."""
        low, high = FEWEST - 1, FEWEST
        while self.half_width(high, scale) > half_width:
            low, high = high, 2 * high
            if low > MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.half_width(middle, scale) <= half_width else (middle, high)
        return high


def c4(n: np.ndarray | float) -> np.ndarray:
    """Return the expected standard deviation of ``n`` normal values in units of σ."""
    from scipy.special import gammaln

    n = np.asarray(n, dtype=np.float64)
    return np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))


def realised(values: np.ndarray, n: int, rng: np.random.Generator, *, share: bool = False) -> np.ndarray:
    """Return the half-widths of subsets of ``n`` seeds: all of them, or 200 at random where there are more."""
    interval = share_interval if share else mean_interval
    ends = (interval(values[chosen]).ends for chosen in _subsets(len(values), n, rng))
    return np.array([(high - low) / 2 for low, high in filter(None, ends)])


def _subsets(of: int, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    if math.comb(of, n) <= _SUBSETS:
        yield from (np.array(chosen) for chosen in combinations(range(of), n))
    else:
        yield from (rng.choice(of, n, replace=False) for _ in range(_SUBSETS))
