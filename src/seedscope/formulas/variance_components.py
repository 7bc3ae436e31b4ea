"""Which of several draws makes a number vary? Variance components of a balanced crossing, one value per cell.

    y[cell] = μ + Σ_S e_S,     S: every non-empty set of factors; e_S is drawn for every combination of their levels
    SS_S    = Σ_cells (Σ_{T ⊆ S} (−1)^{|S| − |T|} ȳ_T)²,       df_S = Π_{f ∈ S} (n_f − 1),       MS_S = SS_S / df_S
    E MS_S  = Σ_{T ⊇ S} σ²_T Π_{f ∉ T} n_f                     solved for σ²_T
    own     = σ²_{f} / Σ_T σ²_T                                what a factor moves by itself
    total   = Σ_{S ∋ f} σ²_S / Σ_T σ²_T                        what varies still when only this factor does

All factors are draws (random effects), so components come from expected mean squares (Searle, Casella and McCulloch
1992, *Variance Components*, ch. 4). They are unbiased, and one may be negative where there is none; a share, and each
end of its interval, is clipped at 0 and at 1, so that shares may add up to more than 1. Own and total shares are the
first-order and the total index of Sobol (2001) and of Homma and Saltelli (1996). The interaction of all factors is not
told from noise: training is deterministic and has none.

A value may have coordinates (the tuning of every unit to every class): squares are then added up over them.

**Intervals** are generalized ones (Weerahandi 1993; for variance components Khuri, Mathew and Sinha 1998): with
ν_S MS_S / E MS_S ~ χ²(ν_S) independently, each draw of the χ²s gives mean squares that could be the expected ones, and
so components and shares; low and high are their 2.5 and 97.5 % quantiles. ν_S = df_S · d_S, where d_S is the
participation ratio of the effect's covariance over coordinates (Satterthwaite 1946; Box 1954), 1 of a single number.
It is no larger than the number of levels lets it be: then the interval is too wide, never too narrow. Unlike a
jackknife or a bootstrap over levels it holds with three of them, and unlike the F test it has an interval for the
share; it rests on effects that are roughly normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from seedscope.formulas.intervals import Interval

LEVELS, BOUND = 3, 0.5  # fewer levels of a factor decide nothing; what decides has more than this share
_DRAWS = 50_000

Verdict = Literal["decides", "does not", "undecided"]


@dataclass(frozen=True)
class MeanSquares:
    """What an analysis of variance found, for each set of factors.

    Attributes:
        levels: of each factor.
        sets: positions of factors; single ones first, all of them last.
        value: (set), MS_S.
        freedom: (set), df_S.
        coordinates: (set), d_S: how many coordinates vary as if on their own.
    """

    levels: tuple[int, ...]
    sets: tuple[tuple[int, ...], ...]
    value: np.ndarray
    freedom: np.ndarray
    coordinates: np.ndarray


@dataclass(frozen=True)
class Shares:
    """Shares of the variance, as estimated and as they could be.

    Attributes:
        levels: of each factor.
        sets: positions of factors.
        estimate: (set), not clipped, adding up to 1; NaN where nothing varies.
        drawn: (draw, set), as the estimate.
    """

    levels: tuple[int, ...]
    sets: tuple[tuple[int, ...], ...]
    estimate: np.ndarray
    drawn: np.ndarray

    def own(self, factor: int) -> Interval:
        """Return the share that a factor has by itself."""
        return self._interval([factors == (factor,) for factors in self.sets], self.levels[factor])

    def total(self, factor: int) -> Interval:
        """Return the share of all that a factor takes part in."""
        return self._interval([factor in factors for factors in self.sets], self.levels[factor])

    def together(self, factors: tuple[int, ...]) -> Interval:
        """Return the share of one interaction."""
        return self._interval([one == factors for one in self.sets], min(self.levels[factor] for factor in factors))

    def rest(self) -> Interval:
        """Return the share of what no single factor and no two of them explain."""
        return self._interval([len(factors) > 2 for factors in self.sets], min(self.levels))

    def _interval(self, chosen: Sequence[bool], n: int) -> Interval:
        those = np.array(chosen)
        estimate = self.estimate[those].sum()
        if not np.isfinite(estimate):
            return Interval(None, None, None, n)
        ends = np.quantile(self.drawn[:, those].sum(1), (0.025, 0.975))
        mean, low, high = np.clip([estimate, *ends], 0, 1).tolist()
        return Interval(mean, low, high, n)


def mean_squares(values: np.ndarray, factors: int) -> MeanSquares:
    """Return the mean squares of ``values``: one axis for each of the ``factors``, then any others, the coordinates.

    A coordinate that has no value (NaN) in some cell is left out. Each factor has two levels or more.
    """
    levels = values.shape[:factors]
    flat = np.asarray(values, dtype=np.float64).reshape(*levels, -1)
    flat = flat[..., np.isfinite(flat).all(tuple(range(factors)))]
    flat = flat - flat[(0,) * factors]  # so that what does not vary is 0, not rounding
    sets = tuple(chosen for size in range(1, factors + 1) for chosen in combinations(range(factors), size))
    freedom = np.array([np.prod([levels[factor] - 1 for factor in chosen]) for chosen in sets], dtype=np.float64)
    if not flat.shape[-1]:
        return MeanSquares(levels, sets, np.full(len(sets), np.nan), freedom, np.ones(len(sets)))
    effects: dict[tuple[int, ...], np.ndarray] = {(): flat.mean(tuple(range(factors)), keepdims=True)}
    found = []
    for chosen in sets:
        others = tuple(factor for factor in range(factors) if factor not in chosen)
        effect = flat.mean(others, keepdims=True) if others else flat
        for size in range(len(chosen)):
            for part in combinations(chosen, size):
                effect = effect - effects[part]
        effects[chosen] = effect
        rows = effect.reshape(-1, flat.shape[-1])
        repeated = np.prod([levels[factor] for factor in others])
        gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
        squared = float((gram**2).sum())
        found.append((repeated * np.trace(gram), np.trace(gram) ** 2 / squared if squared > 0 else 1.0))
    total, coordinates = np.array(found).T
    return MeanSquares(levels, sets, total / freedom, freedom, coordinates)


def components(squares: MeanSquares) -> np.ndarray:
    """Return the unbiased variance component of each set of factors, (set); one may be negative."""
    return np.asarray(np.linalg.solve(_expected(squares), squares.value))


def shares(squares: MeanSquares, rng: np.random.Generator, draws: int = _DRAWS) -> Shares:
    """Return the share of the variance that each set of factors has; ``rng`` draws what the intervals come from."""
    freedom = squares.freedom * squares.coordinates
    chi2 = 2 * rng.standard_gamma(freedom / 2, (draws, len(freedom)))
    possible = squares.value * freedom / chi2
    drawn = np.linalg.solve(_expected(squares), possible.T).T
    return Shares(squares.levels, squares.sets, _as_shares(components(squares)), _as_shares(drawn))


def decides(own: Interval) -> Verdict:
    """Say whether a factor decides: whether its own share lies above one half, with its interval, or below it.

    With fewer than ``LEVELS`` levels that is undecided, as it is where the interval holds both.
    """
    if own.low is None or own.high is None or own.n < LEVELS:
        return "undecided"
    if own.low > BOUND:
        return "decides"
    return "does not" if own.high < BOUND else "undecided"


def _expected(squares: MeanSquares) -> np.ndarray:
    """Return how many times each component is in each expected mean square, (mean square, component)."""
    levels = squares.levels
    return np.array(
        [
            [
                float(np.prod([n for factor, n in enumerate(levels) if factor not in component]))
                if set(chosen) <= set(component)
                else 0.0
                for component in squares.sets
            ]
            for chosen in squares.sets
        ]
    )


def _as_shares(parts: np.ndarray) -> np.ndarray:
    total = parts.sum(-1, keepdims=True)  # of mean squares with factors ≥ 0 each, so never negative
    return np.divide(parts, total, out=np.full(parts.shape, np.nan), where=total > 0)
