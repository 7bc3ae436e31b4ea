"""What was measured on all seeds, live units only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from seedscope.formulas.fields import residual_fields


@dataclass(frozen=True)
class Seeds:
    """What units of several seeds did.

    Attributes:
        seeds: their numbers.
        live: of each seed, the numbers of its live units.
        fields: of each, (half, live unit, place).
        activation: of each, (matched sample, live unit).
        dominance: of each, (live unit), over all classes.
        label: of the matched samples.
        label_of_place: (place).
        scored: which places fields are compared at, (place): the odd ones.
        shape: how many places there are along y and x.
    """

    seeds: np.ndarray
    live: list[np.ndarray]
    fields: list[np.ndarray]
    activation: list[np.ndarray]
    dominance: list[np.ndarray]
    label: np.ndarray
    label_of_place: np.ndarray
    scored: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, measured: xr.Dataset) -> Seeds:
        """Take them out of what was measured with a dimension ``seed``."""
        live = [np.flatnonzero(one) for one in measured.live.values.astype(bool)]
        field, activation = measured.field.values.astype(np.float64), measured.activation.values.astype(np.float64)
        dominance = measured.total_dominance.values
        shape = field.shape[-2:]
        return cls(
            measured.seed.values,
            live,
            [of[:, units].reshape(2, len(units), shape[0] * shape[1]) for of, units in zip(field, live, strict=True)],
            [of[:, units] for of, units in zip(activation, live, strict=True)],
            [of[units] for of, units in zip(dominance, live, strict=True)],
            measured.matched_label.values[0],
            measured.label_of_place.values[0].ravel(),
            (np.add.outer(measured.place_y.values, measured.place_x.values) % 2 == 1).ravel(),
            (int(shape[0]), int(shape[1])),
        )

    def at_scored(self, *, residual: bool) -> list[np.ndarray]:
        """Return the fields of each seed that are compared, beyond classes or whole: (half, live unit, place)."""
        label = self.label_of_place[self.scored]
        fields = [one[..., self.scored] for one in self.fields]
        return [residual_fields(one, label) for one in fields] if residual else fields
