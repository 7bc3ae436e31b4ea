"""A number of matched units, mean over them, for pairs of seeds; and what other ways to match would give.

    random     any unit of the one seed with any of the other                                               (exact)
    shuffled   matched on pictures that are shuffled, in each seed, within groups such as classes           (drawn)
    others     matched on something else, such as class means alone

Only what is matched on is shuffled, never what is scored: whatever pictures have in common for all units, such as a
bright one that drives each of them, counts for the null too. p is that of the shuffles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seedscope.formulas.fields import shuffled_matchings
from seedscope.formulas.matching import Matching, matched, standardised
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.pairs import balanced_pairs
from seedscope.lenses.pair_numbers import PairNumbers

_WORK = 300_000  # units matched in all: what bounds the draws

Pair = tuple[int, int]
ByPair = Mapping[Pair, Matching]


@dataclass(frozen=True)
class MatchedUnits:
    """The units of pairs of seeds, matched; and matched otherwise.

    Attributes:
        seeds: their numbers.
        units: by pair of positions among the seeds.
        others: by null.
        shuffled: by null, draw by draw.
    """

    seeds: np.ndarray
    units: ByPair
    others: Mapping[str, ByPair]
    shuffled: Mapping[str, Sequence[ByPair]]

    @classmethod
    def of(
        cls,
        seeds: np.ndarray,
        values: Sequence[np.ndarray],
        groups: Mapping[str, np.ndarray],
        others: Mapping[str, Sequence[np.ndarray]],
    ) -> MatchedUnits:
        """Match the live units of the pairs that are looked at; where some seed has none, there are no pairs.

        Args:
            seeds: their numbers.
            values: of each seed, (sample, unit) on the same samples.
            groups: by null, the groups (sample) within which pictures are shuffled.
            others: by null, what else units are matched on: of each seed, (number, unit).
        """
        pairs = balanced_pairs(len(seeds)) if all(one.shape[1] for one in values) else []
        units = [standardised(one) for one in values]
        shuffled = {}
        for index, (name, group) in enumerate(groups.items()):
            rng = np.random.default_rng(index)
            times = draws_of(len(pairs), max((one.shape[1] for one in values), default=0)) if pairs else 0
            drawn = [shuffled_matchings(units, group, pairs, rng) for _ in range(times)]
            shuffled[name] = [dict(zip(pairs, one, strict=True)) for one in drawn]
        by_other = {name: {(a, b): matched(of[a], of[b]) for a, b in pairs} for name, of in others.items()}
        return cls(seeds, {(a, b): matched(values[a], values[b]) for a, b in pairs}, by_other, shuffled)

    def numbers(self, tables: Mapping[Pair, np.ndarray]) -> PairNumbers:
        """Return the mean over matched units of what each pair of units has, (unit of a, unit of b), with nulls."""
        nothing = np.full((len(self.seeds), len(self.seeds)), np.nan)
        if not self.units:
            names = ("random", *self.others, *self.shuffled)
            return PairNumbers(nothing, dict.fromkeys(names, nothing), {}, self.seeds)
        found = _means(self.units, tables)
        null = {"random": np.array([tables[pair].mean() for pair in self.units])}
        null |= {name: _means(of, tables) for name, of in self.others.items()}
        p = {}
        for name, draws in self.shuffled.items():
            drawn = np.array([_means(of, tables) for of in draws])
            null[name] = drawn.mean(0)
            p[name] = permutation_p(float(found.mean()), drawn.mean(1))
        by_null = {name: self._square(values) for name, values in null.items()}
        return PairNumbers(self._square(found), by_null, p, self.seeds)

    def _square(self, values: np.ndarray) -> np.ndarray:
        """Return numbers of pairs as (seed, seed), symmetric."""
        square = np.full((len(self.seeds), len(self.seeds)), np.nan)
        for (a, b), value in zip(self.units, values.tolist(), strict=True):
            square[a, b] = square[b, a] = value
        return square


def draws_of(pairs: int, units: int) -> int:
    """Return how many shuffles are drawn: 1000, and fewer of many pairs and units, but 200; each is a mean over all."""
    return int(np.clip(_WORK // max(1, pairs * units), 200, 1000))


def _means(matchings: ByPair, tables: Mapping[Pair, np.ndarray]) -> np.ndarray:
    return np.array([float(tables[pair][units].mean()) for pair, units in matchings.items()])
