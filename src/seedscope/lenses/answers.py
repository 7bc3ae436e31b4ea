"""What the layers of a replica answer to all probe pictures: one pass through the network for all lenses that ask.

    mean[s, c]     of the places (y, x) of map[s, c]; of a dense layer unit c itself
    active[s, c]   how many of these places are not 0

Activations are those of :mod:`seedscope.activations.capture`, after the ReLU where one follows. All convolutions and
dense layers are looked at together, whoever asks: so it does not matter who asks first, and maps, which are large, need
not be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seedscope.lenses.replica import Replica

_PIXELS = 2**17  # of the pictures of a batch

Answers = Mapping[str, np.ndarray]
"""``mean`` and ``active`` of a layer, (sample, channel) in float32, and a map's ``shape``, empty of a dense layer."""


def answers(replica: Replica, layers: Sequence[str], frame: int | None = None) -> dict[str, Answers]:
    """Return what these layers answer, by layer, or ``logit``: as trained, or at a frame of the training.

    Raises:
        SeedscopeError: there is no such layer, or it runs several times in one pass.
    """
    with replica.network(frame) as network:
        usual = _usual(network, replica.probe.image.shape[1:])
        found = replica.once(("answers", frame, usual), lambda: dict(_passed(network, replica, usual)))
        others = tuple(layer for layer in layers if layer not in {*usual, "logit"})
        if others:
            found |= replica.once(("answers", frame, others), lambda: dict(_passed(network, replica, others)))
    return {layer: {what: found[layer, what] for what in ("mean", "active", "shape")} for layer in layers}


def _usual(network: nn.Module, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the convolutions and dense layers that run once in a pass."""
    import torch
    from torch import nn

    from seedscope.activations.capture import layer_shapes, repeated_layers

    picture = torch.zeros(1, *shape)
    once = layer_shapes(network, picture).keys() - repeated_layers(network, picture)
    return tuple(
        name for name, module in network.named_modules() if name in once and isinstance(module, nn.Conv2d | nn.Linear)
    )


def _passed(
    network: nn.Module, replica: Replica, layers: Sequence[str]
) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Yield what each layer and the logits answer, by layer and what it is."""
    import torch

    from seedscope.activations.capture import activations

    image = replica.probe.image.values
    size = max(1, _PIXELS // math.prod(image.shape[2:]))
    batches = (torch.from_numpy(image[start : start + size]) for start in range(0, len(image), size))
    parts: dict[tuple[str, str], list[torch.Tensor]] = {}
    for outputs in activations(network, layers, batches):
        for layer, values in outputs.items():
            for what, one in _of_layer(values).items():
                parts.setdefault((layer, what), []).append(one)
    for key, several in parts.items():
        yield key, torch.cat(several).numpy()
    for layer, values in outputs.items():
        yield (layer, "shape"), np.array(values.shape[2:], dtype=np.int64)


def _of_layer(values: torch.Tensor) -> dict[str, torch.Tensor]:
    if values.ndim == 2:
        return {"mean": values, "active": values.abs().sign()}
    places = values.flatten(2)
    # Signs are added, not comparisons counted: several times as fast, and exact up to 2²⁴ places.
    return {"mean": places.mean(2), "active": places.abs().sign().sum(2)}
