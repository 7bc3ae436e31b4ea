"""What is a unit of a layer, how is it called, and does its number mean the same in every seed?

    dense layer     unit i                    number i                  a seed numbers its units as it likes
    feature map     unit c·Y·X + y·X + x      channel c at place (y, x)  a seed numbers its channels; places are fixed
    the picture     unit c·Y·X + y·X + x      pixel (y, x)               nothing is numbered by a seed

The picture is a layer of units where the features are the picture itself, as in a network of a single layer. Its
units are never dead: a pixel that is 0 in every probe picture is *never on*.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses import Replica


@dataclass(frozen=True)
class Units:
    """The units of one layer, flattened.

    Attributes:
        layer: the layer's name.
        kind: what the units are.
        shape: (unit) of a dense layer, else (channel, y, x).
    """

    layer: str
    kind: Literal["dense", "map", "pixel"]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, replica: Replica, layer: str) -> Units:
        """Return the units of a layer that is kept for all probe pictures."""
        activation, image = replica.activations[layer], replica.probe.image
        inner = activation.shape[1:]
        if math.prod(inner) == math.prod(image.shape[1:]):
            flat = (len(image), -1)
            if np.array_equal(activation.values.reshape(flat), image.values.reshape(flat)):
                return cls(layer, "pixel", image.shape[1:])
        return cls(layer, "map", inner) if len(inner) == 3 else cls(layer, "dense", (math.prod(inner),))

    @classmethod
    def measured(cls, measured: xr.Dataset) -> Units:
        """Take the units back out of a data set that has :meth:`attributes`."""
        about = measured.attrs
        shape = tuple(int(size) for size in np.atleast_1d(about["unit_shape"]))
        return cls(about["features"], about["unit_kind"], shape)

    def attributes(self) -> dict[str, Any]:
        """Return what a measured data set says of its units."""
        return {"features": self.layer, "unit_kind": self.kind, "unit_shape": list(self.shape)}

    @property
    def count(self) -> int:
        """Return how many there are."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Return how many channels a seed numbers: the units of a dense layer count as one place each."""
        return self.shape[0]

    @property
    def words(self) -> str:
        """Return what the units are, in the plural."""
        return "pixels" if self.kind == "pixel" else f"units of {self.layer}"

    @property
    def live(self) -> str:
        """Return what the units are that are active for some probe picture, in the plural."""
        return "pixels that are ever on" if self.kind == "pixel" else f"live {self.words}"

    @property
    def active(self) -> str:
        """Return what the units are that are active for a picture, in the plural."""
        return "pixels that are on" if self.kind == "pixel" else f"active {self.words}"

    @property
    def silent(self) -> str:
        """Return what a unit is that is active for no probe picture."""
        return "never on" if self.kind == "pixel" else "dead"

    @property
    def key(self) -> str:
        """Return how names are read, to be put after what an axis is; empty where they are plain numbers."""
        if self.kind == "dense":
            return ""
        return ": channel (row,column)" if self.kind == "map" or self.shape[0] > 1 else ": (row,column)"

    def name(self, unit: int) -> str:
        """Return what a unit is called: its number, or channel and place, or a grey picture's place alone."""
        if self.kind == "dense":
            return str(unit)
        channel, y, x = np.unravel_index(unit, self.shape)
        place = f"({y},{x})"
        return place if self.kind == "pixel" and self.shape[0] == 1 else f"{channel} {place}"

    def names(self, units: Iterable[int]) -> list[str]:
        """Return what each of ``units`` is called."""
        return [self.name(int(unit)) for unit in units]

    def folded(self, values: np.ndarray) -> np.ndarray:
        """Return values (…, unit) by channel and place, (…, channel, place); of a dense layer by unit and 1 place."""
        return values.reshape(*values.shape[:-1], self.channels, self.count // self.channels)
