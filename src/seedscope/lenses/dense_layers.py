"""The end of a network as plain arithmetic: dense layers with a ReLU between them, forward and backward in float64.

    z_1 = x · W_1ᵀ + b_1,   h_i = max(z_i, 0),   z_{i+1} = h_i · W_{i+1}ᵀ + b_{i+1},   logits = z_M
    dout_M = softmax(z_M) − onehot          one logit: dout_M = σ(z_M) − label
    dout_i = (dout_{i+1} · W_{i+1}) ∘ [z_i > 0]

``dout_i`` (sample, out) is the gradient of the summed loss, cross-entropy in nats, at the layer's pre-activation, so a
row belongs to one picture alone. Shapes are torch's: W (out, in), x (sample, in). Source: Rumelhart, Hinton and
Williams (1986), *Learning representations by back-propagating errors*. At z = 0 the gate is shut, as in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.decisions import probabilities
from seedscope.lenses import Network, require_dense_end, require_one_run, require_training

if TYPE_CHECKING:
    from torch import nn

_TOLERANCE = 1e-9  # of the largest logit


@dataclass(frozen=True)
class DenseLayers:
    """Dense layers, each on the ReLU of the one before; the last gives the logits.

    Attributes:
        weights: (out, in) of each layer, float64.
        biases: (out) of each layer, float64.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, model: nn.Module, layers: Sequence[str]) -> DenseLayers:
        """Take the named layers of a network; one without a bias has zeros."""
        modules = [model.get_submodule(layer) for layer in layers]
        weights = tuple(np.asarray(module.weight.detach().numpy(), np.float64) for module in modules)  # type: ignore[operator]  # checked to be dense
        biases = tuple(
            np.zeros(len(weight)) if module.bias is None else np.asarray(module.bias.detach().numpy(), np.float64)  # type: ignore[operator]  # as above
            for module, weight in zip(modules, weights, strict=True)
        )
        return cls(weights, biases)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        """Return each layer's pre-activation z_i (sample, out) for inputs (sample, in) of the first."""
        found = [x @ self.weights[0].T + self.biases[0]]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            found.append(np.maximum(found[-1], 0) @ weight.T + bias)
        return found

    def backward(self, z: Sequence[np.ndarray], label: np.ndarray) -> list[np.ndarray]:
        """Return each layer's ``dout_i`` (sample, out) for pre-activations and labels (sample)."""
        found = [logit_gradient(z[-1], label)]
        for weight, before in zip(self.weights[:0:-1], z[-2::-1], strict=True):
            found.append((found[-1] @ weight) * (before > 0))
        return found[::-1]


def logit_gradient(logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the gradient of each sample's cross-entropy at its logits, (sample, target)."""
    gradient = probabilities(logit)
    gradient[np.arange(len(label)), label] -= 1
    return gradient[:, 1:] if logit.shape[1] == 1 else gradient


def require_dense_layers(network: Network, layers: Sequence[str]) -> None:
    """Refuse layers that are not a chain of dense layers up to the logits; the first mistake is named."""
    require_training(network)
    require_dense_end(network)
    if not layers:
        raise SettingError("layers", "names no layer: name the dense layers from the first to the one of the logits")
    for layer in layers:
        if layer not in network.layers:
            raise SettingError("layers", f"there is no layer {layer!r} (layers: {', '.join(network.layers)})")
        if len(network.weights.get(f"{layer}.weight", ())) != 2:
            raise SettingError("layers", f"layer {layer!r} is not a dense layer")
    require_one_run(network, "layers", layers)
    for before, after in pairwise(layers):
        given, taken = network.weights[f"{before}.weight"][0], network.weights[f"{after}.weight"][1]
        if given != taken:
            raise SettingError("layers", f"layer {before!r} has {given} outputs and {after!r} takes {taken}")
    if network.layers[layers[-1]] != network.layers["logit"]:
        raise SettingError("layers", f"the last layer, {layers[-1]!r}, does not give the logits")


def inputs_of(model: nn.Module, layers: Sequence[str], image: np.ndarray) -> np.ndarray:
    """Return what the first of the layers takes for pictures (sample, channel, y, x), (sample, in) in float64.

    The network is put into float64 for good.

    Raises:
        SeedscopeError: the layers do not compute the network's logits: something else than a ReLU stands between.
    """
    import torch

    model.double()
    seen: list[np.ndarray] = []
    handle = model.get_submodule(layers[0]).register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].detach().numpy().copy())
    )
    try:
        with torch.no_grad():
            logit = model(torch.from_numpy(np.asarray(image, np.float64))).numpy()
    finally:
        handle.remove()
    again = DenseLayers.of(model, layers).forward(seen[-1])[-1]
    if again.shape != logit.shape or np.abs(again - logit).max() > _TOLERANCE * (1 + np.abs(logit).max()):
        raise SeedscopeError(
            f"the dense layers {', '.join(layers)} with ReLUs between do not give the network's logits: name every "
            "layer from the first of them on"
        )
    return seen[-1]
