"""Weights on disk: a network's ``state_dict`` as safetensors, and back into a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.files.reading import unreadable
from seedscope.files.writing import replacing

if TYPE_CHECKING:
    import torch
    from torch import nn


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the ``state_dict`` as safetensors; equal weights give equal bytes."""
    from safetensors.torch import save

    content = save(plain(model.state_dict()))
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_weights(model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights into a network; a missing, unknown or misshaped tensor is named."""
    import torch

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
    import torch

    # clone: safetensors refuses tensors that share memory, and channels_last ones are not contiguous to it.
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }


def read_weights(path: Path) -> dict[str, Any]:
    """Return the arrays of a ``model.safetensors`` by their ``state_dict`` name, as numpy arrays."""
    import safetensors
    import safetensors.numpy

    try:
        return dict(safetensors.numpy.load_file(path))
    except (OSError, TypeError, safetensors.SafetensorError) as error:  # TypeError: no such number type in numpy
        raise unreadable(path, error) from error
