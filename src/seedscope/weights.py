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
    require_fit(shapes_of(model), {name: values.shape for name, values in weights.items()})
    model.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in weights.items()})


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of the ``state_dict`` by its name."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def require_fit(network: Mapping[str, tuple[int, ...]], file: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse shapes of a file that are not those of the network; a missing, unknown or misshaped tensor is named."""
    for name in sorted(network.keys() | file.keys()):
        if name not in file or name not in network:
            lacks = "weights file" if name not in file else "network"
            raise SeedscopeError(f"weights do not fit the network: the {lacks} has no {name!r}")
        if network[name] != file[name]:
            raise SeedscopeError(
                f"weights do not fit the network: {name!r} is {file[name]} in the file and {network[name]} in the "
                "network"
            )


def plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors on the CPU, contiguous and each with memory of its own, as safetensors wants them."""
    # clone: safetensors refuses tensors that share memory, and channels_last ones are not contiguous to it.
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
