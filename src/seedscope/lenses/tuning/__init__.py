"""What does each channel of a convolution answer to, more than before training: edges early, whole shapes late?

"Early layers see edges and outlines, later ones whole shapes" is put into numbers, per channel and layer:

    orientation selectivity   is the channel an edge detector?                   :mod:`.orientation`
    receptive field           how much of the picture can it see, does it use?   :mod:`.receptive_field`
    extent                    how much of its map responds?                      :mod:`seedscope.formulas.selectivity`
    class selectivity         does it tell the classes apart?                    :mod:`seedscope.formulas.selectivity`
    class variance            … and how much of what it does is that?            :mod:`seedscope.formulas.classes`

A layer's number is the median over its live channels. The null of all of them is the **untrained network of
the same seed** (frame 0), which goes through the same procedure; ``change`` is trained − untrained. Even untrained, a
3×3 kernel prefers an orientation and a larger field tells more classes apart: only the change was learned. Class
measures choose or fit, so few pictures look selective: shuffled labels, the mean over 200 shufflings with their choice
of the largest class included, are their second null; of η² it is expected to be (K − 1)/(n − 1). From the first layer
to the last:

    step          = number of the last layer − number of the first
    step change   = step when trained − step when untrained

The saying asks for a negative step of orientation selectivity and a positive one of class selectivity, both by change.

Pictures: up to 1000 of the probe pictures, classes balanced; for gradients the exhibits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import MinLen

from seedscope.drawing import Drawing
from seedscope.formulas.classes import class_means, class_variance
from seedscope.formulas.selectivity import class_selectivity, extent, orientation_selectivity
from seedscope.lenses import Network, Replica, require_channels, require_labels, require_training
from seedscope.lenses.tuning import drawing, layers, orientation
from seedscope.lenses.tuning.receptive_field import (
    effective_fields,
    effective_side,
    receptive_fields,
    sees_the_picture,
)

if TYPE_CHECKING:
    import torch
    import xarray as xr
    from torch import nn

    from seedscope.lenses.comparison import Comparison

_PICTURES, _BATCH = 1000, 32
_SHUFFLES = 200


@dataclass(frozen=True)
class Tuning:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    def check(self, network: Network) -> None:
        """Refuse a network without an untrained one beside it, pictures of no class, and a layer without maps."""
        require_training(network)
        require_labels(network)
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the numbers of every channel, (network, channel), trained and untrained.

        ``layer`` and ``number`` say which channel it is. Beside them ``tuning`` (network, channel, orientation) at the
        best period, ``class_mean`` (network, channel, true), ``receptive_field`` and ``stride`` (of, axis) by layer,
        pixels, and ``<layer>_kernel``, colours summed, of layers that see the picture itself.
        """
        import torch
        import xarray as xr

        from seedscope.data import balanced

        label = replica.probe.label.values
        chosen = balanced(label, _PICTURES)
        pictures = torch.from_numpy(replica.probe.image.isel(sample=chosen).values)
        exhibits = torch.from_numpy(replica.probe.image.sel(sample=replica.exhibits).values)
        shape = (int(pictures.shape[1]), int(pictures.shape[2]), int(pictures.shape[3]))
        with replica.network() as trained:
            fields = receptive_fields(trained, self.layers, shape)
        found: dict[str, list[dict[str, np.ndarray]]] = {layer: [] for layer in self.layers}
        for frame in (None, 0):
            with replica.network(frame) as network:
                tunings = orientation.responses(network, {name: f.inside for name, f in fields.items()}, shape)
                seen = _seen(network, self.layers, pictures)
                for layer in self.layers:
                    field = effective_fields(network, layer, exhibits, fields[layer].centre)
                    numbers = _of_channels(*seen[layer], label[chosen], len(replica.class_names))
                    found[layer].append(
                        {**_orientation(*tunings[layer], shape), **numbers, "effective_field": effective_side(field)}
                    )
        inner = {"tuning": ("orientation",), "class_mean": ("true",)}
        variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            name: (
                ("network", "channel", *inner.get(name, ())),
                np.concatenate([np.stack([one[name] for one in found[layer]]) for layer in self.layers], 1),
            )
            for name in found[self.layers[0]][0]
        }
        variables["receptive_field"] = (("of", "axis"), np.array([fields[layer].size for layer in self.layers]))
        variables["stride"] = (("of", "axis"), np.array([fields[layer].stride for layer in self.layers]))
        for layer in self.layers:
            kernel = replica.weights.get(f"{layer}.weight")
            if kernel is not None and sees_the_picture(kernel, fields[layer], shape):
                dims = tuple(f"{layer}_{name}" for name in ("channel", "y", "x"))
                variables[f"{layer}_kernel"] = (dims, kernel.sum(1))
        channels = [len(found[layer][0]["extent"]) for layer in self.layers]
        return xr.Dataset(
            variables,
            coords={
                "network": list(layers.NETWORKS),
                "orientation": orientation.ORIENTATIONS,
                "layer": ("channel", np.repeat(list(self.layers), channels)),
                "number": ("channel", np.concatenate([np.arange(count) for count in channels])),
                "of": list(self.layers),
                "axis": ["y", "x"],
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "class_names": list(replica.class_names),
                "pictures": len(chosen),
                "exhibits": len(exhibits),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return each layer's medians: trained, untrained, change, shuffled; and the steps from first to last layer."""
        return layers.summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield all measures by layer, and of each layer the tuning of its channels to orientation and to class."""
        measured = measured.load()
        yield drawing.overview(measured)
        for layer in measured.of.values.tolist():
            part = layers.of_layer(measured, layer)
            yield from drawing.orientations(part, layer)
            yield drawing.classes(part, layer)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Draw what training changed in each layer of every seed, and whether layers came to differ as is said."""
        from seedscope.lenses.tuning.across import compare

        return compare(measured)


def _orientation(response: np.ndarray, mean: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    tuning, best = orientation.at_best_period(response)
    of_mean, _ = orientation.at_best_period(mean)
    index, preferred = orientation_selectivity(tuning, orientation.ORIENTATIONS)
    period = np.where(np.isfinite(index), orientation.periods(shape)[best], np.nan)
    return {
        "tuning": tuning,
        "orientation_selectivity": index,
        "orientation_selectivity_of_mean": orientation_selectivity(of_mean, orientation.ORIENTATIONS)[0],
        "preferred_orientation": preferred,
        "best_period": period,
    }


def _seen(
    network: nn.Module, layers: Sequence[str], pictures: torch.Tensor
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return, of each layer, mean response, extent and active share of every picture, each (sample, channel)."""
    import torch

    from seedscope.activations.capture import activations

    rows: dict[str, list[tuple[np.ndarray, ...]]] = {layer: [] for layer in layers}
    for outputs in activations(network, layers, torch.split(pictures, _BATCH)):
        for layer in layers:
            maps = outputs[layer].clamp(min=0).double().numpy()
            rows[layer].append((maps.mean((2, 3)), *extent(maps)))
    joined = {layer: [np.concatenate(column) for column in zip(*parts, strict=True)] for layer, parts in rows.items()}
    return {layer: (mean, extents, active) for layer, (mean, extents, active) in joined.items()}


def _of_channels(
    mean: np.ndarray, extents: np.ndarray, active: np.ndarray, label: np.ndarray, classes: int
) -> dict[str, np.ndarray]:
    answered = np.isfinite(extents)
    count = answered.sum(0)
    means = class_means(mean, label, classes)
    shuffled, shuffled_variance = _shuffled(mean, label, classes)
    return {
        "extent": np.divide(np.nansum(extents, 0), count, out=np.full(len(count), np.nan), where=count > 0),
        "active_share": active.mean(0),
        "class_mean": means.T,
        "class_selectivity": class_selectivity(means),
        "class_selectivity_shuffled": shuffled,
        "class_variance": class_variance(means, mean, label),
        "class_variance_shuffled": shuffled_variance,
    }


def _shuffled(mean: np.ndarray, label: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return class selectivity and class variance (channel) under shuffled labels: means over the same shuffles."""
    rng = np.random.default_rng(0)
    selectivity, variance = np.zeros(mean.shape[1]), np.zeros(mean.shape[1])
    for _ in range(_SHUFFLES):
        other = rng.permutation(label)
        means = class_means(mean, other, classes)
        selectivity += class_selectivity(means)
        variance += class_variance(means, mean, other)
    return selectivity / _SHUFFLES, variance / _SHUFFLES
