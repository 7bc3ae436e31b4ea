"""Grad-CAM in batches against one picture at a time, on one core, in turn, for the default squares network."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from benchmarks import Row, seconds
from seedscope.data.squares import Squares
from seedscope.lenses.attribution.grad_cam import grad_cam
from seedscope.lenses.attribution.scores import Scores
from seedscope.lenses.heat_maps import HeatMaps
from seedscope.models.convnet import ConvNet

_PICTURES, _ROUNDS = 512, 5


def measure() -> list[Row]:
    """Return how many maps are made in a second, and the ratio round by round."""
    torch.set_num_threads(1)
    pictures = dataclasses.replace(Squares(), n_probe=_PICTURES).probe().image.values
    network = ConvNet((1, 32, 32), 9).eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    scores = Scores(network, centred=True)
    target = np.arange(_PICTURES) % 9
    together = HeatMaps(["conv2"]).batch_size

    def work(batch_size: int) -> None:
        grad_cam(scores, ["conv2"], pictures, target, batch_size)

    work(together)
    alone, batched = [], []
    for _ in range(_ROUNDS):
        alone.append(seconds(lambda: work(1)))
        batched.append(seconds(lambda: work(together)))
    return [
        Row.of("Grad-CAM of conv2, in batches", [_PICTURES / time for time in batched], "maps/s"),
        Row.of(
            "Grad-CAM: one at a time ÷ in batches", [a / b for a, b in zip(alone, batched, strict=True)], "×", "≥ 3"
        ),
    ]
