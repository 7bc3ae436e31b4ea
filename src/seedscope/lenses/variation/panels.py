"""What draw and compare both show: curves over the levels of each design, and sources of variance in their colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import NEUTRAL, PALETTE, Axis, Facts, Grid, Key, Line, Mark, Panel, Rule, Sheet, Spans
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses.variation.designs import SOURCES, designs_of, settings_of

if TYPE_CHECKING:
    import pandas as pd
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


def settings_sheet(measured: xr.Dataset, name: str) -> Sheet:
    """Show the shares of the sources at each setting at which pictures were crossed, of a seed or of several."""
    several = "seed" in measured["setting_share"].dims
    of_seeds = measured if several else measured.expand_dims("seed")
    panels = [_setting(design, part) for design, part in settings_of(of_seeds)]
    shown = "each seed thin, mean with its 95 % t interval over seeds" if several else "this seed"
    return Sheet(
        name,
        Facts.of(measured),
        "What makes votes vary, by the setting of the pictures",
        "The shares of place, noise and their interaction in the variance of the votes within a class, as the network "
        "sees the crossed pictures made again at other settings, with the same places and noise fields: "
        f"{shown}. Dotted: the data set's own setting, with which the network was trained. How much place has over "
        "noise is a matter of the setting.",
        replace(Grid(panels, len(panels), share_y=True, gap=0.3), key=Key("right")),
        _settings_table(of_seeds, several),
    )


def _setting(design: str, part: xr.Dataset) -> Panel:
    level, base = part["setting_level"].values, part["setting_base"].values.astype(bool)
    marks: list[Mark] = [Rule(0, NEUTRAL, width=0.6)]
    marks += [Rule(float(level[at]), NEUTRAL, ":", 0.9, across=False) for at in np.flatnonzero(base)]
    values = part["setting_share"].transpose("seed", "source", "setting").values
    for index, source in enumerate(SOURCES):
        color, of_source = SOURCE_COLOURS[source], values[:, index]
        if len(values) > 1:
            marks += [Line(level, of_seed, color, width=0.6, opacity=0.5) for of_seed in of_source]
        intervals = [mean_interval(column) for column in of_source.T]
        numbers = np.array([one.numbers for one in intervals])
        marks.append(Line(level, numbers[:, 0], color, shape="o", label=source))
        known = np.isfinite(numbers[:, 1])
        marks.append(Spans(level[known], numbers[known, 1], numbers[known, 2], color, 1.4))
    room = 0.05 * (float(np.ptp(level)) or 1.0)
    words = str(part["setting_level"].attrs.get(design, design))
    return Panel(
        marks,
        x=Axis(words, level if len(level) < 8 else None, low=level.min() - room, high=level.max() + room),
        y=Axis("share of the variance"),
        width=3.6,
        height=2.7,
        empty="" if np.isfinite(values).any() else "nothing varies",
    )


def _settings_table(measured: xr.Dataset, several: bool) -> pd.DataFrame:
    import pandas as pd

    values = measured["setting_share"].transpose("seed", "source", "setting").values
    rows = [
        {
            "design": str(measured["setting_design"].values[at]),
            "level": float(measured["setting_level"].values[at]),
            "base": bool(measured["setting_base"].values[at]),
            "source": source,
            **(mean_interval(values[:, index, at]).as_dict() if several else {"share": float(values[0, index, at])}),
        }
        for at in range(measured.sizes["setting"])
        for index, source in enumerate(SOURCES)
    ]
    return pd.DataFrame(rows)


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
