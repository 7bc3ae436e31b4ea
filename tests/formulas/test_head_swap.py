"""The swap of heads: against scipy, and planted networks that follow the head, their weights, or nothing."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import pearsonr

from seedscope.formulas.head_swap import row_correlations, swapped

LEVELS, CLASSES, UNITS = 5, 9, 30


def crossed(rng, follows, noise=0.3):
    """Return r, start and shuffled rows of networks (a, b) whose tuning follows head a, head b, or none."""
    heads = rng.normal(size=(LEVELS, CLASSES, UNITS))
    r = np.empty((LEVELS, LEVELS, LEVELS))
    start, rows = np.empty((2, LEVELS, LEVELS))
    live = rng.random(UNITS) < 0.6
    for a, b in np.ndindex(LEVELS, LEVELS):
        source = {"weights": heads[a], "head": heads[b], "nothing": rng.normal(size=(CLASSES, UNITS))}[follows]
        tuning = source + noise * rng.normal(size=source.shape)
        found = [row_correlations(tuning, head, live) for head in heads]
        r[a, b] = [one for one, _ in found]
        rows[a, b] = found[b][1]
        start[a, b] = row_correlations(tuning, rng.normal(size=source.shape), live)[0]
    return r, start, rows


def test_correlations_are_scipys_and_shuffled_rows_the_mean_over_all_orders():
    rng = np.random.default_rng(0)
    tuning, head = rng.normal(size=(2, 6, 5))
    live = np.array([True, True, False, True, True])
    units = np.flatnonzero(live)
    expected = [pearsonr(tuning[:, i], head[:, i]).statistic for i in units]
    orders = [
        np.mean([pearsonr(tuning[:, i], head[:, j]).statistic for i, j in zip(units, order, strict=True)])
        for order in permutations(units)
    ]
    assert row_correlations(tuning, head, live) == pytest.approx((np.mean(expected), np.mean(orders)))


def test_a_class_without_pictures_and_units_without_a_tuning_do_not_count():
    rng = np.random.default_rng(1)
    tuning, head = rng.normal(size=(2, 6, 5))
    live = np.ones(5, dtype=bool)
    tuning[4] = np.nan
    tuning[[0, 1, 2, 3, 5], 2] = 0.7
    others = [0, 1, 3, 4]
    expected = row_correlations(np.delete(tuning, 4, 0)[:, others], np.delete(head, 4, 0)[:, others], live[others])
    assert row_correlations(tuning, head, live) == pytest.approx(expected)
    assert np.isnan(row_correlations(tuning, head, np.zeros(5, dtype=bool))).all()


def test_networks_that_follow_the_head_are_found():
    found = swapped(*crossed(np.random.default_rng(2), "head"), np.random.default_rng(0))
    assert found.verdict == "follows the head"
    assert found.given.low > 0.85
    assert abs(found.other.mean) < 0.2
    assert found.difference.low > 0.5
    assert abs(found.rows.mean) < 0.1
    assert found.own.mean == pytest.approx(found.given.mean, abs=0.05)
    assert found.p == pytest.approx(1 / 120)  # of all orders of five heads


@pytest.mark.parametrize("follows", ["weights", "nothing"])
def test_networks_that_follow_their_weights_or_nothing_do_not(follows):
    found = swapped(*crossed(np.random.default_rng(3), follows), np.random.default_rng(0))
    assert found.verdict == "does not"
    assert found.given.high < 0.5
    assert (found.other.low > 0.85) is (follows == "weights")
    assert found.p > 0.05


def test_the_p_of_heads_rejects_at_its_rate():
    rng, said = np.random.default_rng(4), 0
    for _ in range(100):
        said += swapped(rng.normal(size=(4, 4, 4)), np.zeros((4, 4)), np.zeros((4, 4)), rng).p <= 0.05
    assert said <= 11


def test_two_levels_give_no_verdict():
    r = np.array([[[0.9, 0.0], [0.0, 0.9]], [[0.9, 0.0], [0.0, 0.9]]])
    found = swapped(r, np.zeros((2, 2)), np.zeros((2, 2)), np.random.default_rng(0))
    assert (found.given.mean, found.given.low, found.verdict) == (0.9, None, "undecided")
    assert found.unrelated.mean is None
