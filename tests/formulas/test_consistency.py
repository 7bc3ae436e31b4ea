"""Oracles: sklearn's Cohen κ of "right or wrong" (error consistency is that κ), scipy's Spearman, slow loops."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from seedscope.formulas.consistency import (
    expected_products,
    expected_same_answers,
    kappa,
    permuted_products,
    permuted_same_answers,
    pooled_share,
    products,
    rank_directions,
    rank_directions_within,
    same_answers,
)
from seedscope.formulas.intervals import pair_interval
from seedscope.formulas.nulls import permutation_p


def kappas(wrong):
    return kappa(products(wrong), wrong.sum(1), wrong.shape[1])


def test_error_consistency_is_cohens_kappa_of_right_and_wrong():
    wrong = np.random.default_rng(0).random((4, 90)) < np.array([0.1, 0.3, 0.5, 0.8])[:, None]
    found = kappas(wrong)
    for a, b in combinations(range(4), 2):
        assert found[a, b] == pytest.approx(cohen_kappa_score(wrong[a], wrong[b]))


def test_error_consistency_by_hand():
    wrong = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]], dtype=bool)
    assert kappas(wrong)[0, 1] == pytest.approx((0.8 - 0.68) / 0.32)


def test_a_seed_without_mistakes_or_with_nothing_else_has_no_consistency():
    wrong = np.zeros((3, 10), dtype=bool)
    wrong[0, :2] = True
    wrong[2] = True
    found = kappas(wrong)
    assert np.isnan(found[0, 1])
    assert np.isnan(found[1, 2])
    assert found[0, 0] == 1


@pytest.mark.parametrize("ties", [False, True])
def test_products_of_ranks_are_spearmans(ties):
    values = np.random.default_rng(1).normal(size=(3, 40))
    values = values.round() if ties else values
    found = products(rank_directions(values))
    label = np.arange(40) % 3
    within = products(rank_directions_within(values, label))
    for a, b in combinations(range(3), 2):
        assert found[a, b] == pytest.approx(spearmanr(values[a], values[b]).statistic)
        slow = [spearmanr(values[a, label == k], values[b, label == k]).statistic for k in range(3)]
        assert within[a, b] == pytest.approx(np.mean(slow))


def test_a_class_in_which_nothing_varies_is_left_out():
    values = np.random.default_rng(2).normal(size=(2, 12))
    label = np.arange(12) % 2
    values[1, label == 1] = 3.0
    own = label == 0
    found = products(rank_directions_within(values, label))
    assert found[0, 1] == pytest.approx(spearmanr(values[0, own], values[1, own]).statistic)
    assert np.isnan(rank_directions_within(np.ones((2, 12)), label)).all()


def test_the_expected_products_are_the_mean_over_all_permutations_within_groups():
    values = np.random.default_rng(3).normal(size=(2, 6))
    group = np.array([7, 2, 7, 2, 2, 7])
    every = []
    for first in permutations(np.flatnonzero(group == 2)):
        for second in permutations(np.flatnonzero(group == 7)):
            moved = values[1].copy()
            moved[group == 2], moved[group == 7] = values[1, list(first)], values[1, list(second)]
            every.append(values[0] @ moved)
    assert expected_products(values, group)[0, 1] == pytest.approx(np.mean(every))
    drawn = permuted_products(values, group, np.random.default_rng(4), 4000)
    assert drawn[:, 0, 1].mean() == pytest.approx(np.mean(every), abs=4 * np.std(every) / np.sqrt(4000))
    assert drawn[:, 0, 1].std() == pytest.approx(np.std(every), rel=0.05)
    np.testing.assert_allclose(drawn[:, 0, 0], (values[0] ** 2).sum())


def test_mistakes_that_are_independent_given_the_class_are_no_more_than_the_classes_explain():
    """Planted: one class is hard for both. κ is far above 0, and the null within classes rejects at its level."""
    label = np.repeat([0, 1], 100)
    chance = np.where(label == 0, 0.02, 0.4)
    against_zero, within = [], []
    for trial in range(200):
        rng = np.random.default_rng(trial)
        wrong = rng.random((2, 200)) < chance
        pair = (0, 1)
        for group, found in ((np.zeros(200, dtype=int), against_zero), (label, within)):
            found.append(permutation_p(products(wrong)[pair], permuted_products(wrong, group, rng, 99)[:, 0, 1]))
    assert np.sum(np.array(within) <= 0.05) <= 18
    assert np.mean(np.array(against_zero) <= 0.05) > 0.8


def test_pictures_that_are_hard_for_both_are_found():
    rng = np.random.default_rng(5)
    label = np.repeat([0, 1], 100)
    hard = rng.random(200) < 0.1
    wrong = rng.random((2, 200)) < np.where(hard, 0.6, 0.02)
    drawn = permuted_products(wrong, label, rng, 999)[:, 0, 1]
    assert permutation_p(products(wrong)[0, 1], drawn) == 0.001


def test_the_same_wrong_answer_is_counted_and_its_null_is_exact():
    rng = np.random.default_rng(6)
    label = np.arange(60) % 3
    decided = np.where(rng.random((3, 60)) < 0.5, label, rng.integers(0, 3, (3, 60)))
    alike, both = same_answers(decided, label)
    wrong = decided != label
    for a, b in combinations(range(3), 2):
        assert both[a, b] == (wrong[a] & wrong[b]).sum()
        assert alike[a, b] == (wrong[a] & wrong[b] & (decided[a] == decided[b])).sum()
    upper = np.triu_indices(3, 1)
    drawn = permuted_same_answers(decided, label, np.triu_indices(len(decided), 1), rng, 4000)
    assert drawn.mean() == pytest.approx(expected_same_answers(decided, label)[upper].sum(), abs=0.2)
    assert drawn.std() > 0.5


def test_two_seeds_that_take_a_picture_for_the_same_other_are_told_from_two_that_take_a_class_for_it():
    label = np.zeros(40, dtype=int)
    same = np.tile(1 + np.arange(40) % 2, (2, 1))
    alike, both = same_answers(same, label)
    assert alike[0, 1] == both[0, 1] == 40
    assert expected_same_answers(same, label)[0, 1] == pytest.approx(20)
    always = np.ones((2, 40), dtype=int)
    assert expected_same_answers(always, label)[0, 1] == 40
    assert (
        permuted_same_answers(always, label, np.triu_indices(len(always), 1), np.random.default_rng(0), 5).tolist()
        == [40] * 5
    )


def test_a_pooled_share_is_the_mean_of_pairs_where_all_have_as_many_to_share():
    part = np.random.default_rng(7).random((5, 5))
    part = part + part.T
    found, mean = pooled_share(part, np.full((5, 5), 4.0), np.triu_indices(5, 1)), pair_interval(part / 4)
    np.testing.assert_allclose(found.numbers, mean.numbers)
    alike, both = np.array([[9, 1, 0], [1, 9, 3], [0, 3, 9]]), np.array([[9, 2, 0], [2, 9, 6], [0, 6, 9]])
    weighted = pooled_share(alike, both, np.triu_indices(3, 1))
    assert pooled_share(alike, both, (np.array([0]), np.array([1]))).mean == 1 / 2  # one pair is looked at
    assert weighted.mean == pytest.approx(4 / 8)
    assert weighted.low is None  # without the second seed nothing is shared
    assert pooled_share(np.zeros((2, 2)), np.zeros((2, 2)), np.triu_indices(2, 1)).mean is None
