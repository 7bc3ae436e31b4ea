"""Weights on disk: a network's ``state_dict`` as safetensors, and back into a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from seedscope.artifacts import replacing
from seedscope.errors import SeedscopeError


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the ``state_dict`` as safetensors; equal weights give equal bytes."""
    content = save(plain(model.state_dict()))
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_weights(model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights into a network; a missing, unknown or misshaped tensor is named."""
    own = model.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in weights or name not in own:
            lacks = "weights file" if name not in weights else "network"
            raise SeedscopeError(f"weights do not fit the network: the {lacks} has no {name!r}")
        if tuple(own[name].shape) != weights[name].shape:
            raise SeedscopeError(
                f"weights do not fit the network: {name!r} is {weights[name].shape} in the file and "
                f"{tuple(own[name].shape)} in the network"
            )
    model.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in weights.items()})


def plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors on the CPU, contiguous and each with memory of its own, as safetensors wants them."""
    # clone: safetensors refuses tensors that share memory, and channels_last ones are not contiguous to it.
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
