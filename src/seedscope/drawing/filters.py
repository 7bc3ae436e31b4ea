"""The pictures that raise channels, in a grid, and how far each climbed (see :mod:`seedscope.lenses.filters`).

Where a picture has more pixels than it gets on the page, neighbours share a cell that shows their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.mosaic import MapGrid
from seedscope.files.names import in_a_sentence

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

_SPREAD = 0.2  # standard deviation of a picture without bounds, as it is drawn


def filters_figure(measured: xr.Dataset, layer: str, *, trained: bool) -> Drawing:
    """Draw the pictures of a layer, of the network as trained or before its first step."""
    name = f"{layer}_" if trained else f"{layer}_untrained_"
    pictures, silent = measured[f"{name}picture"].values, measured[f"{name}silent"].values
    below = ~silent & (measured[f"{name}activation"].values[:, -1] <= measured[f"{name}probe"].values)
    network = "" if trained else " of the untrained network"
    cells, side = _cells(pictures, bool(measured.attrs["bounded"]))
    grid = MapGrid(len(cells), *cells.shape[2:])
    drawn = np.where(silent[:, None, None, None], np.array(to_rgb(figures.SILENT))[:, None, None], cells)
    tiled = np.stack([grid.tile(colour) for colour in drawn.swapaxes(0, 1)], -1)

    grid_width, grid_height = grid.size
    left, right, top, bottom = 0.75, 0.25, 0.85, 0.6
    width, height = max(left + grid_width + right, 7.5), top + grid_height + bottom
    figure = figures.canvas(f"Filters of {layer}{network} by gradient ascent {_whose(measured)}", width, height)
    kind = _kind(measured, layer)
    words = _silent_words(layer, kind, silent)
    figure.text(
        0.5, 1 - 0.42 / height, f"the picture that raises each {kind}; {words}", ha="center", va="top", fontsize=9
    )
    left += (width - left - grid_width - right) / 2
    ax = figure.add_axes((left / width, bottom / height, grid_width / width, grid_height / height))
    ax.imshow(np.nan_to_num(tiled, nan=1.0), vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    grid.label(ax, kind)

    colours = pictures.shape[1]
    description = (
        f"Each picture began as the same faint noise and was changed, step by step, so that the mean activation of one "
        f"{kind} of {layer}{network} rises; they are in order. {words[0].upper()}{words[1:]}. "
        f"{int(below.sum())} of the others stay below the best probe picture.{_missed_words(measured, name)}"
    )
    if measured.attrs["bounded"]:
        description += " Colours are those that the network saw."
    else:
        description += f" Each picture is drawn around mid grey with a standard deviation of {_SPREAD}."
    if colours not in (1, 3):
        description += f" Grey is the mean of the {colours} colours."
    if side > 1:
        description += f" Each cell is the mean of {side:.1f} × {side:.1f} pixels."
    return Drawing(f"{layer}_filters" if trained else f"{layer}_filters_untrained", figure, description)


def _cells(pictures: np.ndarray, bounded: bool) -> tuple[np.ndarray, float]:
    """Return pictures (filter, colour, y, x) as RGB in [0, 1], as coarse as the page is, and the side of a cell."""
    from PIL import Image

    n, colours, height, width = pictures.shape
    if not bounded:
        mean, deviation = pictures.mean((1, 2, 3), keepdims=True), pictures.std((1, 2, 3), keepdims=True)
        pictures = 0.5 + _SPREAD * (pictures - mean) / np.where(deviation > 0, deviation, 1)
    if colours != 3:
        pictures = pictures.mean(1, keepdims=True)
    pictures = np.clip(pictures, 0, 1).astype(np.float32)
    grid = MapGrid(n, height, width)
    side = 1.0
    if grid.shared > 1:
        side = width / (grid.size[0] * figures.DPI / grid.columns * 16 / 17)  # a gap is a sixteenth of a picture
        size = (max(1, int(width / side)), max(1, int(height / side)))
        flat = pictures.reshape(-1, height, width)
        coarse = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BOX)) for one in flat]
        pictures = np.reshape(coarse, (n, -1, size[1], size[0]))
    return np.broadcast_to(pictures, (n, 3, *pictures.shape[2:])), side


def ascent_figure(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw the activation of each channel on the way, and its end against the best probe picture."""
    figure = figures.canvas(f"How high gradient ascent climbs in {layer} {_whose(measured)}", 10, 4.2)
    left, right = figures.panels(figure, 1, 2, wspace=0.25, top=0.75, left=0.85)
    kind, words, reached = _kind(measured, layer), [], []
    networks = [("", figures.FOR, "as trained")]
    if f"{layer}_untrained_silent" in measured:
        networks.insert(0, ("untrained_", figures.NEUTRAL, "untrained"))
    for which, colour, called in networks:
        name = f"{layer}_{which}"
        live = ~measured[f"{name}silent"].values
        activation, probe = measured[f"{name}activation"].values[live], measured[f"{name}probe"].values[live]
        above = int((activation[:, -1] > probe).sum())
        of = int((live | (measured[f"{name}probe"].values > 0)).sum())
        words.append(f"{called}, {above} of {of} {kind}s that the ascent or a probe picture raises end above it")
        answering = probe > 0
        if not answering.all():
            words.append(f"{int((~answering).sum())} of these answer to no probe picture and are not shown")
        if not answering.any():
            continue
        activation, probe = activation[answering], probe[answering]
        climbs = activation / probe[:, None]
        left.plot(climbs.T, color=colour, linewidth=0.5, alpha=0.35)
        left.plot(np.median(climbs, axis=0), color=colour, linewidth=2.2, label=f"{called}: median")
        right.plot(probe, activation[:, -1], "o", color=colour, markersize=4, alpha=0.8, label=called)
        reached.append((climbs[climbs > 0], np.concatenate([probe, activation[:, -1]])))
    if reached:
        for ax, axes, values in ((left, "y", [r[0] for r in reached]), (right, "xy", [r[1] for r in reached])):
            _logarithmic(ax, axes, np.concatenate(values))
            ax.legend(fontsize=8, frameon=False, loc="lower right")
        left.axhline(1, color="black", linewidth=1, linestyle="--")
        right.axline((1, 1), (2, 2), color="black", linewidth=1, linestyle="--")
    else:
        for ax in (left, right):
            figures.say(ax, f"no {kind} answers to both")
            ax.set_yticks([])
    left.set_xlabel("step", fontsize=9)
    left.set_ylabel("activation ÷ best probe picture's", fontsize=9)
    right.set_xlabel("activation of the best probe picture", fontsize=9)
    right.set_ylabel("activation at the end of the ascent", fontsize=9)
    number = measured.attrs["probe_pictures"]
    return Drawing(
        f"{layer}_ascent",
        figure,
        f"Left: the mean activation of each {kind} of {layer} as its picture changes, divided by the largest that one "
        f"of {number} probe pictures reaches (dashed: as high as that one); where it is 0 there is no line. Right: a "
        f"point for each {kind}, its activation at the end against that of its best probe picture (dashed: equal). "
        f"All scales are logarithmic. Of the {kind}s, {'; '.join(words)}. "
        "Grey is the same ascent in the network before its first step, against the same pictures.",
        _table(measured, layer),
    )


def _logarithmic(ax: Axes, axes: str, values: np.ndarray) -> None:
    """Give axes a logarithmic scale that holds the positive values, four decades at most."""
    positive = values[values > 0]
    high = float(positive.max())
    low = max(float(positive.min()), high / 1e4)
    few = high / low < 50
    for name in axes:
        getattr(ax, f"set_{name}scale")("log", nonpositive="mask")
        getattr(ax, f"set_{name}lim")(low / 1.3, high * 1.3)
        axis = ax.xaxis if name == "x" else ax.yaxis
        axis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if few else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _table(measured: xr.Dataset, layer: str) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, np.ndarray] = {_kind(measured, layer): np.arange(measured[f"{layer}_silent"].size)}
    for which in ("", "untrained_"):
        name = f"{layer}_{which}"
        if f"{name}silent" in measured:
            activation = measured[f"{name}activation"].values
            columns |= {
                f"{which}start": activation[:, 0],
                f"{which}end": activation[:, -1],
                f"{which}best_probe": measured[f"{name}probe"].values,
                f"{which}best_probe_sample": measured[f"{name}probe_sample"].values,
                f"{which}silent": measured[f"{name}silent"].values,
            }
    return pd.DataFrame(columns)


def _kind(measured: xr.Dataset, layer: str) -> str:
    """Return what the layer consists of: channels, or units where it is dense."""
    return str(measured[f"{layer}_silent"].dims[0]).removeprefix(f"{layer}_")


def _silent_words(layer: str, kind: str, silent: np.ndarray) -> str:
    quiet = int(silent.sum())
    if quiet == len(silent):
        return f"all {quiet} {kind}s of {layer} stay silent (grey)"
    return f"no {kind} of {layer} stays silent" if quiet == 0 else f"{quiet} of {len(silent)} stay silent (grey)"


def _missed_words(measured: xr.Dataset, name: str) -> str:
    missed = int((measured[f"{name}silent"].values & (measured[f"{name}probe"].values > 0)).sum())
    if not missed:
        return ""
    return f" Of the silent {missed} answer{'s' if missed == 1 else ''} to a probe picture: there the ascent fails."


def _whose(measured: xr.Dataset) -> str:
    return f"({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"
