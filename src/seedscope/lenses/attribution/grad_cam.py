"""Gradient-weighted class activation maps: where in a layer lies what speaks for a class?

    G[s, c, y, x] = ∂ score[s, k] / ∂ A[s, c, y, x]      A: the layer's activations, after its ReLU where it has one
    α[s, c]       = mean over y, x of G[s, c, y, x]      the weight of channel c for class k
    map[s, y, x]  = Σ_c α[s, c] · A[s, c, y, x]          heat = max(0, map)

From a layer on which the score is linear (pooling to one number per channel and a dense head, or a dense head on
all of it), G is the head's own weight, the same for every picture: then α needs no picture (Zhou et al. 2016). Of the
house's own convolutional network α comes from :mod:`seedscope.lenses.attribution.blocks`, without the G of its maps.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization".
Departures: map is kept with its sign (what speaks against the class) beside the heat; and A is read behind the ReLU
even where the network pools first, so that it is the tensor that :mod:`seedscope.activations.capture` keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch

from seedscope.activations.capture import differentiable_from
from seedscope.files.errors import SeedscopeError
from seedscope.lenses.attribution.scores import Scores, in_batches


@dataclass(frozen=True)
class LayerGradients:
    """A batch's activations of a layer and the gradients of its scores, each (sample, channel, y, x)."""

    activation: torch.Tensor
    gradient: torch.Tensor

    @property
    def weight(self) -> torch.Tensor:
        """Return the weight of each channel, (sample, channel)."""
        return self.gradient.mean((2, 3))

    @property
    def map(self) -> torch.Tensor:
        """Return the signed map, (sample, y, x)."""
        return torch.einsum("sc,scyx->syx", self.weight, self.activation)


def layer_gradients(
    scores: Scores, layers: Sequence[str], pictures: np.ndarray, target: np.ndarray, batch_size: int
) -> Iterator[dict[str, LayerGradients]]:
    """Yield, batch by batch, each layer's activations and the gradients of one class's score for each picture.

    The pictures of a batch share a forward and a backward pass, and so do the layers: in evaluation mode no picture
    depends on another, so the gradient of the sum of their scores holds each one's own.

    Args:
        scores: the network and its scores.
        layers: modules whose output is (channel, y, x).
        pictures: (sample, channel, y, x).
        target: the class of each picture.
        batch_size: pictures at a time.

    Raises:
        SeedscopeError: a layer cannot be looked at (see :func:`seedscope.activations.capture.differentiable_from`),
            or no score depends on it.
    """
    batches = in_batches(pictures, batch_size)
    classes = torch.split(torch.from_numpy(np.asarray(target, dtype=np.int64)), batch_size)
    example = next(in_batches(pictures[:1], 1))
    with differentiable_from(scores.network, layers, example) as found:
        for images, asked in zip(batches, classes, strict=True):
            chosen = scores(images).gather(1, asked[:, None])
            seen = [found[layer] for layer in layers]
            gradients = torch.autograd.grad(chosen.sum(), seen, allow_unused=True) if chosen.requires_grad else ()
            for layer, gradient in zip_longest(layers, gradients):
                if gradient is None:
                    raise SeedscopeError(f"no score depends on layer {layer!r}: name one on the way to the logits")
            yield {
                layer: LayerGradients(activation.detach(), gradient)
                for layer, activation, gradient in zip(layers, seen, gradients, strict=True)
            }


def grad_cam(
    scores: Scores, layers: Sequence[str], pictures: np.ndarray, target: np.ndarray, batch_size: int
) -> dict[str, np.ndarray]:
    """Return by layer the signed map of each picture for its class, (sample, y, x), in the layer's own resolution."""
    maps: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for batch in _maps(scores, layers, pictures, target, batch_size):
        for layer, own in batch.items():
            maps[layer].append(own.numpy())
    return {layer: np.concatenate(parts) for layer, parts in maps.items()}


def _maps(
    scores: Scores, layers: Sequence[str], pictures: np.ndarray, target: np.ndarray, batch_size: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield, batch by batch, each layer's signed maps: of a :class:`ConvNet` without the gradients of its maps."""
    from seedscope.lenses.attribution.blocks import Blocks, has_blocks, maps_of_blocks

    if has_blocks(scores.network, layers):
        blocks = Blocks.of(scores.network)
        classes = torch.split(torch.from_numpy(np.asarray(target, dtype=np.int64)), batch_size)
        for images, asked in zip(in_batches(pictures, batch_size), classes, strict=True):
            yield maps_of_blocks(blocks, layers, images, asked, centred=scores.centred)
        return
    for batch in layer_gradients(scores, layers, pictures, target, batch_size):
        yield {layer: own.map for layer, own in batch.items()}


def closed_form(
    scores: Scores, layer: str, pictures: np.ndarray, classes: np.ndarray, batch_size: int
) -> dict[int, np.ndarray] | None:
    """Return α (channel) of each class where the score is linear in the layer, so that one α serves all pictures.

    Whether it is, is seen from the gradients of these pictures: those of a linear function are all the same. With a
    single picture that cannot be seen. ``None`` where it is not linear.
    """
    weights = {}
    for k in np.unique(classes) if len(pictures) > 1 else ():
        first = None
        for of_layer in layer_gradients(scores, [layer], pictures, np.full(len(pictures), k), batch_size):
            batch = of_layer[layer]
            if first is None:
                first = batch.gradient[:1]
                weights[int(k)] = batch.weight[0].numpy()
            if not torch.allclose(batch.gradient, first, rtol=0, atol=1e-6 * float(first.abs().max())):
                return None
    return weights or None


def closed_form_error(
    scores: Scores, layer: str, pictures: np.ndarray, target: np.ndarray, batch_size: int, maps: np.ndarray
) -> float | None:
    """Return the largest difference between ``maps`` and those of :func:`closed_form`, share of the largest value.

    ``None`` where the score is not linear in the layer.
    """
    weights = closed_form(scores, layer, pictures, target, batch_size)
    if weights is None:
        return None
    alpha = torch.from_numpy(np.stack([weights[int(k)] for k in target]))
    batches = layer_gradients(scores, [layer], pictures, target, batch_size)
    closed = np.concatenate(
        [
            torch.einsum("sc,scyx->syx", own, batch[layer].activation).numpy()
            for own, batch in zip(torch.split(alpha, batch_size), batches, strict=True)
        ]
    )
    return float(np.abs(closed - maps).max() / (np.abs(maps).max() or 1))
