"""One replica against a plain PyTorch loop, on one core, in turn.

The plain loop is what a tutorial writes: a shuffling ``DataLoader``, contiguous layout, ``nn.ReLU`` before
``nn.MaxPool2d``, the default Adam, ``loss.item()`` at every step. Both train the default squares network for the
same number of steps on the same pictures.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import Row, seconds
from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.models.convnet import ConvNet
from seedscope.training import Training, train

_EPOCHS, _ROUNDS = 2, 5


def plain_loop(image: torch.Tensor, label: torch.Tensor, epochs: int) -> float:
    """Train as a tutorial does and return the last loss."""
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, 9),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(image, label), batch_size=64, shuffle=True)
    last = float("nan")
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            last = loss.item()
    return last


def measure() -> list[Row]:
    """Return seconds per epoch of both, and their ratio round by round."""
    torch.set_num_threads(1)
    data = assemble(dataclasses.replace(Squares(), n_probe=64))
    chosen = np.flatnonzero(data.split.values == "train")
    image, label = torch.from_numpy(data.image.values[chosen]), torch.from_numpy(data.label.values[chosen])
    training = Training(epochs=_EPOCHS, device="cpu")
    plain_loop(image[:640], label[:640], 1)  # warm both up
    train(
        lambda: ConvNet((1, 32, 32), 9), dataclasses.replace(training, epochs=1), data.isel(sample=slice(-700, None)), 0
    )
    ours, plain = [], []
    for seed in range(_ROUNDS):
        ours.append(seconds(lambda seed=seed: train(lambda: ConvNet((1, 32, 32), 9), training, data, seed)) / _EPOCHS)  # type: ignore[misc]  # the default binds the loop's seed
        plain.append(seconds(lambda: plain_loop(image, label, _EPOCHS)) / _EPOCHS)
    ratios = [b / a for a, b in zip(ours, plain, strict=True)]
    return [
        Row.of("training, one core: a replica", ours, "s/epoch"),
        Row.of("training, one core: a plain PyTorch loop", plain, "s/epoch"),
        Row.of("training: plain loop ÷ replica", ratios, "×", "≥ 1.6"),
    ]
