"""Is there a unit that every seed has?

    likes        units i of a and j of b that are each other's partner on either half of the pictures, and whose
                 held-out r lies above the 95 % quantile that unit i has under every null of the pair
    universal    a unit that has a like in ≥ 80 % of the other seeds, of which ≥ 80 % of the pairs are likes themselves
    clique       a unit of every seed, all of them likes of each other (Rosetta neurons, Dravid et al. 2023)

A matching always pairs somebody with somebody; a like is mutual, stable and better than chance, and the likes of a
universal unit close the circle.

By chance, under any one of the nulls, a unit i of a pair's first seed passes its limit in 5 % of the cases at most. So
a pair has 5 % of I likes at most in expectation, and a seed at most 0.05 Σ I over its pairs. Each universal unit needs
m = ⌈0.8 · others⌉ of them, so that their number is at most 0.05 Σ I / m in expectation (Markov 1884), whatever the
likes of a unit in several seeds, which share that unit, have to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seedscope.formulas.alignment import Aligned

SHARE = 0.8  # of the other seeds, and of their pairs
LEVEL = 0.95  # of the nulls


@dataclass(frozen=True)
class Universal:
    """What seeds have in common, unit by unit.

    Attributes:
        likes: by pair (a, b), both ways: which unit of b each unit of a has as its like, −1 for none.
        reach: of each seed's units, in which share of the seeds that it was paired with it has a like.
        universal: of each seed, which of its units are universal.
        cliques: how many cliques span all seeds; ``None`` where not all pairs were looked at.
    """

    likes: Mapping[tuple[int, int], np.ndarray]
    reach: list[np.ndarray]
    universal: list[np.ndarray]
    cliques: int | None


def likes_of(found: Aligned, limit: np.ndarray, units: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return each unit's like in the other layer, −1 for none: of the first layer's units and of the second's.

    Args:
        found: how the two were matched.
        limit: what the r of each unit of the first must lie above, (unit).
        units: how many there are.
    """
    partner = [np.full(units[0], -1), np.full(units[0], -1)]
    for of, (rows, columns) in zip(partner, found.matching, strict=True):
        of[rows] = columns
    first = np.where((partner[0] == partner[1]) & (found.unit_r > limit), partner[0], -1)
    second = np.full(units[1], -1)
    second[first[first >= 0]] = np.flatnonzero(first >= 0)
    return first, second


def universal_units(likes: Mapping[tuple[int, int], np.ndarray], units: list[int]) -> Universal:
    """Return which units are universal, given the likes of each pair, both ways, and how many units each seed has."""
    seeds = range(len(units))
    others = [[b for b in seeds if (a, b) in likes] for a in seeds]
    reach, universal = [], []
    for a in seeds:
        table = np.array([likes[a, b] for b in others[a]]).reshape(len(others[a]), units[a])
        reach.append((table >= 0).mean(0) if len(table) else np.zeros(units[a]))
        closed = np.array([_closed(table[:, i], others[a], likes) for i in range(units[a])], dtype=bool)
        universal.append((reach[a] >= SHARE) & closed & (len(others[a]) > 1))
    complete = all(len(of) == len(units) - 1 for of in others)
    cliques = sum(_spans(i, likes, len(units)) for i in range(units[0])) if complete and len(units) > 1 else None
    return Universal(likes, reach, universal, cliques)


def limits(null: np.ndarray) -> np.ndarray:
    """Return what each unit's r must lie above, (draw, unit) → (unit): of draws and r itself 5 % reach it at most.

    Of fewer than 19 draws that is more than any of them can say: infinite.
    """
    reach = int((1 - LEVEL) * (len(null) + 1) + 1e-9)
    return np.sort(null, axis=0)[len(null) - reach] if reach else np.full(null.shape[1], np.inf)


def by_chance(firsts: Sequence[int]) -> float:
    """Return how many units of a seed would be universal at most, in expectation, were all likes chance.

    Args:
        firsts: of each pair that the seed is in, how many units its first seed has; NaN of less than two pairs.
    """
    if len(firsts) < 2:
        return float("nan")
    return (1 - LEVEL) * sum(firsts) / math.ceil(SHARE * len(firsts) - 1e-12)


def without(likes: Mapping[tuple[int, int], np.ndarray], seed: int) -> dict[tuple[int, int], np.ndarray]:
    """Return the likes of all pairs but those of one seed, which then counts as not looked at."""
    return {pair: of for pair, of in likes.items() if seed not in pair}


def _closed(partners: np.ndarray, others: list[int], likes: Mapping[tuple[int, int], np.ndarray]) -> bool:
    """Return whether a unit's likes are likes of each other, in enough of the pairs that were looked at."""
    having = [(b, int(j)) for b, j in zip(others, partners, strict=True) if j >= 0]
    looked = [likes[b, c][j] == k for b, j in having for c, k in having if b < c and (b, c) in likes]
    return bool(looked) and float(np.mean(looked)) >= SHARE


def _spans(unit: int, likes: Mapping[tuple[int, int], np.ndarray], seeds: int) -> bool:
    """Return whether a unit of the first seed and its likes in all others are a clique."""
    members = [unit, *(int(likes[0, b][unit]) for b in range(1, seeds))]
    return all(
        members[a] >= 0 and members[b] >= 0 and likes[a, b][members[a]] == members[b]
        for a in range(seeds)
        for b in range(a + 1, seeds)
    )
