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
    rectified      max(0, Z Q − t): other axes, again as sparse and not negative

Draw t of a null does the same to a seed in all of its pairs, so that the mean over pairs has a null distribution of its
own: pairs that share a seed are not independent. Shuffles keep a picture's places together. What no head weighs after
it was rotated and rectified has no dominance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from seedscope.formulas.correlation import directions
from seedscope.formulas.matching import Matching, one_to_one, standardised
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.overlap import membership
from seedscope.formulas.ranks import top_units
from seedscope.formulas.rotation import as_sparse, random_rotation

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

    @cached_property
    def class_means(self) -> np.ndarray:
        """Return the mean answer to each class of a half, (half, class, place, unit); 0 where it has no picture."""
        classes = int(self.label.max()) + 1 if self.weight is None else len(self.weight)
        result = np.zeros((2, classes, *self.values.shape[1:]))
        for half in (0, 1):
            for k in np.unique(self.label):
                own = (self.half == half) & (self.label == k)
                if own.any():
                    result[half, k] = self.values[own].mean(0)
        return result

    def _dominance(self) -> np.ndarray | None:
        return None if self.weight is None else self.class_means * self.weight


@dataclass(frozen=True)
class Redrawn:
    """Several draws of a null, each a layer in the place of one.

    Attributes:
        halves: of each half, units centred and of length 1, (draw, sample · place, unit); one draw where ``turn`` or
            nothing tells draws apart.
        turn: of each half, by which the units of ``halves`` become those of a draw, (draw, unit, unit).
        dominance: as in :class:`Prepared`, a draw in front, or one for all draws.
        dominant: likewise.
        present: which units of a draw live in both halves, (draw, unit); ``None`` where all do.
    """

    halves: tuple[np.ndarray, np.ndarray]
    turn: tuple[np.ndarray, np.ndarray] | None = None
    dominance: np.ndarray | None = None
    dominant: np.ndarray | None = None
    present: np.ndarray | None = None

    @staticmethod
    def of(layer: Prepared) -> Redrawn:
        """Return a layer as the only draw."""
        first, second = (_flat(half)[None] for half in layer.halves)
        return Redrawn((first, second), None, *_in_front(layer))

    def correlations(self, a: Prepared, half: int) -> np.ndarray:
        """Return r with the units of a layer on a half, (draw, unit of a, unit)."""
        found = _flat(a.halves[half]).T @ self.halves[half]
        return found if self.turn is None else found @ self.turn[half]


Null = Callable[[Layer, Sequence[np.random.Generator]], Redrawn]
"""Puts other layers in the place of one, one for each generator."""


def _in_front(layer: Prepared) -> tuple[np.ndarray | None, np.ndarray | None]:
    return tuple(None if one is None else one[None] for one in (layer.dominance, layer.dominant))  # type: ignore[return-value]


def shuffled(group: np.ndarray) -> Null:
    """Return the null that orders the pictures anew within each group (sample) of each half.

    What a unit votes stays: only who is matched to whom is another.
    """

    def null(layer: Layer, rngs: Sequence[np.random.Generator]) -> Redrawn:
        of_half = [group[layer.half == half] for half in (0, 1)]
        orders = [[shuffled_within(of_half[half], rng) for half in (0, 1)] for rng in rngs]
        first, second = (
            values[np.array([order[half] for order in orders])].reshape(
                len(rngs), len(values) * values.shape[1], values.shape[2]
            )
            for half, values in enumerate(layer.prepared.halves)
        )
        return Redrawn((first, second), None, *_in_front(layer.prepared))

    return null


def rotated(layer: Layer, rngs: Sequence[np.random.Generator]) -> Redrawn:
    """Return the layer along other axes, its head with it: the same logits.

    Xᵀ (Y Q) = (Xᵀ Y) Q, lengths are those of Qᵀ Yᵀ Y Q, and class means turn likewise: no picture is looked at again.
    """
    q = np.array([random_rotation(layer.values.shape[2], rng) for rng in rngs])
    centred, turn = [], []
    for half in (0, 1):
        values = layer.of_half(half).astype(np.float64)
        values = values - values.mean(0)
        gram = values.T @ values
        length = np.sqrt(np.maximum(((gram @ q) * q).sum(1, keepdims=True), 0))
        known = length > 1e-12 * np.sqrt(np.trace(gram))
        centred.append(values[None])
        turn.append(np.divide(q, length, out=np.zeros_like(q), where=known))
    halves, turns = (centred[0], centred[1]), (turn[0], turn[1])
    if layer.weight is None:
        return Redrawn(halves, turns)
    dominance = _turned(layer.class_means, q) * _turned(layer.weight, q)[:, None]
    return Redrawn(halves, turns, dominance, _dominant(dominance, layer.top))


def _turned(values: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return values (…, unit) along other axes (draw, unit, unit): (draw, …, unit)."""
    flat = values.reshape(math.prod(values.shape[:-1]), values.shape[-1])
    return (flat @ q).reshape(len(q), *values.shape)


def rectified(layer: Layer, rngs: Sequence[np.random.Generator]) -> Redrawn:
    """Return what ReLUs make of the layer along other axes, as often active as before: see ``as_sparse``.

    A unit that is then silent in one half takes no part, as everywhere.
    """
    if layer.before is None:
        raise ValueError("the layer has no ReLU")
    before, active = _flat(layer.before).astype(np.float64), _flat(layer.values > 0)
    values = np.array([as_sparse(before, active, rng) for rng in rngs])  # (draw, sample · place, unit)
    places, units = layer.values.shape[1:]
    present = np.ones((len(rngs), units), dtype=bool)
    halves = []
    for half in (0, 1):
        own = values[:, np.repeat(layer.half == half, places)]
        present &= (own > 0).any(1)
        wide = standardised(own.swapaxes(0, 1).reshape(own.shape[1], len(rngs) * units))
        halves.append(np.ascontiguousarray(wide.reshape(own.shape[1], len(rngs), units).swapaxes(0, 1)))
    return Redrawn((halves[0], halves[1]), present=None if present.all() else present)


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
    return _only(_drawn(a, Redrawn.of(b)))


def aligned_as(a: Prepared, b: Prepared, matching: Matching) -> Aligned:
    """Score the units of two layers under a matching that is given, such as that of units of one number."""
    return _only(_drawn(a, Redrawn.of(b), (matching, matching)))


def _only(found: Drawn) -> Aligned:
    statistic = {name: float(of[0]) for name, of in found.statistic.items()}
    return Aligned(found.matching[0], found.unit_r[0], statistic)


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
            times = range(start, min(start + _AT_A_TIME, draws))
            drawn = null(layers[second], [np.random.default_rng([number, second, time]) for time in times])
            for first in firsts:
                found[first, second].append(_drawn(layers[first].prepared, drawn))
    return {pair: _joined(parts) for pair, parts in found.items()}


def _joined(parts: Sequence[Drawn]) -> Drawn:
    names = parts[0].statistic
    return Drawn(
        {name: np.concatenate([part.statistic[name] for part in parts]) for name in names},
        np.concatenate([part.unit_r for part in parts]),
        tuple(one for part in parts for one in part.matching),
    )


def _drawn(a: Prepared, layers: Redrawn, given: tuple[Matching, Matching] | None = None) -> Drawn:
    """Match the units of a layer to those of each draw, or take the matching that is given, and score them."""
    r = [layers.correlations(a, half) for half in (0, 1)]
    draws, units = r[0].shape[:2]
    unit_r, scored, matching = np.zeros((draws, units)), np.full((draws, 2), np.nan), []
    for draw in range(draws):
        present = None if layers.present is None else np.flatnonzero(layers.present[draw])
        chosen = given or (_of_present(r[0][draw], present), _of_present(r[1][draw], present))
        for fit, (rows, columns) in enumerate(chosen):
            held_out = r[1 - fit][draw, rows, columns]
            unit_r[draw, rows] += held_out / 2
            if len(held_out):
                scored[draw, fit] = held_out.mean()
        matching.append(chosen)
    statistic = {"r": scored.mean(1)} | _of_votes(a, layers, matching)
    return Drawn(statistic, unit_r, tuple(matching))


def _of_present(r: np.ndarray, present: np.ndarray | None) -> Matching:
    if present is None:
        return one_to_one(r)
    rows, columns = one_to_one(r[:, present])
    return rows, present[columns]


def _flat(half: np.ndarray) -> np.ndarray:
    return half.reshape(half.shape[0] * half.shape[1], half.shape[2])


def _of_votes(a: Prepared, layers: Redrawn, matching: Sequence[tuple[Matching, Matching]]) -> dict[str, np.ndarray]:
    """Return the statistics of what units vote, by name, (draw)."""
    if a.dominance is None or a.dominant is None or layers.dominance is None or layers.dominant is None:
        return {}
    shared, profile = np.zeros(len(matching)), np.zeros(len(matching))
    for fit in (0, 1):
        seen = (a.dominance[1 - fit] != 0).any((1, 2))  # classes that have pictures
        if not seen.any():
            return {name: np.full(len(matching), np.nan) for name in ("top_shared", "profile")}
        rows, columns = (np.array([one[fit][side] for one in matching]) for side in (0, 1))
        mine = _taken(a.dominant[None, 1 - fit, seen], rows)
        theirs = _taken(layers.dominant[:, 1 - fit, seen], columns)
        shared += (mine & theirs).sum((-2, -1)).mean(-1) / 2
        left = _ranks(a.dominance[None, 1 - fit, seen], rows)
        right = _ranks(layers.dominance[:, 1 - fit, seen], columns)
        profile += (left * right).sum(-1).mean(-1) / 2
    return {"top_shared": shared, "profile": profile}


def _taken(of_units: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the chosen units (draw, chosen) of (draw or 1, class, place, unit): (draw, class, place, chosen)."""
    wide = np.broadcast_to(of_units, (len(chosen), *of_units.shape[1:]))
    return np.take_along_axis(wide, chosen[:, None, None, :], axis=-1)


def _ranks(dominance: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the ranks of the chosen units of each class, centred and of length 1, (draw, class, place · chosen).

    The product of two such rows is Spearman's ρ; NaN where nothing varies. Where all units are chosen their order
    alone differs between draws, and they are ranked once.
    """
    from scipy.stats import rankdata

    def directed(values: np.ndarray) -> np.ndarray:
        rows = values.reshape(values.shape[0] * values.shape[1], values.shape[2] * values.shape[3])
        if rows.shape[1] < 2:
            return np.full(values.shape, np.nan)
        return directions(rankdata(rows, axis=-1), "pearson").reshape(values.shape)

    everyone = chosen.shape[1] == dominance.shape[-1]
    found = _taken(directed(dominance), chosen) if everyone else directed(_taken(dominance, chosen))
    return _joined_places(found)


def _joined_places(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])


def _dominant(dominance: np.ndarray, top: int) -> np.ndarray:
    """Return which units are among the ``top`` of each class, (…, class, place, unit) of booleans."""
    flat = _joined_places(dominance)
    chosen = top_units(flat, (flat != 0).any(-2, keepdims=True), top)  # of a map's unit some places may be dead
    return membership(chosen, flat.shape[-1]).reshape(dominance.shape)
