"""Stability of sets: Nogueira's own properties, a case by hand, and units that have no partner."""

from __future__ import annotations

import numpy as np
import pytest

from seedscope.formulas.stability import nogueira, stability_from


def test_two_sets_of_two_that_share_one() -> None:
    # Kuncheva, where all sets have one size: (r d − k²) / (k (d − k)), r = 1, k = 2, d = 5.
    chosen = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0]], dtype=bool)
    assert nogueira(chosen) == pytest.approx((1 * 5 - 4) / (2 * 3))


def test_it_is_1_only_of_equal_sets_and_0_on_average_of_random_ones() -> None:
    rng = np.random.default_rng(0)
    same = np.tile(np.arange(10) < 3, (6, 1))
    assert nogueira(same) == pytest.approx(1)
    drawn = [nogueira(np.argsort(rng.random((5, 12)), axis=1) < 4) for _ in range(3000)]
    assert np.mean(drawn) == pytest.approx(0, abs=4 * np.std(drawn) / np.sqrt(3000))


def test_a_unit_without_a_partner_is_a_feature_of_its_own() -> None:
    chosen = [np.array([True, False, False]), np.array([True, True])]
    partner = [np.arange(3), np.array([0, -1])]
    by_hand = np.array([[1, 0, 0, 0], [1, 0, 0, 1]], dtype=bool)
    assert stability_from(chosen, partner, 0) == pytest.approx(nogueira(by_hand))
    assert stability_from(chosen, [np.arange(3), np.array([0, 1])], 0) < 1
    assert np.isnan(nogueira(np.zeros((3, 4), dtype=bool)))
    assert np.isnan(nogueira(np.ones((1, 4), dtype=bool)))
