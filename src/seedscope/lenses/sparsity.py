"""Do fewer channels answer, the deeper the layer: is deeper sparser?

    silent[l, s] = share of the channels c of layer l with map_l[s, c, y, x] = 0 for all y, x
    zeros[l, s]  = share of 0 among all map_l[s, c, y, x]

for the maps of a layer, after its ReLU where it has one, and the pictures s. A layer's number is the mean over
pictures; from the first layer looked at to the last

    step = number of the last layer − number of the first

"Deeper is sparser" asks for steps above 0. A larger field, a negative bias or a narrow map can do that before anything
is learned, so the null of every number is that of the same network **before its first step** (frame 0), which goes
through the same procedure, and its gain is what training added. Weights that are given have no such frame.

A channel that is silent for one picture may answer to the next: dead ones, silent for all, are part of the share.

Pictures: up to 60 of the probe pictures, classes balanced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, MinLen

from seedscope.figures import Axis, Facts, Grid, Panel, Sheet
from seedscope.figures.over import BEFORE_AND_AFTER, before_and_after, in_words
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses import Network, Replica, require_channels
from seedscope.lenses.comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd
    import torch
    import xarray as xr
    from torch import nn

_MEASURES = {"silent": "silent channels (share)", "zeros": "zeros among all places (share)"}
_PICTURES = 60

Values = Mapping[tuple[str, str], np.ndarray]
"""(layer, …) of each network and measure."""


@dataclass(frozen=True)
class Sparsity:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
        batch_size: pictures at a time; bounds the memory.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    batch_size: Annotated[int, Ge(1)] = 16

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, or that has no maps."""
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``silent`` and ``zeros``, each (network, layer, sample), and ``dead`` (network, layer).

        ``dead`` is the share of channels that are silent for every picture.
        """
        import torch
        import xarray as xr

        from seedscope.data import balanced

        chosen = balanced(replica.probe.label.values, _PICTURES)
        pictures = replica.probe.image.isel(sample=chosen)
        frames = {"trained": None} | ({} if replica.frames is None else {"untrained": 0})
        shown, found = torch.from_numpy(pictures.values), []
        for frame in frames.values():
            with replica.network(frame) as network:
                found.append(_sparsity(network, self.layers, torch.split(shown, self.batch_size)))
        silent, zeros, dead = (np.stack(parts) for parts in zip(*found, strict=True))
        dims = ("network", "layer", "sample")
        return xr.Dataset(
            {"silent": (dims, silent), "zeros": (dims, zeros), "dead": (dims[:2], dead)},
            coords={"network": list(frames), "layer": list(self.layers), "sample": pictures.sample.values},
            attrs={"experiment": replica.experiment, "seed": replica.seed},
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return each layer's means over pictures and the steps from first to last layer, with nulls and gains."""
        summary: dict[str, float] = {}
        for name in _MEASURES:
            trained = _numbers(measured[name].sel(network="trained"))
            summary |= {f"{of}_{name}": value for of, value in trained.items()}
            if "untrained" in measured.network:
                null = _numbers(measured[name].sel(network="untrained"))
                summary |= {f"{of}_{name}_null_untrained": value for of, value in null.items()}
                summary |= {f"{of}_{name}_gain_untrained": trained[of] - null[of] for of in trained}
        for layer in measured.layer.values.tolist():
            summary[f"{layer}_dead"] = float(measured.dead.sel(network="trained", layer=layer))
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the share of silent channels and of zeros by layer, with intervals over pictures."""
        values = {key: measured[key[1]].sel(network=key[0]).values for key in _keys(measured)}
        networks = "grey: untrained, blue: trained; a dot for each picture; " if "untrained" in measured.network else ""
        yield _by_layer(
            measured,
            values,
            f"{networks}bars: mean and 95 % interval over pictures",
            f"a dot is one of {measured.sizes['sample']} probe pictures; bars are mean and 95 % interval over these "
            "pictures, which says nothing of other seeds.",
            lines=False,
        )

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Draw each seed's numbers by layer, with intervals over seeds; those of the scalars are made with all."""
        values = {
            (network, name): np.stack(
                [measured[name].sel(seed=seed, network=network).mean("sample").values for seed in measured.seed], -1
            )
            for network, name in _keys(measured)
        }
        sheet = _by_layer(
            measured,
            values,
            BEFORE_AND_AFTER,
            "mean over probe pictures: each line is a seed, before training (grey) and after (blue), with mean and "
            "95 % interval over seeds. Where the interval of the step's change holds 0, training made no layer sparser "
            "than another that these seeds could show.",
            lines=True,
        )
        return Comparison({}, [sheet])


def _sparsity(
    network: nn.Module, layers: Sequence[str], batches: Sequence[torch.Tensor]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return silent and zeros, (layer, sample) each, and the share of dead channels, (layer)."""
    from seedscope.activations.capture import activations

    silent: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    zeros: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for outputs in activations(network, layers, batches):
        for layer in layers:
            zero = outputs[layer] == 0
            silent[layer].append(zero.flatten(2).all(2).numpy())
            zeros[layer].append(zero.double().mean((1, 2, 3)).numpy())
    by_channel = [np.concatenate(silent[layer]) for layer in layers]
    return (
        np.stack([one.mean(1) for one in by_channel]),
        np.stack([np.concatenate(zeros[layer]) for layer in layers]),
        np.array([one.all(0).mean() for one in by_channel]),
    )


def _numbers(of_sample: xr.DataArray) -> dict[str, float]:
    """Return the mean over pictures (layer, sample) of each layer, and the step from the first to the last."""
    mean = of_sample.mean("sample")
    layers = mean.layer.values.tolist()
    numbers = {layer: float(mean.sel(layer=layer)) for layer in layers}
    if len(layers) > 1:
        numbers[f"{layers[0]}_to_{layers[-1]}"] = numbers[layers[-1]] - numbers[layers[0]]
    return numbers


def _keys(measured: xr.Dataset) -> list[tuple[str, str]]:
    return [(str(network), name) for network in measured.network.values for name in _MEASURES]


def _by_layer(measured: xr.Dataset, values: Values, note: str, words: str, *, lines: bool) -> Sheet:
    """Show (layer, …) of each network and measure; ``words`` end the description."""
    layers = measured.layer.values.tolist()
    return Sheet(
        "sparsity",
        Facts.of(measured),
        "Is deeper sparser?",
        f"Of each layer the share of channels that a picture leaves silent (left), of places with 0 (right); {words}",
        Grid([_panel(layers, values, name, lines) for name in _MEASURES], 2, gap=0.3),
        _table(layers, values),
        note=note,
    )


def _panel(layers: list[str], values: Values, name: str, lines: bool) -> Panel:
    """Show one measure of each layer, before and after, and say how it changes from the first to the last."""
    after, before = values["trained", name], values.get(("untrained", name))
    step = ""
    if len(layers) > 1:
        step = f"{layers[0]} → {layers[-1]}: {in_words(after[-1] - after[0])}"
        if before is not None:
            step += f",\nless the untrained network's: {in_words(after[-1] - after[0] - before[-1] + before[0])}"
    rows = [row for one in (after, before) if one is not None for row in one]
    largest = max(max(float(row.max()), mean_interval(row).high or 0.0) for row in rows)
    crowded = max(map(len, layers)) * len(layers) > 40  # their names would run into each other
    return Panel(
        before_and_after(layers, before, after, lines=lines),
        _MEASURES[name],
        Axis(step, range(len(layers)), layers, -0.5, len(layers) - 0.5, turned=45 if crowded else 0, size=9),
        Axis(low=0, high=min(1.02, max(0.05, 1.1 * largest))),
        width=max(3.9, 0.55 * len(layers)),
        height=2.7,
    )


def _table(layers: list[str], values: Values) -> pd.DataFrame:
    """Return the mean of each measure, network and layer."""
    import pandas as pd

    networks = [network for network in ("untrained", "trained") if (network, "silent") in values]
    rows = [
        (name, network, layer, float(row.mean()))
        for name in _MEASURES
        for network in networks
        for layer, row in zip(layers, values[network, name], strict=True)
    ]
    return pd.DataFrame(rows, columns=["measure", "network", "layer", "mean"])
