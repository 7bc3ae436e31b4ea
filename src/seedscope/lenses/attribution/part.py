"""The scores of a picture of which a part is covered: of a :class:`ConvNet` only what sees the part is computed again.

    rows [a, e) of a block's input change  →  rows [a + p − 2, e + p) of its convolution (3×3, p zeros around)
                                           →  rows [(a + p − 2) ÷ 2, (e + p − 1) ÷ 2 + 1) of its pool (÷ rounds down)

and in the same way columns. A block is computed on the part that these need; the rest stays as in the whole picture.
Behind the last block the first dense layer is a sum over its inputs, so what they change by is added to it:

    z' = z + W[:, changed] · (x' − x)[changed]

Nothing is left out: the scores are those of the whole covered picture, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from seedscope.models.convnet import ConvNet


@dataclass(frozen=True)
class Whole:
    """What the blocks of a network answer to whole pictures.

    Attributes:
        inputs: of each block, with the zeros around, (sample, channel, y, x).
        flat: the last block's output, (sample, channel, y, x).
        dense: the first dense layer's output for it, (sample, unit).
    """

    inputs: tuple[torch.Tensor, ...]
    flat: torch.Tensor
    dense: torch.Tensor


@dataclass(frozen=True)
class Part:
    """A rectangle of a map and what stands in it: (sample, channel, y, x), from the row ``top`` and ``left`` on."""

    top: int
    left: int
    values: torch.Tensor


def logits_of_covered(
    network: ConvNet, images: torch.Tensor, even: torch.Tensor, windows: np.ndarray
) -> Iterator[torch.Tensor]:
    """Yield for each window the logits (sample, class) of the pictures with it replaced.

    Args:
        network: in evaluation mode.
        images: (sample, channel, y, x).
        even: what replaces them, shaped alike.
        windows: the rows and columns of each, as :func:`seedscope.lenses.attribution.occlusion.windows` returns them.
    """
    blocks, dense = _parts(network)
    whole = _whole(blocks, dense[0], _input(network, blocks[0][0], images))
    even = _input(network, blocks[0][0], even)
    for top, bottom, left, right in windows.tolist():
        part = Part(top, left, even[:, :, top:bottom, left:right])
        for (convolution, pool), inputs in zip(blocks, whole.inputs, strict=True):
            part = _through(convolution, pool, inputs, part)
        yield _behind(dense, whole, part)


def _parts(network: ConvNet) -> tuple[list[tuple[nn.Conv2d, nn.Module]], list[nn.Linear]]:
    """Return the blocks, each a convolution and a pool, and the dense layers."""
    parts = dict(network.named_children())
    convolutions = [module for module in parts.values() if isinstance(module, nn.Conv2d)]
    blocks = [(own, parts[f"pool{number}"]) for number, own in enumerate(convolutions, start=1)]
    return blocks, [module for module in parts.values() if isinstance(module, nn.Linear)]


def _input(network: ConvNet, first: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """Return what the first convolution takes for pictures."""
    seen: list[torch.Tensor] = []
    handle = first.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        network(images)
    finally:
        handle.remove()
    return seen[0]


def _whole(blocks: list[tuple[nn.Conv2d, nn.Module]], first: nn.Linear, x: torch.Tensor) -> Whole:
    inputs = []
    for convolution, pool in blocks:
        around = _zeros(convolution)
        inputs.append(functional.pad(x, (around,) * 4).contiguous(memory_format=torch.channels_last))
        x = torch.relu(pool(functional.conv2d(inputs[-1], convolution.weight, convolution.bias)))
    return Whole(tuple(inputs), x, first(x.flatten(1)))


def _through(convolution: nn.Conv2d, pool: nn.Module, inputs: torch.Tensor, part: Part) -> Part:
    """Return what a block makes of its input with a part of it replaced, where that is not as it was."""
    around = _zeros(convolution)
    spans = []
    for axis, start in ((2, part.top), (3, part.left)):
        pooled = (inputs.shape[axis] - 2) // 2
        first = min(max(0, (start + around - 2) // 2), pooled - 1)
        last = min(pooled, (start + part.values.shape[axis] + around - 1) // 2 + 1)
        spans.append((first, max(last, first + 1)))  # a pool leaves out what its cells do not fill
    (top, bottom), (left, right) = spans
    seen = inputs[:, :, 2 * top : 2 * bottom + 2, 2 * left : 2 * right + 2].clone()
    down, along = part.top + around - 2 * top, part.left + around - 2 * left
    values = part.values[:, :, : max(0, seen.shape[2] - down), : max(0, seen.shape[3] - along)]
    seen[:, :, down : down + values.shape[2], along : along + values.shape[3]] = values
    return Part(top, left, torch.relu(pool(functional.conv2d(seen, convolution.weight, convolution.bias))))


def _behind(dense: list[nn.Linear], whole: Whole, part: Part) -> torch.Tensor:
    """Return the logits for the last block's output with a part of it replaced."""
    height, width = part.values.shape[2:]
    here = (slice(None), slice(None), slice(part.top, part.top + height), slice(part.left, part.left + width))
    change = part.values - whole.flat[here]
    weight = dense[0].weight.reshape(-1, *whole.flat.shape[1:])[here]
    z = whole.dense + change.flatten(1) @ weight.flatten(1).T
    for layer in dense[1:]:
        z = layer(torch.relu(z))
    return z


def _zeros(convolution: nn.Conv2d) -> int:
    around = convolution.padding[0]
    assert isinstance(around, int)
    return around
