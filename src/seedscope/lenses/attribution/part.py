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

from seedscope.lenses.attribution.blocks import Blocks, zeros_around
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
    blocks = Blocks.of(network)
    whole = _whole(blocks, blocks.input(images))
    even = blocks.input(even)
    for top, bottom, left, right in windows.tolist():
        part = Part(top, left, even[:, :, top:bottom, left:right])
        for (convolution, pool), inputs in zip(blocks.pairs, whole.inputs, strict=True):
            part = _through(convolution, pool, inputs, part)
        yield _behind(blocks, whole, part)


def _whole(blocks: Blocks, x: torch.Tensor) -> Whole:
    inputs = []
    for convolution, pool in blocks.pairs:
        around = zeros_around(convolution)
        inputs.append(functional.pad(x, (around,) * 4).contiguous(memory_format=torch.channels_last))
        x = torch.relu(pool(functional.conv2d(inputs[-1], convolution.weight, convolution.bias)))
    return Whole(tuple(inputs), x, blocks.dense[0](x.flatten(1)))


def _through(convolution: nn.Conv2d, pool: nn.Module, inputs: torch.Tensor, part: Part) -> Part:
    """Return what a block makes of its input with a part of it replaced, where that is not as it was."""
    around = zeros_around(convolution)
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


def _behind(blocks: Blocks, whole: Whole, part: Part) -> torch.Tensor:
    """Return the logits for the last block's output with a part of it replaced."""
    height, width = part.values.shape[2:]
    here = (slice(None), slice(None), slice(part.top, part.top + height), slice(part.left, part.left + width))
    change = part.values - whole.flat[here]
    weight = blocks.dense[0].weight.reshape(-1, *whole.flat.shape[1:])[here]
    return blocks.logits(whole.dense + change.flatten(1) @ weight.flatten(1).T)
