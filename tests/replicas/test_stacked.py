"""A stack teaches each of its places what it would learn alone, and its bits do not depend on its company."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.files.arrays import read_dataset
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron
from seedscope.replicas import stackable
from seedscope.replicas.stack import Stack
from seedscope.replicas.stackable import check_stackable, width
from seedscope.replicas.stacked import Block, Place, train_stacked
from seedscope.replicas.training import Training, history_csv, train

SHAPE = (1, 12, 12)
TWICE = Training(epochs=2, batch_size=32, device="cpu", stacked=True)  # the last batch of an epoch has 11 pictures


@pytest.fixture(scope="module")
def squares() -> xr.Dataset:
    return assemble(Squares(n_train=75, n_probe=45, size=12, side=3))


def convnet() -> nn.Module:
    return ConvNet(SHAPE, 9, channels=[3, 5], hidden=[7])


def perceptron() -> nn.Module:
    return Perceptron(SHAPE, 9, hidden=[17, 13])


class Curved(nn.Module):
    """Functions that a processor's vector and scalar instructions round otherwise, and batch norm with its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 5, bias=False)  # batch norm would take a bias away
        self.norm = nn.BatchNorm2d(3)
        self.fc1 = nn.Linear(3 * 64, 11)
        self.fc2 = nn.Linear(11, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.norm(self.conv1(x))).flatten(1)
        return self.fc2(nn.functional.gelu(self.fc1(x)).exp())


NETWORKS = [convnet, perceptron, Curved]


def stack(
    network: Callable[[], nn.Module], training: Training, data: xr.Dataset, seeds: Sequence[int], **how: object
) -> Block:
    places = [Place(training.streams_of(seed), data) for seed in seeds]
    return train_stacked(network, training, places, **how)  # type: ignore[arg-type]  # as each test says


def bits(block: Block, place: int) -> dict[str, bytes]:
    tensors = block.stack.network(place).state_dict().items()
    return {name: tensor.numpy().tobytes() for name, tensor in tensors} | {
        "history": history_csv(block.history(place)).encode()
    }


# --- company --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_the_bits_of_a_seed_depend_neither_on_its_place_nor_on_its_company(
    squares: xr.Dataset, network: Callable[[], nn.Module]
) -> None:
    alone = bits(stack(network, TWICE, squares, [3]), 0)
    for others, after in (((8,), ()), ((), (8, 9)), ((*range(100, 115),), (4,)), ((*range(100, 131),), ())):
        together = stack(network, TWICE, squares, [*others, 3, *after])
        assert bits(together, len(others)) == alone
        assert bits(together, 0 if others else 1) != alone


def test_a_stack_that_is_one_place_wider_would_give_other_bits_somewhere(squares: xr.Dataset) -> None:
    """What the fixed width is for: with places left over at the end of a vector, copies do not stay equal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stackable, "_PLACES", 33)
        with pytest.raises(SettingError, match="the bits of the network would depend on its place in the stack"):
            stack(Curved, TWICE, squares, [3])


def test_bits_that_depend_on_the_place_are_found_out_before_training(
    squares: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Stack.logits

    def otherwise_in_place_5(self: Stack, image: torch.Tensor) -> torch.Tensor:
        logits = honest(self, image)
        return logits + 1e-6 * (torch.arange(logits.shape[1]) == 5)[:, None]

    monkeypatch.setattr("seedscope.replicas.stackable.check_stackable", lambda *_: None)
    monkeypatch.setattr(Stack, "logits", otherwise_in_place_5)
    epochs: list[int] = []
    with pytest.raises(SettingError) as refused:
        stack(perceptron, TWICE, squares, [1, 2], report=lambda done, _total: epochs.append(done))
    assert refused.value.key == "stacked"
    assert "train its seeds one by one" in refused.value.problem
    assert not epochs


# --- what is learned ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_each_step_is_that_of_a_replica_trained_alone(
    squares: xr.Dataset, tmp_path: Path, network: Callable[[], nn.Module]
) -> None:
    """In float64, and with a frame at every step of the first epoch and at the end of the others."""
    wide = squares.assign(image=squares.image.astype(np.float64))
    training = Training(epochs=3, batch_size=16, learning_rate=3e-3, early_frames=100, device="cpu", stacked=True)
    seeds = [4, 2]
    together = stack(lambda: network().double(), training, wide, seeds, frames=tmp_path / "frames")
    for place, seed in enumerate(seeds):
        alone = train(lambda: network().double(), training, wide, seed, frames=tmp_path / f"{seed}.nc")
        together.write_frames(place, tmp_path / f"stacked-{seed}.nc")
        expected, found = read_dataset(tmp_path / f"{seed}.nc"), read_dataset(tmp_path / f"stacked-{seed}.nc")
        assert expected.step.values.tolist() == [0, 1, 2, 3, 4, 5, 10, 15]
        xr.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert found.sizes == expected.sizes
        assert found.attrs == expected.attrs
        assert [list(row) for row in together.history(place)] == [list(row) for row in alone.history]
        for ours, theirs in zip(together.history(place), alone.history, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-5)
        for name, tensor in alone.model.state_dict().items():
            assert torch.allclose(together.stack.network(place).state_dict()[name], tensor, rtol=0, atol=1e-5), name


def test_a_network_learns_in_a_stack(squares: xr.Dataset) -> None:
    training = Training(epochs=25, batch_size=16, learning_rate=0.01, device="cpu", stacked=True)
    history = stack(perceptron, training, squares, [0]).history(0)
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]


def test_an_untrained_place_is_the_untrained_replica(squares: xr.Dataset) -> None:
    training = Training(epochs=0, device="cpu", stacked=True)
    block = stack(convnet, training, squares, [6, 7])
    for place, seed in enumerate((6, 7)):
        expected = train(convnet, training, squares, seed).model.state_dict()
        found = block.stack.network(place).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert block.history(0) == []


def test_a_validation_set_and_pictures_of_ones_own_are_each_places() -> None:
    def drawn(seed: int) -> xr.Dataset:
        data = assemble(Squares(n_train=75, n_probe=45, size=12, side=3, noise=0.1 * seed))
        split = np.where(np.arange(len(data.split)) < 20, "validation", data.split.values.astype("U10"))
        return data.assign(split=("sample", split))

    data = {seed: drawn(seed) for seed in (1, 2)}
    places = [Place(TWICE.streams_of(seed), data[seed]) for seed in (1, 2)]
    block = train_stacked(perceptron, TWICE, places)
    for place, seed in enumerate((1, 2)):
        alone = train(perceptron, TWICE, data[seed], seed)
        for ours, theirs in zip(block.history(place), alone.history, strict=True):
            assert list(ours) == list(theirs)
            assert ours == pytest.approx(theirs, abs=1e-5)


# --- what cannot be stacked -----------------------------------------------------------------------------------


class Drops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Dropout(0.5), nn.Linear(144, 9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class DrawsInForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(144, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc1(x.flatten(1) + torch.randn_like(x.flatten(1)))


class Branches(DrawsInForward):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc1(x.flatten(1)) * (2 if x.sum() > 0 else 1)


class KeepsATensorAside(DrawsInForward):
    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.randn(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc1(x.flatten(1)) + self.offset


class ReplacesItsBuffer(DrawsInForward):
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(144))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.flatten(1).mean(0)
        return self.fc1(x.flatten(1))


@pytest.mark.parametrize(
    ("network", "training", "key", "said"),
    [
        (Drops, TWICE, "stacked", r"the network has dropout \(inner\.2\), whose draws would depend on who is stacked"),
        (DrawsInForward, TWICE, "stacked", "the network cannot be stacked: RuntimeError: .*random"),
        (Branches, TWICE, "stacked", "the network cannot be stacked: RuntimeError: .*control flow"),
        (KeepsATensorAside, TWICE, "stacked", r"does not do what the network does \(its answers\)"),
        (ReplacesItsBuffer, TWICE, "stacked", r"does not do what the network does \(mean\): what it keeps must be"),
        (perceptron, Training(threads=2, device="cpu", stacked=True), "threads", "with `stacked` it must be 1"),
    ],
)
def test_what_cannot_be_stacked_is_refused_in_one_sentence(
    network: Callable[[], nn.Module], training: Training, key: str, said: str
) -> None:
    with pytest.raises(SettingError, match=said) as refused:
        check_stackable(network, training, SHAPE)
    assert refused.value.key == key
    assert "\n" not in refused.value.problem


@pytest.mark.parametrize("network", NETWORKS)
def test_what_can_be_stacked_is_not_refused_and_nothing_global_changes(network: Callable[[], nn.Module]) -> None:
    before = torch.get_rng_state()
    check_stackable(network, TWICE, SHAPE)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_last_batch_of_one_picture_is_refused_where_batch_norm_cannot_learn_from_it(squares: xr.Dataset) -> None:
    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc1 = nn.BatchNorm1d(144), nn.Linear(144, 9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc1(self.norm(x.flatten(1)))

    one_left = Training(epochs=1, batch_size=37, device="cpu", stacked=True)
    with pytest.raises(SeedscopeError, match="of 75 pictures batches of 37 leave one: choose another"):
        stack(Norm, one_left, squares, [0])


# --- what goes wrong ------------------------------------------------------------------------------------------


def test_a_place_that_diverges_is_named_and_changes_no_bit_of_the_others(squares: xr.Dataset) -> None:
    broken = squares.copy(deep=True)
    broken.image[40] = np.nan  # of the training pictures
    undisturbed = stack(convnet, TWICE, squares, [1, 2, 3])
    places = [Place(TWICE.streams_of(seed), broken if seed == 2 else squares) for seed in (1, 2, 3)]
    block = train_stacked(convnet, TWICE, places)
    assert [block.failure(place) is None for place in range(3)] == [True, False, True]
    with pytest.raises(SeedscopeError) as alone:
        train(convnet, TWICE, broken, 2)
    assert block.failure(1) == str(alone.value)
    assert "the loss became nan at step" in str(alone.value)
    for place in (0, 2):
        assert bits(block, place) == bits(undisturbed, place)


def test_where_all_places_diverge_training_ends(squares: xr.Dataset) -> None:
    training = Training(epochs=9, batch_size=32, learning_rate=1e38, device="cpu", stacked=True)
    epochs: list[int] = []
    block = stack(perceptron, training, squares, [1, 2], report=lambda done, _total: epochs.append(done))
    assert all("lower train.learning_rate" in str(block.failure(place)) for place in (0, 1))
    assert len(epochs) < 9


def test_a_stack_killed_half_way_resumes_and_ends_in_the_same_bits(squares: xr.Dataset, tmp_path: Path) -> None:
    training = Training(epochs=4, batch_size=32, device="cpu", stacked=True)
    undisturbed = stack(Curved, training, squares, [5, 1], frames=tmp_path / "all")

    def kill(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    kept = {"checkpoint": tmp_path / "checkpoint.safetensors", "frames": tmp_path / "frames"}
    with pytest.raises(KeyboardInterrupt):
        stack(Curved, training, squares, [5, 1], report=kill, **kept)
    epochs: list[int] = []
    resumed = stack(Curved, training, squares, [5, 1], report=lambda done, _total: epochs.append(done), **kept)
    assert epochs == [2, 3, 4]
    for place in (0, 1):
        assert bits(resumed, place) == bits(undisturbed, place)
        for block in (resumed, undisturbed):
            block.write_frames(place, tmp_path / f"{block is resumed}.nc")
        assert (tmp_path / "True.nc").read_bytes() == (tmp_path / "False.nc").read_bytes()
    undisturbed.write_frames(1, tmp_path / "1.nc")
    undisturbed.write_frames(0, tmp_path / "0.nc", like=tmp_path / "1.nc")
    resumed.write_frames(0, tmp_path / "anew.nc")
    assert (tmp_path / "0.nc").read_bytes() == (tmp_path / "anew.nc").read_bytes()
    assert (tmp_path / "0.nc").read_bytes() != (tmp_path / "1.nc").read_bytes()


# --- how wide -------------------------------------------------------------------------------------------------


def test_a_stack_is_as_wide_as_the_device_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny, large = Perceptron([1, 8, 8], 10, [32]), ConvNet((1, 32, 32), 9)
    training = Training(device="cpu", stacked=True)
    assert width(tiny, (1, 8, 8), training) == width(large, (1, 32, 32), training) == 32
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    there = Training(device="cuda", stacked=True)
    assert width(tiny, (1, 8, 8), there) == 1024
    # conv1 16·32², pool1 16·16², conv2 32·16², pool2 32·8², fc1 64, fc2 9: 30,793 outputs of 64 pictures
    fits = 2**28 // (30_793 * 64)
    assert width(large, (1, 32, 32), there) == 128 <= fits < 256
    assert width(large, (1, 32, 32), Training(device="cuda", stacked=True, batch_size=4096)) == 32
