import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedscope.formulas.correlation import cosines, directions, slopes, spearman


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=15))
def test_rank_correlation_is_that_of_scipy_ties_included(pairs):
    a, b = np.array(pairs, dtype=float).T
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert np.isnan(spearman(a, b))
    else:
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_many_are_correlated_at_once_along_any_axis_and_in_float64():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 30)).astype(np.float32)
    b[1], b[2], b[3] = np.exp(a[1]), -a[2].round(1), 0.5
    found = spearman(a, b)
    for s in range(3):
        assert found[s] == pytest.approx(stats.spearmanr(a[s], b[s]).statistic, abs=1e-12)
    assert found[1] == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(spearman(a.T, b.T, axis=0), found)


def test_what_does_not_vary_is_a_single_value_or_is_not_known_has_no_rank_correlation():
    assert np.isnan(spearman(np.array([[0.5, 0.5, 0.5], [1.0, 2.0, np.nan]]), np.arange(3.0))).all()
    assert np.isnan(spearman(np.ones(1), np.ones(1)))
    assert np.isnan(spearman(np.ones(0), np.ones(0)))


def test_slopes_are_those_of_scipy():
    rng = np.random.default_rng(0)
    steps, values = np.array([1.0, 2.0, 4.0, 4.5]), rng.normal(size=(4, 6))
    for seed in range(6):
        assert slopes(values, steps)[seed] == pytest.approx(stats.linregress(steps, values[:, seed]).slope)


def test_cosines_are_between_rows():
    a, b = np.array([[1.0, 0], [1, 1], [0, 0], [2, 0]]), np.array([[3.0, 0], [1, -1], [1, 0], [-1, 0]])
    np.testing.assert_allclose(cosines(a, b), [1, 0, np.nan, -1])


def test_directions_have_length_1_and_what_has_none_is_nan():
    rows = np.array([[3.0, 4], [0, 0], [2, 2]])
    np.testing.assert_allclose(directions(rows, "cosine")[0], [0.6, 0.8])
    assert np.isnan(directions(rows, "cosine")[1]).all()
    assert np.isnan(directions(rows, "pearson")[1:]).all()
