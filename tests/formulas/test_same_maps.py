"""Oracles: scipy's Pearson picture by picture, and the mean over all permutations of a few pictures."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import pearsonr

from seedscope.formulas.same_maps import expected_correlation, map_directions, mean_correlation, permuted_correlation


def slow(a, b):
    return np.mean([pearsonr(one.ravel(), other.ravel()).statistic for one, other in zip(a, b, strict=True)])


def test_r_is_pearsons_mean_over_pictures():
    maps = np.random.default_rng(0).normal(3, 1, (3, 7, 4, 5))
    found = mean_correlation(map_directions(maps))
    for a, b in combinations(range(3), 2):
        assert found[a, b] == pytest.approx(slow(maps[a], maps[b]))
    maps[1, 2] = 0.3
    assert np.isnan(map_directions(maps)[1, 2]).all()


def test_the_null_is_the_mean_over_all_permutations_within_groups():
    maps = np.random.default_rng(1).normal(size=(2, 6, 2, 3)) + 2 * np.eye(6)[:, :6].reshape(6, 2, 3)
    group = np.array([0, 1, 0, 1, 1, 0])
    every = []
    for first in permutations(np.flatnonzero(group == 0)):
        for second in permutations(np.flatnonzero(group == 1)):
            order = np.arange(6)
            order[group == 0], order[group == 1] = first, second
            every.append(slow(maps[0], maps[1][order]))
    unit = map_directions(maps)
    assert expected_correlation(unit, group)[0, 1] == pytest.approx(np.mean(every))
    drawn = permuted_correlation(unit, group, np.triu_indices(len(unit), 1), np.random.default_rng(2), 3000)
    assert drawn.mean() == pytest.approx(np.mean(every), abs=4 * np.std(every) / np.sqrt(3000))
    assert drawn.std() == pytest.approx(np.std(every), rel=0.06)


def test_over_several_seeds_the_draws_have_the_exact_mean():
    unit = map_directions(np.random.default_rng(3).normal(size=(4, 20, 3, 3)) + np.arange(9).reshape(3, 3))
    group = np.arange(20) % 3
    drawn = permuted_correlation(unit, group, np.triu_indices(len(unit), 1), np.random.default_rng(4), 800)
    exact = expected_correlation(unit, group)[np.triu_indices(4, 1)].mean()
    assert drawn.mean() == pytest.approx(exact, abs=4 * drawn.std() / np.sqrt(800))
