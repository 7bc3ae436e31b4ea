"""The pictures that raise channels, in a grid, and how far each climbed (see :mod:`seedscope.lenses.filters`).

Where a picture has more pixels than it gets on the page, neighbours share a cell that shows their mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from seedscope.figures import (
    DPI,
    FOR,
    NEUTRAL,
    SILENT,
    Axis,
    Beside,
    Dots,
    Facts,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    Strokes,
    rgb,
)
from seedscope.figures.mosaic import MapGrid
from seedscope.lenses.filters.found import found_in, kind_of, networks, raised

_SPREAD = 0.2  # standard deviation of a picture without bounds, as it is drawn
_OF = {"trained": "", "untrained": " of the untrained network"}
_CALLED = {"untrained": ("untrained", NEUTRAL), "trained": ("as trained", FOR)}  # in the order in which they are drawn


def draw(measured: xr.DataTree, layers: Sequence[str]) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.filters.Filters.draw`."""
    for layer in layers:
        for network in networks(measured):
            yield _filters(measured, layer, network)
        yield _ascent(measured, layer)


def _filters(measured: xr.DataTree, layer: str, network: str) -> Sheet:
    """Show the pictures of a layer, of the network as trained or before its first step."""
    found = found_in(measured, layer, network)
    kind, silent = kind_of(found), found["silent"].values
    cells, side = _cells(found["picture"].values, bool(measured.attrs["bounded"]))
    grid = MapGrid(len(cells), *cells.shape[2:])
    shown = np.where(silent[:, None, None, None], rgb(SILENT)[:, None, None], cells)
    tiled = np.stack([grid.tile(colour) for colour in shown.swapaxes(0, 1)], -1)
    words = _silent_words(layer, kind, silent)
    x, y = grid.axes(kind)
    width, height = grid.size
    return Sheet(
        f"{layer}_filters" if network == "trained" else f"{layer}_filters_{network}",
        Facts.of(measured),
        f"Filters of {layer}{_OF[network]} by gradient ascent",
        f"Each picture began as the same faint noise and was changed, step by step, so that the mean activation of one "
        f"{kind} of {layer}{_OF[network]} rises; they are in order. {words[0].upper()}{words[1:]}. "
        + _below_words(found)
        + _colour_words(bool(measured.attrs["bounded"]), found.sizes["colour"], side),
        Panel([Image(np.nan_to_num(tiled, nan=1.0))], x=x, y=y, width=width, height=height, lines=False),
        note=f"the picture that raises each {kind}; {words}",
        family=f"Filters of {layer}",
        mark=_CALLED[network][0],
    )


def _cells(pictures: np.ndarray, bounded: bool) -> tuple[np.ndarray, float]:
    """Return pictures (filter, colour, y, x) as RGB in [0, 1], as coarse as the page is, and the side of a cell."""
    from PIL import Image as PillowImage

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
        side = width / (grid.size[0] * DPI / grid.columns * 16 / 17)  # a gap is a sixteenth of a picture
        size = (max(1, int(width / side)), max(1, int(height / side)))
        flat = pictures.reshape(-1, height, width)
        box = PillowImage.Resampling.BOX
        pictures = np.reshape(
            [np.asarray(PillowImage.fromarray(one).resize(size, box)) for one in flat], (n, -1, *size[::-1])
        )
    return np.broadcast_to(pictures, (n, 3, *pictures.shape[2:])), side


def _silent_words(layer: str, kind: str, silent: np.ndarray) -> str:
    quiet = int(silent.sum())
    if quiet == len(silent):
        return f"all {quiet} {kind}s of {layer} stay silent (grey)"
    return f"no {kind} of {layer} stays silent" if quiet == 0 else f"{quiet} of {len(silent)} stay silent (grey)"


def _below_words(found: xr.Dataset) -> str:
    """Say how many stay below the best probe picture, and where the ascent fails."""
    silent, probe = found["silent"].values, found["probe"].values
    below = int((~silent & (found["activation"].values[:, -1] <= probe)).sum())
    missed = int((silent & (probe > 0)).sum())
    words = f"{below} of the others stay below the best probe picture."
    if not missed:
        return words
    answer = f"{missed} answer{'s' if missed == 1 else ''}"
    return f"{words} Of the silent {answer} to a probe picture: there the ascent fails."


def _colour_words(bounded: bool, colours: int, side: float) -> str:
    words = f" Each picture is drawn around mid grey with a standard deviation of {_SPREAD}."
    if bounded:
        words = " Colours are those that the network saw."
    if colours not in (1, 3):
        words += f" Grey is the mean of the {colours} colours."
    return words + (f" Each cell is the mean of {side:.1f} × {side:.1f} pixels." if side > 1 else "")


def _ascent(measured: xr.DataTree, layer: str) -> Sheet:
    """Show the activation of each channel on the way, and its end against the best probe picture."""
    found = {network: found_in(measured, layer, network) for network in _CALLED if network in networks(measured)}
    kind = kind_of(next(iter(found.values())))
    climbs = {network: _answering(one) for network, one in found.items() if len(_answering(one)[1])}
    nothing = "" if climbs else f"no {kind} answers to both"
    words = "; ".join(word for network, one in found.items() for word in _words(one, _CALLED[network][0]))
    grey = " Grey is the same ascent in the network before its first step, against the same pictures."
    return Sheet(
        f"{layer}_ascent",
        Facts.of(measured),
        f"How high gradient ascent climbs in {layer}",
        f"Left: the mean activation of each {kind} of {layer} as its picture changes, divided by the largest that one "
        f"of {measured.attrs['probe_pictures']} probe pictures reaches (dashed: as high as that one); where it is 0 "
        f"there is no line. Right: a point for each {kind}, its activation at the end against that of its best probe "
        f"picture (dashed: equal). All scales are logarithmic. Of the {kind}s, {words}."
        + (grey if "untrained" in found else ""),
        Beside([_on_the_way(climbs, nothing), _at_the_end(climbs, nothing)]),
        _table(found, kind),
    )


def _answering(found: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return activation (channel, step) and best probe picture's (channel) where both raise the channel."""
    both = ~found["silent"].values & (found["probe"].values > 0)
    return found["activation"].values[both], found["probe"].values[both]


def _words(found: xr.Dataset, called: str) -> list[str]:
    """Say of one network how many channels end above the probe pictures, and which are not shown."""
    live, probe = ~found["silent"].values, found["probe"].values
    above = int((found["activation"].values[live, -1] > probe[live]).sum())
    of, kind = int(raised(found).sum()), kind_of(found)
    words = [f"{called}, {above} of {of} {kind}s that the ascent or a probe picture raises end above it"]
    unanswered = int((probe[live] <= 0).sum())
    return words + ([f"{unanswered} of these answer to no probe picture and are not shown"] if unanswered else [])


def _on_the_way(climbs: Mapping[str, tuple[np.ndarray, np.ndarray]], nothing: str) -> Panel:
    """Show each channel's activation by step, as a multiple of its best probe picture's, and the medians."""
    x, label = Axis("step", whole=True), "activation ÷ best probe picture's"
    if nothing:
        return Panel(x=x, y=Axis(label), height=2.9, empty=nothing)
    lines: list[Mark] = []
    medians: list[Mark] = []
    all_times = {network: activation / probe[:, None] for network, (activation, probe) in climbs.items()}
    for network, times in all_times.items():
        called, color = _CALLED[network]
        step, median = np.arange(times.shape[1]), np.median(times, axis=0)
        lines.append(Strokes([np.stack([step[of > 0], of[of > 0]], 1) for of in times], color, 0.5, opacity=0.35))
        medians.append(Line(step[median > 0], median[median > 0], color, width=2.2, label=f"{called}: median"))
    return Panel(
        [*lines, *medians, Rule(1.0, "black", "--", 1.0)],
        x=x,
        y=_logarithmic(label, np.concatenate([times.ravel() for times in all_times.values()])),
        height=2.9,
        key=Key("lower right"),
    )


def _at_the_end(climbs: Mapping[str, tuple[np.ndarray, np.ndarray]], nothing: str) -> Panel:
    """Show each channel's activation at the end against that of its best probe picture."""
    labels = "activation of the best probe picture", "activation at the end of the ascent"
    if nothing:
        return Panel(x=Axis(labels[0]), y=Axis(labels[1]), height=2.9, empty=nothing)
    ends = {network: activation[:, -1] for network, (activation, _) in climbs.items()}
    x, y = (
        _logarithmic(one, np.concatenate([*ends.values(), *(probe for _, probe in climbs.values())])) for one in labels
    )
    marks: list[Mark] = []
    for network, end in ends.items():
        called, color = _CALLED[network]
        marks.append(Dots(climbs[network][1], end, color, size=4.0, opacity=0.8, label=called))
    equal = np.array([x.low, x.high], dtype=float)
    return Panel([*marks, Line(equal, equal, "black", "--", 1.0)], x=x, y=y, height=2.9, key=Key("lower right"))


def _logarithmic(label: str, values: np.ndarray) -> Axis:
    """Return a logarithmic axis that holds the positive values, four decades at most."""
    positive = values[values > 0]
    if not positive.size:
        return Axis(label)
    high = float(positive.max())
    low = max(float(positive.min()), high / 1e4)
    steps = (1, 2, 5) if high / low < 50 else (1,)
    low, high = low / 1.3, high * 1.3
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return Axis(label, ticks, [f"{tick:g}" for tick in ticks], low, high, "log")


def _table(found: dict[str, xr.Dataset], kind: str) -> pd.DataFrame:
    """Return a row for each channel: where its ascent starts and ends, and its best probe picture."""
    columns: dict[str, np.ndarray] = {kind: np.arange(found["trained"].sizes[kind])}
    for network in ("trained", "untrained"):
        if network in found:
            one, which = found[network], "" if network == "trained" else f"{network}_"
            columns |= {
                f"{which}start": one["activation"].values[:, 0],
                f"{which}end": one["activation"].values[:, -1],
                f"{which}best_probe": one["probe"].values,
                f"{which}best_probe_sample": one["probe_sample"].values,
                f"{which}silent": one["silent"].values,
            }
    return pd.DataFrame(columns)
