"""What does each channel of a convolution answer to a picture?

    map[s, c, y, x]     the layer's output for exhibit s, after its ReLU where it has one and before pooling
    silent channel      map[s, c, ·, ·] = 0 for every exhibit s

The exhibits are the fixed few probe pictures of each class (``dump.exhibits_per_class``); the figures show the first
of each class, or all where classes are not known. All figures of a layer have one scale, that of all exhibits: from 0
where nothing is negative, else symmetric around 0. So channels can be compared, but where a few answer far more than
the rest, these are dark; with ``scale: channel`` each map is divided by the largest size that its channel reaches on
any exhibit, which shows where every channel answers and not how much. A channel that is silent on these few pictures
may still answer to others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.mosaic import MapGrid, maps_figure, shown
from seedscope.files.errors import SettingError
from seedscope.files.names import in_a_sentence
from seedscope.lenses import Network, Replica, require_maps

if TYPE_CHECKING:
    import xarray as xr

_BESIDE = 5  # pictures beside each other in the figure of one channel


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
    per_row: Annotated[int, Ge(1)] | None = None
    scale: Literal["layer", "channel"] = "layer"
    alone: Mapping[str, Sequence[Annotated[int, Ge(0)]]] = field(default_factory=dict)

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

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the maps of the exhibits that are shown, and the range of each channel.

        ``<layer>`` is (exhibit, <layer>_channel, <layer>_y, <layer>_x); ``<layer>_range`` (<layer>_channel, end) over
        all exhibits, 0 included: where both ends are 0 the channel is silent.
        """
        import xarray as xr

        label = replica.probe.label.sel(sample=replica.exhibits).values
        known, first = np.unique(label, return_index=True)
        if known[0] < 0:  # nobody knows their classes: show them all
            first = np.arange(len(label))
        chosen = replica.exhibits[first]
        variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "label": (("exhibit",), label[first]),
            "image": (("exhibit", "channel", "y", "x"), replica.probe.image.sel(sample=chosen).values),
        }
        for layer in self.layers:
            maps = replica.activations[layer]
            reach = np.zeros((maps.shape[1], 2))
            for sample in replica.exhibits:  # one at a time: those of a wide layer are large
                values = maps.sel(sample=sample).values
                reach[:, 0] = np.minimum(reach[:, 0], values.min((1, 2)))
                reach[:, 1] = np.maximum(reach[:, 1], values.max((1, 2)))
            inner = tuple(f"{layer}_{name}" for name in ("channel", "y", "x"))
            variables[layer] = (("exhibit", *inner), maps.sel(sample=chosen).values)
            variables[f"{layer}_range"] = ((inner[0], "end"), reach)
        return xr.Dataset(
            variables,
            coords={"exhibit": chosen},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "exhibits": len(replica.exhibits),
                "class_names": list(replica.class_names),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return, of each layer, how many channels are silent on all exhibits."""
        return {f"{layer}_silent_channels": float(_silent(measured, layer).sum()) for layer in self.layers}

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield, of each layer, the maps of one picture of each class, or of every exhibit if no class is known."""
        for layer in self.layers:
            for exhibit in range(measured.sizes["exhibit"]):
                yield self._maps(measured, layer, exhibit)
        for layer, channels in self.alone.items():
            for channel in channels:
                yield self._alone(measured, layer, channel)

    def _scaled(self, measured: xr.Dataset, layer: str, channels: slice) -> tuple[np.ndarray, float, float, str, str]:
        """Return maps (exhibit, channel, y, x) as drawn, the ends and the unit of their scale, and words for it."""
        maps, reach = measured[layer].values[:, channels], measured[f"{layer}_range"].values
        if self.scale == "layer":
            return maps, float(reach[:, 0].min()), float(reach[:, 1].max()), "activation", f"of all figures of {layer}"
        own = np.abs(reach).max(1)
        maps = maps / np.where(own > 0, own, 1)[channels, None, None]
        low, high = -float((reach[:, 0] < 0).any()), float((own > 0).any())
        return maps, low, high, "activation ÷ the channel's largest", "of each channel: its largest on any exhibit is 1"

    def _maps(self, measured: xr.Dataset, layer: str, exhibit: int) -> Drawing:
        """Draw all channels' maps of one exhibit."""
        silent = _silent(measured, layer)
        maps, low, high, unit, scale = self._scaled(measured, layer, slice(None))
        k, sample = int(measured.label[exhibit]), int(measured.exhibit[exhibit])
        called = f"one picture of {_class(measured, k)}" if k >= 0 else f"picture {sample}"
        count, height, width = maps.shape[1:]
        grid = MapGrid(count, height, width, self.per_row)
        figure, _ = maps_figure(
            f"Maps of {layer} for {called} ({_whose(measured)})",
            measured.image.values[exhibit],
            f"sample {sample}",
            grid,
            shown(maps[exhibit], silent, figures.scale_of(low, high)[0]),
            low,
            high,
            unit,
        )
        quiet = int(silent.sum())
        words = f"no channel of {layer} is silent" if quiet == 0 else f"{quiet} of {count} channels are silent (grey)"
        if quiet == count:
            words = f"{layer} is silent: all its {count} channels are 0 (grey)"
        words = f"{words} on all exhibits ({measured.attrs['exhibits']})"
        figure.text(0.5, 1 - 0.44 / figure.get_figheight(), words, ha="center", va="top", fontsize=9)
        return Drawing(
            f"{layer}_maps_class{k}" if k >= 0 else f"{layer}_maps_sample{sample}",
            figure,
            f"The output of each channel of {layer} for sample {sample}, on the scale {scale}; {words}."
            + grid.shared_words(),
        )

    def _alone(self, measured: xr.Dataset, layer: str, channel: int) -> Drawing:
        """Draw one channel's map of every shown exhibit, the picture above it."""
        maps, low, high, unit, scale = self._scaled(measured, layer, slice(channel, channel + 1))
        norm, colours = figures.scale_of(low, high)
        columns = min(len(maps), _BESIDE)
        rows = -(-len(maps) // columns)
        title = f"Channel {channel} of {layer} ({_whose(measured)})"
        figure = figures.canvas(title, max(2.1 * columns + 1.5, 6.0), 4.5 * rows + 0.8)
        axes = figures.panels(
            figure, 2 * rows, columns, left=0.4, right=1.1, top=0.75, bottom=0.35, wspace=0.18, hspace=0.22
        )
        image = None
        for place, ax in enumerate(axes):
            row, column = divmod(place, columns)
            exhibit = row // 2 * columns + column
            if exhibit >= len(maps):
                ax.set_visible(False)
            elif row % 2 == 0:
                k = int(measured.label[exhibit])
                figures.show_picture(ax, measured.image.values[exhibit])
                ax.set_title(_class(measured, k) if k >= 0 else f"picture {int(measured.exhibit[exhibit])}", fontsize=9)
            else:
                image = ax.imshow(maps[exhibit, 0], norm=norm, cmap=colours, interpolation="nearest")
        figures.color_bar(figure, image, (1 - 0.8 / figure.get_figwidth(), 0.2, 0.02, 0.5), unit)
        return Drawing(
            f"{layer}_channel{channel}",
            figure,
            f"What channel {channel} of {layer} answers to each picture, on the scale {scale}; places are counted in "
            "pixels of the map.",
        )


def _class(measured: xr.Dataset, k: int) -> str:
    name = list(np.atleast_1d(measured.attrs["class_names"]))[k]
    return f"class {k}" if name == str(k) else f"class {k} ({name})"


def _whose(measured: xr.Dataset) -> str:
    return f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"


def _silent(measured: xr.Dataset, layer: str) -> np.ndarray:
    return np.asarray((measured[f"{layer}_range"].values == 0).all(1))
