"""What must two cells of a crossing share for their units to be the same ones? Similarity of pairs, by what they share.

    θ_S = mean of s(i, j) over the pairs of cells i ≠ j that have the same level of every factor in S and of no other
    gain_S = θ_S − θ_∅

θ_∅, of pairs that share nothing, is what units that are numbered alike have in common anyway; S = all is one cell.

**Intervals** have the level as unit: each level of each factor is left out in turn, with all its cells,

    V = Σ_f (n_f − 1)/n_f Σ_l (θ₋ₗ − θ̄)²,       θ ± t(ν) √V,       ν = V² / Σ_f V_f² / (n_f − 1)

the jackknife for several samples, one for each factor (Arvesen 1969), degrees of freedom by Satterthwaite (1946). What
an interaction moves is counted once for each of its factors, so the interval is rather too wide. A factor of two levels
that a pair does not share cannot lose one: then there is none.

**p** is of a gain: under the null that no factor in S matters, whatever the others' levels, cells that differ in S
alone may take each other's places; the combinations of levels of S are permuted within every combination of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.formulas.intervals import Interval
from seedscope.formulas.nulls import permutation_p


@dataclass(frozen=True)
class Shared:
    """The pairs of cells of a crossing.

    Attributes:
        levels: of each factor; cells are numbered in the order of ``numpy.ndindex(*levels)``.
        level: (cell, factor).
        left: (pair), a cell.
        right: (pair), the other cell.
        same: (pair), the factors of which both have the same level, as bits: 1 of the first, 2 of the second, ….
    """

    levels: tuple[int, ...]
    level: np.ndarray
    left: np.ndarray
    right: np.ndarray
    same: np.ndarray

    @classmethod
    def of(cls, levels: tuple[int, ...]) -> Shared:
        """Return the pairs of a crossing of factors with that many levels each."""
        level = np.array(list(np.ndindex(*levels)))
        left, right = np.triu_indices(len(level), 1)
        bits = 2 ** np.arange(len(levels))
        return cls(levels, level, left, right, (level[left] == level[right]) @ bits)

    @property
    def patterns(self) -> range:
        """Return every set of factors that a pair may share, as bits: from none to all but one."""
        return range(2 ** len(self.levels) - 1)

    def means(self, similarity: np.ndarray) -> np.ndarray:
        """Return θ (pattern) of a similarity (cell, cell); pairs without a value (NaN) do not count."""
        return self._means(similarity[self.left, self.right], np.ones(len(self.left), dtype=bool))

    def intervals(self, similarity: np.ndarray) -> tuple[list[Interval], list[Interval]]:
        """Return θ and the gain of every pattern, each with its interval over levels."""
        pairs = similarity[self.left, self.right]
        everyone = self._means(pairs, np.ones(len(pairs), dtype=bool))
        without = [
            np.array(
                [
                    self._means(pairs, (self.level[self.left, f] != one) & (self.level[self.right, f] != one))
                    for one in range(n)
                ]
            )
            for f, n in enumerate(self.levels)
        ]
        theta = [self._interval(everyone[s], [one[:, s] for one in without]) for s in self.patterns]
        gain = [
            self._interval(everyone[s] - everyone[0], [one[:, s] - one[:, 0] for one in without]) for s in self.patterns
        ]
        return theta, gain

    def p_of_gains(self, similarities: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
        """Return the one-sided p of every gain, (similarity, pattern), NaN of the pattern that shares nothing.

        Args:
            similarities: (similarity, cell, cell), symmetric.
            rng: draws the permutations.
            times: how many.
        """
        found = np.full((len(similarities), len(self.patterns)), np.nan)
        known = np.isfinite(similarities)
        filled = np.where(known, similarities, 0.0)
        none = self.same == 0
        for pattern in self.patterns[1:]:
            alike = self.same == pattern
            orders = [np.arange(len(self.level)), *(self._permuted(pattern, rng) for _ in range(times))]
            gains = np.array([self._gain(filled, known, order, alike, none) for order in orders]).T
            found[:, pattern] = [permutation_p(float(gain[0]), gain[1:]) for gain in gains]
        return found

    def _gain(
        self, filled: np.ndarray, known: np.ndarray, order: np.ndarray, alike: np.ndarray, none: np.ndarray
    ) -> np.ndarray:
        """Return θ of pairs that are alike less that of others, (similarity), with the cells in another order."""
        place = order[self.left] * len(self.level) + order[self.right]
        means = []
        for those in (place[alike], place[none]):
            total, count = (np.take(one.reshape(len(one), -1), those, 1).sum(1) for one in (filled, known))
            means.append(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))
        return np.asarray(means[0] - means[1])

    def _permuted(self, pattern: int, rng: np.random.Generator) -> np.ndarray:
        """Return which cell takes each cell's place when the levels of ``pattern`` are permuted within the others."""
        factors = [f for f in range(len(self.levels)) if pattern >> f & 1]
        cells = np.arange(len(self.level)).reshape(self.levels)
        front = np.moveaxis(cells, factors, range(len(factors)))
        rows = front.reshape(int(np.prod([self.levels[f] for f in factors])), -1)
        order = np.empty(len(self.level), dtype=np.int64)
        order[rows] = rng.permuted(rows, axis=0)
        return order

    def _means(self, pairs: np.ndarray, kept: np.ndarray) -> np.ndarray:
        known = kept & np.isfinite(pairs)
        size = len(self.patterns)
        count = np.bincount(self.same[known], minlength=size)
        total = np.bincount(self.same[known], pairs[known], minlength=size)
        return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)

    def _interval(self, theta: float, without: list[np.ndarray]) -> Interval:
        from scipy.stats import t

        n = min(self.levels)
        if not np.isfinite(theta):
            return Interval(None, None, None, n)
        if not all(np.isfinite(one).all() for one in without):
            return Interval(float(theta), None, None, n)
        parts = np.array([(len(one) - 1) / len(one) * ((one - one.mean()) ** 2).sum() for one in without])
        total = parts.sum()
        if total == 0:
            return Interval(float(theta), float(theta), float(theta), n)
        freedom = total**2 / (parts**2 / (np.array(self.levels) - 1)).sum()
        half = float(t.ppf(0.975, freedom) * np.sqrt(total))
        return Interval(float(theta), float(theta) - half, float(theta) + half, n)


def jaccard(member: np.ndarray) -> np.ndarray:
    """Return |a ∩ b| / |a ∪ b| of sets (cell, unit), (cell, cell); NaN of two empty ones (Jaccard 1912)."""
    counts = member.astype(np.float64)
    both = counts @ counts.T
    size = counts.sum(1)
    either = size[:, None] + size - both
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)


def table_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each table of ``a`` with each of ``b``, (cell, …) each → (cell, cell); NaN with 0.

    Of tables that are centred along an axis this is Pearson's r of their entries.
    """
    rows = [one.reshape(len(one), -1) for one in (a, b)]
    length = [np.linalg.norm(one, axis=1) for one in rows]
    size = length[0][:, None] * length[1]
    return np.divide(rows[0] @ rows[1].T, size, out=np.full(size.shape, np.nan), where=size > 0)
