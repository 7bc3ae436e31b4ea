"""One replica against a plain PyTorch loop, on one core, in turn.

The plain loop is what a tutorial writes: a shuffling ``DataLoader``, contiguous layout, ``nn.ReLU`` before
``nn.MaxPool2d``, the default Adam, ``loss.item()`` at every step. Both train the default squares network for the
same number of steps on the same pictures. Between them the core multiplies float32 matrices of 2048 × 2048: the best
rate is its peak, of which a replica's own arithmetic (counted by torch, forward and backward) is a share.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import Row, seconds
from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.models.convnet import ConvNet
from seedscope.replicas.training import Training, train

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


def operations(image: torch.Tensor, label: torch.Tensor) -> int:
    """Return the floating-point operations of an epoch: those of convolutions and matrix products, there and back."""
    model = ConvNet((1, 32, 32), 9)
    with FlopCounterMode(display=False) as counter:
        nn.functional.cross_entropy(model(image[:64]), label[:64]).backward()  # type: ignore[no-untyped-call]  # torch's own
    return counter.get_total_flops() * len(image) // 64


def measure() -> list[Row]:
    """Return seconds per epoch of both, their ratio round by round, and the share of the core's peak."""
    torch.set_num_threads(1)
    data = assemble(dataclasses.replace(Squares(), n_probe=64))
    chosen = np.flatnonzero(data.split.values == "train")
    image, label = torch.from_numpy(data.image.values[chosen]), torch.from_numpy(data.label.values[chosen])
    training = Training(epochs=_EPOCHS, device="cpu")
    square = torch.rand(2048, 2048)
    plain_loop(image[:640], label[:640], 1)  # warm all three up
    few = data.isel(sample=slice(-700, None))
    train(lambda: ConvNet((1, 32, 32), 9), dataclasses.replace(training, epochs=1), few, 0)
    torch.mm(square, square)
    ours, plain, peak = [], [], []
    for seed in range(_ROUNDS):
        ours.append(seconds(lambda seed=seed: train(lambda: ConvNet((1, 32, 32), 9), training, data, seed)) / _EPOCHS)  # type: ignore[misc]  # the default binds the loop's seed
        plain.append(seconds(lambda: plain_loop(image, label, _EPOCHS)) / _EPOCHS)
        peak.append(2 * 2048**3 / min(seconds(lambda: torch.mm(square, square)) for _ in range(3)) / 1e9)
    ratios = [b / a for a, b in zip(ours, plain, strict=True)]
    rate = [operations(image, label) / epoch / 1e9 for epoch in ours]
    return [
        Row.of("training, one core: a replica", ours, "s/epoch"),
        Row.of("training, one core: a plain PyTorch loop", plain, "s/epoch"),
        Row.of("training: plain loop ÷ replica", ratios, "×", "≥ 1.6"),
        Row.of("matrix product, one core, float32", peak, "GFLOP/s"),
        Row.of("training: share of that peak", [100 * r / p for r, p in zip(rate, peak, strict=True)], "%", "≥ 50"),
    ]
