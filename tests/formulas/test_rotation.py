"""Other axes of the same space: distances stay, and layers with independent Gaussian weights cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest

from seedscope.formulas.matching import correlations, one_to_one
from seedscope.formulas.rotation import as_sparse, random_rotation


def test_a_rotation_is_orthogonal_and_drawn_from_all_alike() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_allclose((q := random_rotation(7, rng)) @ q.T, np.eye(7), atol=1e-12)
    corner = [random_rotation(3, rng)[0, 0] for _ in range(2000)]
    assert (
        kstest(corner, "uniform", args=(-1, 2)).pvalue > 0.01
    )  # Archimedes: a coordinate on the sphere in 3 dimensions


def test_a_sparse_rotation_is_as_often_active_as_the_units_were_and_stays_in_the_space() -> None:
    rng = np.random.default_rng(3)
    before = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 6)) + np.linspace(-2, 4, 6)
    drawn = as_sparse(before, before > 0, rng)
    expected = np.minimum((before > 0).sum(0), 199)
    assert sorted((drawn > 0).sum(0)) == sorted(expected)
    basis = np.linalg.svd(before - before.mean(0), full_matrices=False)[2][:3]
    always = as_sparse(before, np.ones_like(before, dtype=bool), rng)  # nothing is cut off: the space is to be seen
    assert np.linalg.matrix_rank(always - always.mean(0), tol=1e-9) == len(basis)


def test_what_is_rectified_is_not_negative() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((30, 5))
    assert (as_sparse(values, values > 0, rng) >= 0).all()


@pytest.mark.parametrize(("form", "rejected"), [("rotated", "often"), ("rectified", "at its rate")])
def test_unrelated_gaussian_layers_pass_for_having_special_axes_and_not_for_having_the_same(
    form: str, rejected: str
) -> None:
    rng = np.random.default_rng(2)
    units, draws, hits, trials = 10, 39, 0, 200
    pictures = rng.standard_normal((160, 12))
    half = np.arange(160) < 80

    def score(a: np.ndarray, b: np.ndarray) -> float:
        matching = one_to_one(correlations(a[half], b[half]))
        return float(correlations(a[~half], b[~half])[matching].mean())

    for _ in range(trials):
        before = [pictures @ rng.standard_normal((12, units)) for _ in range(2)]
        a, b = (np.maximum(layer, 0) for layer in before)
        null = [
            score(a, b @ random_rotation(units, rng) if form == "rotated" else as_sparse(before[1], before[1] > 0, rng))
            for _ in range(draws)
        ]
        hits += (1 + sum(value >= score(a, b) for value in null)) / (1 + draws) <= 0.05
    if rejected == "often":
        assert hits > 3 * 0.05 * trials
    else:
        assert hits <= binom.ppf(0.995, trials, 0.05)  # 18 of 200
