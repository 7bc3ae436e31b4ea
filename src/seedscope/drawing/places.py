"""Units that have a place: what they add up to by channel and by place, one pair of panels for each class.

A feature map has more units than a figure has columns. Bars show each channel, all its places together; a heat map
shows each place, all channels together. A grey picture has one channel, and then the heat map says it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seedscope import drawing as figures


@dataclass(frozen=True)
class Places:
    """What is shown of the units, by class; NaN of a class without pictures.

    Attributes:
        channel: (class, channel), the heights of the bars.
        spread: (class, channel), half the length of the lines on them.
        place: (class, y, x), the colours of the heat map.
        off: (y, x), places that are grey.
    """

    channel: np.ndarray
    spread: np.ndarray
    place: np.ndarray
    off: np.ndarray


def places_figure(title: str, below: str, classes: Sequence[str], shown: Places, words: str) -> Figure:
    """Draw what is shown of each class, all on the same two scales.

    Args:
        title: of the figure.
        below: a second line under the title: what bars and colours are.
        classes: what each class is called.
        shown: the values.
        words: what the values are, with their unit, for the axes.
    """
    channels, (rows_of_map, columns_of_map) = shown.channel.shape[1], shown.place.shape[1:]
    barred = channels > 1
    rows, columns = figures.grid_shape(len(classes))
    across = 3.5 if barred else 1.9  # of a class, inches
    width, height = max(across * columns + 1.6, 8.5), 1.75 * rows + 1.25  # the title needs 8.5 inches
    figure = figures.canvas(title, width, height)
    figure.text(0.5, 1 - 0.42 / height, below, ha="center", fontsize=8.5)
    axes = figures.panels(
        figure,
        rows,
        columns * (2 if barred else 1),
        2 * columns * (-(-len(classes) // columns)) if barred else len(classes),
        top=0.85,
        bottom=0.6,
        left=0.75,
        right=1.0,
        wspace=0.12,
        hspace=0.32,
    )
    finite = shown.place[np.isfinite(shown.place)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    norm, colours = figures.scale_of(low, high)
    colours = colours.with_extremes(bad="#d9d9d9")
    ends = np.stack([shown.channel - shown.spread, shown.channel + shown.spread])
    ends = np.concatenate([ends[np.isfinite(ends)], [0.0]])
    reach = float(np.ptp(ends)) or 1.0
    for k, name in enumerate(classes):
        empty = bool(np.isnan(shown.place[k]).all())
        if barred:
            bars, place = axes[2 * k : 2 * k + 2]
            bars.set_title(name, fontsize=9)
            if empty:
                figures.say(bars, "no probe picture")
            else:
                number = np.arange(channels)
                height_of = shown.channel[k]
                colour = figures.sign_colors(height_of) if low < 0 else figures.FOR
                figures.bars(bars, number, height_of, colour)
                figures.spans(bars, number, height_of - shown.spread[k], height_of + shown.spread[k], colors="#444444")
                bars.axhline(0, color="black", linewidth=0.6)
                figures.count_axis(bars)
            bars.set_xlim(-0.7, channels - 0.3)
            bars.set_ylim(ends.min() - 0.04 * reach, ends.max() + 0.04 * reach)
            bars.tick_params(labelleft=k % columns == 0, labelbottom=k + columns >= len(classes))
        else:
            place = axes[k]
            place.set_title(name, fontsize=9)
        values = np.where(shown.off, np.nan, shown.place[k])
        extent = (-0.5, columns_of_map - 0.5, rows_of_map - 0.5, -0.5)
        image = place.imshow(values, norm=norm, cmap=colours, interpolation="nearest", extent=extent)
        if empty and not barred:
            figures.say(place, "no probe picture")
        place.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        place.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        place.tick_params(labelsize=6, length=2, pad=1.5, labelbottom=k + columns >= len(classes))
        if not barred:
            place.tick_params(labelleft=k % columns == 0)
    for ax in axes[(2 if barred else 1) * len(classes) :]:
        ax.remove()
    figure.supxlabel("bars: channel; maps: column and row" if barred else "column", fontsize=9)
    figure.supylabel(words if barred else "row", fontsize=9, x=0.005)
    figures.color_bar(figure, image, (1 - 0.8 / width, 0.2, 0.12 / width, 0.6), words)
    return figure
