"""The figures of the words lens: shares of all words, a layer's channels by word, and the curves that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.ticker import FuncFormatter, NullFormatter

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.dots import dot_rows
from seedscope.files.names import in_a_sentence
from seedscope.lenses.words.null import PERMUTED
from seedscope.lenses.words.rule import (
    COLOUR,
    EDGE,
    MET,
    NONE,
    SPOT,
    WORDS,
    counted,
    known_words,
    of_layer,
    shares,
)
from seedscope.lenses.words.stimuli import colour

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

PLURAL = ("oriented edges", "spots", "colours", "none of these", "silent")
_STRONGEST = 8  # channels of a word whose curves are shown
_HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")
_WIDE, _LARGEST = 8.4, 0.72  # of all cells and of the largest one, inches
_BESIDE = 0.3  # of the left margin
_TABLED = (
    "preferred_orientation",
    "orientation_selectivity",
    "best_period",
    "spot_radius",
    "preferred_hue",
    "grating_rise",
    "across_rise",
    "spot_rise",
    "grey_rise",
    "hue_rise",
    "largest_change",
)


def null_words(measured: xr.Dataset) -> str:
    """Return what the null is, in words."""
    return "weights permuted" if measured.attrs["null"] == PERMUTED else "untrained"


def marks(measured: xr.Dataset) -> dict[str, tuple[str, str, str]]:
    """Return how the network and its null are marked."""
    own = "as given" if measured.attrs["null"] == PERMUTED else "trained"
    return {"null": (f"{null_words(measured)} (null)", "o", figures.NEUTRAL), "itself": (own, "D", figures.FOR)}


def panel_titles(measured: xr.Dataset) -> dict[str, str]:
    """Return the title of each word's panel."""
    return {WORDS[word]: PLURAL[word] for word in known_words(measured)}


def overview(measured: xr.Dataset) -> Drawing:
    """Draw the share of each word in each layer, beside the null's."""
    import pandas as pd

    layers = measured.of.values.tolist()
    rows, said = [], []
    for layer in layers:
        part = of_layer(measured, layer)
        for source, share in zip(("itself", "null"), shares(part), strict=True):
            rows += [
                {"map": layer, "source": source, "measure": WORDS[word], "value": share[word]}
                for word in known_words(measured)
            ]
        said.append(f"{layer}: {_spoken(part)}")
    figure = dot_rows(
        _title("What the channels of each layer answer to", measured),
        pd.DataFrame(rows),
        panel_titles(measured),
        {layer: f"{layer} ({_count(measured, layer)} channels)" for layer in layers},
        marks(measured),
        low=0,
        label="share of the layer's channels",
        ticks=(0, 0.5, 1),
    )
    hues = "" if measured.attrs["colours"] == 3 else " The pictures have no colour, so no hue was asked for."
    return Drawing(
        "what_channels_answer_to",
        figure,
        "Blue: the share of a layer's channels that have each word; grey: the same in random networks "
        f"({null_words(measured)}). Where blue lies to the right of grey, learning made channels of that kind.{hues} "
        f"In numbers, {'; '.join(said)}.",
        _table(measured),
    )


def _spoken(part: xr.Dataset) -> str:
    own = counted(part.answer.values)
    _, null = shares(part)
    return ", ".join(f"{own[word]} {PLURAL[word]} (null {null[word]:.0%})" for word in known_words(part))


def _count(measured: xr.Dataset, layer: str) -> int:
    return int((measured.layer.values == layer).sum())


def words(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw every channel of a layer under its word: its kernel, where it sees the picture, and what it prefers."""
    part = of_layer(measured, layer)
    answer = part.answer.values
    kernels = part[f"{layer}_kernel"].values if f"{layer}_kernel" in part else None
    if kernels is not None and kernels.shape[1] not in (1, 3):
        kernels = None
    _, null = shares(part)
    sections = [(word, _ordered(part, word)) for word in known_words(part) if (answer == word).any()]
    count = part.sizes["channel"]
    columns = min(count, next(size for size in (8, 12, 16, 24, 32, 48) if size * size >= 2 * count or size == 48))
    wide = 1.0 if kernels is None else 1.9
    cell = min(_LARGEST, _WIDE / (columns * wide))
    top, line, number = 0.75, 0.3, 0.16
    full = number + cell + (0.14 if columns <= 16 else 0.0)  # number above, value below
    steps = {word: full if word < NONE else number + (0 if kernels is None else cell) for word, _ in sections}
    height = top + sum(line + steps[word] * -(-len(members) // columns) + 0.06 for word, members in sections) + 0.1
    width = max(columns * wide * cell + 2 * _BESIDE, 7.5)
    left = (width - columns * wide * cell) / 2
    figure = figures.canvas(_title(f"What each channel of {layer} answers to", part), width, height)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_autoscale_on(False)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    beside = ": kernel, then what it prefers" if kernels is not None else ""
    words_above = f"number of the channel{beside}; null: {null_words(part)}"
    figure.text(0.5, 1 - 0.42 / height, words_above, ha="center", va="top", fontsize=9)
    y = top
    pen = _Pen(ax, cell, part.receptive_field.values.max())
    for word, members in sections:
        share = f"{len(members)} of {count} ({len(members) / count:.0%}), null {null[word]:.0%}"
        ax.text(left, y + 0.6 * line, f"{PLURAL[word]}: {share}", fontsize=9.5, va="center", weight="bold")
        y += line
        for position, channel in enumerate(members):
            row, column = divmod(position, columns)
            x, above = left + column * wide * cell, y + row * steps[word]
            of_channel, middle = part.isel(channel=channel), 0.43 * cell
            size = 7 if columns <= 24 else 5.5
            name = str(part.number.values[channel])
            ax.text(x + middle, above + number / 2, name, fontsize=size, ha="center", va="center")
            if kernels is not None:
                pen.kernel(kernels[channel], x, above + number)
                x += 0.92 * cell
            if word < NONE:
                pen.glyph(of_channel, word, x, above + number)
                if columns <= 16:
                    said = _preferred(of_channel, word)
                    ax.text(x + middle, above + number + 0.05 + 0.93 * cell, said, fontsize=7, ha="center", va="center")
        y += steps[word] * -(-len(members) // columns) + 0.06
    pen.finish()
    return Drawing(
        f"{layer}_words",
        figure,
        f"Every channel of {layer} under the word for what it answers to, with its number above. An edge: a line along "
        "the stripes that raise it most. A spot: bright or dark, as large as the best one is beside the receptive "
        f"field ({_field(part)} pixels). A colour: the hue that raises it most. "
        + ("At the left its kernel, each on a scale of its own, mid grey is 0. " if kernels is not None else "")
        + f"A word says something of learning only where its share lies above the null's. {_spoken(part)}.",
    )


def _field(part: xr.Dataset) -> str:
    return "×".join(str(side) for side in part.receptive_field.values)


def _ordered(part: xr.Dataset, word: int) -> np.ndarray:
    """Return the channels with a word, neighbours alike."""
    members = np.flatnonzero(part.answer.values == word)
    keys = {
        EDGE: (part.preferred_orientation.values,),
        SPOT: (part.spot_radius.values, part.spot_polarity.values),
        COLOUR: (part.preferred_hue.values,),
    }.get(word, ())
    order: np.ndarray = members[np.lexsort((members, *(np.nan_to_num(key)[members] for key in keys)))]
    return order


def _preferred(channel: xr.Dataset, word: int) -> str:
    if word == EDGE:
        return f"{_degrees(channel.preferred_orientation, 180)}°"
    if word == SPOT:
        return f"{channel.polarity.values[int(channel.spot_polarity)]} {float(channel.spot_radius):.1f}"
    return f"{_degrees(channel.preferred_hue, 360)}°" if word == COLOUR else ""


def _degrees(value: Any, circle: int) -> str:
    return f"{round(float(value)) % circle}"


class _Pen:
    """Collects the small drawings of all cells: a patch for each would take many times as long."""

    def __init__(self, ax: Axes, cell: float, field: float) -> None:
        self._ax, self._side, self._field = ax, 0.86 * cell, field
        self._squares: list[tuple[tuple[float, float], Any]] = []
        self._discs: list[tuple[tuple[float, float], float, str]] = []
        self._lines: list[np.ndarray] = []

    def kernel(self, kernel: np.ndarray, x: float, y: float) -> None:
        shown = np.moveaxis(kernel, 0, -1) / (2 * np.abs(kernel).max() or 1.0) + 0.5
        shown = np.broadcast_to(shown, (*shown.shape[:2], 3))
        box = (x, x + self._side, y + self._side, y)
        self._ax.imshow(shown, extent=box, aspect="auto", interpolation="nearest")
        self._squares.append(((x, y), "none"))

    def glyph(self, channel: xr.Dataset, word: int, x: float, y: float) -> None:
        middle = (x + self._side / 2, y + self._side / 2)
        if word == COLOUR:
            self._squares.append(((x, y), colour(channel.preferred_hue.values)))
        elif word == SPOT:
            bright = int(channel.spot_polarity) == 0
            self._squares.append(((x, y), "#808080"))
            size = float(np.clip(2 * float(channel.spot_radius) / self._field, 0.16, 0.9))
            self._discs.append((middle, size * self._side, "white" if bright else "black"))
        else:
            self._squares.append(((x, y), "#ececec"))
            angle = np.deg2rad(float(channel.preferred_orientation))
            reach = 0.42 * self._side * np.array([np.cos(angle), -np.sin(angle)])  # the y axis points down
            self._lines.append(np.array([middle - reach, middle + reach]))

    def finish(self) -> None:
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self._side
        squares = [corners + at for at, _ in self._squares]
        faces = [face for _, face in self._squares]
        self._ax.add_collection(
            PolyCollection(squares, facecolors=faces, edgecolors="#b0b0b0", linewidths=0.5, zorder=2)
        )
        if self._discs:
            sizes = [size for _, size, _ in self._discs]
            self._ax.add_collection(
                EllipseCollection(
                    sizes,
                    sizes,
                    [0] * len(sizes),
                    units="xy",
                    offsets=[at for at, _, _ in self._discs],
                    offset_transform=self._ax.transData,
                    facecolors=[face for _, _, face in self._discs],
                    zorder=3,
                )
            )
        self._ax.add_collection(
            LineCollection(self._lines, colors="black", linewidths=max(1.0, 5 * self._side), zorder=3)
        )


def curves(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw the tuning curves of the channels that are farthest above a word's limit."""
    part = of_layer(measured, layer)
    words = [word for word in known_words(part) if word < NONE]
    figure = figures.canvas(
        _title(f"The tuning of {layer}, channels by their word", part), 3.25 * len(words) + 0.9, 5.2
    )
    axes = figures.panels(figure, 1, len(words), top=1.0, bottom=1.65, left=0.7, right=0.25, wspace=0.28)
    for ax, word in zip(axes, words, strict=True):
        members = np.flatnonzero(part.answer.values == word)
        number = part.met.values[:, word]
        shown = members[np.argsort(-number[members], kind="stable")][:_STRONGEST]
        capped = f"the {_STRONGEST} clearest of {len(members)}" if len(members) > _STRONGEST else f"all {len(members)}"
        ax.set_title(PLURAL[word] + (f": {capped}" if len(members) else ""), fontsize=9.5, pad=8)
        {EDGE: _edge_axes, SPOT: _spot_axes, COLOUR: _hue_axes}[word](ax, part)
        if not len(shown):
            ax.text(0.5, 0.66, "no channel has this word", transform=ax.transAxes, ha="center", fontsize=8.5)
        for place, channel in enumerate(shown):
            hue = colour(part.preferred_hue.values[channel])
            line = tuple(hue * 0.9) if word == COLOUR else figures.PALETTE[place]
            _curve(ax, part.isel(channel=channel), word, line)
        if len(shown):
            below = -0.31 if word == COLOUR else -0.24
            ax.legend(
                fontsize=7.5,
                frameon=False,
                ncols=4,
                loc="upper center",
                bbox_to_anchor=(0.5, below),
                title="channel",
                title_fontsize=8,
                columnspacing=1.0,
                handlelength=1.4,
            )
    axes[0].set_ylabel("rise above the answer to grey\nshare of the channel's largest change", fontsize=9)
    dotted = "dotted, in the same colour: the strongest of the other stimuli that the word is held against"
    figure.text(0.5, 1 - 0.42 / 5.2, dotted, ha="center", va="top", fontsize=9)
    return Drawing(
        f"{layer}_tuning_curves",
        figure,
        f"Each curve is a channel of {layer} in the panel of its word: how far stripes raise it by their orientation "
        "(at its best period and phase), spots by their radius (the bright or the dark ones that it prefers, anywhere "
        "in its receptive field), hues of equal brightness all over the picture. Shares are of the channel's largest "
        "change by any stimulus. Dotted: the strongest rise by what the word is held against: for an edge the stripes "
        "across, black, white and hues; for a spot stripes, black, white and hues; for a colour all that has no hue. "
        f"{_spoken(part)}.",
        _curve_table(part),
    )


def _curve(ax: Axes, channel: xr.Dataset, word: int, line: Any) -> None:
    largest = float(channel.largest_change)
    if word == EDGE:
        values = channel.by_orientation.values
        x, values = np.append(channel.orientation.values, 180.0), np.append(values, values[0])
        best = float(channel.grating_rise)
    elif word == SPOT:
        values = channel.by_radius.values[int(channel.spot_polarity)]
        x, best = channel.period.values / 4, float(channel.spot_rise)
    else:
        values = channel.by_hue.values
        x, values = np.append(channel.hue.values, 360.0), np.append(values, values[0])
        best = float(channel.hue_rise)
    label = str(int(channel.number))
    if word == SPOT:
        label += f" {channel.polarity.values[int(channel.spot_polarity)]}"
    ax.plot(x, values / largest, color=line, linewidth=1.4, marker=".", markersize=4, label=label)
    rival = best / largest - float(channel.met.values[word])
    ax.axhline(rival, color=line, linewidth=0.9, linestyle=":", alpha=0.8)


def _edge_axes(ax: Axes, _part: xr.Dataset) -> None:
    ax.set_xlim(0, 180)
    ax.set_xticks([0, 45, 90, 135, 180])
    ax.set_ylim(0, 1.04)
    ax.set_xlabel("orientation of the stripes (degrees, 90: vertical)", fontsize=9)


def _spot_axes(ax: Axes, part: xr.Dataset) -> None:
    radius = part.period.values / 4
    ax.set_xscale("log")
    ax.set_xlim(radius[0] / 1.1, radius[-1] * 1.1)
    ax.set_xticks(radius[::2])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    ax.set_ylim(0, 1.04)
    ax.set_xlabel("radius of the spot (pixels)", fontsize=9)


def _hue_axes(ax: Axes, _part: xr.Dataset) -> None:
    ax.set_xlim(0, 360)
    ax.set_ylim(-1.3, 1.04)
    ax.axhline(0, color=figures.NEUTRAL, linewidth=0.8)
    strip = colour(np.arange(0, 361, 3.0))[None]
    ax.imshow(strip, extent=(0, 360, -1.3, -1.12), aspect="auto", interpolation="nearest", zorder=3)
    ax.set_xlim(0, 360)
    ax.set_ylim(-1.3, 1.04)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    ax.set_xticks(np.arange(0, 361, 60), [*_HUES, _HUES[0]], fontsize=7.5, rotation=35)
    ax.set_xlabel("hue", fontsize=9)


def _curve_table(part: xr.Dataset) -> pd.DataFrame:
    """Return all curves, a row for each point."""
    import pandas as pd

    about = part[["number", "answer"]]
    parts = []
    for name, inner in (("by_orientation", "orientation"), ("by_radius", "period"), ("by_hue", "hue")):
        table = part[name].to_series().rename("rise").dropna().reset_index()
        table["channel"] = about.number.values[table["channel"]]
        table["stimulus"] = inner if "polarity" not in table else table["polarity"] + " spot, radius"
        table["value"] = table[inner] / (4 if inner == "period" else 1)
        parts.append(table[["channel", "stimulus", "value", "rise"]])
    return pd.concat([one for one in parts if len(one)], ignore_index=True)


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return a row per channel."""
    import pandas as pd

    table = pd.DataFrame({name: measured[name].values for name in _TABLED})
    table.insert(0, "layer", measured.layer.values)
    table.insert(1, "channel", measured.number.values)
    table.insert(2, "word", np.array(WORDS)[measured.answer.values])
    for word, name in enumerate(MET):
        table.insert(3 + word, name.replace(" ", "_"), measured.met.values[:, word])
    table["spot"] = table["spot"].astype(float)
    table["spot_polarity"] = measured.polarity.values[measured.spot_polarity.values]
    return table


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"
