import numpy as np
import pytest

from seedscope.formulas.nulls import another_of_its_class, one_of_another_class, permutation_p, shuffled_within


def test_a_shuffle_within_classes_keeps_the_classes():
    label = np.random.default_rng(0).integers(0, 3, 50)
    order = shuffled_within(label, np.random.default_rng(1))
    assert (label[order] == label).all()
    assert sorted(order) == list(range(50))
    assert (order != np.arange(50)).sum() > 30


def test_p_counts_what_was_observed_as_one_of_the_draws():
    null = np.array([0.0, 1.0, 2.0, 3.0])
    assert permutation_p(5.0, null) == 1 / 5
    assert permutation_p(2.0 + 1e-13, null) == 3 / 5  # what differs by rounding reaches it
    assert permutation_p(-1.0, null) == 1
    assert np.isnan(permutation_p(np.nan, null))


def test_where_nothing_is_planted_p_is_uniform():
    rng = np.random.default_rng(0)
    p = np.array([permutation_p(rng.normal(), rng.normal(size=19)) for _ in range(4000)])
    for level in (0.05, 0.25, 0.5):
        assert (p <= level + 1e-12).mean() == pytest.approx(level, abs=0.03)


def test_the_partner_is_another_of_the_same_class():
    assert another_of_its_class(np.array([0, 1, 0, 2, 0])).tolist() == [2, -1, 4, -1, 0]


def test_a_stranger_is_of_another_class_or_there_is_none():
    group = np.array([0, 1, 1, 2, 0])
    other = one_of_another_class(group)
    assert (group[other] != group).all()
    assert (one_of_another_class(np.zeros(3, dtype=int)) == -1).all()
