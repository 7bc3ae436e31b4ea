"""Frames are the network as it was at their steps, whatever happened to the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.files.arrays import read_dataset
from seedscope.files.errors import SettingError
from seedscope.models.convnet import ConvNet
from seedscope.replicas.frames import LIMIT, schedule
from seedscope.replicas.optimizer import Adam
from seedscope.replicas.training import Training, train

TRAINING = Training(epochs=3, batch_size=16, early_frames=3, device="cpu")
STEPS = 10  # per epoch, of 150 pictures


@pytest.fixture(scope="module")
def squares() -> xr.Dataset:
    return assemble(Squares(n_train=150, n_probe=45, size=12, side=3))


class Net(nn.Module):
    """Dropout draws random numbers; the norm keeps buffers, one of them an integer without dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = ConvNet([1, 12, 12], 9, channels=[4], hidden=[8])
        self.norm = nn.BatchNorm2d(1)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(self.dropout(self.norm(x)))


class Killed(BaseException):
    """Stands for ``kill -9``: nothing may catch it."""


def test_the_default_schedule_is_dense_where_training_begins() -> None:
    assert schedule(144, 8, 8, 1)[1:9] == tuple(round(144 ** (j / 8)) for j in range(8))
    assert schedule(144, 8, 8, 1)[9:] == tuple(range(144, 1153, 144))


@given(st.integers(1, 5000), st.integers(1, 300), st.integers(0, 30), st.integers(1, 400))
def test_a_schedule_begins_untrained_ends_trained_and_repeats_nothing(
    steps: int, epochs: int, early: int, every: int
) -> None:
    due = schedule(steps, epochs, early, every)
    assert due[0] == 0
    assert due[-1] == steps * epochs
    assert list(due) == sorted(set(due))
    assert all(step % steps == 0 for step in due if step > steps)
    assert len(due) <= 1 + early + -(-epochs // every)


def test_an_untrained_network_has_one_frame(squares: xr.Dataset, tmp_path: Path) -> None:
    trained = train(Net, Training(epochs=0, device="cpu"), squares, seed=1, frames=tmp_path / "frames.nc")
    with read_dataset(tmp_path / "frames.nc") as frames:
        assert frames.step.values.tolist() == [0]
        np.testing.assert_array_equal(
            frames["body.fc1.weight"].values[0], trained.model.state_dict()["body.fc1.weight"].numpy()
        )


def test_each_frame_is_the_network_of_a_training_that_ends_there(squares: xr.Dataset, tmp_path: Path) -> None:
    train(Net, TRAINING, squares, seed=1, frames=tmp_path / "frames.nc")
    with read_dataset(tmp_path / "frames.nc") as file:
        frames = file.load()
    assert frames.step.values.tolist() == [0, 1, 2, 5, 10, 20, 30]
    np.testing.assert_array_equal(frames.epoch.values, frames.step.values / STEPS)
    for epochs in (0, 1, 2, 3):
        ended = train(Net, Training(epochs=epochs, batch_size=16, device="cpu"), squares, seed=1).model.state_dict()
        at = frames.isel(frame=frames.step.values.tolist().index(epochs * STEPS))
        assert set(map(str, at.data_vars)) == set(ended)
        for name, tensor in ended.items():
            assert at[name].dtype == tensor.numpy().dtype
            assert at[name].values.tobytes() == tensor.contiguous().numpy().tobytes()


def test_frames_within_the_first_epoch_are_the_network_after_that_many_steps(
    squares: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimiser itself counts the steps here."""
    seen = {}
    step = Adam.step

    def counting(self: torch.optim.Adam, closure: Callable[[], float] | None = None) -> object:
        result = step(self, closure)
        seen[len(seen) + 1] = [p.detach().clone() for group in self.param_groups for p in group["params"]]
        return result

    monkeypatch.setattr(Adam, "step", counting)
    trained = train(Net, TRAINING, squares, seed=1, frames=tmp_path / "frames.nc")
    names = [name for name, _ in trained.model.named_parameters()]
    with read_dataset(tmp_path / "frames.nc") as frames:
        for frame, at in list(enumerate(frames.step.values.tolist()))[1:]:
            for name, tensor in zip(names, seen[at], strict=True):
                np.testing.assert_array_equal(frames[name].values[frame], tensor.numpy())


@pytest.mark.parametrize("killed_at", [0, 1, 4, 10, 11, 25, 29])
def test_a_run_killed_at_any_step_ends_with_the_same_frames(
    squares: xr.Dataset, tmp_path: Path, killed_at: int
) -> None:
    train(Net, TRAINING, squares, seed=1, frames=tmp_path / "undisturbed.nc")
    passes = 0

    class Dying(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal passes
            if self.training:
                if passes == killed_at:
                    raise Killed
                passes += 1
            return super().forward(x)

    there = {"checkpoint": tmp_path / "checkpoint", "frames": tmp_path / "frames.nc"}
    with pytest.raises(Killed):
        train(Dying, TRAINING, squares, seed=1, **there)
    assert not there["frames"].exists()
    train(Net, TRAINING, squares, seed=1, **there)
    assert there["frames"].read_bytes() == (tmp_path / "undisturbed.nc").read_bytes()


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"half")])
def test_a_run_whose_frames_were_damaged_says_so_and_starts_again(
    squares: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object]
) -> None:
    train(Net, TRAINING, squares, seed=1, frames=tmp_path / "undisturbed.nc")

    def killed(done: int, _: int) -> None:
        if done == 2:
            raise Killed

    there = {"checkpoint": tmp_path / "checkpoint", "frames": tmp_path / "frames.nc"}
    with pytest.raises(Killed):
        train(Net, TRAINING, squares, seed=1, report=killed, **there)
    damage(tmp_path / "frames.nc.parts" / "step-2.safetensors")
    train(Net, TRAINING, squares, seed=1, **there)
    said = f"{tmp_path / 'frames.nc.parts'} lacks frames: this replica starts again from its first epoch\n"
    assert capsys.readouterr().err == said
    assert there["frames"].read_bytes() == (tmp_path / "undisturbed.nc").read_bytes()


def test_taking_frames_changes_no_bit_of_the_training(squares: xr.Dataset, tmp_path: Path) -> None:
    with_frames = train(Net, TRAINING, squares, seed=1, frames=tmp_path / "frames.nc")
    without = train(Net, TRAINING, squares, seed=1)
    assert with_frames.history == without.history
    for name, tensor in with_frames.model.state_dict().items():
        assert torch.equal(tensor, without.model.state_dict()[name])


def test_more_frames_than_the_disk_should_bear_are_refused_before_training() -> None:
    Training(epochs=8).check_frames(LIMIT // 17)
    with pytest.raises(SettingError, match="17 frames of this network take 102 MB a seed, and 100 MB are allowed"):
        Training(epochs=8).check_frames(6_000_000)
    Training(epochs=8, epochs_per_frame=4).check_frames(6_000_000)
