from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from seedscope.formulas.intervals import mean_interval, pair_interval
from seedscope.formulas.spread import Spread, c4, realised


def pairs_of(rng: np.random.Generator, n: int, seed: float, pair: float, mean: float = 2.0) -> np.ndarray:
    """Draw x_ab = μ + g_a + g_b + e_ab with these standard deviations of g and e."""
    g = rng.normal(0, seed, n)
    e = np.triu(rng.normal(0, pair, (n, n)), 1)
    return mean + g[:, None] + g + e + e.T


def test_c4_by_the_table_of_quality_control():
    np.testing.assert_allclose(c4(np.array([2, 3, 5, 10, 25])), [0.7979, 0.8862, 0.9400, 0.9727, 0.9896], atol=5e-5)


@pytest.mark.parametrize("n", [3, 6, 40])
def test_the_expected_half_width_of_values_is_what_simulated_seeds_have(n):
    rng = np.random.default_rng(n)
    halves = stats.t.ppf(0.975, n - 1) * rng.normal(0, 3, (20_000, n)).std(1, ddof=1) / np.sqrt(n)
    assert Spread(9.0, None, 10**6).half_width(n) == pytest.approx(halves.mean(), rel=0.01)


@pytest.mark.parametrize(("seed", "pair"), [(1.0, 0.0), (0.0, 1.0), (0.5, 1.0)])
@pytest.mark.parametrize("n", [5, 12])
def test_the_expected_half_width_of_pairs_is_what_the_jackknife_of_simulated_pairs_gives(seed, pair, n):
    rng = np.random.default_rng(0)
    found = (pair_interval(pairs_of(rng, n, seed, pair)) for _ in range(1500))
    halves = [interval.high - interval.mean for interval in found]
    assert Spread(seed**2, pair**2, 10**6).half_width(n) == pytest.approx(np.mean(halves), rel=0.06)


def test_at_the_number_of_seeds_at_hand_the_curve_meets_their_own_interval():
    rng = np.random.default_rng(3)
    values, pairs = rng.normal(5, 1, 7), pairs_of(rng, 7, 1.0, 0.3)
    own = mean_interval(values)
    assert Spread.of(values).half_width(7) == pytest.approx(own.high - own.mean)
    own = pair_interval(pairs)
    assert Spread.of(pairs).half_width(7) == pytest.approx(own.high - own.mean)


def test_the_variances_of_seeds_and_of_pairs_are_told_apart():
    rng = np.random.default_rng(1)
    found = [Spread.of(pairs_of(rng, 9, 1.0, 2.0)) for _ in range(3000)]
    kept = [spread for spread in found if spread.seed > 0]
    assert np.mean([spread.pair for spread in kept]) == pytest.approx(4.0, rel=0.05)
    many = [Spread.of(pairs_of(rng, 60, 1.0, 2.0)) for _ in range(200)]
    assert np.mean([spread.seed for spread in many]) == pytest.approx(1.0, rel=0.05)
    assert np.mean([spread.pair for spread in many]) == pytest.approx(4.0, rel=0.05)


def test_pairs_whose_seeds_do_not_differ_are_all_variance_of_pairs():
    x = np.full((4, 4), 1.0)
    x[0, 1] = x[1, 0] = x[2, 3] = x[3, 2] = 3.0  # every seed has the same mean over its pairs
    spread = Spread.of(x)
    assert (spread.seed, spread.pair) == (0.0, pytest.approx(np.var([3, 3, 1, 1, 1, 1], ddof=1)))


def test_the_number_needed_is_the_first_whose_half_width_will_do():
    spread = Spread.of(np.random.default_rng(0).normal(10, 2, 6))
    for wanted in (0.2, 0.7, 3.0, 30.0):
        widths = spread.half_width(np.arange(2, 3000))
        assert spread.seeds_for(wanted) == 2 + int(np.argmax(widths <= wanted))
    assert Spread.of(np.full(5, 4.0)).seeds_for(0.0) == 2
    assert Spread(1e12, None, 5).seeds_for(1e-3) is None


def test_of_the_textbook_number_for_many_seeds():
    """n = (1.96 σ / half-width)² where t and c4 are near their limits."""
    assert Spread(100.0, None, 10**6).seeds_for(0.5) == pytest.approx((1.96 * 10 / 0.5) ** 2, rel=0.005)


def test_the_range_holds_the_true_number_in_95_of_100_experiments():
    rng = np.random.default_rng(7)
    truth = Spread(4.0, None, 10**6).seeds_for(0.8)
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
    pairs = pairs_of(np.random.default_rng(0), 5, 1.0, 1.0)
    whole = pair_interval(pairs)
    assert realised(pairs, 5, np.random.default_rng(0)).tolist() == [whole.high - whole.mean]
    assert len(realised(np.arange(30.0), 15, np.random.default_rng(0))) == 200


def test_too_few_seeds_have_no_spread():
    assert Spread.of(np.array([1.0])) is None
    assert Spread.of(np.zeros((3, 3))) is None
