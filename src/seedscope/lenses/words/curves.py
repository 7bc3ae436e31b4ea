"""The tuning curves of the channels that are farthest above a word's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    NEUTRAL,
    PALETTE,
    Axis,
    Facts,
    Grid,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
)
from seedscope.figures.marks import Colours
from seedscope.lenses.words.stimuli import colour
from seedscope.lenses.words.vocabulary import COLOUR, EDGE, NONE, PLURAL, SPOT, in_words, known_words

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_STRONGEST = 8  # channels of a word whose curves are shown
_HUES = ("red", "yellow", "green", "cyan", "blue", "magenta", "red")


def tuning_curves(measured: xr.DataTree, layer: str) -> Sheet:
    """Show the tuning curves of the channels that are farthest above a word's limit."""
    part, words = measured[layer].to_dataset(), known_words(measured)
    panels = [_panel(part, word) for word in words if word < NONE]
    return Sheet(
        f"{layer}_tuning_curves",
        Facts.of(measured),
        f"The tuning of {layer}, channels by their word",
        f"Each curve is a channel of {layer} in the panel of its word: how far stripes raise it by their orientation "
        "(at its best period and phase), spots by their radius (the bright or the dark ones that it prefers, anywhere "
        "in its receptive field), hues of equal brightness all over the picture. Shares are of the channel's largest "
        "change by any stimulus. Dotted: the strongest rise by what the word is held against: for an edge the stripes "
        "across, black, white and hues; for a spot stripes, black, white and hues; for a colour all that has no hue. "
        f"{in_words(part, words, measured.attrs['null'])}.",
        Grid(panels, len(panels)),
        _table(part),
        note="dotted, in the same colour: the strongest of the other stimuli that the word is held against",
        family="Tuning curves of channels by their word",
        mark=layer,
    )


def _panel(part: xr.Dataset, word: int) -> Panel:
    """Show the clearest channels of one word."""
    members = np.flatnonzero(part.answer.values == word)
    number = part.met.values[:, word]
    shown = members[np.argsort(-number[members], kind="stable")][:_STRONGEST]
    capped = f"the {_STRONGEST} clearest of {len(members)}" if len(members) > _STRONGEST else f"all {len(members)}"
    x, y, behind = {EDGE: _edge_axes, SPOT: _spot_axes, COLOUR: _hue_axes}[word](part)
    marks = list(behind)
    for place, channel in enumerate(shown):
        of_hue = tuple(colour(part.preferred_hue.values[channel]) * 0.9)
        marks += _curve(part.isel(channel=channel), word, of_hue if word == COLOUR else PALETTE[place])
    return Panel(
        marks,
        PLURAL[word] + (f": {capped}" if len(members) else ""),
        x,
        y,
        width=2.7,
        height=2.55,
        empty="" if len(shown) else "no channel has this word",
        key=Key("below", "channel", columns=4),
    )


def _curve(channel: xr.Dataset, word: int, color: Colours) -> list[Mark]:
    largest, label = float(channel.largest_change), str(int(channel.channel))
    if word == EDGE:
        x, values = _closed(channel.orientation.values, channel.by_orientation.values, 180.0)
        best = float(channel.grating_rise)
    elif word == SPOT:
        polarity = int(channel.spot_polarity)
        x, values = channel.period.values / 4, channel.by_radius.values[polarity]
        best, label = float(channel.spot_rise), f"{label} {channel.polarity.values[polarity]}"
    else:
        x, values = _closed(channel.hue.values, channel.by_hue.values, 360.0)
        best = float(channel.hue_rise)
    rival = best / largest - float(channel.met.values[word])
    return [
        Line(x, values / largest, color, width=1.4, shape=".", size=4, label=label),
        Rule(rival, color, ":", 0.9),
    ]


def _closed(angle: np.ndarray, values: np.ndarray, circle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve around a circle with its first point once more at the end."""
    return np.append(angle, circle), np.append(values, values[0])


def _edge_axes(_part: xr.Dataset) -> tuple[Axis, Axis, list[Mark]]:
    degrees = Axis("orientation of the stripes (degrees, 90: vertical)", [0, 45, 90, 135, 180], low=0, high=180)
    return degrees, Axis("rise above the answer to grey\nshare of the channel's largest change", low=0, high=1.04), []


def _spot_axes(part: xr.Dataset) -> tuple[Axis, Axis, list[Mark]]:
    radius = part.period.values / 4
    names = [f"{one:.1f}" for one in radius[::2]]
    pixels = Axis("radius of the spot (pixels)", radius[::2], names, radius[0] / 1.1, radius[-1] * 1.1, "log")
    return pixels, Axis(low=0, high=1.04), []


def _hue_axes(_part: xr.Dataset) -> tuple[Axis, Axis, list[Mark]]:
    strip = Image(colour(np.arange(0, 361, 3.0))[None], extent=(0, 360, -1.3, -1.12))
    hues = Axis("hue", np.arange(0, 361, 60), _HUES, 0, 360, turned=35, size=7.5)
    return hues, Axis(ticks=[-1, -0.5, 0, 0.5, 1], low=-1.3, high=1.04), [Rule(0, NEUTRAL), strip]


def _table(part: xr.Dataset) -> pd.DataFrame:
    """Return all curves, a row for each point."""
    import pandas as pd

    parts = []
    for name, inner in (("by_orientation", "orientation"), ("by_radius", "period"), ("by_hue", "hue")):
        table = part[name].to_series().rename("rise").dropna().reset_index()
        table["stimulus"] = inner if "polarity" not in table else table["polarity"] + " spot, radius"
        table["value"] = table[inner] / (4 if inner == "period" else 1)
        parts.append(table[["channel", "stimulus", "value", "rise"]])
    return pd.concat([one for one in parts if len(one)], ignore_index=True)
