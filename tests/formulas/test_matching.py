"""Which unit is whose like: by hand, by trying all permutations, by linear programming, and on planted copies."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linprog

from seedscope.formulas.matching import correlations, matched, one_to_one, partial_matching, soft_matching


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def relu_layer(rng: np.random.Generator, pictures: np.ndarray, units: int) -> np.ndarray:
    weight = rng.standard_normal((pictures.shape[1], units))
    return np.maximum(pictures @ weight, 0)


def test_r_is_that_of_numpy_and_0_of_what_does_not_vary(rng: np.random.Generator) -> None:
    a, b = rng.random((50, 3)), rng.random((50, 4))
    np.testing.assert_allclose(correlations(a, b), np.corrcoef(a.T, b.T)[:3, 3:], atol=1e-12)
    a[:, 1] = 0.1
    assert (correlations(a, b)[1] == 0).all()


def test_one_to_one_is_the_best_of_all_permutations(rng: np.random.Generator) -> None:
    r = rng.uniform(-1, 1, (4, 5))
    best = max(permutations(range(5), 4), key=lambda columns: r[np.arange(4), columns].sum())
    rows, columns = one_to_one(r)
    assert rows.tolist() == [0, 1, 2, 3]
    assert columns.tolist() == list(best)


def test_a_permuted_and_rescaled_copy_is_recovered_to_the_unit(rng: np.random.Generator) -> None:
    a = relu_layer(rng, rng.standard_normal((200, 20)), 12)
    order = rng.permutation(12)
    copy = (a * rng.uniform(0.1, 10, 12) + 3)[:, order]
    rows, columns = matched(a, copy)
    assert order[columns].tolist() == rows.tolist()
    np.testing.assert_allclose(correlations(a, copy)[rows, columns], 1)


def test_a_copy_planted_in_half_of_the_units_is_recovered_in_that_half(rng: np.random.Generator) -> None:
    pictures = rng.standard_normal((400, 30))
    a, b = relu_layer(rng, pictures, 16), relu_layer(rng, pictures, 16)
    b[:, :8] = 2 * a[:, 8:]
    chosen, scored = np.arange(400) < 200, np.arange(400) >= 200
    rows, columns = matched(a[chosen], b[chosen])
    planted = rows >= 8
    assert columns[planted].tolist() == (rows[planted] - 8).tolist()
    r = correlations(a[scored], b[scored])[rows, columns]
    assert r[planted].min() > 0.999
    assert abs(r[~planted].mean()) < 0.3


def test_absolute_uncentred_or_greedy_similarity_on_its_own_pictures_finds_likes_where_there_are_none(
    rng: np.random.Generator,
) -> None:
    a, b = (np.maximum(rng.standard_normal((60, 15)), 0) for _ in range(2))  # unrelated
    chosen, scored = np.arange(60) < 30, np.arange(60) >= 30
    held_out = correlations(a[scored], b[scored])
    rows, columns = matched(a[chosen], b[chosen])
    ours = held_out[rows, columns].mean()
    assert abs(ours) < 0.1
    in_sample = correlations(a[chosen], b[chosen])
    assert in_sample[rows, columns].mean() > 0.25  # the same matching, on the pictures that it was chosen on
    greedy = np.abs(in_sample).max(1).mean()  # every unit takes its best, whatever the sign
    assert greedy > in_sample[rows, columns].mean()
    assert np.abs(held_out)[rows, columns].mean() > 0.1  # a sign left out turns noise into likeness
    length = np.linalg.norm(a[scored], axis=0)[:, None] * np.linalg.norm(b[scored], axis=0)
    cosine = a[scored].T @ b[scored] / length
    assert cosine[rows, columns].mean() > 0.25  # both are active now and then: no more is needed


def _by_linear_programming(r: np.ndarray, share: float) -> float:
    """Return the largest Σ T r by a general solver."""
    rows, columns = r.shape
    sums = np.concatenate([np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))])
    bound = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return -float(linprog(-r.ravel(), sums, bound, np.ones((1, r.size)), [share]).fun)


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (6, 3), (1, 4)])
def test_soft_matching_is_the_optimum_of_the_transport_polytope(
    rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    r = rng.uniform(-1, 1, shape)
    plan = soft_matching(r)
    np.testing.assert_allclose(plan.sum(1), 1 / shape[0])
    np.testing.assert_allclose(plan.sum(0), 1 / shape[1])
    assert (plan * r).sum() == pytest.approx(_by_linear_programming(r, 1.0))


def test_soft_matching_of_equal_numbers_is_one_to_one(rng: np.random.Generator) -> None:
    r = rng.uniform(-1, 1, (9, 9))
    expected = np.zeros((9, 9))
    expected[one_to_one(r)] = 1 / 9
    np.testing.assert_allclose(soft_matching(r), expected, atol=1e-12)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_partial_matching_moves_the_best_share(rng: np.random.Generator, share: float) -> None:
    r = rng.uniform(-1, 1, (6, 4))
    plan = partial_matching(r, share)
    assert plan.sum() == pytest.approx(share)
    assert (plan.sum(1) <= 1 / 6 + 1e-9).all()
    assert (plan.sum(0) <= 1 / 4 + 1e-9).all()
    assert (plan * r).sum() == pytest.approx(_by_linear_programming(r, share))
