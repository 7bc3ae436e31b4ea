"""One seed's layer as transplants see it: units that take part, and a head that weighs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.transplants import SINGLY, Fit, Host
from seedscope.formulas.votes import Votes
from seedscope.lenses.units import Units
from seedscope.lenses.votes import measured_votes

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class SeedLayer:
    """The layer of one seed.

    Attributes:
        activation: (sample, unit, place) of the units (channels) that take part.
        weight: (class, unit, place), of these.
        logit: (class, sample).
        label: (sample).
        half: (sample), 0 or 1.
        groups: by null, the groups (sample) within which it shuffles pictures.
    """

    activation: np.ndarray
    weight: np.ndarray
    logit: np.ndarray
    label: np.ndarray
    half: np.ndarray
    groups: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        votes: Votes,
        units: Units,
        taking_part: np.ndarray,
        label: np.ndarray,
        half: np.ndarray,
        place: np.ndarray | None = None,
    ) -> SeedLayer:
        """Take the units that take part out of all votes, which have a target for each class.

        ``place`` (sample) says in which part of its class's places each picture is, where that is known.
        """
        activation, weight = (units.folded(part)[:, taking_part] for part in (votes.activation, votes.weight))
        groups = {"within_class": label} | ({} if place is None else {"within_place": place})
        return cls(activation, weight, votes.logit().T, label, half, groups)

    @classmethod
    def measured(cls, measured: xr.Dataset) -> SeedLayer:
        """Take it out of what was measured of one seed."""
        label, half, part = (measured[name].values for name in ("label", "half", "taking_part"))
        place = measured.place.values if "place" in measured else None
        return cls.of(measured_votes(measured), Units.measured(measured), part.astype(bool), label, half, place)

    @cached_property
    def scored(self) -> tuple[Host, Host]:
        """Return it as what is scored once something is fitted on the first half, or on the second: on the other."""
        first, second = (
            Host(self.activation[own], self.weight, self.logit[:, own], self.label[own])
            for own in (self.half != side for side in (0, 1))
        )
        return first, second

    def fit(self, other: np.ndarray, side: int) -> Fit:
        """Return it beside another's activations (sample, unit, place), on one half of the pictures."""
        own = self.half == side
        return Fit(self.activation[own], other[own])

    def divergences(self) -> np.ndarray:
        """Return how far the answer moves, nats a picture, with each unit at its mean, and at its class's, (2, unit).

        Means are of one half, pictures of the other, both ways.
        """
        total = np.zeros((2, self.activation.shape[1]))
        for side in (0, 1) if total.size else ():
            host, fit = self.scored[side], self.fit(self.activation, side)
            ways = fit.means(len(host.label)), fit.class_means(self.label[self.half == side], host.label)
            total += [host.singly(way)[SINGLY.index("divergence")] for way in ways]
        return total / len(self.label)
