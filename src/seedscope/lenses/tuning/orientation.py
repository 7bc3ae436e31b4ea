"""To stripes of which orientation does a channel answer, and how sharply?

    picture[θ, p, φ](y, x) = 1/2 + 1/2 cos(2π (x sin θ + y cos θ) / p + φ),   y counted downwards
    r[c, p, θ]  = √ mean over phases φ and places of (map_c(picture) − map_c(grey))²,   maps max(0, output), grey: 1/2
    p*[c]       = the period at which the channel's largest response over θ lies
    selectivity = that of r[c, p*[c], θ] over θ, 1 − circular variance: :mod:`seedscope.formulas.selectivity`

θ is the orientation **of the stripes**: 0° horizontal, 45° rising to the right, 90° vertical. Selectivity is 0 for
equal responses, 1 for a response to one orientation only. Places are those whose receptive field lies within the
picture. A channel that no grating moves has no selectivity. Choosing p* favours high selectivity a little, in any
network: so the untrained one, whose p* is chosen likewise, is what to compare with.

``mean`` is the other version: r = mean of map_c(picture). It is blind to a channel that stays above 0 for all gratings:
there the phases cancel, and every kernel, an edge detector too, gets selectivity 0. Ringach et al. take the mean or the
modulation by the phase, whichever is larger; the root mean square holds both and needs no choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

ORIENTATIONS = np.arange(12) * 15.0  # degrees
PHASES = np.arange(8) / 8 * 2 * np.pi
_PERIODS = 2 ** np.arange(4, 1.4, -0.5)  # pixels: 16, 11.3, 8, 5.7, 4, 2.8


def periods(shape: tuple[int, int, int]) -> np.ndarray:
    """Return the periods that fit into a picture (channel, y, x), pixels; the shortest is always among them."""
    return _PERIODS[max(min(shape[1:]), _PERIODS[-1]) >= _PERIODS]


def grating(shape: tuple[int, int, int], orientation: float, period: float) -> np.ndarray:
    """Return grey gratings (phase, channel, y, x) in [0, 1] with stripes of this orientation (degrees)."""
    channels, height, width = shape
    angle = np.deg2rad(orientation)
    along = np.arange(width) * np.sin(angle) + np.arange(height)[:, None] * np.cos(angle)
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * along / period + PHASES[:, None, None])
    return np.repeat(wave[:, None], channels, 1)


def responses(
    network: nn.Module, inside: Mapping[str, np.ndarray], shape: tuple[int, int, int]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return r of each layer over its ``inside`` places (y, x), and its ``mean`` version.

    Both are (channel, period, orientation).
    """
    import torch

    from seedscope.activations.capture import activations

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


def at_best_period(response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (channel, orientation) at each channel's best period, and that period's index; the first of equals."""
    best = response.max(-1).argmax(-1)
    return np.take_along_axis(response, best[:, None, None], 1)[:, 0], best
