import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from seedscope.formulas.concentration import (
    cumulative_share,
    gini,
    participation_ratio,
    reaching,
    share_by_broken_stick,
)

sizes = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 100).map(lambda x: round(x, 3)))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(sizes)
def test_the_gini_coefficient_is_half_the_relative_mean_absolute_difference(values):
    if values.sum() == 0:
        assert np.isnan(gini(values))
        return
    differences = sum(abs(a - b) for a in values for b in values)
    assert gini(values) == pytest.approx(differences / (2 * len(values) ** 2 * values.mean()), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 10, 64])
def test_the_extremes_of_concentration(n):
    alike, one = np.full(n, 0.3), np.eye(n)[n // 2]
    assert gini(alike) == pytest.approx(0, abs=1e-12)
    assert gini(one) == pytest.approx(1 - 1 / n)
    assert participation_ratio(alike) == pytest.approx(n)
    assert participation_ratio(one) == 1
    assert reaching(cumulative_share(alike), 0.8) == np.ceil(0.8 * n - 1e-9)
    assert reaching(cumulative_share(one), 0.8) == 1


def test_concentration_by_hand():
    values = np.array([[3.0, 1.0, 4.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(cumulative_share(values), [[0.5, 0.875, 1, 1], [0.5, 1, 1, 1]])
    np.testing.assert_allclose(participation_ratio(values), [64 / 26, 2])
    np.testing.assert_allclose(gini(values), [14 / 32, 0.5])
    np.testing.assert_array_equal(reaching(cumulative_share(values), 0.8), [2, 2])
    assert reaching(cumulative_share(values), 0.5).tolist() == [1, 1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes, st.floats(0.01, 100))
def test_concentration_does_not_depend_on_scale_or_order(values, factor):
    for measure in (gini, participation_ratio):
        np.testing.assert_allclose(measure(values[::-1] * factor), measure(values), rtol=1e-9, atol=1e-9)


def test_where_nothing_votes_there_is_no_concentration():
    for nothing in (np.zeros((2, 3)), np.zeros((2, 0)), np.full((2, 3), np.nan)):
        assert np.isnan(gini(nothing)).all()
        assert np.isnan(participation_ratio(nothing)).all()
        assert np.isnan(reaching(cumulative_share(nothing), 0.8)).all()


def test_a_broken_stick_of_two_pieces_by_hand_and_of_very_many_by_its_limit():
    # The larger of two pieces is uniform on (1/2, 1): two in five times it alone reaches 0.8.
    assert share_by_broken_stick(2, 0.8) == pytest.approx((0.4 * 1 + 0.6 * 2) / 2, abs=0.01)
    assert share_by_broken_stick(1, 0.8) == 1
    assert np.isnan(share_by_broken_stick(0, 0.8))
    share = brentq(lambda x: x * (1 - np.log(x)) - 0.8, 0.01, 0.99)
    assert share_by_broken_stick(20_000, 0.8) == pytest.approx(share, abs=0.002)
    assert share_by_broken_stick(21, 0.8) > share + 0.005  # the limit would be too easy to stay below of few units


def test_pieces_of_a_stick_are_gaps_between_random_cuts():
    rng = np.random.default_rng(5)
    counts = []
    for _ in range(4000):
        pieces = sorted(np.diff([0, *sorted(rng.random(14)), 1]), reverse=True)
        counts.append(1 + next(at for at in range(15) if sum(pieces[: at + 1]) >= 0.8))
    assert share_by_broken_stick(15, 0.8) == pytest.approx(np.mean(counts) / 15, abs=0.005)
