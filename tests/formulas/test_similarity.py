"""The same space under other axes: closed forms, scipy's rotation, sums over all quadruples, and planted copies."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from seedscope.formulas.matching import matched
from seedscope.formulas.rotation import random_rotation
from seedscope.formulas.similarity import linear_cka, permutation_similarity, procrustes, unbiased_hsic

Fit = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def halves(a: np.ndarray, b: np.ndarray) -> Fit:
    return (a[::2], b[::2]), (a[1::2], b[1::2])


def test_a_rotated_copy_is_the_same_space_and_other_units(rng: np.random.Generator) -> None:
    a = np.maximum(rng.standard_normal((300, 20)) @ rng.standard_normal((20, 10)), 0)
    fit, test = halves(a, 3 * a @ random_rotation(10, rng) + 1)
    assert procrustes(fit, test) == pytest.approx(1, abs=1e-9)
    assert linear_cka(*test) == pytest.approx(1, abs=1e-9)
    assert permutation_similarity(matched(*fit), fit, test) < 0.7
    fit, test = halves(a, 3 * a[:, rng.permutation(10)] + 1)
    assert permutation_similarity(matched(*fit), fit, test) == pytest.approx(1, abs=1e-9)


def test_procrustes_is_that_of_scipy_on_other_pictures(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((80, 6)), rng.standard_normal((80, 6))
    fit, test = halves(a, b)
    rotation, _ = orthogonal_procrustes(fit[0] - fit[0].mean(0), fit[1] - fit[1].mean(0))
    x, y = test[0] - fit[0].mean(0), test[1] - fit[1].mean(0)
    expected = np.trace(rotation.T @ x.T @ y) / np.sqrt(np.trace(x.T @ x) * np.trace(y.T @ y))
    assert procrustes(fit, test) == pytest.approx(expected)
    assert abs(procrustes(fit, test)) < 0.3 < procrustes(fit, fit)  # on its own pictures it always finds something


def test_unequal_numbers_of_units_have_a_procrustes_similarity(rng: np.random.Generator) -> None:
    a = rng.standard_normal((100, 4))
    fit, test = halves(a, a @ random_rotation(7, rng)[:4])
    assert procrustes(fit, test) == pytest.approx(1, abs=1e-9)
    assert procrustes(fit[::-1], test[::-1]) == pytest.approx(1, abs=1e-9)  # type: ignore[arg-type]


def test_hsic_is_the_mean_over_all_quadruples_of_samples(rng: np.random.Generator) -> None:
    """Song et al. (2012): E[k(1,2) l(1,2)] + E[k(1,2) l(3,4)] − 2 E[k(1,2) l(1,3)] over four different samples."""
    a, b = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    k, m = a @ a.T, b @ b.T
    terms = [k[p, q] * m[p, q] + k[p, q] * m[s, t] - 2 * k[p, q] * m[p, s] for p, q, s, t in permutations(range(7), 4)]
    assert unbiased_hsic(a, b) == pytest.approx(np.mean(terms))


def test_cka_of_unrelated_layers_is_0_on_average_also_with_more_units_than_pictures(rng: np.random.Generator) -> None:
    found = [linear_cka(rng.standard_normal((20, 50)), rng.standard_normal((20, 50))) for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)
    gram_a, gram_b = (x @ x.T for x in (rng.standard_normal((20, 50)), rng.standard_normal((20, 50))))
    middle = np.eye(20) - 1 / 20
    biased = np.sum((middle @ gram_a @ middle) * gram_b) / np.sqrt(
        np.sum((middle @ gram_a @ middle) * gram_a) * np.sum((middle @ gram_b @ middle) * gram_b)
    )
    assert biased > 0.5


def test_what_does_not_vary_has_no_similarity() -> None:
    constant = np.ones((10, 3))
    fit, test = halves(constant, constant)
    assert np.isnan(procrustes(fit, test))
    assert np.isnan(linear_cka(constant, constant))
    assert np.isnan(unbiased_hsic(np.eye(3), np.eye(3)))  # three samples have no four
