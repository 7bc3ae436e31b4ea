from itertools import combinations, permutations, product

import numpy as np
import pytest

from seedscope.formulas.overlap import (
    busiest_share,
    busiest_share_by_chance,
    chance_of_channels,
    chance_of_classes,
    mean_pair_overlap,
    membership,
    pair_overlap,
    shuffled_channels,
    shuffled_classes,
    top_overlap,
    top_overlap_by_chance,
)


def folded(values, places=1):
    """Return values (…, unit) by channel and place."""
    return values.reshape(*values.shape[:-1], -1, places)


def random_sets(rng, live, k, classes):
    """Return top sets of k live units, drawn uniformly, (seed, class, unit)."""
    top = np.array([[rng.permutation(np.flatnonzero(own))[:k] for _ in range(classes)] for own in live])
    return membership(top, live.shape[1])


def test_membership_names_the_units_and_skips_the_padding():
    member = membership(np.array([[2, 0, -1], [-1, -1, -1]]), 4)
    assert member.astype(int).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_pairs_share_what_a_loop_over_sets_counts():
    rng = np.random.default_rng(0)
    top = np.array([[rng.permutation(9)[:4] for _ in range(3)] for _ in range(5)])
    counted = pair_overlap(membership(top, 9))
    for a in range(5):
        for b in range(5):
            for k in range(3):
                assert counted[a, b, k] == len(set(top[a, k]) & set(top[b, k]))


def test_the_chance_level_is_what_enumerating_all_sets_gives():
    live = np.array([[1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1]], dtype=bool)
    sizes = [2, 2, 1]
    member = np.stack([membership(np.flatnonzero(own)[None, :k], 6) for own, k in zip(live, sizes, strict=True)])
    chance = chance_of_channels(folded(member), folded(live))
    for a, b in combinations(range(3), 2):
        first, second = (list(combinations(np.flatnonzero(live[s]), sizes[s])) for s in (a, b))
        shared = [len(set(x) & set(y)) for x in first for y in second]
        assert chance[a, b, 0] == pytest.approx(np.mean(shared))
        assert chance[b, a, 0] == chance[a, b, 0]


def test_the_chance_level_is_what_drawing_sets_gives():
    rng = np.random.default_rng(0)
    live = rng.random((2, 30)) < 0.6
    drawn = [pair_overlap(random_sets(rng, live, 5, 1))[0, 1, 0] for _ in range(4000)]
    chance = chance_of_channels(folded(random_sets(rng, live, 5, 1)), folded(live))[0, 1, 0]
    assert np.mean(drawn) == pytest.approx(chance, abs=4 * np.std(drawn) / np.sqrt(4000))


def test_a_network_without_live_units_shares_nothing_by_chance():
    live = np.array([[True, True], [False, False]])
    member = membership(np.array([[[0]], [[-1]]]), 2)
    assert chance_of_channels(folded(member), folded(live))[0, 1, 0] == 0


def test_shuffling_keeps_set_sizes_and_live_units_and_meets_the_chance_level():
    rng = np.random.default_rng(0)
    live = rng.random((4, 25)) < 0.5
    member = random_sets(rng, live, 4, 3)
    member[:, 1] = member[:, 0]  # classes that share units keep sharing them
    before = member.copy()
    drawn = shuffled_channels(folded(member), folded(live), np.random.default_rng(1), 2000)
    np.testing.assert_array_equal(member, before)
    upper = np.triu_indices(4, 1)
    expected = chance_of_channels(folded(member), folded(live))[upper].mean(0)
    np.testing.assert_allclose(drawn.mean(0), expected, atol=4 * drawn.std(0).max() / np.sqrt(2000))
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    assert (drawn[:, 0] != drawn[:, 2]).any()


def over_all(arrange, orders, member, k):
    """Return the mean overlap of class k in two seeds over all orders of each."""
    shared = [
        (arrange(member[0], first)[k] & arrange(member[1], second)[k]).sum()
        for first, second in product(orders[0], orders[1])
    ]
    return np.mean(shared)


def test_the_chance_level_of_a_map_is_what_all_orders_of_its_live_channels_give():
    rng = np.random.default_rng(0)
    live = np.ones((2, 24), dtype=bool)
    live[0, 6:12] = False  # channel 1
    live[1, [0, 3]] = False
    member = random_sets(rng, live, 5, 2)

    def arrange(sets, order):
        return sets.reshape(2, 4, 6)[:, list(order)].reshape(2, 24)

    orders = [[(a, 1, b, c) for a, b, c in permutations((0, 2, 3))], list(permutations(range(4)))]
    chance = chance_of_channels(folded(member, 6), folded(live, 6))
    drawn = shuffled_channels(folded(member, 6), folded(live, 6), np.random.default_rng(1), 4000)
    for k in range(2):
        assert chance[0, 1, k] == pytest.approx(over_all(arrange, orders, member, k))
        assert drawn[:, k].mean() == pytest.approx(chance[0, 1, k], abs=4 * drawn[:, k].std() / np.sqrt(4000))


def test_the_chance_level_of_pixels_is_what_all_orders_of_the_classes_that_have_pictures_give():
    rng = np.random.default_rng(0)
    live = rng.random((2, 24)) < 0.7
    member = random_sets(rng, live, 5, 4)
    member[:, 2] = False  # a class without pictures
    orders = [[(a, b, 2, c) for a, b, c in permutations((0, 1, 3))]] * 2
    chance = chance_of_classes(member)
    drawn = shuffled_classes(member, np.random.default_rng(1), 4000)
    for k in (0, 1, 3):
        assert chance[0, 1, k] == pytest.approx(over_all(lambda sets, order: sets[list(order)], orders, member, k))
        assert drawn[:, k].mean() == pytest.approx(chance[0, 1, k], abs=4 * drawn[:, k].std() / np.sqrt(4000))
    assert (drawn[:, 2] == 0).all()


def test_two_rankings_share_what_sets_do_and_by_chance_what_drawing_gives():
    rng = np.random.default_rng(0)
    a, b = np.array([[rng.permutation(9)[:4] for _ in range(4000)] for _ in range(2)])
    assert top_overlap(a, b)[:50].tolist() == [len(set(x) & set(y)) for x, y in zip(a[:50], b[:50], strict=True)]
    assert top_overlap(a, b).mean() == pytest.approx(top_overlap_by_chance(4, 9), abs=0.06)
    assert top_overlap(np.array([1, -1, -1]), np.array([-1, 1, -1])) == 1  # what is missing is not shared
    assert top_overlap_by_chance(5, 3) == 3
    assert np.isnan(top_overlap_by_chance(5, 0))


def test_the_busiest_unit_is_counted_by_hand_and_by_chance_as_often_as_in_all_draws():
    assert busiest_share(np.array([[0, 1], [2, 1], [1, -1], [3, 4]])) == 3 / 4
    assert np.isnan(busiest_share(np.full((3, 2), -1)))
    # Two classes, one of three units each: the same one in a third of the cases.
    assert busiest_share_by_chance(2, 1, 3) == pytest.approx((1 / 3) * 1 + (2 / 3) * 0.5, abs=0.02)
    assert busiest_share_by_chance(4, 5, 3) == 1  # all there are
    assert np.isnan(busiest_share_by_chance(4, 5, 0))


@pytest.mark.parametrize("seeds", [2, 3, 7])
def test_the_mean_over_pairs_needs_no_pair(seeds):
    member = np.random.default_rng(seeds).random((seeds, 4, 9)) < 0.4
    shared = [(a & b).sum(-1) for a, b in combinations(member, 2)]
    np.testing.assert_array_equal(mean_pair_overlap(member), np.mean(shared, axis=0))
    assert np.isnan(mean_pair_overlap(member[:1])).all()
