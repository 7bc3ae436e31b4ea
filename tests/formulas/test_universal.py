"""Units that every seed has: planted in all seeds, in some, in a ring that does not close; and none by chance."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from seedscope.formulas.alignment import Aligned
from seedscope.formulas.universal import by_chance, likes_of, limits, universal_units

NONE = np.array([-1, -1])


def both_ways(one: dict[tuple[int, int], np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    back = {}
    for (a, b), to in one.items():
        other = np.full(len(to), -1)
        other[to[to >= 0]] = np.flatnonzero(to >= 0)
        back[b, a] = other
    return one | back


def test_a_like_is_the_partner_on_either_half_and_above_its_own_limit() -> None:
    rows = np.arange(4)
    matching = (rows, np.array([2, 0, 1, 3])), (rows, np.array([2, 1, 0, 3]))
    found = Aligned(matching, np.array([0.9, 0.9, 0.9, 0.2]), {})
    first, second = likes_of(found, np.full(4, 0.5), (4, 5))
    assert first.tolist() == [2, -1, -1, -1]  # 1 and 2 have another partner on the other half, 3 is too unlike
    assert second.tolist() == [-1, -1, 0, -1, -1]


def test_a_unit_that_is_planted_in_every_seed_is_universal_and_a_clique() -> None:
    order = [np.array([0, 1]), np.array([1, 0]), np.array([0, 1]), np.array([1, 0]), np.array([0, 1])]
    likes = {}
    for a, b in combinations(range(5), 2):
        to = np.full(2, -1)
        to[order[a][0]] = order[b][0]  # the planted unit; the other one has no like anywhere
        likes[a, b] = to
    found = universal_units(both_ways(likes), [2] * 5)
    assert [one[order[s][0]] for s, one in enumerate(found.universal)] == [True] * 5
    assert sum(one.sum() for one in found.universal) == 5
    assert found.cliques == 1
    likes[0, 4] = NONE  # lost in one pair: still in ≥ 80 % of the seeds … of three of four for the two, 75 %
    found = universal_units(both_ways(likes), [2] * 5)
    assert [bool(one.any()) for one in found.universal] == [False, True, True, True, False]
    assert found.cliques == 0


def test_likes_that_do_not_close_the_circle_are_not_universal() -> None:
    likes = {pair: np.array([0, 1]) for pair in combinations(range(4), 2)}
    for pair in ((1, 2), (1, 3), (2, 3)):
        likes[pair] = np.array([1, 0])  # by way of another seed unit 0 comes back as unit 1
    found = universal_units(both_ways(likes), [2] * 4)
    assert (found.reach[0] == 1).all()
    assert not found.universal[0].any()
    assert found.cliques == 0


def test_two_seeds_have_no_universal_unit_and_a_sample_of_pairs_no_clique() -> None:
    found = universal_units(both_ways({(0, 1): np.array([0, 1])}), [2, 2])
    assert not any(one.any() for one in found.universal)
    sampled = universal_units(both_ways({(0, 1): NONE, (1, 2): NONE}), [2, 2, 2])
    assert sampled.cliques is None
    assert universal_units({}, [3]).cliques is None


def test_a_limit_is_passed_by_chance_in_5_percent_of_the_cases_at_most() -> None:
    rng = np.random.default_rng(0)
    for draws in (19, 30, 39):
        passed = [rng.random(1) > limits(rng.random((draws, 1))) for _ in range(2000)]
        assert np.mean(passed) <= binom.ppf(0.999, 2000, 0.05) / 2000
    assert limits(np.arange(39.0)[:, None]) == 37  # 38 and what was observed are 2 of 40
    assert limits(np.zeros((18, 1))) == np.inf


def test_chance_gives_no_more_than_its_bound_also_where_a_units_likes_hang_together() -> None:
    """Units that have likes in all seeds or in none: a binomial over seeds would allow 0.0001 of them."""
    rng = np.random.default_rng(1)
    seeds, units, found = 5, 20, []
    for _ in range(400):
        lucky = rng.random(units) < 0.05
        likes = {pair: np.where(lucky, np.arange(units), -1) for pair in combinations(range(seeds), 2)}
        found += [one.sum() for one in universal_units(both_ways(likes), [units] * seeds).universal]
    assert 20 * 0.05**4 < 0.01 < np.mean(found) <= 1.1 * by_chance([units] * 4)
    assert by_chance([20] * 4) == pytest.approx(0.05 * 80 / 4)
    assert by_chance([20, 10, 30, 20, 20, 20, 20, 20, 20, 20]) == pytest.approx(0.05 * 200 / 8)
    assert np.isnan(by_chance([20]))
