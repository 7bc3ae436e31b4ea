import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from seedscope.formulas.components import components_above, permuted_spectra, principal_components


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
