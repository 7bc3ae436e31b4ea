"""The same space in two seeds: planted copies, what rotation keeps and takes, and shuffled pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from seedscope.formulas.alignment import Layer
from seedscope.formulas.rotation import random_rotation
from seedscope.formulas.shared_space import OF_UNITS, shuffled_pictures, similarities, similarities_by_null, turned


@pytest.fixture
def layer() -> Layer:
    rng = np.random.default_rng(2)
    values = np.maximum(rng.standard_normal((200, 1, 9)) @ rng.standard_normal((9, 6)), 0)
    return Layer(values, np.arange(200) % 2, np.arange(200) // 2 % 4)


def test_a_permuted_copy_is_the_same_by_every_measure(layer: Layer) -> None:
    copy = replace(layer, values=2 * layer.values[..., ::-1])
    assert similarities(layer, copy) == pytest.approx(dict.fromkeys(similarities(layer, copy), 1.0), abs=1e-6)


def test_a_rotated_copy_is_the_same_space_by_those_that_need_no_units_only(layer: Layer) -> None:
    found = similarities(layer, replace(layer, values=layer.values @ random_rotation(6, np.random.default_rng(0))))
    assert found["procrustes"] == pytest.approx(1)
    assert found["ridge_r2"] == pytest.approx(1, abs=1e-6)
    assert max(found["permutation"], found["soft_r"]) < 0.8
    assert found["partial_r"] >= found["soft_r"]  # the best half


def test_ridge_reads_as_well_as_least_squares_where_pictures_are_many(layer: Layer) -> None:
    rng = np.random.default_rng(3)
    other = replace(layer, values=layer.values @ rng.standard_normal((6, 4)) + rng.standard_normal((200, 1, 4)))
    expected = []
    for fit in (0, 1):
        for x, y in ((layer, other), (other, layer)):
            on, off = x.half == fit, x.half != fit
            read = LinearRegression().fit(x.values[on, 0], y.values[on, 0]).predict(x.values[off, 0])
            expected.append(r2_score(y.values[off, 0], read, multioutput="variance_weighted"))
    assert similarities(layer, other)["ridge_r2"] == pytest.approx(np.mean(expected), abs=0.01)


def test_shuffled_pictures_leave_nothing_and_turned_axes_leave_the_space(layer: Layer) -> None:
    layers, pairs = [layer, replace(layer, values=layer.values[..., ::-1])], [(0, 1)]
    lost = similarities_by_null(layers, pairs, shuffled_pictures(0 * layer.label), 20, 1)[0, 1]
    assert all(abs(values.mean()) < 0.1 for values in lost.values())
    assert set(similarities_by_null(layers, pairs, turned, 1, 2, OF_UNITS)[0, 1]) == {*OF_UNITS}
    kept = similarities_by_null(layers, pairs, turned, 20, 2)[0, 1]
    np.testing.assert_allclose(kept["procrustes"], 1)
    assert kept["permutation"].max() < 0.9


def test_without_a_live_unit_there_is_no_similarity(layer: Layer) -> None:
    dead = replace(layer, values=np.zeros_like(layer.values)).alive()
    assert all(np.isnan(value) for value in similarities(layer, dead).values())
