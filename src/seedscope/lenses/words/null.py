"""Networks that are as the one looked at, only random: each filter's weights in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

_FILTERS = 200  # of a layer


def networks_needed(channels: int) -> int:
    """Return how many permuted networks have 200 filters in a layer with these channels."""
    return -(-_FILTERS // channels)


def permute(network: nn.Module, rng: np.random.Generator) -> None:
    """Put the weights of each filter of each convolution into a random order, in place; biases stay."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:  # (channel, before, y, x)
                filters = parameter.flatten(1).numpy()
                parameter.copy_(torch.from_numpy(rng.permuted(filters, axis=1)).reshape(parameter.shape))
