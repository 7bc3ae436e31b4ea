"""Variance components: a hand-computed table, two independent formulas, planted components, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from seedscope.formulas import variance
from seedscope.formulas.intervals import Interval
from seedscope.formulas.variance_components import components, decides, mean_squares, shares

THREE = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))


def planted(levels, parts, rng, coordinates=1):
    """Draw cells with these variance components by set of factors."""
    values = np.zeros((*levels, coordinates))
    for factors, part in parts.items():
        shape = [n if factor in factors else 1 for factor, n in enumerate(levels)]
        values = values + np.sqrt(part) * rng.normal(size=(*shape, coordinates))
    return values


def test_a_table_computed_by_hand():
    values = np.array([[1.0, 2.0, 6.0], [3.0, 8.0, 10.0]])
    squares = mean_squares(values, 2)
    # Row means 3 and 7, column means 2, 5, 8, mean 5: SS 24, 36 and 4; degrees of freedom 1, 2, 2.
    assert squares.sets == ((0,), (1,), (0, 1))
    np.testing.assert_allclose(squares.value, [24, 18, 2])
    np.testing.assert_allclose(squares.freedom, [1, 2, 2])
    np.testing.assert_allclose(components(squares), [(24 - 2) / 3, (18 - 2) / 2, 2])


def test_two_factors_have_the_components_of_the_two_way_formula():
    values = np.random.default_rng(0).normal(size=(5, 4))
    expected = variance.variance_components(variance.sums_of_squares(values), 5, 4)
    np.testing.assert_allclose(components(mean_squares(values, 2)), expected)


def test_three_factors_have_the_components_of_covariances_between_cells():
    """An oracle without mean squares: components are differences of mean products of pairs that share a set."""
    values = np.random.default_rng(1).normal(size=(4, 3, 5))
    cells = np.array(list(np.ndindex(values.shape)))
    flat = values.ravel()
    same = (cells[:, None] == cells[None]).astype(int) @ [1, 2, 4]
    product = np.array([(np.outer(flat, flat))[same == pattern].mean() for pattern in range(8)])
    # E product of a pair that shares A exactly = μ² + Σ of the components of all subsets of A.
    expected = []
    for factors in THREE:
        bits = sum(2**f for f in factors)
        inside = [one for one in range(8) if one & bits == one]
        expected.append(sum((-1) ** (len(factors) - one.bit_count()) * product[one] for one in inside))
    np.testing.assert_allclose(components(mean_squares(values, 3)), expected, atol=1e-12)


def test_planted_components_are_recovered_on_average_also_where_there_are_none():
    rng = np.random.default_rng(2)
    parts = dict(zip(THREE, (0.5, 0.0, 0.1, 0.3, 0.0, 0.05, 0.2), strict=True))
    found = np.array([components(mean_squares(planted((5, 4, 3), parts, rng), 3)) for _ in range(400)])
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - list(parts.values())) < 4 * error).all()


def test_coordinates_add_up_and_those_without_a_value_are_left_out():
    values = np.random.default_rng(3).normal(size=(4, 3, 2, 6))
    together = components(mean_squares(values, 3))
    each = sum(components(mean_squares(values[..., place], 3)) for place in range(6))
    np.testing.assert_allclose(together, each)
    values[1, 1, 1, 2] = np.nan
    np.testing.assert_allclose(
        components(mean_squares(values, 3)), components(mean_squares(np.delete(values, 2, -1), 3))
    )


def test_coordinates_count_as_many_as_vary_on_their_own():
    rng = np.random.default_rng(4)
    alike = np.repeat(rng.normal(size=(6, 5, 1)), 30, -1)
    np.testing.assert_allclose(mean_squares(alike, 2).coordinates, 1)
    apart = mean_squares(rng.normal(size=(6, 5, 3000)), 2)
    np.testing.assert_allclose(apart.coordinates, apart.freedom, rtol=0.05)  # no more than levels allow


@pytest.mark.parametrize(
    ("levels", "parts", "coordinates"),
    [
        ((3, 3, 3), {(0,): 0.8, (0, 1, 2): 0.2}, 1),
        ((3, 3, 3), {(0,): 0.5, (1,): 0.2, (0, 1): 0.1, (0, 1, 2): 0.2}, 1),
        ((6, 6, 3), {(0,): 0.5, (1,): 0.2, (0, 1): 0.1, (0, 1, 2): 0.2}, 1),
        ((6, 6, 3), {(0, 1, 2): 1.0}, 1),
        ((4, 4), {(0,): 0.3, (0, 1): 0.7}, 1),
        ((4, 4, 3), {(0,): 0.3, (0, 1): 0.5, (0, 1, 2): 0.2}, 20),
    ],
    ids=str,
)
def test_intervals_of_shares_hold_with_three_levels_too(levels, parts, coordinates):
    rng, trials = np.random.default_rng(5), 120
    factors, total = len(levels), sum(parts.values())
    own = [parts.get((f,), 0) / total for f in range(factors)]
    all_of = [sum(part for chosen, part in parts.items() if f in chosen) / total for f in range(factors)]
    held = np.zeros((2, factors))
    for trial in range(trials):
        values = planted(levels, parts, rng, coordinates)
        found = shares(mean_squares(values, factors), np.random.default_rng(trial), 600)
        for f in range(factors):
            for row, (interval, truth) in enumerate(((found.own(f), own[f]), (found.total(f), all_of[f]))):
                held[row, f] += interval.low - 1e-9 <= truth <= interval.high + 1e-9
    assert (held / trials).min() > 0.90  # 95 % less three standard errors of 120 trials is 0.89


def test_what_one_stream_decides_is_found_and_what_none_decides_too():
    rng = np.random.default_rng(6)
    clear = {(0,): 0.9, (1,): 0.02, (0, 1, 2): 0.08}
    found = shares(mean_squares(planted((6, 6, 3), clear, rng, 200), 3), rng)
    assert [decides(found.own(f)) for f in range(3)] == ["decides", "does not", "does not"]
    found = shares(mean_squares(planted((6, 6, 3), {(0, 1, 2): 1.0}, rng, 200), 3), rng)
    assert [decides(found.own(f)) for f in range(3)] == ["does not"] * 3
    assert found.total(0).low > 0.8  # and yet nothing but the whole combination fixes it
    assert found.rest().low > 0.7


def test_two_levels_leave_everything_undecided():
    found = shares(
        mean_squares(planted((2, 2), {(0,): 1.0}, np.random.default_rng(7), 50), 2), np.random.default_rng(0)
    )
    assert decides(found.own(0)) == "undecided"
    assert decides(Interval(0.9, 0.8, 0.95, 2)) == "undecided"
    assert decides(Interval(0.9, 0.8, 0.95, 3)) == "decides"


@pytest.mark.parametrize("values", [np.full((3, 4), 7.3), np.full((3, 4), np.nan)])
def test_what_does_not_vary_or_has_no_value_has_no_share(values):
    found = shares(mean_squares(values, 2), np.random.default_rng(0), 100)
    assert found.own(0) == Interval(None, None, None, 3)
    assert found.together((0, 1)) == Interval(None, None, None, 3)


def test_shares_do_not_depend_on_shift_scale_and_the_order_of_levels():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(4, 3, 3, 5))
    one = shares(mean_squares(values, 3), np.random.default_rng(0), 500)
    other = shares(mean_squares(10 - 3 * values[::-1, [1, 2, 0]], 3), np.random.default_rng(0), 500)
    np.testing.assert_allclose(one.drawn, other.drawn, atol=1e-9)


def test_a_second_generator_gives_the_digits_that_are_printed():
    squares = mean_squares(np.random.default_rng(9).normal(size=(6, 6, 3)), 3)
    one, other = (shares(squares, np.random.default_rng(seed)).total(0) for seed in (0, 1))
    assert abs(one.low - other.low) < 0.01
    assert abs(one.high - other.high) < 0.01
