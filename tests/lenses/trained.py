"""Replicas that were really trained, in a blink: a few small pictures, dense layers, frames and all."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from seedscope.data import exhibits, pictures
from seedscope.files.arrays import read_dataset
from seedscope.lenses import Network, Replica
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.training import Training, train

SEED = 5


def data_of(*, n=60, probe=24, classes=3, shape=(1, 4, 4), unseen=(), image=None, seed=0):
    """Return training and probe pictures with a bright spot whose place is the class's, or ``image`` for all."""
    rng = np.random.default_rng(seed)
    parts = []
    for split, count in (("train", n), ("probe", probe)):
        label = np.resize([k for k in range(classes) if k not in unseen], count)
        values = rng.uniform(0, 0.5, (count, *shape))
        values.reshape(count, -1)[np.arange(count), label * 3 % np.prod(shape)] += 0.5
        if image is not None:
            values = np.broadcast_to(image, values.shape)
        parts.append(pictures(values, label, split))
    return xr.concat(parts, "sample").assign_coords(sample=np.arange(n + probe))


def trained_replica(
    *, classes=3, targets=None, hidden=(6,), shape=(1, 4, 4), epochs=4, batch_size=8, network=None, data=None, **options
):
    """Return a replica of dense layers (or of what ``network`` makes) trained for a few steps."""
    data = data_of(classes=classes, shape=shape, **options) if data is None else data
    network = network or (lambda: Perceptron(list(shape), targets or classes, list(hidden)))
    settings = {"epochs": epochs, "batch_size": batch_size, "early_frames": 3, "learning_rate": 0.01}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.nc"
        trained = train(network, Training(device="cpu", **settings), data, SEED, frames=path)
        with read_dataset(path) as file:
            frames = file.load()
    probe = data.isel(sample=np.flatnonzero(data.split.values == "probe"))
    return Replica(
        experiment="toy",
        seed=SEED,
        probe=probe,
        training=data.isel(sample=np.flatnonzero(data.split.values == "train")),
        activations={},
        weights={name: tensor.detach().numpy().copy() for name, tensor in trained.model.state_dict().items()},
        exhibits=probe.sample.values[exhibits(probe.label.values, 3)],
        class_names=tuple(str(k) for k in range(classes)),
        architecture=network,
        frames=frames,
        learning={**settings, "vary": ("weights", "order"), "threads": 1},
    )


class ConvThenDense(torch.nn.Module):
    """A convolution and ReLUs in place before and between the dense layers; their inputs change as it learns."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 2, 3)
        self.fc1 = torch.nn.Linear(8, 5)
        self.fc2 = torch.nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu_(self.conv1(x)).flatten(1)
        return self.fc2(torch.relu_(self.fc1(x)))


class WithSigmoid(Perceptron):
    """No chain of ReLUs."""

    def forward(self, x):
        return self.fc2(torch.sigmoid(self.fc1(self.input(x))))


def network_of(widths, *, classes=3, **layers):
    """Return the shapes of a perceptron fc1, fc2, … with these widths, inputs first, and of further layers."""
    shapes = {f"fc{i}": (width,) for i, width in enumerate(widths[1:], 1)}
    weights = {f"fc{i}.weight": (out, into) for i, (into, out) in enumerate(pairwise(widths), 1)}
    return Network({**shapes, **layers, "logit": (widths[-1],)}, weights, {}, classes)
