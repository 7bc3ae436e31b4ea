"""What was measured, as its figures need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import Facts, class_names
from seedscope.formulas.votes import Votes
from seedscope.lenses.units import Units
from seedscope.lenses.votes import measured_votes

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Exhibit:
    """One of the fixed few pictures of a class.

    Attributes:
        position: where its sample stands.
        image: (channel, y, x).
        words: which sample it is and how it was decided.
    """

    position: int
    image: np.ndarray
    words: str


@dataclass(frozen=True)
class Seen:
    """What was measured, with what is read from it again and again.

    Attributes:
        measured: what :mod:`seedscope.lenses.contribution.measure` returned.
        votes: the votes.
        units: what the units are.
        about: the experiment and the replica.
        classes: what each class is called.
    """

    measured: xr.Dataset
    votes: Votes
    units: Units
    about: Facts
    classes: tuple[str, ...]

    @classmethod
    def of(cls, measured: xr.Dataset) -> Seen:
        """Read it."""
        classes = tuple(f"class {name}" for name in class_names(measured))
        return cls(measured, measured_votes(measured), Units.measured(measured), Facts.of(measured), classes)

    def own(self, k: int) -> np.ndarray:
        """Return the activations of a class's own pictures, (sample, unit)."""
        return np.asarray(self.votes.activation[self.measured.label.values == k])

    @property
    def centred_dominance(self) -> np.ndarray:
        """Return the mean centred votes for each class in its own pictures, (class, unit)."""
        return np.asarray(self.measured.dominance.sel(version="centred").values)

    def exhibits(self, k: int) -> list[Exhibit]:
        """Return the pictures of a class that are shown."""
        shown = self.measured.exhibit_position.values[k]
        return [self._exhibit(k, int(column)) for column in np.flatnonzero(shown >= 0)]

    def _exhibit(self, k: int, column: int) -> Exhibit:
        position = int(self.measured.exhibit_position.values[k, column])
        label, predicted = int(self.measured.label[position]), int(self.measured.predicted[position])
        verdict = "decided correctly" if label == predicted else f"wrongly decided as {predicted}"
        words = f"sample {int(self.measured.sample[position])}\n{verdict}"
        return Exhibit(position, self.measured.exhibit_image.values[k, column], words)
