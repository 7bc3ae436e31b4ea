"""The figures of the tuning lens: all measures by layer, and each layer's tuning to orientation and to class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    NEUTRAL,
    Axis,
    Bar,
    Dots,
    Facts,
    Grid,
    Image,
    Line,
    Mark,
    Panel,
    Scale,
    Shapes,
    Sheet,
    Strokes,
    Words,
    centred,
    class_names,
    disc,
    heat_map,
    named,
    shared_cells,
)
from seedscope.lenses.tuning.layers import CLASS, at_periods, live, medians

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_COLUMNS, _CHANNELS = 8, 64  # of a figure of tuning curves
_AIMED = 0.05  # below this selectivity no preferred orientation is shown
_RADIUS = 0.42  # of the circles, in units of a cell
_WIDE = 8.0  # of a map of classes, inches
_TABLED = (
    "orientation_selectivity_at_best_period",
    "orientation_selectivity_of_mean_at_best_period",
    "preferred_orientation",
    "best_period",
    "effective_field",
    "extent",
    "active_share",
    "class_selectivity",
    "class_selectivity_null_shuffled",
    "class_variance",
    "class_variance_null_shuffled",
)
_PANELS = {
    "orientation_selectivity_at_best_period": "orientation selectivity at its best period\n0: none, 1: one orientation "
    "only",
    "effective_field": "effective receptive field\nside, pixels; black: what can be seen",
    "class_selectivity": "class selectivity\n0: none, 1: one class only; black: shuffled labels",
    "class_variance": "variance explained by class (η²)\nshare; black: shuffled labels",
    "extent": "extent of the response\nshare of the map, participation ratio",
    "active_share": "active places\nshare of the map",
}


def draw(measured: xr.DataTree) -> Iterator[Sheet]:
    """Yield all measures by layer, and of each layer the tuning of its channels to orientation and to class."""
    measured = measured.load()
    yield overview(measured)
    for layer in measured.children:
        yield from orientations(measured, layer)
        yield classes(measured, layer)


def overview(measured: xr.DataTree) -> Sheet:
    """Show every channel's numbers, by layer, trained beside untrained, with their medians."""
    layers = {layer: node.to_dataset() for layer, node in measured.children.items()}
    silent = "; ".join(_silent(layer, part) for layer, part in layers.items())
    return Sheet(
        "what_each_layer_sees",
        Facts.of(measured),
        "What do the channels of each layer answer to?",
        "Each dot is a channel, in the order of their numbers, with the median of its layer; grey at the left is the "
        "same network before training, which went through the same procedure. Dashed black: the whole field that a "
        "place can see, or what shuffled labels give. Orientation selectivity is that at the period of stripes "
        "that moves the channel most, perhaps another one than before training; the table has it at fixed periods. "
        "A silent channel has no dot. What training made is the "
        f"difference of blue and grey. {measured.attrs['pictures']} probe pictures, "
        f"{measured.attrs['exhibits']} for the effective receptive field. {silent}.",
        Grid([_panel(layers, name) for name in _PANELS], 3, gap=0.25),
        _table(layers, at_periods(measured)),
        note=f"grey: untrained, blue: trained; a dot is a channel, a bar with the number above is the median\n{silent}",
    )


def _silent(layer: str, part: xr.Dataset) -> str:
    answers = live(part)
    trained, untrained = (~answers).sum(1)
    return f"{layer}: {trained} of {answers.shape[1]} channels silent on all pictures, {untrained} before training"


def _panel(layers: dict[str, xr.Dataset], name: str) -> Panel:
    """Show one measure of every layer, untrained at the left of trained, with the numbers of the medians above."""
    marks: list[Mark] = []
    above: list[tuple[float, str, str]] = []
    for index, part in enumerate(layers.values()):
        values, middle, null = np.where(live(part), part[name].values, np.nan), medians(part, name), _null(part, name)
        for network, at, color in ((1, index - 0.2, NEUTRAL), (0, index + 0.2, FOR)):
            count = values.shape[1]
            spread = at + 0.24 * (np.arange(count) / max(1, count - 1) - 0.5)
            bar = [at - 0.16, at + 0.16]
            marks.append(Dots(spread, values[network], color, size=3.0, opacity=0.75))
            marks.append(Line(bar, [middle[network]] * 2, color, width=2.4))
            marks.append(Line(bar, [null[network]] * 2, "black", "--", width=1.2))
            if np.isfinite(middle[network]):
                above.append((at, f"{middle[network]:.2f}", color))
    crowded = max(map(len, layers)) * len(layers) > 30  # their names would run into each other
    return Panel(
        marks,
        _PANELS[name],
        Axis("", range(len(layers)), list(layers), -0.5, len(layers) - 0.5, turned=45 if crowded else 0, size=9),
        Axis(low=0, high=None if name == "effective_field" else 1.03),
        top=Axis(
            ticks=[at for at, _, _ in above],
            names=[words for _, words, _ in above],
            size=7.5,
            coloured={index: color for index, (_, _, color) in enumerate(above)},
        ),
        width=max(3.0, 0.7 * len(layers)),
        height=1.85,
        empty="" if any(live(part).any() for part in layers.values()) else "no channel has a value",
    )


def _null(part: xr.Dataset, name: str) -> tuple[float, float]:
    """Return what a measure is held against, trained and untrained: NaN where that is nothing."""
    if name == "effective_field":
        return (float(np.sqrt(part.receptive_field.values.prod())),) * 2
    return medians(part, f"{name}_null_shuffled") if name in CLASS else (np.nan, np.nan)


def _table(layers: dict[str, xr.Dataset], fixed: dict[str, int]) -> pd.DataFrame:
    """Return a row per network and channel."""
    import pandas as pd

    parts = []
    for network in ("trained", "untrained"):
        for layer, part in layers.items():
            one = part.sel(network=network)
            means = np.nan_to_num(one.class_mean.values)
            table = pd.DataFrame({name: one[name].values for name in _TABLED})
            table.insert(0, "network", network)
            table.insert(1, "layer", layer)
            table.insert(2, "channel", one.channel.values)
            for name, index in fixed.items():
                table[name] = one.orientation_selectivity.values[:, index]
            table["preferred_class"] = np.where(means.max(1) > 0, means.argmax(1), -1)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)


def orientations(measured: xr.DataTree, layer: str) -> Iterator[Sheet]:
    """Show each channel's responses to gratings around the circle, in figures of at most 64 channels."""
    part = measured[layer].to_dataset()
    count = part.sizes["channel"]
    for first in range(0, count, _CHANNELS):
        some = part.isel(channel=slice(first, first + _CHANNELS))
        which = f", channels {first} to {first + some.sizes['channel'] - 1}" if count > _CHANNELS else ""
        none = int((~np.isfinite(some.orientation_selectivity_at_best_period.values[0])).sum())
        beside = " Beside each: its trained weights, colours summed, on one scale." if "kernel" in part else ""
        yield Sheet(
            f"{layer}_orientation" + (f"_{first}" if first else ""),
            Facts.of(measured),
            f"Responses of {layer} to stripes by their orientation{which}",
            "Around each circle: how far gratings move the channel from its answer to even grey, by the direction of "
            "their stripes (0° horizontal, 45° rising to the right, 90° vertical), at the channel's best period, as a "
            "share of the largest; a circle means no preference, a narrow shape along one direction an edge detector. "
            "The number is the selectivity (1 − circular variance), the red line points along the preferred "
            f"orientation and is as long as that; below {_AIMED} neither it nor the angle is shown. {none} of "
            f"{some.sizes['channel']} channels answer to no grating; grey numbers: silent on all pictures, so not in "
            f"the layer's median.{beside}",
            _circles(some, centred(part.kernel.values) if "kernel" in part else None),
            note="blue: trained, grey: untrained, red: preferred; below: number: selectivity, orientation; "
            "grey number: dead",
            family="Responses to stripes by their orientation",
            mark=f"{layer}{which}",
        )


def _circles(part: xr.Dataset, weights: Scale | None) -> Panel:
    """Show the tuning of each channel as a curve around a circle, and its kernel on the scale of ``weights``."""
    count = part.sizes["channel"]
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    wide, cell = (1.0, 1.25) if weights is None else (1.45, 1.0)  # of a cell, in its heights, and inches of these
    middle = np.array([[(c % columns) * wide + 0.5, (c // columns) * 1.3 + 0.46] for c in range(count)])
    marks: list[Mark] = [
        Shapes([disc(x, y, 2 * _RADIUS) for x, y in middle], edge="#dddddd", width=0.7),
        _curves(part.sel(network="trained"), middle, f"{FOR}40", FOR, 1.3),
        _curves(part.sel(network="untrained"), middle, "none", NEUTRAL, 0.9),
        *_preferred(part, middle),
    ]
    if weights is not None:
        for kernel, (x, y) in zip(part.kernel.values, middle, strict=True):
            marks.append(Image(kernel, weights, (x + 0.47, x + 0.85, y + 0.19, y - 0.19)))
    return Panel(
        marks,
        x=Axis(low=0, high=columns * wide),
        y=Axis(low=rows * 1.3, high=0),
        width=columns * wide * cell,
        height=rows * 1.3 * cell,
        bar=None if weights is None else Bar(weights, "weight"),
        axes=False,
    )


def _curves(part: xr.Dataset, middle: np.ndarray, face: str, edge: str, width: float) -> Shapes:
    """Return the curves of the channels that answer, each as a share of its largest response."""
    angle = np.deg2rad(np.concatenate([part.orientation.values, part.orientation.values + 180]))
    outward = np.stack([np.cos(angle), -np.sin(angle)], 1)  # the y axis points down
    reach = part.tuning.values.max(-1)
    answers = np.flatnonzero(reach > 0)
    radius = np.tile(part.tuning.values[answers] / reach[answers, None], 2)
    return Shapes(list(middle[answers, None] + _RADIUS * radius[..., None] * outward), face, edge, width)


def _preferred(part: xr.Dataset, middle: np.ndarray) -> list[Mark]:
    """Point along the preferred orientation of the trained channels, and say it in words."""
    trained = part.sel(network="trained")
    index, preferred = trained.orientation_selectivity_at_best_period.values, trained.preferred_orientation.values
    aimed = np.nan_to_num(index) >= _AIMED
    along = np.stack([np.cos(np.deg2rad(preferred)), -np.sin(np.deg2rad(preferred))], 1)
    reach = _RADIUS * index[:, None] * along
    lines = [np.stack([middle[c] - reach[c], middle[c] + reach[c]]) for c in np.flatnonzero(aimed)]
    marks: list[Mark] = [Strokes(lines, AGAINST)]
    for c, (number, alive) in enumerate(zip(part.channel.values, live(part)[0], strict=True)):
        said = f"{number}: {index[c]:.2f}" + (f", {preferred[c]:.0f}°" if aimed[c] else "")
        said = said if np.isfinite(index[c]) else f"{number}: silent"
        x, y = float(middle[c, 0]) - 0.46, float(middle[c, 1]) + 0.52
        marks.append(Words(x, y, said, size=8, color="black" if alive else NEUTRAL, align="left"))
    return marks


def classes(measured: xr.DataTree, layer: str) -> Sheet:
    """Show each channel's mean response by class as a share of its largest, sorted by the class it prefers."""
    part, names = measured[layer].to_dataset(), class_names(measured)
    panels, silent = zip(*(_by_class(part.sel(network=network), names) for network in part.network.values), strict=True)
    bar = Bar(Scale(0.0, 1.0), "mean response / its largest")
    x_label = f"channels of {layer}, by the class they prefer, the most selective first"
    table = part.class_mean.rename(true="class").to_series().rename("mean_response").reset_index()
    return Sheet(
        f"{layer}_classes",
        Facts.of(measured),
        f"Mean response of the channels of {layer} by class",
        "Each column is a channel, each row a class: the channel's mean response to the class's pictures as a share of "
        "its largest. Columns stand by the class with the largest response; an even column does not tell classes "
        "apart. Below, the same network before training, sorted likewise: the staircase comes from sorting, not from "
        f"learning. Left out as silent: {silent[0]} channels trained, {silent[1]} untrained."
        + shared_cells(part.sizes["channel"], _WIDE),
        Grid(panels, 1, x_label=x_label, bar=bar),
        table,
        family="Mean response of channels by class",
        mark=layer,
    )


def _by_class(part: xr.Dataset, names: list[str]) -> tuple[Panel, int]:
    """Show the channels of one network that respond; return the panel, and how many do not."""
    means, count = part.class_mean.values, part.sizes["channel"]
    largest = np.nan_to_num(means).max(1)
    alive = np.flatnonzero(largest > 0)
    prefers = np.nan_to_num(means[alive]).argmax(1)
    strength = np.nan_to_num(part.class_selectivity.values[alive])
    order = alive[np.lexsort((alive, -strength, prefers))]
    every = -(-len(names) // 20)
    x = named(part.channel.values[order], low=-0.5, high=len(order) - 0.5) if len(order) <= 64 else Axis(ticks=())
    panel = Panel(
        [heat_map((means[order] / largest[order, None]).T, _WIDE, Scale(0.0, 1.0))] if len(order) else [],
        f"{part.network.values}: {len(alive)} of {count} channels respond",
        x if len(order) else Axis(ticks=()),
        Axis("class", range(0, len(names), every), names[::every], len(names) - 0.5, -0.5),
        width=_WIDE,
        height=max(1.4, 0.2 * min(len(names), 20)),
        empty="" if len(order) else "no channel responds to a probe picture",
    )
    return panel, count - len(alive)
