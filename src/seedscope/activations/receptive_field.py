"""Which part of the picture can a place of a map see, and which part moves it?

**Receptive field**: the pixels that a place depends on, found by marking: where a row (or column) of a blank picture is
NaN, so is every place that depends on it, whatever the weights, through convolution (0 · NaN is NaN), pooling and
ReLU. No rule about kernels, strides or padding is needed, so it holds for any network. A place near the border sees
less where its layer pads; *inside* are the places that see the most. Stride: pixels between the fields of neighbours.

**Effective receptive field** (Luo et al. 2016), of each channel at the place in the middle of the inside:

    E[y, x] = mean over pictures of Σ_colours |∂ output / ∂ picture[y, x]|
    side    = √(1 + 6 (σ_y² + σ_x²)),   σ²: variances of the place (pixels) under weights E / Σ E

``side`` is that of the evenly weighted square with the same variance: 1 for one pixel, 3 for an even 3×3 kernel. Luo et
al. average signed gradients over random pictures and count pixels above 4.6 % of the centre's; here the sizes of the
gradients at probe pictures are averaged, for signs would cancel, and a variance needs no threshold. The output is
that before the layer's own ReLU, which could only leave pictures out.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError

if TYPE_CHECKING:
    import torch
    from torch import nn

_BATCH = 32


@dataclass(frozen=True)
class ReceptiveField:
    """What the places of one layer can see.

    Attributes:
        size: (height, width) of the largest field, pixels.
        stride: pixels between the fields of neighbours, (down, across); NaN where there is one place.
        inside: (y, x) of the map, whether a place sees that much.
    """

    size: tuple[int, int]
    stride: tuple[float, float]
    inside: np.ndarray

    @property
    def side(self) -> float:
        """Return the side of the square of that area, pixels."""
        return float(np.sqrt(self.size[0] * self.size[1]))

    @property
    def centre(self) -> tuple[int, int]:
        """Return the place (y, x) in the middle of the inside."""
        rows, columns = np.flatnonzero(self.inside.any(1)), np.flatnonzero(self.inside.any(0))
        return int(rows[len(rows) // 2]), int(columns[len(columns) // 2])


def receptive_fields(
    network: nn.Module, layers: Sequence[str], shape: tuple[int, int, int]
) -> dict[str, ReceptiveField]:
    """Return the receptive field of each layer with maps, for pictures of ``shape`` (channel, y, x).

    Raises:
        SeedscopeError: a layer does not depend on the picture.
    """
    import torch

    from seedscope.activations.capture import evaluating, output_of

    depth, height, width = shape
    # Single precision may be computed by transforms that spread a NaN over a whole tile.
    double = copy.deepcopy(network).double()

    def marked() -> torch.Tensor:
        pictures = torch.zeros(height + width, depth, height, width, dtype=torch.float64)
        for row in range(height):
            pictures[row, :, row] = torch.nan
        for column in range(width):
            pictures[height + column, ..., column] = torch.nan
        return pictures

    fields = {}
    with evaluating(double):
        for layer in layers:  # what follows a layer, such as a dense one, may take pictures of one size only
            batches = torch.split(marked(), _BATCH)
            reached = [output_of(double, layer, batch).isnan().any(1).numpy() for batch in batches]
            fields[layer] = _field(layer, np.concatenate(reached), height)
    return fields


def sees_the_picture(kernel: np.ndarray, field: ReceptiveField, shape: tuple[int, int, int]) -> bool:
    """Return whether a kernel (channel, before, y, x) is all that there is between its layer and the picture."""
    return kernel.ndim == 4 and kernel.shape[1] == shape[0] and kernel.shape[2:] == field.size


def _field(layer: str, reached: np.ndarray, height: int) -> ReceptiveField:
    """Return the field from what each marked row, then each marked column reached, (mark, y, x)."""
    if not reached.any():
        raise SeedscopeError(f"layer {layer!r} does not depend on the picture: it has no receptive field")
    sizes, strides, full = [], [], []
    by_pixel: tuple[np.ndarray, ...] = (np.any(reached[:height], 2), np.any(reached[height:], 1))
    for seen in by_pixel:  # (pixel, place)
        first = seen.argmax(0)
        extent = np.where(seen.any(0), len(seen) - seen[::-1].argmax(0) - first, 0)
        full.append(extent == extent.max())
        steps = np.diff(first[full[-1]])
        sizes.append(int(extent.max()))
        strides.append(float(np.median(steps)) if len(steps) else float("nan"))
    return ReceptiveField((sizes[0], sizes[1]), (strides[0], strides[1]), full[0][:, None] & full[1][None])


def effective_fields(network: nn.Module, layer: str, pictures: torch.Tensor, place: tuple[int, int]) -> np.ndarray:
    """Return E (channel, y, x) of each of the layer's channels at one place, for pictures (sample, channel, y, x)."""
    import torch

    from seedscope.activations.capture import hooked

    outputs: list[torch.Tensor] = []
    total: np.ndarray | None = None
    for batch in torch.split(pictures, _BATCH):
        outputs.clear()
        batch = batch.detach().clone().requires_grad_()
        with torch.enable_grad(), hooked(network, [layer], lambda _, output: outputs.append(output.clone())):
            network(batch)
        there = outputs[0][:, :, place[0], place[1]].sum(0)
        sizes = np.stack([_size_of_gradient(value, batch) for value in there])
        total = sizes if total is None else total + sizes
    assert total is not None
    mean: np.ndarray = total / len(pictures)
    return mean


def _size_of_gradient(value: torch.Tensor, pictures: torch.Tensor) -> np.ndarray:
    import torch

    (gradient,) = torch.autograd.grad(value, pictures, retain_graph=True)
    size: np.ndarray = gradient.double().abs().sum((0, 1)).numpy()
    return size


def effective_side(field: np.ndarray) -> np.ndarray:
    """Return the side of the even square whose variance is that of ``field`` (…, y, x); NaN where it is 0."""
    total = field.sum((-2, -1))
    variance = np.zeros(total.shape)
    for axis in (-1, -2):
        weights = np.divide(
            field.sum(axis), total[..., None], out=np.zeros(field.sum(axis).shape), where=total[..., None] > 0
        )
        at = np.arange(weights.shape[-1])
        variance += (weights * (at - (weights * at).sum(-1, keepdims=True)) ** 2).sum(-1)
    return np.where(total > 0, np.sqrt(1 + 6 * variance), np.nan)
