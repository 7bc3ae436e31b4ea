"""Both halves have as many pictures of each group, give or take one, and as many in all."""

import numpy as np

from seedscope.formulas.halves import halves


def test_each_group_is_halved_and_odd_ones_fall_to_either_half_in_turn():
    group = np.repeat([4, 0, 2, 9], [10, 7, 7, 1])
    half = halves(group)
    counts = {k: np.bincount(half[group == k], minlength=2).tolist() for k in (0, 2, 4, 9)}
    assert counts[4] == [5, 5]
    assert sorted([counts[0], counts[2]]) == [[3, 4], [4, 3]]
    assert sum(counts[9]) == 1
    assert abs(np.diff(np.bincount(half))[0]) <= 1
    np.testing.assert_array_equal(half, halves(group))


def test_who_is_in_which_half_does_not_follow_the_order_of_the_pictures():
    half = halves(np.zeros(200, dtype=int))
    assert 60 < (half[::2] == half[1::2]).sum() + 60 < 140  # neighbours are together about as often as not
