"""What does each channel of a layer answer to gratings, and to pictures? Maps are max(0, output), (picture, y, x).

To gratings (:mod:`seedscope.formulas.gratings`), over phases φ and places:

    r[c, p, θ]    = √ mean of (map_c(picture[θ, p, φ]) − map_c(grey))²,   grey: 1/2
    mean[c, p, θ] = mean of map_c(picture[θ, p, φ])

Places are those whose receptive field lies within the picture. ``mean`` is the other version: it is blind to a channel
that stays above 0 for all gratings, where the phases cancel and every kernel, an edge detector too, gets selectivity 0.
Ringach et al. take the mean or the modulation by the phase, whichever is larger; the root mean square holds both and
needs no choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.activations.capture import activations
from seedscope.formulas.gratings import ORIENTATIONS, grating, periods
from seedscope.formulas.selectivity import extent

if TYPE_CHECKING:
    import torch
    from torch import nn

_BATCH = 32


def to_gratings(
    network: nn.Module, inside: Mapping[str, np.ndarray], shape: tuple[int, int, int]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return r of each layer over its ``inside`` places (y, x), and its ``mean`` version.

    Both are (channel, period, orientation); ``shape`` is that of the pictures, (channel, y, x).
    """
    import torch

    def pictures() -> Iterator[torch.Tensor]:
        yield torch.full((1, *shape), 0.5)
        for period in periods(shape):
            for orientation in ORIENTATIONS:
                yield torch.from_numpy(grating(shape, orientation, period).astype(np.float32))

    grey: dict[str, np.ndarray] = {}
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in inside}
    for outputs in activations(network, list(inside), pictures()):
        for layer, places in inside.items():
            maps = outputs[layer].clamp(min=0).double().numpy()[..., places]
            if layer not in grey:
                grey[layer] = maps
                continue
            moved = np.sqrt(((maps - grey[layer]) ** 2).mean((0, 2)))
            found[layer].append(np.stack([moved, maps.mean((0, 2))]))
    size = len(periods(shape)), len(ORIENTATIONS)
    result = {}
    for layer, rows in found.items():
        moved, mean = np.stack(rows, -1).reshape(2, -1, *size)
        result[layer] = moved, mean
    return result


def to_pictures(
    network: nn.Module, layers: Sequence[str], pictures: torch.Tensor
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return, of each layer, mean response, extent and active share of every picture, each (sample, channel)."""
    import torch

    rows: dict[str, list[tuple[np.ndarray, ...]]] = {layer: [] for layer in layers}
    for outputs in activations(network, layers, torch.split(pictures, _BATCH)):
        for layer in layers:
            maps = outputs[layer].clamp(min=0).double().numpy()
            rows[layer].append((maps.mean((2, 3)), *extent(maps)))
    joined = {layer: [np.concatenate(column) for column in zip(*parts, strict=True)] for layer, parts in rows.items()}
    return {layer: (mean, reach, active) for layer, (mean, reach, active) in joined.items()}
