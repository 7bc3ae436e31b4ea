"""Training gives the same bits whenever the same things determine it, and says what went wrong where it cannot."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors import safe_open
from torch import nn

from seedscope.data import assemble, pictures
from seedscope.data.squares import Squares
from seedscope.data.textures import Textures
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.determinism import deterministic
from seedscope.replicas.streams import Stream, Streams
from seedscope.replicas.training import (
    Progress,
    Split,
    Training,
    decision,
    evaluate,
    history_csv,
    loss_of,
    replay,
    train,
)

CPU = torch.device("cpu")
ONCE = Training(epochs=1, batch_size=32, device="cpu")
THRICE = Training(epochs=3, batch_size=32, device="cpu")


@pytest.fixture(scope="module")
def squares() -> xr.Dataset:
    return assemble(Squares(n_train=150, n_probe=45, size=12, side=3))


def convnet() -> nn.Module:
    """Two blocks: the weights of the second lie differently in memory under ``channels_last``."""
    return ConvNet([1, 12, 12], 9, channels=[4, 6], hidden=[8])


class WithDropoutAndNorm(nn.Module):
    """Draws random numbers while it trains, and keeps buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)
        self.fc1 = nn.Linear(6, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv2(torch.relu(self.conv1(x)))))
        return self.fc1(self.dropout(x.amax((2, 3))))


def bits(trained: Progress) -> dict[str, bytes]:
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in trained.model.state_dict().items()}


def two_classes(n: int, split: str = "train", *, label: int | None = None, constant: bool = False) -> xr.Dataset:
    rng = np.random.default_rng(n)
    labels = rng.integers(2, size=n) if label is None else np.full(n, label)
    image = np.full((n, 1, 2, 2), 0.5) if constant else rng.random((n, 1, 2, 2)) + labels[:, None, None, None]
    return pictures(image, labels, split)


def joined(*parts: xr.Dataset) -> xr.Dataset:
    return xr.concat(parts, dim="sample")


# --- determinism ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [convnet, WithDropoutAndNorm])
def test_training_twice_gives_the_same_bits_whatever_ran_before(
    squares: xr.Dataset, network: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(1)
    first = train(network, ONCE, squares, seed=3)
    before = torch.get_num_threads()
    try:
        torch.manual_seed(2)
        torch.rand(100)
        torch.set_num_threads(3)
        np.random.default_rng(5).random(9)
        second = train(network, ONCE, squares, seed=3)
    finally:
        torch.set_num_threads(before)
    assert bits(second) == bits(first)
    assert second.history == first.history


@pytest.mark.parametrize(("vary", "same_start"), [(("weights",), False), (("order",), True)])
def test_a_seed_changes_the_start_or_the_order_as_vary_says(
    squares: xr.Dataset, vary: tuple[Stream, ...], same_start: bool
) -> None:
    started = [train(convnet, Training(epochs=0, device="cpu", vary=vary), squares, seed=seed) for seed in (1, 2)]
    assert (bits(started[0]) == bits(started[1])) is same_start
    training = Training(epochs=1, batch_size=32, device="cpu", vary=vary)
    assert bits(train(convnet, training, squares, seed=1)) != bits(train(convnet, training, squares, seed=2))


def test_where_nothing_varies_every_seed_gives_the_same_bits(squares: xr.Dataset) -> None:
    training = Training(epochs=1, batch_size=32, device="cpu", vary=())
    assert bits(train(convnet, training, squares, seed=1)) == bits(train(convnet, training, squares, seed=2))


def test_initial_weights_are_drawn_from_the_weights_stream_alone(squares: xr.Dataset) -> None:
    untrained = train(convnet, Training(epochs=0, device="cpu"), squares, seed=4)
    torch.manual_seed(Streams(4).number("weights"))
    assert bits(untrained) == bits(Progress(convnet(), untrained.optimizer))
    assert untrained.history == []


def test_torch_is_left_as_found(squares: xr.Dataset) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = True
        torch.manual_seed(11)
        state = torch.get_rng_state()
        train(WithDropoutAndNorm, Training(epochs=1, batch_size=32, threads=1, device="cpu"), squares, seed=0)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


def test_torch_is_left_as_found_after_an_error_too() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()

    def fail() -> None:
        with deterministic(threads=1):
            assert torch.are_deterministic_algorithms_enabled()
            torch.rand(3)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


# --- right numbers --------------------------------------------------------------------------------------------


def test_the_losses_are_those_of_a_plain_loop_in_float64() -> None:
    """Same batches, plain layout, textbook Adam in float64; float32 rounds at 6e-8 a step, Adam amplifies it."""
    data = assemble(Squares(n_train=96, n_probe=18, size=12, side=3))
    training = Training(epochs=2, batch_size=32, learning_rate=2e-3, device="cpu")
    trained = train(convnet, training, data, seed=6)

    streams = Streams(6)
    torch.manual_seed(streams.number("weights"))
    model = convnet().double()
    image = torch.from_numpy(data.image.values[:96].astype(np.float64))
    label = torch.from_numpy(data.label.values[:96])
    parameters = list(model.parameters())
    mean = [torch.zeros_like(p) for p in parameters]
    square = [torch.zeros_like(p) for p in parameters]
    step = 0
    for epoch in range(2):
        order = streams.generator("order", epoch, 0).permutation(96)
        losses, hits = [], 0
        for batch in np.split(order, 3):
            logits = model(image[batch])
            loss = (torch.logsumexp(logits, 1) - logits[torch.arange(32), label[batch]]).mean()
            losses.append(loss.item())
            hits += int((logits.argmax(1) == label[batch]).sum())
            step += 1
            with torch.no_grad():
                gradients = torch.autograd.grad(loss, parameters)
                for p, g, m, v in zip(parameters, gradients, mean, square, strict=True):
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.999).add_(0.001 * g * g)
                    p -= 2e-3 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        assert trained.history[epoch]["train_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
        assert trained.history[epoch]["train_accuracy"] == pytest.approx(hits / 96)
    for ours, plain in zip(trained.model.parameters(), parameters, strict=True):
        assert torch.allclose(ours.double(), plain, atol=2e-4)


def test_every_picture_is_seen_once_an_epoch_and_the_last_batch_takes_what_is_left() -> None:
    seen: list[torch.Tensor] = []

    class Watching(Perceptron):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x[:, 0, 0, 0].detach().clone())
            return super().forward(x)

    image = np.arange(10, dtype=np.float32)[:, None, None, None] / 10
    data = joined(pictures(image, np.arange(10) % 2, "train"), pictures(image[:2], np.arange(2), "probe"))
    training = Training(epochs=2, batch_size=4, device="cpu")
    trained = train(lambda: Watching([1], 2, hidden=[]), training, data, seed=0)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == pytest.approx(image.ravel().tolist())
    assert first.tolist() != second.tolist()
    assert [row["epoch"] for row in trained.history] == [1, 2]


def test_one_logit_is_trained_with_binary_cross_entropy() -> None:
    logits = torch.tensor([[0.1], [-1.0], [0.0]], dtype=torch.float64)
    label = torch.tensor([1, 1, 0])
    expected = [math.log(1 + math.exp(-0.1)), math.log(1 + math.exp(1)), math.log(2)]
    assert loss_of(logits, label).tolist() == pytest.approx(expected, abs=1e-12)
    assert decision(logits).tolist() == [1, 0, 0]
    # Two logits (0, z) ask the same question.
    two = torch.cat([torch.zeros(3, 1, dtype=torch.float64), logits], dim=1)
    assert loss_of(two, label).tolist() == pytest.approx(expected, abs=1e-12)
    assert decision(two).tolist() == [1, 0, 0]


def test_one_logit_learns_to_tell_two_classes() -> None:
    data = joined(two_classes(200), two_classes(101, "probe"))
    training = Training(epochs=12, batch_size=20, learning_rate=0.03, device="cpu")
    trained = train(lambda: Perceptron([1, 2, 2], 1, hidden=[4]), training, data, seed=0)
    assert trained.history[-1]["probe_accuracy"] > 0.9
    assert trained.history[-1]["probe_loss"] < trained.history[0]["probe_loss"]


def test_evaluation_counts_every_picture_once_and_switches_dropout_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedscope.replicas.training._EVALUATED_AT_ONCE", 4)
    data = two_classes(10)
    split = Split.of(data, "train", CPU)
    linear = nn.Linear(4, 2)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), linear).train()
    logits = linear(torch.from_numpy(data.image.values).flatten(1)).detach()
    loss, accuracy = evaluate(model, split)
    assert loss == pytest.approx(float(nn.functional.cross_entropy(logits, split.label)), rel=1e-6)
    assert accuracy == (logits.argmax(1) == split.label).sum().item() / 10


def test_large_pictures_are_evaluated_a_few_at_a_time_and_none_is_left_out():
    seen: list[int] = []

    class Counts(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.numel())
            return x[:, :1, 0, 0]

    image = torch.zeros(20, 3, 300, 300)
    image[:13] = 1  # decided for class 1
    label = torch.tensor([1] * 16 + [0] * 4)
    loss, accuracy = evaluate(Counts(), Split(image, label))
    assert sum(seen) == image.numel()
    assert max(seen) <= 2**19
    assert accuracy == pytest.approx(17 / 20)
    assert loss == pytest.approx((13 * math.log1p(math.exp(-1)) + 7 * math.log(2)) / 20)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_batch_is_its_pictures_in_the_layout_of_all(channels: int, mixed: bool) -> None:
    rng = np.random.default_rng(0)
    splits = np.array(["probe"] * 4 + ["train"] * 9 + ["probe"] * 2)
    data = pictures(rng.random((15, channels, 4, 5)), np.arange(15) % 2, rng.permutation(splits) if mixed else splits)
    split = Split.of(data, "train", CPU)
    expected = data.image.values[data.split.values == "train"]
    np.testing.assert_array_equal(split.image.numpy(), expected)
    batch = torch.tensor([7, 0, 3])
    taken = split.take(batch)
    np.testing.assert_array_equal(taken.numpy(), expected[batch.numpy()])
    assert taken.stride() == split.image.stride()
    assert taken.is_contiguous(memory_format=torch.channels_last)


def test_a_validation_split_adds_its_columns() -> None:
    data = joined(two_classes(8), two_classes(6, "validation"), two_classes(4, "probe"))
    history = train(lambda: Perceptron([1, 2, 2], 2), ONCE, data, seed=0).history
    assert list(history[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "probe_loss",
        "probe_accuracy",
    ]
    rows = list(csv.DictReader(io.StringIO(history_csv(history))))
    assert float(rows[0]["validation_loss"]) == pytest.approx(history[0]["validation_loss"], rel=1e-7)


def test_an_empty_history_has_its_columns() -> None:
    assert history_csv([]) == "epoch,train_loss,train_accuracy,probe_loss,probe_accuracy\n"


# --- odd data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [convnet, WithDropoutAndNorm])
def test_constant_pictures_of_one_class_train(network: Callable[[], nn.Module]) -> None:
    image = np.full((10, 1, 12, 12), 0.5)
    data = joined(pictures(image, np.full(10, 3), "train"), pictures(image[:4], np.full(4, 3), "probe"))
    history = train(network, Training(epochs=2, batch_size=5, device="cpu"), data, seed=0).history
    assert all(math.isfinite(value) for row in history for value in row.values())


def test_a_batch_larger_than_the_data_set_takes_all_of_it() -> None:
    data = joined(two_classes(5), two_classes(4, "probe"))
    training = Training(epochs=1, batch_size=1000, device="cpu")
    assert len(train(lambda: Perceptron([1, 2, 2], 2), training, data, seed=0).history) == 1


@pytest.mark.parametrize("lacking", ["train", "probe"])
def test_a_data_set_without_training_or_probe_pictures_is_refused(lacking: str) -> None:
    data = two_classes(5, "probe" if lacking == "train" else "train")
    with pytest.raises(SeedscopeError, match="no train or no probe pictures"):
        train(lambda: Perceptron([1, 2, 2], 2), ONCE, data, seed=0)


# --- losses that are no numbers -------------------------------------------------------------------------------


class BreaksAt(nn.Module):
    """A network whose answer is NaN at the given steps of its training, or whenever it is evaluated."""

    def __init__(self, *steps: int, evaluated: bool = False) -> None:
        super().__init__()
        self.fc1, self.steps, self.evaluated, self.step = nn.Linear(4, 2), steps, evaluated, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        broken = self.step in self.steps if self.training else self.evaluated
        self.step += self.training
        return self.fc1(x.flatten(1)) * (float("nan") if broken else 1.0)


def test_a_loss_that_is_no_number_names_its_step_and_the_learning_rate(tmp_path: Path) -> None:
    data = joined(two_classes(40), two_classes(4, "probe"))
    training = Training(epochs=3, batch_size=10, learning_rate=0.25, device="cpu")
    with pytest.raises(SeedscopeError) as refused:
        train(lambda: BreaksAt(6), training, data, seed=0, checkpoint=tmp_path / "checkpoint")
    assert str(refused.value) == (
        "the loss became nan at step 6 (epoch 2) with learning rate 0.25: lower train.learning_rate"
    )
    with safe_open(tmp_path / "checkpoint", framework="pt") as kept:
        assert all(torch.isfinite(kept.get_tensor(name)).all() for name in kept.keys())  # noqa: SIM118


def test_weights_that_break_in_the_last_step_are_not_kept_as_a_result() -> None:
    data = joined(two_classes(40), two_classes(4, "probe"))
    with pytest.raises(SeedscopeError, match=r"the probe loss became nan at step 4 \(epoch 1\) with learning rate"):
        train(lambda: BreaksAt(evaluated=True), Training(epochs=1, batch_size=10, device="cpu"), data, seed=0)


def test_a_learning_rate_that_is_far_too_large_is_told() -> None:
    data = joined(two_classes(40), two_classes(4, "probe"))
    training = Training(epochs=1, batch_size=40, learning_rate=1e38, device="cpu")
    with pytest.raises(SeedscopeError, match=r"with learning rate 1e\+38: lower train\.learning_rate"):
        train(lambda: Perceptron([1, 2, 2], 2), training, data, seed=0)


def test_asking_for_an_accelerator_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Training(device="auto").resolved_device() == CPU
    with pytest.raises(SettingError, match="device: cuda was asked for and there is none here"):
        Training(device="cuda").resolved_device()


# --- checkpoints ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for ``kill -9``: nothing may catch it."""


def _killed_before(epoch: int) -> Callable[[int, int], None]:
    def report(done: int, _total: int) -> None:
        if done == epoch:
            raise Killed

    return report


@pytest.mark.parametrize("killed_before", [1, 2, 3])
@pytest.mark.parametrize("network", [convnet, WithDropoutAndNorm])
def test_a_killed_training_resumes_and_ends_in_the_same_bits(
    squares: xr.Dataset, tmp_path: Path, network: Callable[[], nn.Module], killed_before: int
) -> None:
    undisturbed = train(network, THRICE, squares, seed=2)
    checkpoint = tmp_path / "new" / "checkpoint"
    with pytest.raises(Killed):
        train(network, THRICE, squares, seed=2, checkpoint=checkpoint, report=_killed_before(killed_before))
    torch.manual_seed(99)
    epochs: list[int] = []
    resumed = train(network, THRICE, squares, seed=2, checkpoint=checkpoint, report=lambda done, _: epochs.append(done))
    assert epochs == list(range(killed_before, 4))
    assert bits(resumed) == bits(undisturbed)
    assert resumed.history == undisturbed.history


def test_a_training_killed_after_every_epoch_ends_in_the_same_bits(squares: xr.Dataset, tmp_path: Path) -> None:
    undisturbed = train(convnet, THRICE, squares, seed=2)
    for epoch in (1, 2):
        with pytest.raises(Killed):
            train(convnet, THRICE, squares, seed=2, checkpoint=tmp_path / "c", report=_killed_before(epoch))
    assert bits(train(convnet, THRICE, squares, seed=2, checkpoint=tmp_path / "c")) == bits(undisturbed)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def _of_another_format(_: bytes) -> bytes:
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize("damage", [_cut, _flipped, _of_another_format, lambda _: b""])
def test_a_damaged_checkpoint_is_told_and_training_starts_again(
    squares: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train(convnet, THRICE, squares, seed=2, checkpoint=checkpoint, report=_killed_before(2))
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    resumed = train(convnet, THRICE, squares, seed=2, checkpoint=checkpoint)
    assert capsys.readouterr().err == f"{checkpoint} is damaged: this replica starts again from its first epoch\n"
    assert bits(resumed) == bits(train(convnet, THRICE, squares, seed=2))


def test_a_checkpoint_is_the_same_bytes_every_time(squares: xr.Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(convnet, ONCE, squares, seed=2, checkpoint=tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_replay_ends_in_the_same_bits_and_shows_every_batch_once_an_epoch(squares: xr.Dataset) -> None:
    trained = train(convnet, THRICE, squares, 3).model.state_dict()
    batches: list[torch.Tensor] = []
    optimizers = []

    def watch(progress: Progress, batch: torch.Tensor) -> None:
        batches.append(batch)
        optimizers.append(progress.optimizer)

    again = replay(convnet, THRICE, squares.isel(sample=squares.split.values == "train"), 3, watch).state_dict()
    assert all(torch.equal(trained[name], again[name]) for name in trained)
    assert [len(batch) for batch in batches] == [32, 32, 32, 32, 22] * 3
    for epoch in range(3):
        assert sorted(torch.cat(batches[5 * epoch : 5 * epoch + 5]).tolist()) == list(range(150))
    assert float(optimizers[0].state_dict()["state"][0]["step"]) == 15


def test_with_dropout_and_one_logit_a_killed_run_ends_in_the_same_bytes(tmp_path):
    data = assemble(Textures(n_train=24, n_probe=8, size=32, object_size=(16, 28), periods=(4.0, 8.0)))
    training = Training(epochs=4, batch_size=8)

    def network():
        return ConvNet((3, 32, 32), 1, (4, 6), 0, (8,), dropout=0.5)

    def killed_after_two(done, _total):
        if done == 2:
            raise KeyboardInterrupt

    whole = train(network, training, data, 3)
    again = train(network, training, data, 3)
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(network, training, data, 3, checkpoint=checkpoint, report=killed_after_two)
    resumed = train(network, training, data, 3, checkpoint=checkpoint)
    other = train(network, training, data, 4)
    for name, tensor in whole.model.state_dict().items():
        assert tensor.numpy().tobytes() == resumed.model.state_dict()[name].numpy().tobytes()
        assert tensor.numpy().tobytes() == again.model.state_dict()[name].numpy().tobytes()
        assert tensor.numpy().tobytes() != other.model.state_dict()[name].numpy().tobytes()
    assert whole.history == resumed.history


def test_one_logit_learns_textures():
    data = assemble(Textures(n_train=160, n_probe=60, size=32, object_size=(28, 32), periods=(6.0, 8.0), clutter=0.2))
    trained = train(
        lambda: ConvNet((3, 32, 32), 1, (16, 32), 1, (32,), brightness=(0.45, 0.25), initial="he"),
        Training(epochs=30, batch_size=8, learning_rate=1e-3),
        data,
        0,
    )
    assert trained.history[-1]["probe_accuracy"] > 0.85


def test_a_batch_of_one_that_batch_norm_cannot_take_is_told_before_it_is_a_traceback() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(144, 4), nn.BatchNorm1d(4), nn.Linear(4, 9))

    data = assemble(Squares(n_train=33, n_probe=9, size=12, side=3))
    with pytest.raises(
        SeedscopeError, match=r"of 33 pictures batches of 32 leave one: choose another train\.batch_size"
    ):
        train(network, ONCE, data, seed=0)
    train(network, Training(epochs=1, batch_size=31, device="cpu"), data, seed=0)
