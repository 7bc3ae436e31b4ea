"""What the units put out for each class, and where the votes for it come from.

A dense layer's units stand side by side. Units that have a place (of a feature map, or the pixels of the picture) are
more than a figure has columns: bars show each channel, all its places together, and a map shows each place, all
channels together. A grey picture has one channel, and then the map says it all.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    NEUTRAL,
    Axis,
    Bar,
    Bars,
    Dots,
    Grid,
    Image,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Spans,
    grid_shape,
    scale_of,
    sign_colours,
)
from seedscope.formulas.classes import class_means
from seedscope.lenses.contribution.seen import Seen

_READABLE = 150  # more units than that are drawn without gaps
_SIDE = 1.4  # of a map and of the bars beside it, inches
_UNSEEN = "no probe picture"


def outputs(seen: Seen) -> Sheet:
    """Show the outputs of all units by class: one picture, mean and spread."""
    units, dead = seen.units, int((~seen.measured.live.values).sum())
    panels = [_outputs_of_class(seen, k) for k in range(len(seen.classes))]
    return Sheet(
        f"{units.layer}_all_classes",
        seen.about,
        f"Outputs of {units.layer} by class: {dead} of {units.count} units dead",
        f"The {units.count} outputs of {units.layer} for each class's probe pictures: mean (bar), one standard "
        "deviation (line) and one exhibit (dot). Dead units are active for no probe picture.",
        Grid(
            panels,
            grid_shape(len(panels))[1],
            share_x=True,
            share_y=True,
            x_label=f"unit of {units.layer}",
            y_label="activation",
        ),
        note="bar: mean over the class   line: ± 1 standard deviation   orange dot: one picture   grey tick: dead unit",
    )


def _outputs_of_class(seen: Seen, k: int) -> Panel:
    own, live = seen.own(k), seen.measured.live.values
    number = Axis(whole=True, low=-1, high=len(live))
    if not len(own):
        return Panel(title=seen.classes[k], x=number, width=3.1, height=1.65, empty=_UNSEEN)
    mean, deviation = own.mean(0), own.std(0)
    low = mean - deviation
    if (seen.votes.activation >= 0).all():
        low = np.maximum(low, 0)
    many = len(live) > _READABLE  # then bars touch, and lines and dots would hide them
    alive, dead = np.flatnonzero(live), np.flatnonzero(~live)
    bars = Bars(np.arange(len(live)), mean, FOR, width=1.0 if many else 0.8)
    spans = Spans(alive, low[live], (mean + deviation)[live], "#bbbbbb" if many else "#444444")
    one = seen.votes.activation[seen.exhibits(k)[0].position]
    marks: list[Mark] = [spans, bars] if many else [bars, spans]
    marks.append(Dots(alive, one[live], AGAINST, "o", 1.2 if many else 2.8))
    marks.append(Dots(dead, np.zeros(len(dead)), NEUTRAL, "|"))
    return Panel(marks, seen.classes[k], number, width=3.1, height=1.65)


def outputs_by_place(seen: Seen) -> Sheet:
    """Show the outputs of a map or of the picture by class: means over places, and means over channels."""
    units = seen.units
    of_channel = [units.folded(seen.own(k)).mean(-1) for k in range(len(seen.classes))]
    brightness = units.folded(seen.votes.activation).mean(-2)
    of_place = class_means(brightness, seen.measured.label.values, len(seen.classes))
    below = "colour: mean of the class's pictures"
    if units.channels > 1:
        below = f"bar: channel, mean over places, ± 1 standard deviation   {below}, mean over channels"
    what = "brightness" if units.kind == "pixel" else "activation"
    silent = int((~seen.measured.live.values).sum())
    return Sheet(
        f"{units.layer}_all_classes",
        seen.about,
        f"Outputs of {units.layer} by class: {silent} of {units.count} {units.silent}",
        f"The {units.count} outputs of {units.layer} for each class's probe pictures, by channel and place: {below}. "
        f"Grey places are {units.silent}.",
        _by_place(seen, of_channel, of_place, what),
        note=below,
    )


def votes_by_place(seen: Seen) -> Sheet:
    """Show the mean centred votes of a map or of the picture: sums over places, and sums over channels."""
    units, weight = seen.units, seen.votes.class_weight(centred=True)
    of_channel = [units.folded(seen.own(k) * weight[k]).sum(-1) for k in range(len(seen.classes))]
    below, sums = "colour: votes of a place", ""
    if units.channels > 1:
        below = "bar: votes of a channel, ± 1 standard deviation   colour: votes of a place, all channels together"
        sums = " Bars, and colours, add up to the same total."
    return Sheet(
        "contribution_by_place",
        seen.about,
        f"Where do the votes for each class come from? Mean centred votes of {units.layer}",
        f"The mean centred votes for each class in the class's own probe pictures, by channel and place: {below}. Blue "
        f"votes for the class, red or orange against it.{sums} Grey places are {units.silent}.",
        _by_place(seen, of_channel, units.folded(seen.centred_dominance).sum(-2), "centred vote (logit units)"),
        note=below,
    )


def _by_place(seen: Seen, of_channel: list[np.ndarray], of_place: np.ndarray, what: str) -> Grid:
    """Show values of each class by channel and by place, all on the same two scales.

    Args:
        seen: what was measured.
        of_channel: by class, (sample, channel), of the class's own pictures: bars show their mean and spread.
        of_place: (class, place): colours; NaN of a class without pictures.
        what: what the values are, with their unit.
    """
    units = seen.units
    off = ~units.folded(seen.measured.live.values).any(0)
    finite = of_place[np.isfinite(of_place)]
    scale = scale_of(float(finite.min()), float(finite.max())) if finite.size else scale_of(0.0, 1.0)
    maps = np.where(off, np.nan, of_place).reshape(-1, *units.shape[1:])
    columns = grid_shape(len(seen.classes))[1]
    bar = Bar(scale, what)
    if units.channels == 1:
        panels = [_map(values, scale, name) for values, name in zip(maps, seen.classes, strict=True)]
        return Grid(panels, columns, share_x=True, share_y=True, x_label="column", y_label="row", bar=bar)
    panels = list(_pairs(seen, of_channel, maps, scale))
    return Grid(panels, 2 * columns, share_x=True, share_y=True, group=2, y_label=what, bar=bar)


def _pairs(seen: Seen, of_channel: list[np.ndarray], maps: np.ndarray, scale: Scale) -> Iterator[Panel]:
    """Yield two panels for each class: bars by channel and the map."""
    for values, of_class, name in zip(of_channel, maps, seen.classes, strict=True):
        yield _bars(values, scale.low < 0, name)
        yield _map(of_class, scale, labels=("column", "row"), unseen="")


def _bars(values: np.ndarray, signed: bool, name: str) -> Panel:
    number = np.arange(values.shape[1])
    axis = Axis("channel", whole=True, low=-0.7, high=len(number) - 0.3)
    if not len(values):
        return Panel(title=name, x=axis, width=_SIDE, height=_SIDE, empty=_UNSEEN)
    mean, spread = values.mean(0), values.std(0)
    marks: list[Mark] = [
        Bars(number, mean, sign_colours(mean) if signed else FOR),
        Spans(number, mean - spread, mean + spread, "#444444"),
        Rule(0, "black", width=0.6),
    ]
    return Panel(marks, name, axis, width=_SIDE, height=_SIDE)


def _map(
    values: np.ndarray, scale: Scale, name: str = "", labels: tuple[str, str] = ("", ""), unseen: str = _UNSEEN
) -> Panel:
    rows, columns = values.shape
    shrink = _SIDE / max(rows, columns)
    empty = unseen if np.isnan(values).all() else ""
    x = Axis(labels[0], whole=True, low=-0.5, high=columns - 0.5, size=7.0)
    y = Axis(labels[1], whole=True, low=rows - 0.5, high=-0.5, size=7.0)
    return Panel([Image(values, scale)], name, x, y, columns * shrink, rows * shrink, empty)
