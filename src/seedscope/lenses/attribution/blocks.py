"""Grad-CAM of a :class:`ConvNet` without the gradients of its maps: α is a mean, and means pass through its blocks.

With P[b] = ReLU(pool(conv(P[b−1]))) the output of block b, G[b] = ∂ score / ∂ P[b] and g[b] what of G[b] comes through
the ReLU, at the places that the pool took:

    α of pool b      = Σ_{y, x} G[b] ÷ pixels of P[b]
    α of conv b      = Σ_{y, x} G[b] ÷ pixels of conv b      a pool hands each gradient on to one of its pixels
    Σ_{y, x} G[b−1]  = Σ_{o, tap} w[o, :, tap] · Σ g[b][o] over those places from which the tap does not fall on the
                       zeros around

So only the dense layers are gone back through, and a convolution only where a layer two blocks or more before it is
asked for. Nothing is left out: the maps are those of :mod:`seedscope.lenses.attribution.grad_cam`, up to rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import nn
from torch.nn import functional

from seedscope.lenses.attribution.scores import class_scores
from seedscope.models.convnet import ConvNet


class _TakenError(Exception):
    """Ends a forward pass at the first convolution, with what it takes."""

    def __init__(self, taken: torch.Tensor) -> None:
        super().__init__()
        self.taken = taken


@dataclass(frozen=True)
class Blocks:
    """The parts of a network.

    Attributes:
        network: in evaluation mode.
        pairs: the convolution and the pool of each block.
        dense: the dense layers behind the last block.
    """

    network: ConvNet
    pairs: list[tuple[nn.Conv2d, nn.Module]]
    dense: list[nn.Linear]

    @classmethod
    def of(cls, network: ConvNet) -> Blocks:
        """Take a network apart."""
        parts = dict(network.named_children())
        convolutions = [module for module in parts.values() if isinstance(module, nn.Conv2d)]
        pairs = [(own, parts[f"pool{number}"]) for number, own in enumerate(convolutions, start=1)]
        return cls(network, pairs, [module for module in parts.values() if isinstance(module, nn.Linear)])

    def input(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the first convolution takes for pictures (sample, channel, y, x)."""

        def stop(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            raise _TakenError(inputs[0])

        handle = self.pairs[0][0].register_forward_pre_hook(stop)
        try:
            self.network(images)
        except _TakenError as reached:
            return reached.taken
        finally:
            handle.remove()
        raise AssertionError("a ConvNet starts with its first convolution")

    def logits(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the logits (sample, target) for the first dense layer's output, before its ReLU."""
        for layer in self.dense[1:]:
            dense = layer(torch.relu(dense))
        return dense


def zeros_around(convolution: nn.Conv2d) -> int:
    """Return how many rows of zeros a convolution puts around its input."""
    around = convolution.padding[0]
    assert isinstance(around, int)
    return around


def has_blocks(network: nn.Module, layers: Collection[str] = ()) -> TypeGuard[ConvNet]:
    """Return whether these are convolutions or pools of a :class:`ConvNet`; a subclass may run them otherwise."""
    return type(network) is ConvNet and all(
        isinstance(dict(network.named_children()).get(layer), nn.Conv2d | nn.MaxPool2d) for layer in layers
    )


def maps_of_blocks(
    blocks: Blocks, layers: Sequence[str], images: torch.Tensor, target: torch.Tensor, *, centred: bool
) -> dict[str, torch.Tensor]:
    """Return by layer the signed map (sample, y, x) of each picture for its class.

    Args:
        blocks: the network.
        layers: convolutions or pools of it.
        images: (sample, channel, y, x).
        target: the class of each picture.
        centred: whether the score is the logit minus its mean over classes.
    """
    asked = [int(layer.removeprefix("conv").removeprefix("pool")) for layer in layers]
    x, convolved, pooled, places = blocks.input(images), [], [], []
    with torch.no_grad():
        for convolution, _pool in blocks.pairs:
            z = functional.conv2d(x, convolution.weight, convolution.bias, padding=zeros_around(convolution))
            largest, place = functional.max_pool2d(z, 2, return_indices=True)
            x = torch.relu(largest)
            convolved.append(z)
            pooled.append(x)
            places.append(place)
    with torch.enable_grad():
        last = x.requires_grad_()
        logit = blocks.logits(blocks.dense[0](last.flatten(1)))
        score = class_scores(logit, centred=centred).gather(1, target[:, None])
        (gradient,) = torch.autograd.grad(score.sum(), last)
    found: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        total = gradient.sum((2, 3))
        for number in range(len(blocks.pairs), min(asked) - 1, -1):
            z, own = convolved[number - 1], pooled[number - 1]
            if f"pool{number}" in layers:
                found[f"pool{number}"] = _map(total / own[0, 0].numel(), own)
            if f"conv{number}" in layers:
                found[f"conv{number}"] = _map(total / z[0, 0].numel(), torch.relu(z))
            if number > min(asked):
                before = pooled[number - 2]
                passed = torch.where(own > 0, gradient, 0)
                convolution = blocks.pairs[number - 1][0]
                at_places = _at_places(passed, places[number - 1], z)
                if number - 1 > min(asked):
                    around = zeros_around(convolution)
                    gradient = functional.conv_transpose2d(at_places, convolution.weight, padding=around)
                    total = gradient.sum((2, 3))
                else:
                    total = _total_before(convolution, at_places, before)
    return {layer: found[layer] for layer in layers}


def _map(weight: torch.Tensor, activation: torch.Tensor) -> torch.Tensor:
    return torch.einsum("sc,scyx->syx", weight, activation)


def _at_places(passed: torch.Tensor, places: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Return the gradient with respect to what was pooled: all of it where the largest stood."""
    spread = torch.zeros(z.shape, dtype=z.dtype)
    return spread.flatten(2).scatter_(2, places.flatten(2), passed.flatten(2)).view(z.shape)


def _total_before(convolution: nn.Conv2d, gradient: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return the sum over places of the gradient with respect to a convolution's input, (sample, channel)."""
    down, along = (_inside(convolution, gradient.shape[axis], before.shape[axis]) for axis in (2, 3))
    sums = down.to(gradient.dtype) @ gradient @ along.T.to(gradient.dtype)
    return torch.einsum("sotu,octu->sc", sums, convolution.weight)


def _inside(convolution: nn.Conv2d, places: int, pixels: int) -> torch.Tensor:
    """Return from which places along a side each tap does not fall on the zeros around, (tap, place)."""
    seen = torch.arange(convolution.kernel_size[0])[:, None] + torch.arange(places) - zeros_around(convolution)
    return (seen >= 0) & (seen < pixels)
