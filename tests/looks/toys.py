"""A lens that says when it measures and when it draws, and some that do what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from seedscope.figures import Bars, Facts, Panel, Sheet
from seedscope.lenses import Network, Replica, for_drawing


@dataclass(frozen=True)
class Brightness:
    """The mean brightness of the pictures, times ``scale``."""

    scale: float = 1.0
    colour: str = for_drawing("red")

    done: ClassVar[list[str]] = []

    def check(self, network: Network) -> None:
        """Look at anything."""

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return a number."""
        self.done.append("measured")
        mean = self.scale * float(replica.probe.image.mean())
        return xr.Dataset({"mean": mean}, attrs={"experiment": replica.experiment, "seed": replica.seed})

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return it, and one that there is not."""
        return {"mean": float(measured["mean"]), "nothing": np.nan}

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield two figures in the colour."""
        self.done.append("drawn")
        for name in ("one", "two"):
            body = Panel([Bars([0], [float(measured["mean"])], self.colour)])
            yield Sheet(name, Facts.of(measured), f"Figure {name}", "A bar.", body)


class Second(Brightness):
    """Another lens of the same kind."""


class Peeking(Brightness):
    """It lets the colour into its numbers."""

    def measure(self, replica: Replica) -> xr.Dataset:
        """Read what only drawing reads."""
        return super().measure(replica).assign_attrs(colour=self.colour)


class Hasty(Brightness):
    """It draws while it measures."""

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Draw."""
        return {"panels": float(Sheet("a", Facts.of(measured), "A", "A.", Panel()).body.width)}


class Slotted:
    """A lens that is no dataclass: all its settings are measuring's."""

    __slots__ = ("scale",)

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def measure(self, _replica: Any) -> xr.Dataset:
        """Return the setting."""
        return xr.Dataset({"scale": self.scale})
