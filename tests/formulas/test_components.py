import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from seedscope.formulas.components import (
    components_above,
    effective_dimension,
    permuted_spectra,
    principal_components,
)
from seedscope.formulas.concentration import participation_ratio


@settings(max_examples=25, deadline=None, derandomize=True)
@given(n=st.integers(4, 40), units=st.integers(1, 12), seed=st.integers(0, 99))
def test_principal_components_are_those_of_scikit_learn(n, units, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(3, 1, (n, units)) * np.linspace(1, 9, units)
    count = min(3, n - 1, units)
    scores, loadings, variance = principal_components(values, 3)
    oracle = PCA(svd_solver="full").fit(values)
    signs = np.sign((oracle.components_[:count] * loadings[:count]).sum(1))
    np.testing.assert_allclose(variance, oracle.explained_variance_, atol=1e-9 * variance[0])
    np.testing.assert_allclose(loadings[:count], signs[:, None] * oracle.components_[:count], atol=1e-7)
    np.testing.assert_allclose(scores[:, :count], signs * oracle.transform(values)[:, :count], atol=1e-6)
    assert (scores[:, min(n, units) :] == 0).all()


def test_the_largest_loading_is_positive_whichever_way_the_data_are_turned():
    values = np.random.default_rng(0).normal(size=(50, 6))
    for turned in (values, values[::-1], values[np.random.default_rng(1).permutation(50)]):
        _, loadings, _ = principal_components(turned, 3)
        assert (loadings[np.arange(3), np.abs(loadings).argmax(1)] > 0).all()
        np.testing.assert_allclose(loadings, principal_components(values, 3)[1], atol=1e-9)


@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_parallel_analysis_finds_the_planted_number_of_components(rank):
    rng = np.random.default_rng(rank)
    values = rng.normal(0, 1, (800, 20)) + 2 * rng.normal(0, 1, (800, rank)) @ rng.choice([-1, 1], (rank, 20))
    variance = principal_components(values, 3)[2]
    assert components_above(variance, permuted_spectra(values, rng, 40)) == rank


def test_permuting_units_keeps_their_variances_and_breaks_what_ties_them():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (500, 1)) * np.array([1.0, 2.0, 3.0])
    null = permuted_spectra(values, rng, 30)
    np.testing.assert_allclose(null.sum(1), values.var(0, ddof=1).sum(), rtol=1e-9)
    np.testing.assert_allclose(null.mean(0), np.sort(values.var(0, ddof=1))[::-1], rtol=0.05)
    assert (np.diff(null) <= 0).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(2, 40), units=st.integers(1, 60), seed=st.integers(0, 99))
def test_the_effective_dimension_by_traces_is_that_of_the_spectrum(n, units, seed):
    values = np.random.default_rng(seed).normal(3, 1, (n, units)) * np.linspace(1, 9, units)
    spectrum = PCA(svd_solver="full").fit(values).explained_variance_
    assert effective_dimension(values) == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum(), rel=1e-10)
    assert effective_dimension(values) == pytest.approx(
        participation_ratio(principal_components(values, 0)[2]), rel=1e-10
    )


@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_a_ball_has_as_many_effective_dimensions_as_it_was_given(dimensions):
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(0, 1, (20, 20)))[0][:dimensions]
    values = rng.normal(0, 1, (20_000, dimensions)) @ turned
    assert effective_dimension(values) == pytest.approx(dimensions, rel=0.01)
    assert effective_dimension(1e-200 * values) == pytest.approx(effective_dimension(values))


@pytest.mark.parametrize("values", [np.full((5, 3), 0.1), np.zeros((4, 0)), np.ones((1, 6))])
def test_what_does_not_vary_has_no_dimension(values):
    assert np.isnan(effective_dimension(values))
