"""Draw what the units of one replica hold: what a transplant has to give back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import FOR, NEUTRAL, Axis, Bars, Dots, Facts, Key, Panel, Rule, Sheet, named
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAMED = 80  # more units than that are not named one by one


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.transplants.Transplants.draw`."""
    units = Units.measured(measured)
    what = "channel" if units.kind == "map" else "picture" if units.kind == "pixel" else "unit"
    number = np.flatnonzero(measured.taking_part.values)
    ablated, of_class = (measured.divergence.sel(way=way).values[number] for way in ("ablated", "class_mean"))
    order = np.argsort(-ablated, kind="stable")
    at, few = np.arange(len(number)), len(number) <= _NAMED
    below = f"{what} of {units.layer}, by how much it moves"
    x = named(number[order].tolist(), below, low=-1, high=max(1, len(number)))
    yield Sheet(
        "transplants_at_stake",
        Facts.of(measured),
        f"What does an answer lose without a {what} of {units.layer}, and would its class be enough?",
        "How far the answer moves (Kullback-Leibler divergence from the seed's own probabilities) when one "
        f"{what} stands at its mean (bars) or at its mean over the picture's class (dots); means are those of one "
        "half of the pictures, and the other is scored. A dot as high as its bar: the class gives nothing back; above "
        "it: told the class, the network is surer than it was.",
        Panel(
            [
                Bars(at, ablated[order], "#b9d3e6", label="at its mean"),
                Dots(at, of_class[order], FOR, size=4.5, label="at its class's mean"),
                Rule(0, NEUTRAL, width=0.6),
            ],
            x=x if few else Axis(below, whole=True, low=-1, high=len(number)),
            y=Axis("divergence\n(nats a picture)", low=0),
            width=8.0,
            height=2.6,
            empty="" if len(number) else "nothing is active in both halves of the pictures",
            key=Key("upper right"),
        ),
        _table(number, ablated, of_class, what),
    )


def _table(number: np.ndarray, ablated: np.ndarray, of_class: np.ndarray, what: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({what: number, "divergence_at_mean": ablated, "divergence_at_class_mean": of_class})
