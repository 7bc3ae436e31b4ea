"""What draw and compare both show: curves over the levels of each design, and sources of variance in their colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import NEUTRAL, PALETTE, Axis, Grid, Key, Mark, Panel, Rule
from seedscope.lenses.variation.designs import SOURCES, designs_of

if TYPE_CHECKING:
    import xarray as xr

SOURCE_COLOURS = dict(zip(SOURCES, (PALETTE[0], PALETTE[4], "#BBBBBB"), strict=True))
_LONGEST_LABEL = 44
_WORDS = {
    "accuracy": "accuracy",
    "margin": "margin (logit units)",
    "overlap": "top {top} shared\nwith the base level",
    "picture_overlap": "top {top} of a picture\nshared with it",
    "rank_correlation": "rank correlation\nwith the base level",
}

Marks = Callable[[str, "xr.Dataset"], Sequence[Mark]]
"""What shows a quantity, by its name, of a design's conditions; nothing where there is no value."""


def curve_grid(measured: xr.Dataset, names: Sequence[str], top: int, marks: Marks, empty: str) -> Grid:
    """Return a panel for each quantity and design; ``empty`` says why one has no marks."""
    designs = list(designs_of(measured))
    panels = []
    for row, name in enumerate(names):
        for column, (design, part) in enumerate(designs):
            panel = _panel(measured, name, design, part, top)
            shown = marks(name, part)
            rule = Rule(float(part["level"].values[part["base"].values][0]), NEUTRAL, ":", 0.7, across=False)
            panel = replace(panel, marks=[rule, *shown], empty="" if shown else empty, title="" if row else design)
            panels.append(replace(panel, key=Key("right")) if column == len(designs) - 1 else panel)
    return Grid(panels, len(designs), share_x="column", share_y="row")


def _panel(measured: xr.Dataset, name: str, design: str, part: xr.Dataset, top: int) -> Panel:
    level = part["level"].values
    room = 0.04 * (float(np.ptp(level)) or 1.0)
    words = str(measured["level"].attrs.get(design, design))
    words = words if len(words) <= _LONGEST_LABEL else f"{words[: _LONGEST_LABEL - 1]}…"
    low, high = {"accuracy": (-0.03, 1.03), "margin": (None, None), "rank_correlation": (None, None)}.get(
        name, (-0.15, top + 0.15)
    )
    return Panel(
        x=Axis(words, level if len(level) == 1 else None, low=level.min() - room, high=level.max() + room),
        y=Axis(_WORDS[name].format(top=top), low=low, high=high),
        width=3.0,
        height=1.45,
    )
