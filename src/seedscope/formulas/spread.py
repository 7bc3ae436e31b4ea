"""How much do seeds differ, and how wide is an interval over n of them?

    values of seeds   V(n) = σ² / n,                                   σ̂² = s²
    values of pairs   V(n) = 4 σ_seed² / n + 4 σ_pair² / (n (n − 2))   of  x_ab = μ + g_a + g_b + e_ab
    h(n) = t(0.975, n − 1) · E √V̂ = t(0.975, n − 1) · c4(n) · √V(n),   c4(n) = √(2/(n − 1)) · Γ(n/2) / Γ((n − 1)/2)

h is the half-width to be expected of n seeds: c4 is what the standard deviation of n normal values comes to, in units
of σ (Holtzman 1950). The σ put in is s/c4(N), so that h(N) is the half-width that the N seeds at hand give. For pairs
V is what the jackknife over seeds comes to: as n grows, what belongs to a seed (g) goes as 1/n, what belongs to a pair
(e) as 1/n². The two are told apart by the variance of the seeds' means and what it leaves (Warner, Kenny and Stoto
1979); where that says σ_seed² < 0, all variance is that of pairs. c4 is exact for values of seeds, near for pairs.

N seeds know their own spread badly. (N − 1) s²/σ² is χ² with N − 1 degrees of freedom, which bounds σ. It holds for
normal values; for pairs both σ are scaled alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seedscope.formulas.intervals import mean_interval, of_each_seed, pair_interval

MOST = 10**7  # seeds; nobody trains more
_SUBSETS = 200  # at most, of each size


@dataclass(frozen=True)
class Spread:
    """How much seeds differ, as N of them show.

    Attributes:
        seed: variance that belongs to a seed.
        pair: variance that belongs to a pair of seeds; ``None`` where each seed has a value of its own.
        n: the number of seeds that this is known from.
    """

    seed: float
    pair: float | None
    n: int

    @classmethod
    def of(cls, values: np.ndarray) -> Spread | None:
        """Return the spread of values (seed) or of pairs (seed, seed); ``None`` where there are too few seeds.

        Values ask for two seeds. Pairs ask for four: with three, a seed and a pair cannot be told apart.
        """
        n = len(values)
        if values.ndim == 1:
            return cls(float(values.var(ddof=1)), None, n) if n > 1 else None
        if n < 4:
            return None
        upper = np.triu_indices(n, 1)
        deviation = of_each_seed(values) - values[upper].mean()
        # The mean of a seed's pairs deviates by (n − 2)/(n − 1) of what the seed itself does.
        g = deviation * (n - 1) / (n - 2)
        left = values[upper] - values[upper].mean() - g[upper[0]] - g[upper[1]]
        pair = float((left**2).sum() / (n * (n - 3) / 2))
        seed = float((g**2).sum() / (n - 1) - pair / (n - 2))
        if seed < 0:
            seed, pair = 0.0, float(values[upper].var(ddof=1))
        return cls(seed, pair, n)

    def half_width(self, n: np.ndarray | int, scale: float | None = None) -> np.ndarray:
        """Return the expected half-width of the 95 % interval over ``n`` seeds.

        Args:
            n: numbers of seeds, from 2; from 3 for pairs.
            scale: the true σ in units of the one that was seen; by default what makes the result unbiased.
        """
        from scipy.stats import t

        n = np.asarray(n, dtype=np.float64)
        variance = self.seed / n if self.pair is None else 4 * (self.seed / n + self.pair / (n * (n - 2)))
        known = 1 / c4(self.n) if scale is None else scale
        return t.ppf(0.975, n - 1) * c4(n) * known * np.sqrt(variance)

    def bounds(self) -> tuple[float, float]:
        """Return between which factors of the σ that was seen the true one lies, with 95 % confidence."""
        from scipy.stats import chi2

        low, high = np.sqrt((self.n - 1) / chi2.ppf([0.975, 0.025], self.n - 1))
        return float(low), float(high)

    @property
    def fewest(self) -> int:
        """Return the smallest number of seeds that has an interval."""
        return 2 if self.pair is None else 3

    def seeds_for(self, half_width: float, scale: float | None = None) -> int | None:
        """Return the smallest number of seeds whose expected half-width is no more than this; ``None`` beyond 10⁷."""
        low, high = self.fewest - 1, self.fewest
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


def realised(values: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the half-widths of subsets of ``n`` seeds: all of them, or 200 at random where there are more."""
    interval = mean_interval if values.ndim == 1 else pair_interval
    widths = []
    for chosen in _subsets(len(values), n, rng):
        found = interval(values[chosen] if values.ndim == 1 else values[np.ix_(chosen, chosen)])
        if found.mean is not None and found.high is not None:
            widths.append(found.high - found.mean)
    return np.array(widths)


def _subsets(of: int, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    if math.comb(of, n) <= _SUBSETS:
        yield from (np.array(chosen) for chosen in combinations(range(of), n))
    else:
        yield from (rng.choice(of, n, replace=False) for _ in range(_SUBSETS))
