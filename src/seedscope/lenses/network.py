"""A network as lenses see it before anything runs: its shapes, and what a lens may ask of it.

Each ``require_…`` refuses a network that cannot be looked at in some way, and says in one sentence what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean


@dataclass(frozen=True)
class Network:
    """The shapes of a network, known before anything runs.

    Attributes:
        layers: shape of one sample's output by layer name; ``logit`` included, unless the network ends before.
        weights: shape by ``state_dict`` name.
        dumped: layers whose activations are kept, and for which pictures (``probe`` or ``exhibits``).
        n_classes: number of classes.
        varied: whether the data set makes pictures in which one thing changes at a time.
        labelled: whether the class of each picture is known.
        trained: whether it is trained here, so that there are frames and training pictures; else weights are given.
        repeated: layers that run several times in one forward pass, so that none of their outputs is *the* one.
    """

    layers: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, tuple[int, ...]]
    dumped: Mapping[str, str]
    n_classes: int
    varied: bool = False
    labelled: bool = True
    trained: bool = True
    repeated: frozenset[str] = frozenset()


def require_dense_head(network: Network, features: str, head: str) -> None:
    """Refuse a network in which ``head`` is not a dense layer on ``features`` that gives the logits."""
    require_dense_end(network)
    require_labels(network)
    weight = network.weights.get(f"{head}.weight")
    if head not in network.layers:
        raise SettingError("head", f"there is no layer {head!r} (layers: {', '.join(network.layers)})")
    if weight is None or len(weight) != 2 or network.layers[head] != network.layers["logit"]:
        raise SettingError("head", f"layer {head!r} is not a dense layer that gives the logits")
    require_one_run(network, "head", [head])
    _require_layer(network, features)
    units = int(np.prod(network.layers[features]))
    if units != weight[1]:
        raise SettingError("features", f"layer {features!r} has {units} outputs and {head!r} takes {weight[1]}")
    require_kept(network, features)


def require_logits(network: Network) -> None:
    """Refuse a network that ends before it decides."""
    if "logit" not in network.layers:
        last = list(network.layers)[-1]
        raise SeedscopeError(
            f"the network gives no logits, which this lens needs: it ends with {last!r}; take the lens out of the "
            "experiment"
        )


def require_decision(network: Network) -> None:
    """Refuse a network that ends before it decides, and a data set in which there is nothing to decide."""
    require_logits(network)
    if network.n_classes < 2:
        raise SeedscopeError(
            "the data set has one class, so there is nothing to decide: take this lens out of the experiment"
        )


def require_dense_end(network: Network) -> None:
    """Refuse a network in which no dense layer gives the logits."""
    require_decision(network)
    dense = [name for name in network.layers if len(network.weights.get(f"{name}.weight", ())) == 2]
    if not any(network.layers[name] == network.layers["logit"] for name in dense):
        raise SeedscopeError(
            "no dense layer gives the logits of this network, which this lens needs: take it out of the experiment"
        )


def require_channels(network: Network, layers: Iterable[str], key: str = "layers") -> None:
    """Refuse a layer that is not there, whose output is not (channel, y, x), or that runs several times.

    ``key`` is the setting that names the layers.
    """
    with_maps = [name for name, shape in network.layers.items() if len(shape) == 3]
    for layer in layers:
        if not with_maps:
            raise SettingError(key, f"the network has no layer with maps (channel, y, x), and so no {layer!r}")
        if layer not in network.layers:
            raise SettingError(key, f"there is no layer {layer!r}; {did_you_mean(layer, with_maps)}")
        if layer not in with_maps:
            shape = network.layers[layer]
            raise SettingError(key, f"layer {layer!r} has no maps: its output is {shape}, not (channel, y, x)")
        require_one_run(network, key, [layer])


def require_maps(network: Network, layers: Iterable[str]) -> None:
    """Refuse a layer that is not there, whose output is not (channel, y, x), or that is not dumped."""
    layers = list(layers)
    require_channels(network, layers)
    for layer in layers:
        if layer not in network.dumped:
            raise SettingError("layers", f"layer {layer!r} is not dumped: set dump.layers.{layer}: exhibits")


def require_one_run(network: Network, key: str, layers: Iterable[str]) -> None:
    """Refuse a layer that runs several times in one forward pass; ``key`` is the setting that names it."""
    for layer in layers:
        if layer in network.repeated:
            raise SettingError(key, f"layer {layer!r} runs several times in one forward pass: name one that runs once")


def require_training(network: Network) -> None:
    """Refuse a network that was not trained here: of it there are no frames."""
    if not network.trained:
        raise SeedscopeError(
            "the network was not trained here, so there is no training to follow: take this lens out of the experiment"
        )


def require_labels(network: Network) -> None:
    """Refuse a data set that does not say of which class its pictures are."""
    if not network.labelled:
        raise SeedscopeError(
            "the data set does not say of which class its pictures are, which this lens needs: take it out of the "
            "experiment"
        )


def require_kept(network: Network, features: str) -> None:
    """Refuse a layer that there is not, or whose activations are not kept for all probe pictures."""
    _require_layer(network, features)
    if network.dumped.get(features) != "probe":
        raise SettingError(
            "features",
            f"layer {features!r} is not dumped for all probe pictures: set dump.layers.{features}: probe",
        )


def _require_layer(network: Network, features: str) -> None:
    if features not in network.layers:
        raise SettingError("features", f"there is no layer {features!r} (layers: {', '.join(network.layers)})")
