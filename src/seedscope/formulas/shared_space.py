"""Do two seeds hold the same space, and is it held by the same units? Similarities on pictures that chose nothing.

    procrustes    the best rotation of one half of the pictures, scored on the other      no unit needs a like
    permutation   the best one-to-one matching of units, scored by the same number          units, one to one
    ridge_r2      one layer read from the other by ridge regression, mean of both ways
    soft_r, partial_r  Σ T r of soft matching, and of the best half of all mass (:mod:`seedscope.formulas.matching`)

each fitted on one half and scored on the other, both ways round, and averaged. Procrustes − permutation is what units
lack of the space.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from seedscope.formulas.alignment import Layer
from seedscope.formulas.matching import correlations, one_to_one, partial_matching, soft_matching
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.ridge import explained, ridge_prediction
from seedscope.formulas.rotation import random_rotation
from seedscope.formulas.similarity import permutation_similarity, procrustes

OF_UNITS = ("permutation", "soft_r", "partial_r")
EVERY = ("procrustes", "ridge_r2", *OF_UNITS)  # the first two are changed by no rotation
SHARE = 0.5  # of all mass that partial matching moves

Similarities = dict[str, float]
Moved = Callable[[Layer, np.random.Generator], Layer]
"""Puts another layer in the place of one: a null."""


def similarities(a: Layer, b: Layer, names: Collection[str] = EVERY) -> Similarities:
    """Return similarities of two layers of live units, by name; NaN where one has no live unit."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for fit in (0, 1):
        on, off = ((a.of_half(half), b.of_half(half)) for half in (fit, 1 - fit))
        if not all(part.shape[1] for part in on):
            return dict.fromkeys(names, float("nan"))
        if "procrustes" in names:
            found["procrustes"].append(procrustes(on, off))
        if "ridge_r2" in names:
            found["ridge_r2"].append((_read(on, off) + _read(on[::-1], off[::-1])) / 2)
        if set(names) & set(OF_UNITS):
            chosen, scored = correlations(*on), correlations(*off)
            found["permutation"].append(permutation_similarity(one_to_one(chosen), on, off))
            found["soft_r"].append(float((soft_matching(chosen) * scored).sum()))
            found["partial_r"].append(float((partial_matching(chosen, SHARE) * scored).sum()) / SHARE)
    return {name: float(np.mean(values)) for name, values in found.items()}


def similarities_by_null(
    layers: Sequence[Layer],
    pairs: Sequence[tuple[int, int]],
    null: Moved,
    draws: int,
    number: int,
    names: Collection[str] = EVERY,
) -> dict[tuple[int, int], dict[str, np.ndarray]]:
    """Return each similarity (draw) with a null in the place of the second layer of each pair.

    Draw t of a seed is the same in all of its pairs; ``number`` tells the generators of one null from another's.
    """
    found: dict[tuple[int, int], list[Similarities]] = {pair: [] for pair in pairs}
    for time in range(draws):
        for second in sorted({b for _, b in pairs}):
            moved = null(layers[second], np.random.default_rng([number, second, time]))
            for pair in pairs:
                if pair[1] == second:
                    found[pair].append(similarities(layers[pair[0]], moved, names))
    return {
        pair: {name: np.array([one[name] for one in values]) for name in (values[0] if values else ())}
        for pair, values in found.items()
    }


def procrustes_by_shuffles(
    layers: Sequence[Layer], pairs: Sequence[tuple[int, int]], group: np.ndarray, draws: int, number: int
) -> dict[tuple[int, int], dict[str, np.ndarray]]:
    """Return what :func:`similarities_by_null` does of ``procrustes`` and :func:`shuffled_pictures`, in less time.

    A shuffle changes neither means nor sizes, so that AᵀB of each half is all that there is to compute.
    """
    own = [[layer.of_half(half).astype(np.float64) for half in (0, 1)] for layer in layers]
    mean = [[of.mean(0) for of in halves] for halves in own]
    found: dict[tuple[int, int], list[float]] = {pair: [] for pair in pairs}
    for second in sorted({b for _, b in pairs}):
        layer = layers[second]
        whole = 2 * group + layer.half
        for time in range(draws):
            order = shuffled_within(whole, np.random.default_rng([number, second, time]))
            moved = [_flat(layer.values[order[layer.half == half]]) - mean[second][half] for half in (0, 1)]
            for first in (a for a, b in pairs if b == second):
                crossed = [(own[first][half] - mean[first][half]).T @ moved[half] for half in (0, 1)]
                found[first, second].append(
                    _procrustes_of(crossed, (own[first], own[second]), (mean[first], mean[second]))
                )
    return {pair: {"procrustes": np.array(values)} for pair, values in found.items()}


def _procrustes_of(
    crossed: Sequence[np.ndarray], values: tuple[Sequence[np.ndarray], ...], mean: tuple[Sequence[np.ndarray], ...]
) -> float:
    """Return the Procrustes similarity, mean of both ways, from AᵀB of each half, centred by its own means."""
    found = []
    for fit, off in ((0, 1), (1, 0)):
        if not crossed[fit].size:
            return float("nan")
        left, _, right = np.linalg.svd(crossed[fit], full_matrices=False)
        shift = [of[off] - of[fit] for of in mean]
        scored = crossed[off] + len(values[0][off]) * np.outer(*shift)
        size = np.prod([np.linalg.norm(of[off] - centre[fit]) for of, centre in zip(values, mean, strict=True)])
        found.append(float(((left @ right) * scored).sum() / size) if size > 0 else float("nan"))
    return float(np.mean(found))


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(values.shape[0] * values.shape[1], values.shape[2])


def shuffled_pictures(group: np.ndarray) -> Moved:
    """Return the null that orders the pictures anew within each group (sample) of each half."""

    def null(layer: Layer, rng: np.random.Generator) -> Layer:
        return replace(layer, values=layer.values[shuffled_within(2 * group + layer.half, rng)])

    return null


def turned(layer: Layer, rng: np.random.Generator) -> Layer:
    """Return the layer along other axes: the same space, other units."""
    return replace(layer, values=layer.values @ random_rotation(layer.values.shape[2], rng))


def _read(fit: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Return R² of the second layer read from the first, over all its units together."""
    left = ((test[1] - ridge_prediction(fit[0], fit[1], test[0])) ** 2).sum()
    return float(explained(left, ((test[1] - fit[1].mean(0)) ** 2).sum()))
