"""Are the units of two seeds each other's likes? The whole procedure, and the same procedure under its nulls.

    fit     match the live units one to one by signed r on one half of the pictures (:mod:`seedscope.formulas.matching`)
    score   on the other half, of the matched pairs:
            r            their mean Pearson r
            top_shared   how many of the t dominant units of a class have a dominant partner, mean over classes
            profile      Spearman's ρ over matched units of their dominance for a class, mean over classes
    both ways round, and averaged.

Units that live in both halves take part. Dominance is that of :mod:`seedscope.formulas.votes`, of the scoring half, so
that nothing is matched on what it is scored by: matched on votes, unrelated networks share their top units.

A null puts another layer in the place of the second one and does all of this again, matching and selection included:

    shuffled       its answers to all pictures of a half in another order     what any two layers have in common
    within_class   … in another order within each class                       units that are alike in their classes only
    within_place   … within each class and part of its places                 … in class and place
    rotated        X Q: other axes of the same space                          :mod:`seedscope.formulas.rotation`
    rectified      max(0, Z Q): other axes, again sparse and not negative

Draw t of a null does the same to a seed in all of its pairs, so that the mean over pairs has a null distribution of its
own: pairs that share a seed are not independent. Shuffles keep a picture's places together. What no head weighs after
it was rotated and rectified has no dominance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from seedscope.formulas.correlation import spearman
from seedscope.formulas.matching import Matching, one_to_one, standardised
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.overlap import membership
from seedscope.formulas.ranks import top_units
from seedscope.formulas.rotation import random_rotation

STATISTICS = ("r", "top_shared", "profile")
_AT_A_TIME = 25  # draws of a null that are in memory at once


@dataclass(frozen=True)
class Prepared:
    """A layer of live units, ready to be matched.

    Attributes:
        halves: of each half of the pictures, each unit centred and of length 1 over pictures and places,
            (sample, place, unit).
        dominance: the mean centred vote for each class over the class's own pictures of a half,
            (half, class, place, unit); ``None`` where no head weighs the layer.
        dominant: which units stand at the top of a class, as ``dominance``.
    """

    halves: tuple[np.ndarray, np.ndarray]
    dominance: np.ndarray | None
    dominant: np.ndarray | None


@dataclass(frozen=True)
class Layer:
    """What a layer of one replica answers to the pictures, and how its head weighs it.

    Attributes:
        values: (sample, place, unit); a dense layer has one place, of a feature map units are channels.
        half: to which half each picture belongs, (sample) of 0 and 1.
        label: (sample).
        weight: by which each class is voted for, centred over classes, (class, place, unit); ``None`` where no head
            weighs it.
        before: as ``values``, before the ReLU; ``None`` where there is none.
        top: how many units of a class count as dominant.
    """

    values: np.ndarray
    half: np.ndarray
    label: np.ndarray
    weight: np.ndarray | None = None
    before: np.ndarray | None = None
    top: int = 5

    def alive(self) -> Layer:
        """Return the layer of the units that some picture of either half makes active."""
        live = np.all([(self.values[self.half == half] != 0).any((0, 1)) for half in (0, 1)], axis=0)
        kept = [None if part is None else part[..., live] for part in (self.weight, self.before)]
        return replace(self, values=self.values[..., live], weight=kept[0], before=kept[1])

    def of_half(self, half: int) -> np.ndarray:
        """Return the values of one half of the pictures, (sample · place, unit)."""
        return _flat(self.values[self.half == half])

    @cached_property
    def prepared(self) -> Prepared:
        """Return the layer ready to be matched; all its units are taken to live."""
        first, second = (
            standardised(self.of_half(half)).reshape((self.half == half).sum(), *self.values.shape[1:])
            for half in (0, 1)
        )
        dominance = self._dominance()
        dominant = None if dominance is None else np.stack([_dominant(half, self.top) for half in dominance])
        return Prepared((first, second), dominance, dominant)

    def _dominance(self) -> np.ndarray | None:
        if self.weight is None:
            return None
        result = np.zeros((2, *self.weight.shape))
        for half in (0, 1):
            for k in np.unique(self.label):
                own = (self.half == half) & (self.label == k)
                if own.any():
                    result[half, k] = self.values[own].mean(0) * self.weight[k]
        return result


Null = Callable[[Layer, np.random.Generator], Prepared]
"""Puts another layer in the place of one."""


def shuffled(group: np.ndarray) -> Null:
    """Return the null that orders the pictures anew within each group (sample) of each half.

    What a unit votes stays: only who is matched to whom is another.
    """

    def null(layer: Layer, rng: np.random.Generator) -> Prepared:
        first, second = (
            of_half[shuffled_within(group[layer.half == half], rng)]
            for half, of_half in enumerate(layer.prepared.halves)
        )
        return replace(layer.prepared, halves=(first, second))

    return null


def rotated(layer: Layer, rng: np.random.Generator) -> Prepared:
    """Return the layer along other axes, its head with it: the same logits."""
    q = random_rotation(layer.values.shape[2], rng)
    weight = None if layer.weight is None else layer.weight @ q
    return replace(layer, values=layer.values @ q, weight=weight, before=None).prepared


def rectified(layer: Layer, rng: np.random.Generator) -> Prepared:
    """Return what a ReLU makes of the layer along other axes, those of its units that then live."""
    if layer.before is None:
        raise ValueError("the layer has no ReLU")
    q = random_rotation(layer.before.shape[2], rng)
    turned = replace(layer, values=np.maximum(layer.before @ q, 0), weight=None, before=None)
    return turned.alive().prepared


@dataclass(frozen=True)
class Aligned:
    """How the units of two layers are matched, and what that scores.

    Attributes:
        matching: by the half that it was chosen on.
        unit_r: of each unit of the first layer the r with its partner on the half that it was not chosen on, mean of
            both ways; 0 of a unit without a partner, (unit).
        statistic: by name; NaN where it has no value.
    """

    matching: tuple[Matching, Matching]
    unit_r: np.ndarray
    statistic: Mapping[str, float]


def align(a: Prepared, b: Prepared) -> Aligned:
    """Match the units of two layers, and score them."""
    return _aligned(a, b, _matched(a, b))


def aligned_as(a: Prepared, b: Prepared, matching: Matching) -> Aligned:
    """Score the units of two layers under a matching that is given, such as that of units of one number."""
    return _aligned(a, b, _scored(_correlations(a, b), (matching, matching), a.halves[0].shape[2]))


def _aligned(a: Prepared, b: Prepared, found: _Matched) -> Aligned:
    return Aligned(found.matching, found.unit_r, {name: float(of[0]) for name, of in _scores(a, [b], [found])})


@dataclass(frozen=True)
class Drawn:
    """What a null gives for one pair of seeds.

    Attributes:
        statistic: by name, (draw).
        unit_r: (draw, unit of the first seed), as in :class:`Aligned`.
        matching: of each draw, as in :class:`Aligned`.
    """

    statistic: Mapping[str, np.ndarray]
    unit_r: np.ndarray
    matching: tuple[tuple[Matching, Matching], ...]


def aligned_by_null(
    layers: Sequence[Layer], pairs: Sequence[tuple[int, int]], null: Null, draws: int, number: int
) -> dict[tuple[int, int], Drawn]:
    """Return what a null gives for each pair (a, b) of layers, put in the place of b.

    Draw t of seed b is the same in all of its pairs; ``number`` tells the generators of one null from another's.
    """
    found: dict[tuple[int, int], list[Drawn]] = {pair: [] for pair in pairs}
    for second in sorted({b for _, b in pairs}):
        firsts = [a for a, b in pairs if b == second]
        for start in range(0, draws, _AT_A_TIME):
            drawn = [
                null(layers[second], np.random.default_rng([number, second, time]))
                for time in range(start, min(start + _AT_A_TIME, draws))
            ]
            for first in firsts:
                own = layers[first].prepared
                matched = [_matched(own, layer) for layer in drawn]
                statistic = dict(_scores(own, drawn, matched))
                unit_r = np.stack([one.unit_r for one in matched])
                found[first, second].append(Drawn(statistic, unit_r, tuple(one.matching for one in matched)))
    return {pair: _joined(parts) for pair, parts in found.items()}


def _joined(parts: Sequence[Drawn]) -> Drawn:
    names = parts[0].statistic
    return Drawn(
        {name: np.concatenate([part.statistic[name] for part in parts]) for name in names},
        np.concatenate([part.unit_r for part in parts]),
        tuple(one for part in parts for one in part.matching),
    )


@dataclass(frozen=True)
class _Matched:
    matching: tuple[Matching, Matching]
    unit_r: np.ndarray
    r: float


def _matched(a: Prepared, b: Prepared) -> _Matched:
    r = _correlations(a, b)
    return _scored(r, (one_to_one(r[0]), one_to_one(r[1])), a.halves[0].shape[2])


def _correlations(a: Prepared, b: Prepared) -> list[np.ndarray]:
    """Return r (unit, unit) on each half."""
    return [_flat(x).T @ _flat(y) for x, y in zip(a.halves, b.halves, strict=True)]


def _scored(r: Sequence[np.ndarray], matching: tuple[Matching, Matching], units: int) -> _Matched:
    unit_r = np.zeros(units)
    scored = []
    for fit, (rows, columns) in enumerate(matching):
        held_out = r[1 - fit][rows, columns]
        unit_r[rows] += held_out / 2
        scored.append(held_out.mean() if len(held_out) else np.nan)
    return _Matched(matching, unit_r, float(np.mean(scored)))


def _flat(half: np.ndarray) -> np.ndarray:
    return half.reshape(half.shape[0] * half.shape[1], half.shape[2])


def _scores(a: Prepared, layers: Sequence[Prepared], found: Sequence[_Matched]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each statistic, (layer)."""
    yield "r", np.array([one.r for one in found])
    theirs = [(of.dominance, of.dominant) for of in layers if of.dominance is not None and of.dominant is not None]
    if a.dominance is None or a.dominant is None or not theirs:
        return
    shared, profile = np.zeros(len(found)), np.zeros(len(found))
    for fit in (0, 1):
        own, seen = a.dominance[1 - fit], (a.dominance[1 - fit] != 0).any((1, 2))  # classes that have pictures
        if not seen.any():
            shared[:] = profile[:] = np.nan
            break
        mine, left, right = a.dominant[1 - fit, seen], [], []
        for at, (one, (dominance, dominant)) in enumerate(zip(found, theirs, strict=True)):
            rows, columns = one.matching[fit]
            both = mine[..., rows] & dominant[1 - fit, seen][..., columns]
            shared[at] += both.sum((1, 2)).mean() / 2
            left.append(own[seen][..., rows].reshape(seen.sum(), -1))
            right.append(dominance[1 - fit, seen][..., columns].reshape(seen.sum(), -1))
        profile += spearman(np.stack(left), np.stack(right)).mean(-1) / 2
    yield "top_shared", shared
    yield "profile", profile


def _dominant(dominance: np.ndarray, top: int) -> np.ndarray:
    """Return which units are among the ``top`` of each class, (class, place, unit) of booleans."""
    flat = dominance.reshape(len(dominance), -1)
    chosen = top_units(flat, (flat != 0).any(0), top)  # of a feature map's unit some places may be dead
    return membership(chosen, flat.shape[1]).reshape(dominance.shape)
