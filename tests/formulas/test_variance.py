import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from seedscope.formulas.variance import shares, sums_of_squares, variance_components


def test_the_analysis_of_variance_of_a_table_by_hand():
    table = np.array([[1.0, 2.0], [3.0, 8.0]])  # means 3.5; places 1.5, 5.5; noises 2, 5
    np.testing.assert_allclose(sums_of_squares(table), [16, 9, 4])
    np.testing.assert_allclose(variance_components([16, 9, 4], 2, 2), [(16 - 4) / 2, (9 - 4) / 2, 4])
    np.testing.assert_allclose(shares(np.array([6, 2.5, 4])), [0.48, 0.2, 0.32])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(places=st.integers(2, 7), noises=st.integers(2, 7), seed=st.integers(0, 99))
def test_sums_of_squares_are_those_of_least_squares_on_indicators(places, noises, seed):
    values = np.random.default_rng(seed).gamma(1, 2, (places, noises))
    place, noise = (part.ravel() for part in np.indices((places, noises)))
    indicators = {
        "nothing": np.ones((values.size, 1)),
        "place": np.eye(places)[place],
        "both": np.concatenate([np.eye(places)[place], np.eye(noises)[noise]], 1),
    }
    left = {}
    for name, design in indicators.items():
        fitted = design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
        left[name] = ((values.ravel() - fitted) ** 2).sum()
    found = sums_of_squares(values)
    np.testing.assert_allclose(
        found,
        [left["nothing"] - left["place"], left["place"] - left["both"], left["both"]],
        atol=1e-9 * left["nothing"],
    )
    assert shares(found).sum() == pytest.approx(1)
    assert shares(variance_components(found, places, noises)).sum() == pytest.approx(1)


@pytest.mark.parametrize("planted", [(4.0, 1.0, 0.25), (0.0, 2.0, 1.0), (0.0, 0.0, 1.0)])
def test_planted_variance_components_are_found_without_bias_and_plain_shares_are_biased(planted):
    rng = np.random.default_rng(0)
    place, noise, rest = (np.sqrt(variance) for variance in planted)
    values = (
        place * rng.standard_normal((10, 1, 4000))
        + noise * rng.standard_normal((1, 8, 4000))
        + rest * rng.standard_normal((10, 8, 4000))
    )
    squares = sums_of_squares(values)
    found = variance_components(squares, 10, 8)
    for component, true in zip(found, planted, strict=True):
        assert ttest_1samp(component, true).pvalue > 1e-3
    if planted == (0.0, 0.0, 1.0):
        assert (found[0] < 0).mean() > 0.4  # negative estimates are kept: cut off, they would not average to nothing
        np.testing.assert_allclose(shares(squares.sum(1)), np.array([9, 7, 63]) / 79, rtol=0.02)


def test_where_nothing_varies_there_are_no_shares():
    assert sums_of_squares(np.full((4, 3, 2), 0.1)).tolist() == [[0, 0]] * 3  # exactly, whatever is rounded
    assert np.isnan(shares(np.zeros((3, 2)))).all()
