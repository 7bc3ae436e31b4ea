"""Matching with its nulls: planted copies, a slow re-implementation, and each null under its own hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from seedscope.formulas.alignment import Aligned, Drawn, Layer, align, aligned_by_null, rectified, rotated, shuffled
from seedscope.formulas.matching import one_to_one
from seedscope.formulas.nulls import permutation_p, shuffled_within
from seedscope.formulas.rotation import random_rotation

AT_MOST = 18  # of 200 trials at 5 %: what a binomial stays within in 99 %


def relu_layer(rng: np.random.Generator, pictures: np.ndarray, units: int, bias: float = 0.0) -> Layer:
    inputs = pictures.shape[1]
    before = (pictures @ rng.standard_normal((inputs, units)) + bias * np.sqrt(inputs))[:, None]
    half, label = np.arange(len(pictures)) % 2, np.arange(len(pictures)) // 2 % 4
    return Layer(np.maximum(before, 0), half, label, rng.standard_normal((4, 1, units)), before, top=3)


def observed(*layers: Layer) -> Aligned:
    first, second = (layer.alive().prepared for layer in layers)
    return align(first, second)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_the_statistics_are_those_of_a_slow_reimplementation(rng: np.random.Generator) -> None:
    pictures = rng.standard_normal((64, 6))
    a, b = relu_layer(rng, pictures, 5), relu_layer(rng, pictures, 7)
    found = observed(a, b)
    expected: dict[str, list[float]] = {"r": [], "top_shared": [], "profile": []}
    for fit in (0, 1):
        x, y = a.values[:, 0], b.values[:, 0]
        on = a.half == fit
        r = np.array([[pearsonr(x[on, i], y[on, j]).statistic for j in range(7)] for i in range(5)])
        pairs = list(zip(*one_to_one(r), strict=True))
        expected["r"].append(float(np.mean([pearsonr(x[~on, i], y[~on, j]).statistic for i, j in pairs])))
        shared, profile = [], []
        for k in range(4):
            own = ~on & (a.label == k)
            left, right = x[own].mean(0) * a.weight[k, 0], y[own].mean(0) * b.weight[k, 0]
            tops = [set(np.argsort(-votes)[:3]) for votes in (left, right)]
            shared.append(sum(i in tops[0] and j in tops[1] for i, j in pairs))
            profile.append(spearmanr([left[i] for i, _ in pairs], [right[j] for _, j in pairs]).statistic)
        expected["top_shared"].append(float(np.mean(shared)))
        expected["profile"].append(float(np.mean(profile)))
    assert dict(found.statistic) == pytest.approx({name: np.mean(of) for name, of in expected.items()}, abs=1e-12)


def test_a_permuted_and_rescaled_copy_is_the_same_in_all_respects(rng: np.random.Generator) -> None:
    a = relu_layer(rng, rng.standard_normal((80, 10)), 8)
    order, scale = rng.permutation(8), rng.uniform(0.2, 5, 8)
    copy = replace(a, values=(a.values * scale)[..., order], weight=(a.weight / scale)[..., order])
    found = observed(a, copy)
    assert dict(found.statistic) == pytest.approx({"r": 1.0, "top_shared": 3.0, "profile": 1.0})
    for rows, columns in found.matching:
        assert order[columns].tolist() == rows.tolist()


def test_a_map_is_matched_channel_by_channel_each_place_with_its_own(rng: np.random.Generator) -> None:
    half, label = np.arange(40) % 2, np.zeros(40, dtype=int)
    a = Layer(rng.random((40, 6, 5)), half, label)
    order = rng.permutation(5)
    assert observed(a, replace(a, values=a.values[..., order])).statistic["r"] == pytest.approx(1)
    moved = replace(a, values=np.roll(a.values, 1, axis=1)[..., order])
    assert observed(a, moved).statistic["r"] < 0.3


def test_a_unit_that_is_silent_in_one_half_takes_no_part(rng: np.random.Generator) -> None:
    a = relu_layer(rng, rng.standard_normal((40, 5)), 4)
    values = a.values.copy()
    values[a.half == 0, :, 2] = 0
    kept = replace(a, values=values).alive()
    assert kept.values.shape[2] == 3
    np.testing.assert_array_equal(kept.weight, a.weight[..., [0, 1, 3]])
    assert np.isnan(observed(a, replace(a, values=np.zeros_like(values))).statistic["r"])


def test_matched_on_votes_unrelated_networks_share_their_top_units(rng: np.random.Generator) -> None:
    """What a circular procedure would give: partners chosen by what they are scored by."""
    ours, circular = [], []
    for _ in range(30):
        a, b = (relu_layer(rng, rng.standard_normal((80, 30)), 20).prepared for _ in range(2))  # of other pictures
        ours.append(align(a, b).statistic["top_shared"])
        votes = [of.dominance.mean(0).reshape(4, -1) for of in (a, b) if of.dominance is not None]
        rows, columns = one_to_one(np.corrcoef(votes[0].T, votes[1].T)[:20, 20:])
        first, second = (of.dominant[0][:, 0] for of in (a, b) if of.dominant is not None)
        circular.append((first[:, rows] & second[:, columns]).sum(1).mean())
    assert np.mean(ours) == pytest.approx(3 * 3 / 20, abs=0.1)  # what random sets share
    assert np.mean(circular) > 2 * 3 * 3 / 20


def p_of(layers: list[Layer], null: Callable[..., object], draws: int, statistic: str = "r") -> float:
    pairs = list(combinations(range(len(layers)), 2))
    drawn: dict[tuple[int, int], Drawn] = aligned_by_null(layers, pairs, null, draws, 1)  # type: ignore[arg-type]
    mean = np.mean([align(layers[a].prepared, layers[b].prepared).statistic[statistic] for a, b in pairs])
    return permutation_p(float(mean), np.mean([drawn[pair].statistic[statistic] for pair in pairs], axis=0))


def given_class(rng: np.random.Generator) -> Layer:
    """Return units that know the class of a picture and nothing else of it."""
    half, label = np.arange(64) % 2, np.arange(64) // 2 % 4
    tuning = rng.exponential(size=(4, 5))
    return Layer((tuning[label] * rng.exponential(size=(64, 5)))[:, None], half, label)


def gaussian(rng: np.random.Generator, pictures: np.ndarray, bias: float) -> Layer:
    return replace(relu_layer(rng, pictures, 6, bias), weight=None).alive()


def test_units_that_are_independent_given_the_class_pass_the_null_within_classes() -> None:
    rng = np.random.default_rng(5)
    trials = [[given_class(rng) for _ in range(3)] for _ in range(200)]
    label = trials[0][0].label
    assert sum(p_of(one, shuffled(label), 19) <= 0.05 for one in trials) <= AT_MOST
    # The class alone beats pictures shuffled regardless of it: too weak a null.
    assert sum(p_of(one, shuffled(np.zeros_like(label)), 19) <= 0.05 for one in trials[:40]) > 12


def test_independent_gaussian_layers_pass_the_rectified_rotation_whatever_their_bias_and_no_other_null() -> None:
    rng = np.random.default_rng(6)
    seen = [rng.standard_normal((96, 6)) for _ in range(200)]
    biases = np.resize([-0.5, 0.0, 0.5], 200)
    trials = [[gaussian(rng, pictures, b) for _ in range(3)] for pictures, b in zip(seen, biases, strict=True)]
    assert sum(p_of(one, rectified, 39) <= 0.05 for one in trials) <= AT_MOST
    dense = [one for one, bias in zip(trials, biases, strict=True) if bias > 0]
    assert sum(p_of(one, rectified, 39) <= 0.05 for one in dense) <= 8  # of 66
    assert sum(p_of(one, rotated, 39) <= 0.05 for one in trials[:60]) > 24  # what is sparse has axes of its own
    shuffles = shuffled(trials[0][0].label)
    assert sum(p_of(one, shuffles, 19) <= 0.05 for one in trials[:40]) > 30  # they see the same pictures


def test_a_draw_along_other_axes_is_the_layer_that_its_formula_says(rng: np.random.Generator) -> None:
    """Without a single product of the draws that are batched: slowly, draw by draw."""
    pictures = rng.standard_normal((60, 6))
    a, b = relu_layer(rng, pictures, 5, 0.3).alive(), relu_layer(rng, pictures, 7, 0.3).alive()
    drawn = aligned_by_null([a, b], [(0, 1)], rotated, 3, 4)[0, 1]
    sparse = aligned_by_null([a, b], [(0, 1)], rectified, 3, 5)[0, 1]
    for time in range(3):
        q = random_rotation(b.values.shape[2], np.random.default_rng([4, 1, time]))
        assert b.weight is not None
        turned = align(a.prepared, replace(b, values=b.values @ q, weight=b.weight @ q).prepared)
        assert {name: of[time] for name, of in drawn.statistic.items()} == pytest.approx(dict(turned.statistic))
        np.testing.assert_allclose(drawn.unit_r[time], turned.unit_r)
        own = np.random.default_rng([5, 1, time])
        assert b.before is not None
        z = (b.before - b.before.mean(0))[:, 0] @ random_rotation(b.values.shape[2], own)
        shares = own.permutation((b.values > 0).mean((0, 1)))
        bent = np.stack([np.maximum(of - np.quantile(of, 1 - at), 0) for of, at in zip(z.T, shares, strict=True)], 1)
        expected = align(a.prepared, replace(b, values=bent[:, None], weight=None).alive().prepared)
        assert sparse.statistic["r"][time] == pytest.approx(expected.statistic["r"], abs=0.02)


def test_shuffles_are_those_of_pictures_one_by_one(rng: np.random.Generator) -> None:
    pictures = rng.standard_normal((60, 6))
    a, b = relu_layer(rng, pictures, 5).alive(), relu_layer(rng, pictures, 4).alive()
    drawn = aligned_by_null([a, b], [(0, 1)], shuffled(b.label), 3, 2)[0, 1]
    for time in range(3):
        own = np.random.default_rng([2, 1, time])
        values = b.values.copy()
        for half in (0, 1):
            there = np.flatnonzero(b.half == half)
            values[there] = b.values[there[shuffled_within(b.label[there], own)]]
        moved = replace(b.prepared, halves=replace(b, values=values).prepared.halves)  # votes stay
        expected = align(a.prepared, moved)
        assert {name: of[time] for name, of in drawn.statistic.items()} == pytest.approx(dict(expected.statistic))


def test_a_rotated_copy_shares_the_space_and_not_the_units(rng: np.random.Generator) -> None:
    a = relu_layer(rng, rng.standard_normal((200, 12)), 8)
    other = replace(a, values=a.values @ random_rotation(8, rng))
    assert p_of([a, other], rotated, 99) > 0.05
    assert p_of([a, replace(a, values=a.values[..., ::-1])], rotated, 99) == 0.01


def test_draws_are_the_same_for_a_seed_in_all_of_its_pairs_whatever_other_pairs_there_are(
    rng: np.random.Generator,
) -> None:
    pictures = rng.standard_normal((60, 6))
    layers = [relu_layer(rng, pictures, 5) for _ in range(3)]
    everything = aligned_by_null(layers, [(0, 1), (0, 2), (1, 2)], rotated, 30, 4)
    alone = aligned_by_null(layers, [(1, 2)], rotated, 30, 4)
    np.testing.assert_array_equal(everything[1, 2].statistic["r"], alone[1, 2].statistic["r"])
    np.testing.assert_array_equal(everything[1, 2].unit_r, alone[1, 2].unit_r)
