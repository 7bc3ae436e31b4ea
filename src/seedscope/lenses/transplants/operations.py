"""Transplants between two seeds, both ways, and with what they are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.transplants import SINGLY, Fit, random_matching, recovered
from seedscope.lenses.transplants.seeds import SeedLayer

_DRAWS, _FEWEST = 60, 6  # of all pairs together, and of each pair
_TESTED_DRAWS = 500  # of all pairs together, of what a claim rests on
MAPS = ("permutation", "rotation", "linear_map")
UNIT_NULLS = ("within_class", "within_place")
"""Nulls of matched units: the other seed's pictures shuffled within class, and within class and part of its places."""
_CLEAR = 0.1  # of the divergence, what must be lost of log p
_SHARES = ("recovered", "restored", "kept")  # of log p, of the divergence, of decisions


@dataclass(frozen=True)
class Transplanted:
    """What came of transplants between two seeds, sums over halves and directions.

    Attributes:
        sums: by way, (draw, measure), minus what is lost singly and then what is left together, by ``SINGLY`` and
            ``TOGETHER`` of :mod:`seedscope.formulas.transplants`. One draw of what is not drawn.
        scored: how many pictures, each once in each direction.
    """

    sums: Mapping[str, np.ndarray]
    scored: int

    def read(self, way: str) -> dict[str, np.ndarray]:
        """Return what is read from a way, each (draw): NaN where nothing was to be lost.

        Nor has ``recovered`` a value where ablation costs less log p of the true class than a tenth of the divergence
        that it makes. A calibrated network would lose as much as that; so much less is a small difference of gains and
        losses, and shares of it say nothing.
        """
        own, ablated, intact = self.sums[way], self.sums["ablated"], self.sums["intact"]
        gained = recovered(own, ablated, intact)
        lost = intact - ablated
        for log_p, divergence in ((0, 1), (len(SINGLY), len(SINGLY) + 1)):
            unclear = lost[0, log_p] < _CLEAR * lost[0, divergence]
            gained[:, log_p] = np.where(unclear, np.nan, gained[:, log_p])
        names = [f"{name}_singly" for name in _SHARES] + [f"{name}_together" for name in _SHARES]
        shares = dict(zip(names, gained.T[: len(names)], strict=True))
        return {**shares, "agreement": own[:, -2] / self.scored, "accuracy": own[:, -1] / self.scored}


def draws_of(pairs: int, together: int) -> int:
    """Return how often each of so many pairs is drawn, so that there are that many draws of all pairs together."""
    return max(_FEWEST, -(-together // pairs))


def transplant(a: SeedLayer, b: SeedLayer, rng: np.random.Generator, pairs: int) -> Transplanted:
    """Replace the units of each seed by those of the other; both have units that take part.

    Args:
        a: a seed.
        b: the other.
        rng: draws baselines and nulls.
        pairs: how many are looked at: of many, each needs few draws.
    """
    moves = moves_between(a, b)
    few, many = draws_of(pairs, _DRAWS), draws_of(pairs, _TESTED_DRAWS)
    drawn = [_summed([move.baselines(rng) for move in moves]) for _ in range(few)]
    for null, group in a.groups.items():
        for draw in range(many):
            maps = MAPS if null == "within_class" and draw < few else MAPS[:1]
            drawn.append({f"{way}_{null}": sums for way, sums in shuffled(moves, group, rng, maps).items()})
    ways = dict.fromkeys(way for one in drawn for way in one)
    sums = {way: np.stack([one[way] for one in drawn if way in one]) for way in ways}
    return Transplanted({way: one[None] for way, one in as_they_are(moves).items()} | sums, 2 * len(a.label))


@dataclass(frozen=True)
class Move:
    """One direction and one half: a donor's units in the host's place, fitted on ``side`` and scored on the other half.

    Attributes:
        host: whose head decides.
        donor: whose units do the work.
        side: the half of the pictures that is fitted on.
        forward: whether the host is the first seed of the pair.
    """

    host: SeedLayer
    donor: SeedLayer
    side: int
    forward: bool

    @cached_property
    def fit(self) -> Fit:
        """Return both on the half that is fitted on."""
        own = self.host.half == self.side
        return Fit(self.host.activation[own], self.donor.activation[own])

    @cached_property
    def test(self) -> np.ndarray:
        """Return the donor's units on the half that is scored."""
        return self.donor.activation[self.host.half != self.side]

    def sums(self, stand_in: np.ndarray, *, singly: bool = True) -> np.ndarray:
        """Return minus what a stand-in costs unit by unit, and what it leaves for all at once."""
        scored = self.host.scored[self.side]
        alone = -scored.singly(stand_in).sum(1) if singly else np.full(len(SINGLY), np.nan)
        return np.concatenate([alone, scored.together(stand_in)])

    def mapped(self, name: str, order: np.ndarray) -> np.ndarray:
        """Return the sums of a map, the donor's pictures (all of them) in an order that keeps the halves."""
        test = self.donor.activation[order[self.host.half != self.side]]
        own = np.flatnonzero(self.host.half == self.side)
        moved = np.searchsorted(own, order[own])
        if name == "permutation":
            return self.sums(self.fit.by_partners(test, self.fit.matching(moved), moved))
        fit = Fit(self.fit.a, self.fit.b[moved])
        return self.sums(fit.by_rotation(test) if name == "rotation" else fit.by_linear_map(test), singly=False)

    def fixed(self, maps: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the sums of what is not drawn, by way."""
        scored, order = self.host.scored[self.side], np.arange(len(self.host.label))
        of_class = self.fit.class_means(self.host.label[self.host.half == self.side], scored.label)
        return {
            "intact": np.concatenate([np.zeros(len(SINGLY)), scored.together(scored.activation)]),
            "ablated": self.sums(self.fit.means(len(self.test))),
            "class_mean": self.sums(of_class),
            **{name: self.mapped(name, order) for name in maps},
        }

    def baselines(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the sums of any of the donor's units, fitted, and as they are."""
        anyone = random_matching(self.fit.a.shape[1], self.fit.b.shape[1], rng)
        return {
            "random": self.sums(self.fit.by_partners(self.test, anyone)),
            "unmapped": self.sums(self.fit.unmapped(self.test, anyone), singly=False),
        }


def moves_between(a: SeedLayer, b: SeedLayer) -> list[Move]:
    """Return both directions with both halves."""
    return [Move(a, b, side, True) for side in (0, 1)] + [Move(b, a, side, False) for side in (0, 1)]


def as_they_are(moves: Sequence[Move], maps: Sequence[str] = MAPS) -> dict[str, np.ndarray]:
    """Return the sums of what is not drawn, by way."""
    return _summed([move.fixed(maps) for move in moves])


def shuffled(
    moves: Sequence[Move], group: np.ndarray, rng: np.random.Generator, maps: Sequence[str] = MAPS[:1]
) -> dict[str, np.ndarray]:
    """Return the sums of each map, by its name, with one seed's pictures shuffled within groups (sample) of each half.

    It is one shuffle for both directions and both halves: what two seeds have in common by chance shows in all four.
    """
    order = shuffled_within(2 * group + moves[0].host.half, rng)
    back = np.argsort(order)
    return _summed([{name: move.mapped(name, order if move.forward else back) for name in maps} for move in moves])


def _summed(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.sum([one[name] for one in parts], axis=0) for name in parts[0]}
