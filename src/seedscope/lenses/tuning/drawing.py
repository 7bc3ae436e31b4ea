"""The figures of the tuning lens: all measures by layer, and each layer's tuning to orientation and to class.

All curves of a layer are drawn as one collection in one axes: an axes for each of 32 channels would take ten times as
long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.files.names import in_a_sentence
from seedscope.lenses.tuning.layers import live, medians, of_layer

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

_COLUMNS, _CHANNELS = 8, 64  # of a figure of tuning curves
_AIMED = 0.05  # below this selectivity no preferred orientation is shown
_TABLED = (
    "orientation_selectivity",
    "orientation_selectivity_of_mean",
    "preferred_orientation",
    "best_period",
    "effective_field",
    "extent",
    "active_share",
    "class_selectivity",
    "class_selectivity_shuffled",
    "class_variance",
    "class_variance_shuffled",
)
_PANELS = {
    "orientation_selectivity": "orientation selectivity\n0: none, 1: one orientation only",
    "effective_field": "effective receptive field\nside, pixels; black: what can be seen",
    "class_selectivity": "class selectivity\n0: none, 1: one class only; black: shuffled labels",
    "class_variance": "variance explained by class (η²)\nshare; black: shuffled labels",
    "extent": "extent of the response\nshare of the map, participation ratio",
    "active_share": "active places\nshare of the map",
}


def overview(measured: xr.Dataset) -> Drawing:
    """Draw every channel's numbers, by layer, trained beside untrained, with their medians."""
    layers = measured.of.values.tolist()
    silent = [_silent(measured, layer) for layer in layers]
    figure = figures.canvas(_title("What do the channels of each layer answer to?", measured), 11, 6.6)
    figure.text(0.5, 1 - 0.46 / 6.6, "; ".join(silent), ha="center", va="top", fontsize=9)
    axes = figures.panels(figure, 2, 3, top=1.25, bottom=0.75, left=0.45, wspace=0.2, hspace=0.5)
    for ax, (name, words) in zip(axes, _PANELS.items(), strict=True):
        for index, layer in enumerate(layers):
            part = of_layer(measured, layer)
            values = np.where(live(part), part[name].values, np.nan)
            middle = medians(part, name)
            null = medians(part, f"{name}_shuffled") if f"{name}_shuffled" in part else (np.nan, np.nan)
            if name == "effective_field":
                null = (float(np.sqrt(part.receptive_field.values[index].prod())),) * 2
            for side, color in ((1, figures.NEUTRAL), (0, figures.FOR)):  # untrained at the left
                at = index + (-0.2 if side else 0.2)
                spread = at + 0.24 * (np.arange(values.shape[1]) / max(1, values.shape[1] - 1) - 0.5)
                ax.plot(spread, values[side], "o", color=color, markersize=3, alpha=0.75, markeredgewidth=0)
                ax.plot([at - 0.16, at + 0.16], [middle[side]] * 2, color=color, linewidth=2.4)
                ax.plot([at - 0.16, at + 0.16], [null[side]] * 2, color="black", linewidth=1.2, linestyle=(0, (2, 1)))
                if np.isfinite(middle[side]):
                    ax.annotate(
                        f"{middle[side]:.2f}",
                        (at, 1.0),
                        xycoords=("data", "axes fraction"),
                        ha="center",
                        va="bottom",
                        fontsize=7.5,
                        color=color,
                    )
        ax.set_title(words, fontsize=9, pad=14)
        ax.set_xticks(range(len(layers)), layers, fontsize=9)
        ax.set_xlim(-0.5, len(layers) - 0.5)
        ax.set_ylim(bottom=0)
        if name != "effective_field":
            ax.set_ylim(0, 1.03)
        if not live(measured).any():
            figures.say(ax, "no channel has a value")
            ax.set_xticks(range(len(layers)), layers, fontsize=9)
    figure.text(
        0.5,
        0.3 / 6.6,
        "grey: untrained, blue: trained; a dot is a channel, a bar with the number above is the median",
        ha="center",
        va="center",
        fontsize=9,
    )
    return Drawing(
        "what_each_layer_sees",
        figure,
        "Each dot is a channel, in the order of their numbers, with the median of its layer; grey at the left is the "
        "same network before training, which went through the same procedure. Dashed black: the whole field that a "
        "place can see, or what shuffled labels give. A silent channel has no dot. What training made is the "
        f"difference of blue and grey. {measured.attrs['pictures']} probe pictures, "
        f"{measured.attrs['exhibits']} for the effective receptive field. {'; '.join(silent)}.",
        _table(measured),
    )


def orientations(part: xr.Dataset, layer: str) -> Iterator[Drawing]:
    """Draw each channel's responses to gratings around the circle, in figures of at most 64 channels."""
    count = part.sizes["channel"]
    kernels = part[f"{layer}_kernel"].values if f"{layer}_kernel" in part else None
    for first in range(0, count, _CHANNELS):
        some = part.isel(channel=slice(first, first + _CHANNELS))
        shown = None if kernels is None else kernels[first : first + _CHANNELS]
        limits = None if kernels is None else figures.centred(kernels)
        which = f", channels {first} to {first + some.sizes['channel'] - 1}" if count > _CHANNELS else ""
        yield _orientations(some, layer, which, f"_{first}" if first else "", shown, limits)


def _orientations(
    part: xr.Dataset, layer: str, which: str, suffix: str, kernels: np.ndarray | None, norm: Normalize | None
) -> Drawing:
    count = part.sizes["channel"]
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    wide = 1.0 if kernels is None else 1.45
    cell, top, bottom, side = (1.25 if kernels is None else 1.0), 0.75, 0.1, 0.2
    right = 0.2 if kernels is None else 0.95
    size = columns * cell * wide, rows * cell * 1.3
    width = max(size[0] + side + right, 8.6)
    height = size[1] + top + bottom
    figure = figures.canvas(_title(f"Responses of {layer} to stripes by their orientation{which}", part), width, height)
    left = (width - size[0] - right + side) / 2
    ax = figure.add_axes((left / width, bottom / height, size[0] / width, size[1] / height))
    ax.set_axis_off()
    ax.set_xlim(0, columns * wide)
    ax.set_ylim(rows * 1.3, 0)
    trained, untrained = part.tuning.values
    angle = np.deg2rad(np.concatenate([part.orientation.values, part.orientation.values + 180]))
    outward = np.stack([np.cos(angle), -np.sin(angle)], 1)  # the y axis points down
    middle = np.array([[(c % columns) * wide + 0.5, (c // columns) * 1.3 + 0.46] for c in range(count)])
    ring = 0.42 * np.stack([np.cos(np.linspace(0, 2 * np.pi, 49)), np.sin(np.linspace(0, 2 * np.pi, 49))], 1)
    ax.add_collection(LineCollection([ring + at for at in middle], colors="#dddddd", linewidths=0.7))
    for tuning, face, edge, line in (
        (trained, f"{figures.FOR}40", figures.FOR, 1.3),
        (untrained, "none", figures.NEUTRAL, 0.9),
    ):
        reach = tuning.max(-1)
        answers = np.flatnonzero(reach > 0)
        radius = np.tile(tuning[answers] / reach[answers, None], 2)
        curves = middle[answers, None] + 0.42 * radius[..., None] * outward
        ax.add_collection(PolyCollection(list(curves), facecolors=face, edgecolors=edge, linewidths=line))
    index, preferred = part.orientation_selectivity.values[0], part.preferred_orientation.values[0]
    alive = live(part)[0]
    aimed = np.flatnonzero(np.nan_to_num(index) >= _AIMED)
    reach = 0.42 * index[:, None] * np.stack([np.cos(np.deg2rad(preferred)), -np.sin(np.deg2rad(preferred))], 1)
    lines = [[middle[c] - reach[c], middle[c] + reach[c]] for c in aimed]
    ax.add_collection(LineCollection(lines, colors=figures.AGAINST, linewidths=1))
    for c, number in enumerate(part.number.values):
        said = f"{number}: {index[c]:.2f}" + (f", {preferred[c]:.0f}°" if c in aimed else "")
        said = said if np.isfinite(index[c]) else f"{number}: silent"
        ax.text(
            middle[c, 0] - 0.46,
            middle[c, 1] + 0.52,
            said,
            fontsize=8,
            color="black" if alive[c] else figures.NEUTRAL,
            va="center",
        )
    if kernels is not None and norm is not None:
        _kernels(ax, kernels, middle, norm)
        image = ax.images[0]
        box = ((left + size[0] + 0.12) / width, (bottom + 0.1) / height, 0.12 / width, (size[1] - 0.2) / height)
        figures.color_bar(figure, image, box, "weight")
    none = int((~np.isfinite(index)).sum())
    words = "blue: trained, grey: untrained, red: preferred; below: number: selectivity, orientation; grey number: dead"
    figure.text(0.5, 1 - 0.46 / height, words, ha="center", va="top", fontsize=9)
    beside = " Beside each: its trained weights, colours summed, on one scale." if kernels is not None else ""
    return Drawing(
        f"{layer}_orientation{suffix}",
        figure,
        "Around each circle: how far gratings move the channel from its answer to even grey, by the direction of their "
        "stripes (0° horizontal, 45° rising to the right, 90° vertical), at the channel's best period, as a share of "
        "the largest; a circle means no preference, a narrow shape along one direction an edge detector. The number is "
        "the selectivity (1 − circular variance), the red line points along the preferred orientation and is as long "
        f"as that; below {_AIMED} neither it nor the angle is shown. {none} of {count} channels answer to no "
        f"grating; grey numbers: silent on all pictures, so not in the layer's median.{beside}",
    )


def _kernels(ax: Axes, kernels: np.ndarray, middle: np.ndarray, norm: Normalize) -> None:
    """Draw each kernel at the right of its circle; images set the limits of their axes, so these are kept."""
    limits = ax.get_xlim(), ax.get_ylim()
    for kernel, (x, y) in zip(kernels, middle, strict=True):
        where = (x + 0.47, x + 0.85, y + 0.19, y - 0.19)
        ax.imshow(kernel, norm=norm, cmap=figures.DIVERGING, extent=where, interpolation="nearest", aspect="auto")
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])


def classes(part: xr.Dataset, layer: str) -> Drawing:
    """Draw each channel's mean response by class as a share of its largest, sorted by the class it prefers."""
    names = list(np.atleast_1d(part.attrs["class_names"]))
    count = part.sizes["channel"]
    height = 1.9 + 2 * max(1.4, 0.2 * min(len(names), 20))
    figure = figures.canvas(_title(f"Mean response of the channels of {layer} by class", part), 10, height)
    axes = figures.panels(figure, 2, 1, top=0.85, right=1.3, bottom=0.65, hspace=0.42)
    image = None
    silent = np.zeros(2, dtype=int)
    for ax, which in zip(axes, (0, 1), strict=True):
        means = part.class_mean.values[which]
        largest = np.nan_to_num(means).max(1)
        live = np.flatnonzero(largest > 0)
        silent[which] = count - len(live)
        prefers = np.nan_to_num(means[live]).argmax(1)
        strength = np.nan_to_num(part.class_selectivity.values[which][live])
        order = live[np.lexsort((live, -strength, prefers))]
        words = f"{part.network.values[which]}: {len(live)} of {count} channels respond"
        ax.set_title(words, fontsize=9.5)
        ax.set_yticks(range(len(names))[:: -(-len(names) // 20)])
        ax.set_ylabel("class", fontsize=9)
        if not len(order):
            figures.say(ax, "no channel responds to a probe picture")
            ax.set_ylim(len(names) - 0.5, -0.5)
            continue
        ax.set_facecolor("#d9d9d9")  # classes without pictures
        share = (means[order] / largest[order, None]).T
        image = figures.heat_map(ax, share, Normalize(0, 1), figures.SEQUENTIAL)
        if len(order) <= 64:
            figures.label_units(ax, part.number.values[order])
    axes[-1].set_xlabel(f"channels of {layer}, by the class they prefer, the most selective first", fontsize=9)
    if image is not None:
        figures.color_bar(figure, image, (0.9, 0.2, 0.015, 0.6), "mean response / its largest")
    table = part.class_mean.to_series().rename("mean_response").reset_index()
    table = table.assign(
        channel=part.number.values[table["channel"]],
        **{"class": table["true"]},
    )[["network", "channel", "class", "mean_response"]]
    return Drawing(
        f"{layer}_classes",
        figure,
        "Each column is a channel, each row a class: the channel's mean response to the class's pictures as a share of "
        "its largest. Columns stand by the class with the largest response; an even column does not tell classes "
        "apart. Below, the same network before training, sorted likewise: the staircase comes from sorting, not from "
        f"learning. Left out as silent: {silent[0]} channels trained, {silent[1]} untrained."
        + figures.shared_cells(axes[0], count),
        table,
    )


def _silent(measured: xr.Dataset, layer: str) -> str:
    answers = live(of_layer(measured, layer))
    trained, untrained = (~answers).sum(1)
    return f"{layer}: {trained} of {answers.shape[1]} channels silent on all pictures, {untrained} before training"


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return a row per network and channel."""
    import pandas as pd

    parts = []
    for index, network in enumerate(measured.network.values.tolist()):
        table = pd.DataFrame({name: measured[name].values[index] for name in _TABLED})
        means = np.nan_to_num(measured.class_mean.values[index])
        table.insert(0, "network", network)
        table.insert(1, "layer", measured.layer.values)
        table.insert(2, "channel", measured.number.values)
        table["preferred_class"] = np.where(means.max(1) > 0, means.argmax(1), -1)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"
