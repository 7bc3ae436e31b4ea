from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from seedscope.formulas.intervals import mean_interval, share_interval
from seedscope.formulas.spread import Spread, c4, realised


def test_c4_by_the_table_of_quality_control():
    np.testing.assert_allclose(c4(np.array([2, 3, 5, 10, 25])), [0.7979, 0.8862, 0.9400, 0.9727, 0.9896], atol=5e-5)


@pytest.mark.parametrize("n", [3, 6, 40])
def test_the_expected_half_width_of_values_is_what_simulated_seeds_have(n):
    rng = np.random.default_rng(n)
    halves = stats.t.ppf(0.975, n - 1) * rng.normal(0, 3, (20_000, n)).std(1, ddof=1) / np.sqrt(n)
    assert Spread(9.0, 10**6).half_width(n) == pytest.approx(halves.mean(), rel=0.01)


@pytest.mark.parametrize("share", [False, True])
def test_at_the_number_of_seeds_at_hand_the_curve_meets_their_own_interval(share):
    values = np.random.default_rng(3).beta(30, 1, 7)
    low, high = (share_interval if share else mean_interval)(values).ends
    assert Spread.of(values, share=share).half_width(7) == pytest.approx((high - low) / 2)


def test_the_expected_half_width_of_a_share_is_what_simulated_seeds_have():
    rng = np.random.default_rng(0)
    seeds = 0.95 + rng.normal(0, 0.02, (2000, 6))
    found = [(high - low) / 2 for low, high in (share_interval(np.clip(one, 0, 1)).ends for one in seeds)]
    assert Spread(0.02**2, 10**6, 0.95).half_width(6) == pytest.approx(np.mean(found), rel=0.02)


def test_the_number_needed_is_the_first_whose_half_width_will_do():
    spread = Spread.of(np.random.default_rng(0).normal(10, 2, 6))
    for wanted in (0.2, 0.7, 3.0, 30.0):
        widths = spread.half_width(np.arange(2, 3000))
        assert spread.seeds_for(wanted) == 2 + int(np.argmax(widths <= wanted))
    assert Spread.of(np.full(5, 4.0)).seeds_for(0.0) == 2
    assert Spread(1e12, 5).seeds_for(1e-3) is None


def test_of_the_textbook_number_for_many_seeds():
    """n = (1.96 σ / half-width)² where t and c4 are near their limits."""
    assert Spread(100.0, 10**6).seeds_for(0.5) == pytest.approx((1.96 * 10 / 0.5) ** 2, rel=0.005)


def test_the_range_holds_the_true_number_in_95_of_100_experiments():
    rng = np.random.default_rng(7)
    truth = Spread(4.0, 10**6).seeds_for(0.8)
    inside = []
    for _ in range(600):
        spread = Spread.of(rng.normal(0, 2, 5))
        low, high = spread.bounds()
        inside.append(spread.seeds_for(0.8, low) <= truth <= spread.seeds_for(0.8, high))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_realised_half_widths_are_those_of_every_subset():
    values = np.array([1.0, 4.0, 2.0, 7.0])
    expected = [stats.t.ppf(0.975, 2) * np.std(chosen, ddof=1) / np.sqrt(3) for chosen in combinations(values, 3)]
    np.testing.assert_allclose(np.sort(realised(values, 3, np.random.default_rng(0))), np.sort(expected))
    assert realised(np.ones(4), 3, np.random.default_rng(0)).tolist() == [0, 0, 0, 0]
    low, high = share_interval(values / 8).ends
    assert realised(values / 8, 4, np.random.default_rng(0), share=True).tolist() == [(high - low) / 2]
    assert len(realised(np.arange(30.0), 15, np.random.default_rng(0))) == 200


def test_too_few_seeds_have_no_spread():
    assert Spread.of(np.array([1.0])) is None
    assert Spread.of(np.array([0.5]), share=True) is None
