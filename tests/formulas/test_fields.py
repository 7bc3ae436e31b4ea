"""Oracles: scipy's Pearson unit by unit; planted fields."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from seedscope.formulas.fields import field_correlations, residual_fields, shuffled_matchings
from seedscope.formulas.matching import one_to_one, standardised


def test_residuals_have_no_class_means_and_r_is_pearsons_over_other_noise():
    rng = np.random.default_rng(0)
    a, b, label = rng.normal(size=(2, 3, 30)), rng.normal(size=(2, 4, 30)), np.arange(30) % 3 * 2
    left, right = residual_fields(a, label), residual_fields(b, label)
    for k in (0, 2, 4):
        np.testing.assert_allclose(left[..., label == k].mean(-1), 0, atol=1e-12)
    slow = a[1, 2].copy()
    for k in (0, 2, 4):
        slow[label == k] -= slow[label == k].mean()
    np.testing.assert_allclose(left[1, 2], slow)
    found = field_correlations(left, right)
    for i in range(3):
        for j in range(4):
            parts = pearsonr(left[0, i], right[1, j]).statistic, pearsonr(left[1, i], right[0, j]).statistic
            assert found[i, j] == pytest.approx(np.mean(parts))
    assert field_correlations(np.zeros((2, 1, 30)), right).tolist() == [[0] * 4]


def test_units_that_share_their_class_and_their_noise_share_no_field():
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(4), 50)
    tuned = np.array([5.0, 1, 0, 2])[label]
    noise = rng.normal(size=(2, 1, 200))  # both answer to the same specks
    units = tuned + noise
    r = field_correlations(residual_fields(units, label), residual_fields(units, label))
    assert abs(r[0, 0]) < 0.2
    place = rng.normal(size=200)
    planted = units + 2 * place
    r = field_correlations(residual_fields(planted, label), residual_fields(planted, label))
    assert r[0, 0] == pytest.approx(4 / 5, abs=0.08)


def test_a_shuffled_matching_still_finds_the_class_but_not_the_unit():
    """Planted: three units for each of four classes that differ within the class."""
    rng = np.random.default_rng(2)
    label = np.repeat(np.arange(4), 60)
    own = np.arange(12) // 3
    within = rng.normal(size=(240, 12))
    a = 3 * (label[:, None] == own) + within
    order = rng.permutation(12)
    b = a[:, order]
    whole = [standardised(a), standardised(b)]
    right, same_class = 0, 0
    for draw in range(30):
        ((rows, columns),) = shuffled_matchings(whole, label, [(0, 1)], np.random.default_rng(draw))
        right += (order[columns] == rows).sum()
        same_class += (own[order[columns]] == own[rows]).sum()
    assert same_class > 0.95 * 360
    assert 0.2 < right / 360 < 0.6  # by the class means that they happen to have; unshuffled it is 1
    rows, columns = one_to_one(whole[0].T @ whole[1])
    assert (order[columns] == rows).all()
