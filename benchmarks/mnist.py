"""The three digit networks on MNIST: a replica against a plain PyTorch loop and, where TensorFlow is, against Keras.

The plain loop is what a tutorial writes (see :mod:`benchmarks.training`); both run on one core, in turn, and the
replica's time includes looking at its validation and probe pictures after each epoch. Keras (see
:mod:`benchmarks.keras_fit`) takes all cores for one fit, as it does by itself; of ours, one replica runs per core, so
what is compared is how many seeds an hour gives. The files of MNIST are those that ``data: mnist`` finds, or
``../shared/data/mnist``.

TensorFlow is no dependency of the project. To compare with it, give this benchmark an environment of its own:

    python3.11 -m venv .venv-keras && .venv-keras/bin/pip install tensorflow-cpu
    KERAS_PYTHON=.venv-keras/bin/python python -m benchmarks mnist
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import joblib
import numpy as np
import torch
import xarray as xr
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import Row, seconds
from seedscope.data import assemble
from seedscope.data.mnist import Mnist
from seedscope.files.arrays import read_dataset, write_dataset
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.training import Training, train

_ROUNDS = 3
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@dataclasses.dataclass(frozen=True)
class Task:
    """One of the networks, as its experiment trains it.

    Attributes:
        name: the experiment.
        network: makes our network.
        plain: makes the same one as a tutorial writes it.
        epochs, batch_size, validation: as in its configuration.
    """

    name: str
    network: Callable[[], nn.Module]
    plain: Callable[[], nn.Module]
    epochs: int
    batch_size: int
    validation: float

    def training(self, epochs: int) -> Training:
        """Return the training of a replica, on the processor."""
        return Training(epochs=epochs, batch_size=self.batch_size, device="cpu")


def _digits() -> nn.Module:
    return ConvNet((1, 28, 28), 10, padding=0, hidden=())


def _slp() -> nn.Module:
    return Perceptron((1, 28, 28), 10, ())


def _mlp() -> nn.Module:
    return Perceptron((1, 28, 28), 10, (128,))


def _plain_digits() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 10),
    )  # fmt: skip


def _plain_slp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def _plain_mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


TASKS = (
    Task("digits", _digits, _plain_digits, 3, 32, 0.1),
    Task("slp", _slp, _plain_slp, 20, 500, 0.02),
    Task("mlp", _mlp, _plain_mlp, 20, 500, 0.02),
)


def plain_loop(task: Task, image: torch.Tensor, label: torch.Tensor) -> None:
    """Train for one epoch as a tutorial does."""
    model = task.plain()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for x, y in DataLoader(TensorDataset(image, label), batch_size=task.batch_size, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        loss.item()


def measure() -> list[Row]:
    """Return seconds of each and their ratios, network by network."""
    torch.set_num_threads(1)
    keras = _keras()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for task in TASKS:
            source = Mnist(folder=str(_BESIDE) if _BESIDE.is_dir() else None, validation=task.validation)
            data = assemble(source)
            rows += _against_plain(task, data)
            if keras is not None:
                write_dataset(Path(folder) / "data.nc", data)
                rows += _against_keras(task, data, Path(folder), keras)
    return rows


def _against_plain(task: Task, data: xr.Dataset) -> Iterator[Row]:
    chosen = np.flatnonzero(data.split.values == "train")
    image, label = torch.from_numpy(data.image.values[chosen]), torch.from_numpy(data.label.values[chosen])
    plain_loop(task, image[:2000], label[:2000])  # warm both up
    train(task.network, task.training(1), data.isel(sample=slice(None, None, 20)), 0)
    ours, plain = [], []
    for seed in range(_ROUNDS):
        ours.append(seconds(lambda seed=seed: train(task.network, task.training(1), data, seed)))  # type: ignore[misc]  # the default binds the loop's seed
        plain.append(seconds(lambda: plain_loop(task, image, label)))
    yield Row.of(f"MNIST {task.name}, one core: a replica", ours, "s/epoch")
    yield Row.of(f"MNIST {task.name}, one core: a plain PyTorch loop", plain, "s/epoch")
    yield Row.of(f"MNIST {task.name}: plain loop ÷ replica", [b / a for a, b in zip(ours, plain, strict=True)], "×")


def _keras() -> str | None:
    """Return the Python that has TensorFlow, or say that there is none."""
    python = os.environ.get("KERAS_PYTHON", sys.executable)
    found = subprocess.run([python, "-c", "import tensorflow"], capture_output=True, check=False).returncode == 0
    if not found:
        print("  without Keras: KERAS_PYTHON names no Python that has TensorFlow", file=sys.stderr, flush=True)
    return python if found else None


def _against_keras(task: Task, data: xr.Dataset, folder: Path, python: str) -> Iterator[Row]:
    """Compare whole fits: ours one per core at once, the start of their processes included; Keras' fit alone."""
    split = data.split.values
    arrays = {
        f"{name}_{what}": data[what].values[split == name]
        for name in ("train", "validation", "probe")
        for what in ("image", "label")
    }
    np.savez(folder / "mnist.npz", **arrays)
    script = Path(__file__).with_name("keras_fit.py")
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    command = [python, str(script), str(folder / "mnist.npz"), task.name, str(task.epochs), str(task.batch_size)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    theirs, their_accuracy = map(float, said.split()[-2:])
    cores = joblib.cpu_count()
    accuracies: list[float] = []

    def fits() -> None:
        replicas = joblib.Parallel(n_jobs=cores)(
            joblib.delayed(_fit)(task, folder / "data.nc", seed) for seed in range(cores)
        )
        accuracies.extend(replicas)

    ours = seconds(fits) / cores
    yield Row(f"MNIST {task.name}, {cores} cores: Keras", theirs, "s/seed")
    yield Row(f"MNIST {task.name}, {cores} cores: replicas", ours, "s/seed")
    yield Row(f"MNIST {task.name}: seeds an hour ÷ those of Keras", theirs / ours, "×", "≥ 2")
    yield Row(f"MNIST {task.name}: probe accuracy of Keras", their_accuracy, "")
    yield _accuracy(task, accuracies)


def _accuracy(task: Task, accuracies: Sequence[float]) -> Row:
    low, high = min(accuracies), max(accuracies)
    name = f"MNIST {task.name}: probe accuracy of the replicas"
    return Row(name, statistics.median(accuracies), "", low=low, high=high, runs=len(accuracies))


def _fit(task: Task, path: Path, seed: int) -> float:
    torch.set_num_threads(1)
    with read_dataset(path) as data:
        return train(task.network, task.training(task.epochs), data.load(), seed).history[-1]["probe_accuracy"]
