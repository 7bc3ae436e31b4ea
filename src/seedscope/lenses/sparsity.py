"""Do fewer channels answer, the deeper the layer: is deeper sparser?

    silent[l, s] = share of the channels c of layer l with map_l[s, c, y, x] = 0 for all y, x
    zeros[l, s]  = share of 0 among all map_l[s, c, y, x]

for the maps of a layer, after its ReLU where it has one, and the pictures s. A layer's number is the mean over
pictures; from the first layer looked at to the last

    step = number of the last layer − number of the first

"Deeper is sparser" asks for steps above 0. A larger field, a negative bias or a narrow map can do that before anything
is learned, so the same network **before its first step** (frame 0) goes through the same procedure, and ``change`` is
the step when trained minus the step when untrained. Weights that are given have no such frame.

A channel that is silent for one picture may answer to the next: dead ones, silent for all, are part of the share.

Pictures: up to 60 of the probe pictures, classes balanced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, MinLen

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.before_after import KEY, before_and_after, in_words
from seedscope.files.names import in_a_sentence
from seedscope.lenses import Network, Replica, require_channels

if TYPE_CHECKING:
    import torch
    import xarray as xr
    from torch import nn

    from seedscope.lenses.comparison import Comparison

_MEASURES = {"silent": "silent channels (share)", "zeros": "zeros among all places (share)"}
_PICTURES = 60


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
        """Return each layer's means over pictures, trained and untrained, and the steps from first to last layer."""
        layers = measured.layer.values.tolist()
        summary: dict[str, float] = {}
        for name in _MEASURES:
            mean = measured[name].mean("sample")
            for network in measured.network.values.tolist():
                ending = "" if network == "trained" else f"_{network}"
                for layer in layers:
                    summary[f"{layer}_{name}{ending}"] = float(mean.sel(network=network, layer=layer))
                if len(layers) > 1:
                    step = float(
                        mean.sel(network=network, layer=layers[-1]) - mean.sel(network=network, layer=layers[0])
                    )
                    summary[f"{layers[0]}_to_{layers[-1]}_{name}{ending}"] = step
            for layer in layers if "untrained" in measured.network else ():
                both = (summary[f"{layer}_{name}"], summary[f"{layer}_{name}_untrained"])
                summary[f"{layer}_{name}_change"] = both[0] - both[1]
            if len(layers) > 1 and "untrained" in measured.network:
                step_name = f"{layers[0]}_to_{layers[-1]}_{name}"
                summary[f"{step_name}_change"] = summary[step_name] - summary[f"{step_name}_untrained"]
        for layer in layers:
            summary[f"{layer}_dead"] = float(measured.dead.sel(network="trained", layer=layer))
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the share of silent channels and of zeros by layer, with intervals over pictures."""
        whose = f"({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"
        number = measured.sizes["sample"]
        yield _by_layer(
            {
                (str(network), name): measured[name].sel(network=network).values
                for network in measured.network.values
                for name in _MEASURES
            },
            measured.layer.values.tolist(),
            f"Is deeper sparser? {whose}",
            f"Of each layer the share of channels that a picture leaves silent (left) and of places with 0 (right): a "
            f"dot is one of {number} probe pictures; bars are mean and 95 % interval over these pictures, which says "
            "nothing of other seeds.",
            lines=False,
        )

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Draw each seed's numbers by layer, with intervals over seeds; those of the scalars are made with all."""
        from seedscope.lenses.comparison import Comparison

        any_one = measured[min(measured)]
        values = {
            (str(network), name): np.stack(
                [measured[seed][name].sel(network=network).mean("sample").values for seed in sorted(measured)], -1
            )
            for network in any_one.network.values
            for name in _MEASURES
        }
        drawing = _by_layer(
            values,
            any_one.layer.values.tolist(),
            f"Is deeper sparser? ({any_one.attrs['experiment']}, n = {len(measured)} seeds)",
            "Of each layer the share of channels that a picture leaves silent (left) and of places with 0 (right), "
            "mean over probe pictures: each line is a seed, before training (grey) and after (blue), with mean and "
            "95 % interval over seeds. Where the interval of the step's change holds 0, training made no layer sparser "
            "than another that these seeds could show.",
            lines=True,
        )
        return Comparison({}, [drawing])


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


def _by_layer(
    values: Mapping[tuple[str, str], np.ndarray], layers: list[str], title: str, description: str, *, lines: bool
) -> Drawing:
    """Draw (layer, …) of each network and measure."""
    untrained = ("untrained", "silent") in values
    turned = max(map(len, layers)) * len(layers) > 40  # their names would run into each other
    height = 4.9 if turned else 4.4
    figure = figures.canvas(title, max(9.0, 1.6 + 1.1 * len(layers)), height)
    axes = figures.panels(figure, 1, 2, top=0.75, bottom=1.55 if turned else 1.05, left=0.5, wspace=0.2)
    table = []
    for ax, (name, words) in zip(axes, _MEASURES.items(), strict=True):
        after = values["trained", name]
        before = values["untrained", name] if untrained else None
        before_and_after(ax, layers, before, after, lines=lines)
        ax.set_title(words, fontsize=9.5)
        ax.set_ylim(
            0, min(1.02, max(0.05, 1.1 * max(float(one.max()) for key, one in values.items() if key[1] == name)))
        )
        ax.tick_params(axis="x", rotation=45 if turned else 0)
        if len(layers) > 1:
            step = f"{layers[0]} → {layers[-1]}: {in_words(after[-1] - after[0])}"
            if before is not None:
                change = after[-1] - after[0] - before[-1] + before[0]
                step += f",\nless the untrained network's: {in_words(change)}"
            ax.set_xlabel(step, fontsize=9)
        for network in ("untrained", "trained") if untrained else ("trained",):
            table += [
                (name, network, layer, float(row.mean()))
                for layer, row in zip(layers, values[network, name], strict=True)
            ]
    words = KEY if lines else "bars: mean and 95 % interval over pictures"
    if untrained and not lines:
        words = f"grey: untrained, blue: trained; a dot for each picture; {words}"
    figure.text(0.5, 0.14 / height, words, ha="center", va="center", fontsize=9)
    import pandas as pd

    return Drawing(
        "sparsity", figure, description, pd.DataFrame(table, columns=["measure", "network", "layer", "mean"])
    )
