"""Weights come back from disk as they were, and weights that do not fit say which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.files.errors import SeedscopeError
from seedscope.files.weights import load_weights, read_weights, save_weights
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron


def convnet() -> nn.Module:
    """Two blocks: the weights of the second lie differently in memory under ``channels_last``."""
    return ConvNet([1, 12, 12], 9, channels=[4, 6], hidden=[8])


class WithNorm(nn.Module):
    """Keeps buffers, an integer without dimensions among them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)


class Tied(nn.Module):
    """Two layers that share one tensor, which safetensors refuses to write as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 3), nn.Linear(3, 3)
        self.fc2.weight = self.fc1.weight


@pytest.mark.parametrize("network", [convnet, WithNorm, Tied])
def test_weights_are_the_same_bytes_every_time_and_come_back(tmp_path: Path, network: Callable[[], nn.Module]) -> None:
    one = network().to(memory_format=torch.channels_last)
    save_weights(one, tmp_path / "a.safetensors")
    save_weights(one.to(memory_format=torch.contiguous_format), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    other = network()
    load_weights(other, read_weights(tmp_path / "a.safetensors"))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: weights.pop("fc2.bias"), "the weights file has no 'fc2.bias'"),
        (lambda weights: weights.update(fc9=np.ones(1)), "the network has no 'fc9'"),
        (
            lambda weights: weights.update({"fc1.weight": np.ones((4, 9), np.float32)}),
            "'fc1.weight' is (4, 9) in the file and (4, 8) in the network",
        ),
    ],
)
def test_weights_that_do_not_fit_name_the_tensor_and_change_nothing(
    change: Callable[[dict[str, np.ndarray]], object], sentence: str
) -> None:
    model = Perceptron([8], 3, hidden=[4])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights = {name: np.zeros(tuple(tensor.shape), np.float32) for name, tensor in model.state_dict().items()}
    change(weights)
    with pytest.raises(SeedscopeError) as refused:
        load_weights(model, weights)
    assert str(refused.value) == f"weights do not fit the network: {sentence}"
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_disk_that_is_full_leaves_no_half_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SeedscopeError, match=r"model\.safetensors cannot be written: No space left on device"):
        save_weights(convnet(), tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []
