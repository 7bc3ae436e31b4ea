"""Oracles: sklearn's AMI, mutual information, ARI and expected information; sums of squares by a slow loop."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information

from seedscope.formulas.clusters import (
    adjusted_information,
    adjusted_rand,
    contingency,
    expected_information,
    gaps,
    groups_by_gap,
    groups_of,
    information_with,
    mutual_information,
    spread_evenly,
    stability,
    ward_tree,
    within_squares,
)
from seedscope.formulas.nulls import permutation_p


def test_within_squares_are_those_of_the_groups_that_a_tree_leaves():
    values = np.random.default_rng(0).normal(size=(30, 4))
    tree = ward_tree(values)
    found = within_squares(tree, 6)
    for k in range(1, 7):
        group = groups_of(tree, k)
        assert len(np.unique(group)) == k
        slow = sum(((values[group == one] - values[group == one].mean(0)) ** 2).sum() for one in range(k))
        assert found[k - 1] == pytest.approx(slow)


def test_references_have_the_variance_of_every_component():
    values = np.random.default_rng(1).normal(size=(4000, 3)) @ np.diag([5.0, 1, 0.2]) @ np.ones((3, 3))
    values = values + np.random.default_rng(2).normal(size=(4000, 3)) * [3, 1, 0.1]
    drawn = spread_evenly(values, np.random.default_rng(3))
    wanted = np.sort(np.linalg.eigvalsh(np.cov(values, rowvar=False)))
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(np.cov(drawn, rowvar=False))), wanted, rtol=0.08)


def groups_found(values, seed=0):
    return groups_by_gap(gaps(values, 7, np.random.default_rng(seed), 30))


def blobs(count, n=120, dims=8, apart=6.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dims)) + apart * np.eye(dims)[np.arange(n) % count]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_as_many_groups_are_found_as_were_planted(count):
    assert [groups_found(blobs(count, seed=s), s) for s in range(5)] == [count] * 5


@pytest.mark.parametrize("kind", ["a blob", "a long blob", "spread evenly", "rectified", "few and wide"])
def test_one_group_is_one(kind):
    """Also where it is stretched, where it has edges, where a ReLU cut it, and in more numbers than samples."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(40, 100) if kind == "few and wide" else (100, 6))
        if kind == "a long blob":
            values = values * [9, 3, 1, 1, 0.3, 0.1]
        elif kind == "spread evenly":
            values = rng.uniform(size=(100, 6)) * [9, 3, 1, 1, 1, 1]
        elif kind == "rectified":
            values = np.maximum(0, values + 0.5)
        found.append(groups_found(values, seed))
    assert np.mean(np.array(found) == 1) >= 0.9


def test_groups_of_what_does_not_vary_or_is_too_few_are_none():
    assert groups_found(np.ones((30, 3))) == 0
    assert groups_found(np.random.default_rng(0).normal(size=(7, 3))) == 0
    assert groups_found(np.repeat([[0.0], [1.0]], 10, axis=0)) == 0  # two values have no group within them


def test_agreement_of_groupings_is_sklearns():
    rng = np.random.default_rng(4)
    for _ in range(10):
        a, b = rng.integers(0, rng.integers(2, 6), 60), rng.integers(0, rng.integers(2, 9), 60)
        b = np.where(rng.random(60) < 0.4, a, b)
        table = contingency(a, b)
        assert mutual_information(table) == pytest.approx(mutual_info_score(a, b))
        assert expected_information(table) == pytest.approx(expected_mutual_information(table, 60))
        assert adjusted_information(table) == pytest.approx(adjusted_mutual_info_score(a, b))
        assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b))
    assert np.isnan(adjusted_information(contingency(np.zeros(5), np.arange(5))))
    assert adjusted_rand(np.zeros(5), np.zeros(5)) == 1


def test_shuffled_information_has_the_exact_mean_and_p_its_level():
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 3, 50), rng.integers(0, 6, 50)
    drawn = information_with(a, rng.permuted(np.tile(b, (4000, 1)), axis=1))
    assert drawn.mean() == pytest.approx(expected_information(contingency(a, b)), rel=0.02)
    assert information_with(a, b[None])[0] == pytest.approx(mutual_info_score(a, b))
    p = []
    for seed in range(200):
        one = np.random.default_rng(seed)
        a, b = one.integers(0, 3, 40), one.integers(0, 4, 40)
        null = information_with(a, one.permuted(np.tile(b, (99, 1)), axis=1))
        p.append(permutation_p(float(mutual_information(contingency(a, b))), null))
    assert np.sum(np.array(p) <= 0.05) <= 18


def test_planted_groups_are_found_again_in_the_other_half():
    assert stability(blobs(3, seed=1)[np.random.default_rng(0).permutation(120)], 3) == 1
    assert stability(np.random.default_rng(1).normal(size=(120, 8)), 3) < 0.5
    assert np.isnan(stability(np.zeros((3, 2)), 2))
