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
    ablated, of_class = (measured.loss.sel(way=way).values[number] for way in ("ablated", "class_mean"))
    order = np.argsort(-ablated, kind="stable")
    at, few = np.arange(len(number)), len(number) <= _NAMED
    below = f"{what} of {units.layer}, by what it holds"
    x = named(number[order].tolist(), below, low=-1, high=max(1, len(number)))
    yield Sheet(
        "transplants_at_stake",
        Facts.of(measured),
        f"What does a {what} of {units.layer} hold, and is it more than the class?",
        f"The log-probability of the true class that is lost when one {what} stands at its mean (bars), and what is "
        "lost still when it stands at the mean of the picture's class (dots): means of one half of the pictures, "
        "scored on the other. A transplant that gives back no more than lies between a bar and its dot has brought "
        "the class.",
        Panel(
            [
                Bars(at, ablated[order], "#b9d3e6", label="at its mean"),
                Dots(at, of_class[order], FOR, size=4.5, label="at its class's mean"),
                Rule(0, NEUTRAL, width=0.6),
            ],
            x=x if few else Axis(below, whole=True, low=-1, high=len(number)),
            y=Axis("log p lost, mean\nover pictures (nats)"),
            width=8.0,
            height=2.6,
            empty="" if len(number) else "nothing is active in both halves of the pictures",
            key=Key("upper right"),
        ),
        _table(number, ablated, of_class, what),
    )


def _table(number: np.ndarray, ablated: np.ndarray, of_class: np.ndarray, what: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({what: number, "lost_at_mean": ablated, "lost_at_class_mean": of_class})
