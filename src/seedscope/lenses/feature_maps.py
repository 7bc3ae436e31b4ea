"""What does each channel of a convolution answer to a picture?

    activation[s, c, y, x]   the layer's output for exhibit s, after its ReLU where it has one and before pooling
    silent channel           activation[s, c, ·, ·] = 0 for every exhibit s

The exhibits are the fixed few probe pictures of each class (``dump.exhibits_per_class``); the figures show the first
of each class, or all where classes are not known. All figures of a layer have one scale, that of all exhibits: from 0
where nothing is negative, else symmetric around 0. So channels can be compared, but where a few answer far more than
the rest, these are dark; with ``scale: channel`` each map is divided by the largest size that its channel reaches on
any exhibit, which shows where every channel answers and not how much. A channel that is silent on these few pictures
may still answer to others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen

from seedscope.figures import (
    Axis,
    Bar,
    Facts,
    Grid,
    Image,
    Panel,
    Scale,
    Sheet,
    class_names,
    picture,
    scale_of,
)
from seedscope.figures.mosaic import MapGrid, maps_beside
from seedscope.files.arrays import group_of, root_of
from seedscope.files.errors import SettingError
from seedscope.lenses import Network, Replica, for_drawing, require_maps

if TYPE_CHECKING:
    import xarray as xr

_BESIDE = 5  # pictures beside each other in the figure of one channel
_SIDE = 1.7  # of each of them and of its map, inches


@dataclass(frozen=True)
class FeatureMaps:
    """The lens.

    Attributes:
        layers: the layers whose maps are shown, each with an output (channel, y, x).
        per_row: how many maps stand in a row; by default eight, more where there are many.
        scale: of the colours, one for the ``layer`` or one for each ``channel``.
        alone: by layer, the channels that have a large figure of their own besides.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    per_row: Annotated[int, Ge(1)] | None = for_drawing(None)
    scale: Literal["layer", "channel"] = for_drawing("layer")
    alone: Mapping[str, Sequence[Annotated[int, Ge(0)]]] = for_drawing(dict)

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, that has no maps, or whose maps are not dumped; so a channel."""
        require_maps(network, self.layers)
        for layer, channels in self.alone.items():
            if layer not in self.layers:
                raise SettingError("alone", f"{layer!r} is none of the layers {', '.join(self.layers)}")
            count = network.layers[layer][0]
            for channel in channels:
                if channel >= count:
                    raise SettingError("alone", f"channel {channel}: {layer!r} has channels 0 to {count - 1}")

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return the exhibits that are shown, ``image`` (sample, colour, row, column), and a group for each layer.

        In it ``activation`` (sample, channel, y, x) are their maps, and ``range`` (channel, end) goes over all
        exhibits, 0 included: where both ends are 0 the channel is silent.
        """
        import xarray as xr

        label = replica.probe.label.sel(sample=replica.exhibits).values
        known, first = np.unique(label, return_index=True)
        if known[0] < 0:  # nobody knows their classes: show them all
            first = np.arange(len(label))
        chosen = replica.exhibits[first]
        shown = xr.Dataset(
            {
                "label": ("sample", label[first]),
                "image": (("sample", "colour", "row", "column"), replica.probe.image.sel(sample=chosen).values),
            },
            coords={"sample": chosen},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "exhibits": len(replica.exhibits),
                "class_names": list(replica.class_names),
            },
        )
        layers = {layer: _maps(replica.activations[layer], replica.exhibits, chosen) for layer in self.layers}
        return xr.DataTree.from_dict({"/": shown, **layers})

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return, of each layer, how many channels are silent on all exhibits."""
        return {f"{layer}_silent_channels": float(_silent(group_of(measured, layer)).sum()) for layer in self.layers}

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield, of each layer, the maps of one picture of each class, or of every exhibit if no class is known."""
        for layer in self.layers:
            for exhibit in range(measured.sizes["sample"]):
                yield _all_channels(measured, layer, exhibit, self.scale, self.per_row)
        for layer, channels in self.alone.items():
            for channel in channels:
                yield _one_channel(measured, layer, channel, self.scale)


def _maps(activation: xr.DataArray, exhibits: np.ndarray, shown: np.ndarray) -> xr.Dataset:
    """Return the maps of the exhibits that are shown, and the range of each channel on all."""
    import xarray as xr

    reach = np.zeros((activation.shape[1], 2))
    for sample in exhibits:  # one at a time: those of a wide layer are large
        values = activation.sel(sample=sample).values
        reach[:, 0] = np.minimum(reach[:, 0], values.min((1, 2)))
        reach[:, 1] = np.maximum(reach[:, 1], values.max((1, 2)))
    maps = activation.sel(sample=shown).values
    return xr.Dataset({"activation": (("sample", "channel", "y", "x"), maps), "range": (("channel", "end"), reach)})


def _silent(of_layer: xr.Dataset) -> np.ndarray:
    return np.asarray((of_layer["range"].values == 0).all(1))


@dataclass(frozen=True)
class _Scaled:
    """A layer's maps as they are drawn.

    Attributes:
        maps: (sample, channel, y, x).
        low: where their scale begins.
        high: where it ends.
        unit: what it counts.
        words: whose scale it is.
    """

    maps: np.ndarray
    low: float
    high: float
    unit: str
    words: str

    @classmethod
    def of(cls, measured: xr.DataTree, layer: str, scale: str, channels: slice = slice(None)) -> _Scaled:
        """Scale some channels' maps by the range of the whole layer, or each by that of its own channel."""
        of_layer = group_of(measured, layer)
        maps, reach = of_layer["activation"].values[:, channels], of_layer["range"].values
        if scale == "layer":
            low, high = float(reach[:, 0].min()), float(reach[:, 1].max())
            return cls(maps, low, high, "activation", f"of all figures of {layer}")
        own = np.abs(reach).max(1)
        maps = maps / np.where(own > 0, own, 1)[channels, None, None]
        low, high = -float((reach[:, 0] < 0).any()), float((own > 0).any())
        words = "of each channel: its largest on any exhibit is 1"
        return cls(maps, low, high, "activation ÷ the channel's largest", words)


def _all_channels(measured: xr.DataTree, layer: str, exhibit: int, scale: str, per_row: int | None) -> Sheet:
    """Show all channels' maps of one exhibit beside it."""
    silent, scaled = _silent(group_of(measured, layer)), _Scaled.of(measured, layer, scale)
    shown = root_of(measured).isel(sample=exhibit)
    k, sample, mark = int(shown.label), int(shown.sample), _called(measured, exhibit)
    count, height, width = scaled.maps.shape[1:]
    grid = MapGrid(count, height, width, per_row)
    words = f"{_silent_words(layer, silent)} on all exhibits ({measured.attrs['exhibits']})"
    return Sheet(
        f"{layer}_maps_class{k}" if k >= 0 else f"{layer}_maps_sample{sample}",
        Facts.of(measured),
        f"Maps of {layer} for {'one picture of ' if k >= 0 else ''}{mark}",
        f"The output of each channel of {layer} for sample {sample}, on the scale {scaled.words}; {words}."
        + grid.shared_words(),
        maps_beside(
            shown.image.values,
            f"sample {sample}",
            grid,
            scaled.maps[exhibit],
            scaled.low,
            scaled.high,
            scaled.unit,
            silent=silent,
        ),
        note=words,
        family=f"Maps of {layer}",
        mark=mark,
    )


def _silent_words(layer: str, silent: np.ndarray) -> str:
    quiet, count = int(silent.sum()), len(silent)
    if quiet == count:
        return f"{layer} is silent: all its {count} channels are 0 (grey)"
    return f"no channel of {layer} is silent" if quiet == 0 else f"{quiet} of {count} channels are silent (grey)"


def _one_channel(measured: xr.DataTree, layer: str, channel: int, scale: str) -> Sheet:
    """Show one channel's map of every shown exhibit, the picture above it."""
    scaled = _Scaled.of(measured, layer, scale, slice(channel, channel + 1))
    colours = scale_of(scaled.low, scaled.high)
    image, count = root_of(measured).image.values, len(scaled.maps)
    columns = min(count, _BESIDE)
    panels: list[Panel] = []
    for start in range(0, count, columns):
        row = range(start, min(start + columns, count))
        blank = [Panel(width=_SIDE, height=_SIDE, axes=False)] * (columns - len(row))
        panels += [picture(image[one], _called(measured, one), _SIDE) for one in row] + blank
        panels += [_map(scaled.maps[one, 0], colours) for one in row]
    return Sheet(
        f"{layer}_channel{channel}",
        Facts.of(measured),
        f"Channel {channel} of {layer}",
        f"What channel {channel} of {layer} answers to each picture, on the scale {scaled.words}; places are counted "
        "in pixels of the map.",
        Grid(panels, columns, bar=Bar(colours, scaled.unit)),
        family=f"Channels of {layer}",
        mark=f"channel {channel}",
    )


def _map(values: np.ndarray, scale: Scale) -> Panel:
    height, width = values.shape
    shrink = _SIDE / max(height, width)
    sides = {"width": max(width * shrink, _SIDE / 4), "height": max(height * shrink, _SIDE / 4)}  # else it is a line
    return Panel([Image(values, scale)], x=Axis("x", whole=True), y=Axis("y", whole=True), **sides)


def _called(measured: xr.DataTree, exhibit: int) -> str:
    """Return what an exhibit is called: its class, or where that is not known its number."""
    shown = root_of(measured).isel(sample=exhibit)
    k = int(shown.label)
    return f"class {class_names(measured)[k]}" if k >= 0 else f"picture {int(shown.sample)}"
