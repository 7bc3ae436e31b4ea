import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from seedscope.formulas.intervals import (
    Interval,
    alike,
    corrected_p_of_zero,
    holm,
    mean_interval,
    of_each_seed,
    p_of_zero,
    pair_interval,
    share_interval,
    wilson_interval,
)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_the_interval_of_a_mean_is_the_t_interval_of_scipy(n):
    values = np.random.default_rng(n).normal(3, 2, n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    interval = mean_interval(values)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((values.mean(), low, high))
    assert interval.n == n


def test_the_interval_of_a_mean_agrees_with_the_bootstrap_for_many_seeds():
    values = np.random.default_rng(0).exponential(1, 400)
    drawn = stats.bootstrap((values,), np.mean, n_resamples=2000, rng=np.random.default_rng(1)).confidence_interval
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx((drawn.low, drawn.high), abs=0.02)


def test_the_interval_of_a_mean_holds_it_19_times_in_20():
    rng = np.random.default_rng(0)
    holds = [(lambda i: i.low <= 1 <= i.high)(mean_interval(rng.normal(1, 3, 5))) for _ in range(1500)]
    assert np.mean(holds) == pytest.approx(0.95, abs=0.018)


def test_seeds_without_a_value_are_left_out_and_not_counted():
    values = np.array([1.0, np.nan, 3.0, np.inf, 8.0])
    assert mean_interval(values) == mean_interval(np.array([1.0, 3.0, 8.0]))


def test_one_seed_has_a_mean_and_no_interval_and_none_has_neither():
    assert mean_interval(np.array([4.0])) == Interval(4.0, None, None, 1)
    assert mean_interval(np.array([np.nan])) == Interval(None, None, None, 0)
    assert mean_interval(np.array([])) == Interval(None, None, None, 0)


def jackknife(pairs):
    """Leave out one seed after the other, with all its pairs."""
    n = len(pairs)

    def mean(seeds):
        return np.mean([pairs[a, b] for a in seeds for b in seeds if a < b])

    without = [mean([seed for seed in range(n) if seed != left_out]) for left_out in range(n)]
    variance = (n - 1) / n * sum((value - np.mean(without)) ** 2 for value in without)
    return mean(range(n)), stats.t.ppf(0.975, n - 1) * np.sqrt(variance)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_the_interval_over_pairs_is_an_explicit_jackknife_over_seeds(n, seed):
    pairs = np.random.default_rng(seed).normal(0, 1, (n, n))
    pairs = pairs + pairs.T
    pairs[np.diag_indices(n)] = np.nan  # not looked at
    mean, half = jackknife(pairs)
    interval = pair_interval(pairs)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((mean, mean - half, mean + half))
    assert interval.n == n


def test_for_sums_over_seeds_the_jackknife_is_the_t_interval_of_the_mean():
    """The mean of x_a + x_b over pairs is twice the mean of x: there the jackknife is exact."""
    x = np.random.default_rng(0).normal(0, 1, 7)
    over_pairs, over_seeds = pair_interval(x[:, None] + x), mean_interval(2 * x)
    assert (over_pairs.low, over_pairs.high) == pytest.approx((over_seeds.low, over_seeds.high))


def test_two_seeds_have_one_pair_and_no_interval_and_one_seed_has_no_pair():
    pairs = np.array([[np.nan, 3.0], [3.0, np.nan]])
    assert pair_interval(pairs) == Interval(3.0, None, None, 2)
    assert pair_interval(np.zeros((1, 1))) == Interval(None, None, None, 1)
    assert pair_interval(np.zeros((0, 0))) == Interval(None, None, None, 0)


def test_an_interval_is_a_metric():
    assert Interval(1.0, None, None, 1).as_dict() == {"mean": 1.0, "low": None, "high": None, "n": 1}


def test_holm_by_the_textbook():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.6])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.02])), [0.02])
    assert holm(np.array([])).shape == (0,)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.01, 0.03, 0.2, 1.0]), min_size=1, max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p):
    corrected = holm(np.array(p))
    for level in (0.0105, 0.05, 0.1):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[index] > level / (len(p) - step):
                break
            rejected.add(index)
        assert {i for i in range(len(p)) if corrected[i] <= level * (1 + 1e-12)} == rejected


@pytest.mark.parametrize("n", [1, 2, 7, 40, 2304])
def test_the_wilson_interval_is_that_of_scipy(n):
    hits = np.unique(np.array([0, 1, n // 2, n - 1, n]))
    low, high = wilson_interval(hits, np.full(len(hits), n))
    for k, *ends in zip(hits, low, high, strict=True):
        expected = stats.binomtest(int(k), n).proportion_ci(0.95, method="wilson")
        assert ends == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_no_trial_has_no_interval():
    low, high = wilson_interval(np.array([0]), np.array([0]))
    assert np.isnan([low[0], high[0]]).all()


def test_a_pair_belongs_to_both_of_its_seeds():
    pairs = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 4.0], [2.0, 4.0, 9.0]])
    np.testing.assert_allclose(of_each_seed(pairs), [1.5, 2.5, 3.0])


def test_the_p_of_a_mean_of_0_is_that_of_the_t_test():
    values = np.random.default_rng(0).normal(0.5, 1, 7)
    assert p_of_zero(mean_interval(values)) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert p_of_zero(mean_interval(values[:1])) is None
    assert p_of_zero(mean_interval(np.ones(3))) is None  # seeds that are all alike know no error


def test_the_p_of_a_family_are_corrected_for_those_that_there_are():
    values = np.random.default_rng(0).normal(1, 1, (3, 6))
    family = [mean_interval(row) for row in (values[0], np.ones(6), *values[1:], values[0, :1])]
    found = corrected_p_of_zero(family)
    expected = iter(holm(np.array([stats.ttest_1samp(row, 0).pvalue for row in values])))
    assert found == [pytest.approx(next(expected)) if index in (0, 2, 3) else None for index in range(5)]
    assert corrected_p_of_zero([]) == []


@pytest.mark.parametrize("value", [0.0, 3.0, 13.173657218, -1e-12, 1 / 3])
def test_what_is_the_same_in_every_seed_has_no_interval_and_says_so(value):
    values = value * (1 + 1e-12 * np.array([0, 1, -1, 0.3]))
    for of_seeds in (values, np.full(2, value)):
        found = mean_interval(of_seeds)
        assert (found.low, found.high, found.same) == (None, None, True)
        assert found.as_dict() == {"mean": pytest.approx(value), "low": None, "high": None, "n": found.n, "same": True}
        assert found.ends == (found.mean, found.mean)
    found = pair_interval(values[0] + np.zeros((4, 4)))
    assert (found.mean, found.low, found.high, found.same) == (pytest.approx(value), None, None, True)
    changed = mean_interval(np.array([value, value + 1e-6]))
    assert not changed.same
    assert changed.ends == (changed.low, changed.high)
    assert mean_interval(np.array([value])).ends is None


def test_the_interval_of_a_share_is_the_delta_method_on_the_logit_scale():
    """By hand: 0.8 and 1.0 have mean 0.9, standard error 0.1, on the logit scale log 9 ± t · 0.1 / 0.09."""
    found = share_interval(np.array([0.8, np.nan, 1.0]))
    reach = stats.t.ppf(0.975, 1) * 0.1 / 0.09
    low, high = (odds / (1 + odds) for odds in 9 * np.exp([-reach, reach]))
    assert [found.mean, found.low, found.high] == pytest.approx([0.9, low, high])
    assert found.n == 2


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2304), min_size=2, max_size=8))
def test_the_interval_of_a_share_stays_between_0_and_1_and_holds_its_mean(hits):
    values = np.array(hits) / 2304
    found = share_interval(values)
    low, high = found.ends
    assert 0 <= low <= found.mean <= high <= 1
    other = share_interval(1 - values).ends
    assert (1 - other[1], 1 - other[0]) == pytest.approx((low, high), abs=1e-6)


def test_far_from_0_and_1_the_interval_of_a_share_is_the_t_interval():
    values = np.random.default_rng(0).normal(0.5, 0.001, 9)
    assert share_interval(values).ends == pytest.approx(mean_interval(values).ends, abs=1e-8)


def test_what_lies_outside_of_0_and_1_is_no_share():
    assert share_interval(np.array([1 + 1e-12, 1.0])).same
    with pytest.raises(ValueError, match=r"-0\.1 is no share"):
        share_interval(np.array([0.5, -0.1]))


def t_of_logits(values: np.ndarray, n: int) -> tuple[float, float]:
    """Return the interval that is not used: of the mean of logits, corrected at 0 and 1 by half a picture."""
    logits = logit((values * n + 0.5) / (n + 1))
    low, high = stats.t.interval(0.95, len(values) - 1, logits.mean(), stats.sem(logits))
    return expit(low), expit(high)


# Shares of n pictures, beta-binomial with mean m: how often do intervals over seeds that differ hold it?
@pytest.mark.parametrize(
    ("mean", "n", "correlation", "seeds", "of_share", "of_t", "of_logits"),
    [
        (0.998, 360, 0.001, 20, 0.95, 0.93, 0.73),
        (0.998, 360, 0.005, 5, 0.98, 1.0, 0.995),
        (0.998, 2304, 0.001, 5, 0.945, 0.91, 0.94),
        (0.998, 2304, 0.005, 5, 0.905, 0.81, 0.84),
        (0.998, 2304, 0.005, 20, 0.92, 0.885, 0.34),
        (0.99, 360, 0.005, 5, 0.95, 0.91, 0.945),
        (0.99, 2304, 0.02, 20, 0.925, 0.895, 0.27),
        (0.5, 360, 0.005, 5, 0.95, 0.95, 0.95),
    ],
)
def test_near_0_and_1_the_interval_of_a_share_holds_it_more_often_than_t(
    mean, n, correlation, seeds, of_share, of_t, of_logits
):
    rng = np.random.default_rng(0)
    certain = 1 / correlation - 1
    of_seeds = rng.binomial(n, rng.beta(mean * certain, (1 - mean) * certain, (600, seeds))) / n
    known = [values for values in of_seeds if not alike(values)]
    ways = (lambda v: share_interval(v).ends, lambda v: mean_interval(v).ends, lambda v: t_of_logits(v, n))
    for ends, expected in zip(ways, (of_share, of_t, of_logits), strict=True):
        held = [low <= mean <= high for low, high in map(ends, known)]
        assert np.mean(held) == pytest.approx(expected, abs=0.04)


def test_the_jackknife_is_right_where_seeds_differ():
    rng, held = np.random.default_rng(0), []
    for _ in range(1000):
        g = rng.normal(0, 1, 8)
        e = np.triu(rng.normal(0, 0.3, (8, 8)), 1)
        low, high = pair_interval(g[:, None] + g + e + e.T).ends
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("seeds", "holds", "too_wide"), [(5, 0.984, 2.1), (20, 0.995, 1.55)])
def test_the_jackknife_is_too_wide_for_unrelated_seeds(seeds, holds, too_wide):
    """Five of twenty live units, drawn anew in each seed and class: any two share 1.25, no seed more than another."""
    rng, found = np.random.default_rng(0), []
    for _ in range(1000):
        member = rng.permuted(np.tile(np.arange(20) < 5, (seeds, 4, 1)), axis=2).astype(float)
        found.append(pair_interval(np.einsum("aku,bku->ab", member, member) / 4))
    assert np.mean([one.low <= 1.25 <= one.high for one in found]) == pytest.approx(holds, abs=0.01)
    half = np.mean([one.high - one.low for one in found]) / 2
    assert half / (1.96 * np.std([one.mean for one in found])) == pytest.approx(too_wide, abs=0.2)


def test_numbers_are_nan_where_there_is_none():
    assert mean_interval(np.array([1.0, 3.0])).numbers[0] == 2
    np.testing.assert_array_equal(mean_interval(np.ones(1)).numbers, [1, np.nan, np.nan])
    np.testing.assert_array_equal(mean_interval(np.zeros(0)).numbers, [np.nan] * 3)
