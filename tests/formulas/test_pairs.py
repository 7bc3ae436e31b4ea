"""Pairs of seeds: all of them, or a sample in which every seed is in equally many."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from seedscope.formulas.pairs import balanced_pairs


def test_few_seeds_have_all_their_pairs() -> None:
    assert balanced_pairs(5, 10) == list(combinations(range(5), 2))
    assert balanced_pairs(1, 10) == balanced_pairs(0, 10) == []


@pytest.mark.parametrize(("n", "most"), [(6, 14), (6, 12), (40, 200), (41, 45), (200, 600), (10, 3)])
def test_of_many_every_seed_is_in_equally_many_pairs_and_no_pair_comes_twice(n: int, most: int) -> None:
    pairs = balanced_pairs(n, most)
    assert len(set(pairs)) == len(pairs) <= max(most, n)
    assert len(pairs) > max(most, n) - n  # no further step around the circle fits
    assert all(0 <= a < b < n for a, b in pairs)
    assert set(Counter(seed for pair in pairs for seed in pair).values()) == {2 * len(pairs) // n}


def test_every_seed_can_be_reached_from_every_other() -> None:
    pairs = balanced_pairs(30, 30)
    reached = {0}
    for _ in range(30):
        reached |= {seed for pair in pairs if reached & set(pair) for seed in pair}
    assert reached == set(range(30))
