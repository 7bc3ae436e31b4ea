"""Pairs of cells by what they share: against a slow loop, with planted streams, and where nothing is shared."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from seedscope.formulas.shared_levels import Shared, jaccard, table_cosines
from tests.formulas.test_variance_components import planted


def similarity_of(values):
    """Return the products of the cells' numbers: on average what pairs have in common."""
    flat = values.reshape(-1, values.shape[-1])
    return flat @ flat.T / flat.shape[1]


def test_means_are_those_of_a_loop_over_pairs():
    levels = (3, 2, 2)
    rng = np.random.default_rng(0)
    similarity = rng.normal(size=(12, 12))
    similarity += similarity.T
    cells = list(np.ndindex(*levels))
    sums: dict[int, list[float]] = {}
    for i, j in combinations(range(12), 2):
        pattern = sum(2**f for f in range(3) if cells[i][f] == cells[j][f])
        sums.setdefault(pattern, []).append(similarity[i, j])
    expected = [np.mean(sums[pattern]) for pattern in range(7)]
    np.testing.assert_allclose(Shared.of(levels).means(similarity), expected)
    similarity[0, 11] = similarity[11, 0] = np.nan
    sums[0].pop(next(i for i, pair in enumerate(_sharing(cells, 0)) if pair == (0, 11)))
    assert Shared.of(levels).means(similarity)[0] == pytest.approx(np.mean(sums[0]))


def _sharing(cells, pattern):
    return [
        (i, j)
        for i, j in combinations(range(len(cells)), 2)
        if sum(2**f for f in range(len(cells[0])) if cells[i][f] == cells[j][f]) == pattern
    ]


def test_intervals_hold_whatever_is_planted():
    rng, levels, trials = np.random.default_rng(1), (4, 4, 3), 80
    parts = {(0,): 0.5, (1,): 0.1, (0, 1): 0.2, (0, 1, 2): 0.2}
    shared = Shared.of(levels)
    truth = [sum(part for s, part in parts.items() if all(bits >> f & 1 for f in s)) for bits in shared.patterns]
    held = np.zeros(len(shared.patterns))
    for _ in range(trials):
        means, gains = shared.intervals(similarity_of(planted(levels, parts, rng, 3)))
        for pattern in shared.patterns:
            held[pattern] += means[pattern].low <= truth[pattern] <= means[pattern].high
        assert gains[1].mean == pytest.approx(means[1].mean - means[0].mean)
    assert (held / trials).min() > 0.87


def test_a_factor_of_two_levels_leaves_no_interval_where_it_is_not_shared():
    shared = Shared.of((3, 2))
    means, _ = shared.intervals(similarity_of(np.random.default_rng(2).normal(size=(3, 2, 4))))
    assert [one.low is None for one in means] == [True, True, False]
    assert all(one.mean is not None and one.n == 2 for one in means)


def test_what_a_stream_does_is_found_and_what_it_does_not_rejected_at_its_rate():
    levels, trials = (4, 3), 100
    shared = Shared.of(levels)
    rng = np.random.default_rng(3)
    p = np.array(
        [
            shared.p_of_gains(similarity_of(planted(levels, {(0,): 1.0, (0, 1): 0.3}, rng, 4))[None], rng, 39)[0]
            for _ in range(trials)
        ]
    )
    assert np.isnan(p[:, 0]).all()
    assert (p[:, 1] <= 0.05).mean() > 0.8
    assert (p[:, 2] <= 0.05).mean() <= 0.11  # the stream that does nothing: 5 % and three standard errors


def test_permuted_levels_stay_within_the_combinations_of_the_others():
    levels = (3, 4, 2)
    shared, rng = Shared.of(levels), np.random.default_rng(4)
    for pattern in (1, 2, 5, 6):
        order = shared._permuted(pattern, rng)
        assert sorted(order) == list(range(24))
        kept = [f for f in range(3) if not pattern >> f & 1]
        np.testing.assert_array_equal(shared.level[order][:, kept], shared.level[:, kept])
        assert not np.array_equal(order, np.arange(24))


def test_jaccard_is_that_of_scikit_learn():
    member = np.random.default_rng(5).random((5, 20)) < 0.3
    member[3:] = False
    found = jaccard(member)
    for i, j in combinations(range(4), 2):
        assert found[i, j] == pytest.approx(jaccard_score(member[i], member[j]))
    assert np.isnan(found[3, 4])


def test_cosines_of_centred_tables_are_pearsons_r():
    tables = np.random.default_rng(6).normal(size=(3, 4, 7))
    tables -= tables.mean(1, keepdims=True)
    np.testing.assert_allclose(table_cosines(tables, tables), np.corrcoef(tables.reshape(3, -1)))
    assert np.isnan(table_cosines(tables, np.zeros_like(tables))).all()
