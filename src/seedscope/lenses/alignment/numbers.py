"""Match every pair of seeds, and do so again under every null.

Of many seeds a balanced sample of their pairs is looked at (:mod:`seedscope.formulas.pairs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from seedscope.formulas.alignment import Aligned, Drawn, Layer, Null, align, aligned_as, aligned_by_null
from seedscope.formulas.alignment import rectified as rectified_null
from seedscope.formulas.alignment import rotated as rotated_null
from seedscope.formulas.alignment import shuffled as shuffled_null
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.pairs import balanced_pairs
from seedscope.formulas.shared_space import (
    EVERY,
    OF_UNITS,
    procrustes_by_shuffles,
    shuffled_pictures,
    similarities,
    similarities_by_null,
    turned,
)
from seedscope.formulas.similarity import cka, gram
from seedscope.formulas.stability import matched_stability
from seedscope.formulas.universal import Universal, likes_of, limits, universal_units
from seedscope.lenses.alignment.second_opinion import by_weights
from seedscope.lenses.at_once import AtOnce, in_turn

_FEW = 4  # draws of what is costly and of which the mean is said, without a test
_NUMBER = {"shuffled": 1, "within_class": 2, "within_place": 3, "rotated": 4, "rectified": 5}
_CKA = 6
_CHOICE = 8
_PARTS = 5  # into which the draws of a null are divided: enough for some cores, and few copies of the layers

Pair = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """Everything that the seeds' layers say of each other.

    Attributes:
        seeds: the seeds; pairs count them from 0.
        pairs: those that were looked at.
        value: by name, the number of each pair (pair).
        null: by name and null, (draw, pair); untrained networks are one draw.
        whole: by name, what only all seeds together have.
        whole_null: by name and null, (draw).
        universal: units that every seed has; ``None`` of one seed.
        units: of each seed, its live units.
        frames: by layer, CKA at each frame, (frame, pair).
        step: of each frame, by layer.
    """

    seeds: list[int]
    pairs: list[Pair]
    value: dict[str, np.ndarray]
    null: dict[str, dict[str, np.ndarray]]
    whole: dict[str, float]
    whole_null: dict[str, dict[str, np.ndarray]]
    universal: Universal | None
    units: list[int]
    frames: dict[str, np.ndarray]
    step: dict[str, np.ndarray]


def names_matched(top: int) -> dict[str, str]:
    """Return what the statistics of matched units are called among the metrics."""
    return {"r": "matched_r", "top_shared": f"top{top}_shared_matched", "profile": "profile_matched"}


def look(measured: xr.DataTree, top: int, draws: int, at_once: AtOnce = in_turn) -> Found:
    """Match and compare all pairs of seeds, and do so again under every null."""
    seeds = [int(seed) for seed in measured.seed.values]
    pairs = balanced_pairs(len(seeds))
    layers = [_layer(measured, "trained", at, top) for at in range(len(seeds))]
    before = [_as_many(_layer(measured, "untrained", at, top), layer, at) for at, layer in enumerate(layers)]
    nulls = _nulls(measured, layers)
    observed = {(a, b): align(layers[a].prepared, layers[b].prepared) for a, b in pairs}
    calls: list[Callable[[], Any]] = [partial(_space_numbers, measured, layers, before, pairs, draws)]
    (space, space_null), *parts = at_once([*calls, *_drawing(layers, pairs, nulls, draws)])
    drawn = {name: _put_together(parts, name, pairs) for name in nulls}
    value, null = _unit_numbers(measured, layers, before, pairs, observed, drawn, top)
    whole, whole_null = _whole_numbers(layers, observed, drawn, top)
    weighed, weighed_null = by_weights(measured, layers, pairs, observed, draws) if "chain" in measured else ({}, {})
    alike, alike_null, frames, step = _through_training(measured, pairs)
    universal = _universal(observed, drawn, [layer.values.shape[2] for layer in layers])
    return Found(
        seeds,
        pairs,
        value | space | weighed | alike,
        null | space_null | weighed_null | alike_null,
        whole,
        whole_null,
        universal,
        [layer.values.shape[2] for layer in layers],
        frames,
        step,
    )


def _drawing(
    layers: Sequence[Layer], pairs: Sequence[Pair], nulls: Mapping[str, Null], draws: int
) -> Iterator[Callable[[], Any]]:
    """Yield calls that give a part of a null each: the draws of some seeds, put in the place of these."""
    for name, null in nulls.items():
        for some in range(_PARTS):
            own = [pair for pair in pairs if pair[1] % _PARTS == some]
            if own:
                yield partial(_of_null, name, layers, own, null, draws)


def _of_null(
    name: str, layers: Sequence[Layer], pairs: Sequence[Pair], null: Null, draws: int
) -> tuple[str, Mapping[Pair, Drawn]]:
    return name, aligned_by_null(layers, pairs, null, draws, _NUMBER[name])


def _put_together(parts: Sequence[Any], name: str, pairs: Sequence[Pair]) -> dict[Pair, Drawn]:
    found = {pair: drawn for null, part in parts if null == name for pair, drawn in part.items()}
    return {pair: found[pair] for pair in pairs}


def _layer(measured: xr.DataTree, which: str, at: int, top: int) -> Layer:
    """Return the layer of live units of the seed at a position: others' units are NaN there, and left out."""
    group = dataset(measured, which).isel(seed=at)
    answer = group.answer.values.astype(np.float64)
    own = _live(group)
    more = {
        "weight": group.weight.values[..., own] if "weight" in group else None,
        "before": group.before.values[..., own].astype(np.float64) if "before" in group else None,
    }
    half, label = (_of_pictures(measured, name) for name in ("half", "label"))
    return Layer(answer[..., own], half, label, top=top, **more)


def _as_many(untrained: Layer, trained: Layer, at: int) -> list[Layer]:
    """Return an untrained layer with as many units as live when trained, chosen at random, several times.

    With more units to choose from matching finds better partners. One of fewer units stays as it is.
    """
    most, units = trained.values.shape[2], untrained.values.shape[2]
    if units <= most:
        return [untrained]
    chosen = [np.sort(np.random.default_rng([_CHOICE, at, time]).permutation(units)[:most]) for time in range(_FEW)]
    return [replace(untrained, values=untrained.values[..., own]) for own in chosen]


def _of_choices(before: Sequence[Sequence[Layer]], pair: Pair) -> list[tuple[Layer, Layer]]:
    """Return a pair of untrained layers for each choice of their units."""
    own, other = (before[at] for at in pair)
    return [(own[time % len(own)], other[time % len(other)]) for time in range(_FEW)]


def dataset(measured: xr.DataTree, group: str) -> xr.Dataset:
    """Return a group of what was measured, by itself."""
    node: Any = measured[group]
    return node.to_dataset(inherit=False)


def _of_pictures(measured: xr.DataTree, name: str) -> np.ndarray:
    """Return what is known of the probe pictures, which all seeds share."""
    return np.asarray(measured.to_dataset()[name].values[0])


def _channels(measured: xr.DataTree, at: int) -> np.ndarray:
    """Return the numbers of the live units of the seed at a position."""
    group = dataset(measured, "trained").isel(seed=at)
    return np.asarray(group.channel.values[_live(group)])


def _live(group: xr.Dataset) -> np.ndarray:
    """Return where the units of a seed stand that are its own, by their numbers, as its weights are ordered.

    Beside each other seeds have their units in the order in which any of them first has one.
    """
    own = np.flatnonzero(np.isfinite(group.answer.values).all((0, 1)))
    return own[np.argsort(group.channel.values[own], kind="stable")]


def _nulls(measured: xr.DataTree, layers: Sequence[Layer]) -> dict[str, Null]:
    """Return the nulls that this layer has: where places are not known, or no ReLU follows, there is one less."""
    label = _of_pictures(measured, "label")
    nulls: dict[str, Null] = {"shuffled": shuffled_null(np.zeros_like(label)), "within_class": shuffled_null(label)}
    if "part" in measured:
        nulls["within_place"] = shuffled_null(_of_pictures(measured, "part"))
    nulls["rotated"] = rotated_null
    if all(layer.before is not None for layer in layers):
        nulls["rectified"] = rectified_null
    return nulls


def _unit_numbers(
    measured: xr.DataTree,
    layers: Sequence[Layer],
    before: Sequence[Sequence[Layer]],
    pairs: Sequence[Pair],
    observed: Mapping[Pair, Aligned],
    drawn: Mapping[str, Mapping[Pair, Drawn]],
    top: int,
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """Return what matched units have in common, by number and matched, and under the nulls."""
    names = names_matched(top)
    same = {pair: _by_number(measured, layers, pair) for pair in pairs}
    value, null = {}, {}
    for key, name in names.items():
        value[name] = np.array([observed[pair].statistic.get(key, np.nan) for pair in pairs])
        value[name.removesuffix("_matched").replace("matched_r", "r") + "_by_number"] = np.array(
            [same[pair].statistic.get(key, np.nan) for pair in pairs]
        )
        null[name] = {
            which: np.stack([of[pair].statistic[key] for pair in pairs], axis=1)
            for which, of in drawn.items()
            if all(key in of[pair].statistic for pair in pairs)
        }
        if key == "r":
            null[name]["untrained"] = np.array(
                [[align(a.prepared, b.prepared).statistic["r"] for a, b in _of_choices(before, pair)] for pair in pairs]
            ).T
    value[f"top{top}_shared_by_number_above_chance"] = np.array(
        [
            _above_chance(
                same[a, b].statistic.get("top_shared", np.nan), layers[a], layers[b], int(measured.attrs["units"])
            )
            for a, b in pairs
        ]
    )
    return value, null


def _above_chance(shared: float, a: Layer, b: Layer, units: int) -> float:
    """Return (shared − chance) / (most − chance) of dominant sets, means over classes and halves.

    Chance deals the numbers of all ``units`` of a layer, live or not, to each seed's units anew: who is alive is a part
    of who dominates. NaN where there is no set, or nothing above chance could be shared.
    """
    sets = [of.prepared.dominant for of in (a, b) if of.prepared.dominant is not None]
    if len(sets) < 2:
        return float("nan")
    size = np.array([of.sum((-2, -1)) for of in sets], dtype=np.float64)  # (seed, half, class)
    size = size[..., size.any((0, 1))]
    if not size.size:
        return float("nan")
    chance = float((size[0] * size[1]).mean()) / (units * a.values.shape[1])
    most = float(size.min(0).mean())
    return (shared - chance) / (most - chance) if most > chance else float("nan")


def _whole_numbers(
    layers: Sequence[Layer],
    observed: Mapping[Pair, Aligned],
    drawn: Mapping[str, Mapping[Pair, Drawn]],
    top: int,
) -> tuple[dict[str, float], dict[str, dict[str, np.ndarray]]]:
    """Return how stable the dominant sets are, matched; of a sample of pairs there is no such number."""
    n = len(layers)
    if n < 3 or len(observed) < n * (n - 1) // 2:
        return {}, {}
    name = f"top{top}_stability_matched"
    null = {
        which: np.array(
            [_stability(layers, {pair: drawn[which][pair].matching[time] for pair in observed}) for time in range(_FEW)]
        )
        for which in ("shuffled", "within_class")
    }
    return {name: _stability(layers, {pair: of.matching for pair, of in observed.items()})}, {name: null}


def _by_number(measured: xr.DataTree, layers: Sequence[Layer], pair: Pair) -> Aligned:
    """Return what units of one number have in common that live in both seeds."""
    own, other = (_channels(measured, at) for at in pair)
    _, rows, columns = np.intersect1d(own, other, return_indices=True)
    return aligned_as(layers[pair[0]].prepared, layers[pair[1]].prepared, (rows, columns))


def _stability(layers: Sequence[Layer], matching: Mapping[Pair, Any]) -> float:
    """Return the stability of the dominant sets, matched on one half and chosen on the other, mean of both ways."""
    found = []
    for fit in (0, 1):
        sets = [layer.prepared.dominant[1 - fit] for layer in layers if layer.prepared.dominant is not None]
        found.append(matched_stability(sets, {pair: of[fit] for pair, of in matching.items()}))
    return float(np.mean(found))


def _space_numbers(
    measured: xr.DataTree, layers: Sequence[Layer], before: Sequence[Sequence[Layer]], pairs: Sequence[Pair], draws: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """Return how much of the space two seeds share, whatever its axes, and under the nulls."""
    own = [similarities(layers[a], layers[b]) for a, b in pairs]
    earlier = [[similarities(*choice) for choice in _of_choices(before, pair)] for pair in pairs]
    label = _of_pictures(measured, "label")
    within = shuffled_pictures(label)
    drawn = [
        ("within_class", procrustes_by_shuffles(layers, pairs, label, draws, _NUMBER["within_class"])),
        ("within_class", similarities_by_null(layers, pairs, within, _FEW, _NUMBER["within_class"], EVERY[1:])),
        ("rotated", similarities_by_null(layers, pairs, turned, _FEW, _NUMBER["rotated"], OF_UNITS)),
    ]
    value, null = {}, {}
    for name in own[0] if own else ():
        value[name] = np.array([of[name] for of in own])
        null[name] = {
            which: np.stack([of[pair][name] for pair in pairs], axis=1) for which, of in drawn if name in of[pairs[0]]
        }
        null[name]["untrained"] = np.array([[one[name] for one in of] for of in earlier]).T
    return value, null


def _through_training(
    measured: xr.DataTree, pairs: Sequence[Pair]
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return CKA of each layer at the end of training with its nulls, and at every frame."""
    value, null, frames, step = {}, {}, {}, {}
    for layer, group in measured["layers"].children.items() if "layers" in measured.children else ():
        followed, label = group.followed.values, group.picture_label.values[0]
        grams = []
        for of_seed in followed:
            there = of_seed[..., np.isfinite(of_seed).all((0, 1))]
            grams.append([gram(at_frame) for at_frame in there])
        frames[layer] = np.array([[cka(grams[a][f], grams[b][f]) for a, b in pairs] for f in range(len(grams[0]))])
        step[layer] = group.step.values[0] if group.step.ndim > 1 else group.step.values
        name = f"{layer}_cka"
        value[name] = frames[layer][-1]
        shuffles = []
        for time in range(_FEW):
            order = [shuffled_within(label, np.random.default_rng([_CKA, b, time])) for b in range(len(grams))]
            shuffles.append([cka(grams[a][-1], grams[b][-1][np.ix_(order[b], order[b])]) for a, b in pairs])
        null[name] = {"within_class": np.array(shuffles), "untrained": frames[layer][:1]}
    return value, null, frames, step


def _universal(
    observed: Mapping[Pair, Aligned], drawn: Mapping[str, Mapping[Pair, Drawn]], units: list[int]
) -> Universal | None:
    """Return which units every seed has; the limit of a unit is the highest of its nulls, shuffled pictures apart."""
    if len(units) < 2:
        return None
    likes: dict[Pair, np.ndarray] = {}
    for (a, b), found in observed.items():
        limit = [limits(of[a, b].unit_r) for which, of in drawn.items() if which != "shuffled"]
        likes[a, b], likes[b, a] = likes_of(found, np.max(limit, axis=0), (units[a], units[b]))
    return universal_units(likes, units)
