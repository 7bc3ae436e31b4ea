"""The head's first draw has a stream of its own, and where it goes with the weights nothing is as it was not before."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import xarray as xr
from torch import nn

from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.files.errors import SettingError
from seedscope.files.experiment import Experiment
from seedscope.lenses.replica import _learning
from seedscope.models.convnet import ConvNet
from seedscope.replicas.store import identity
from seedscope.replicas.training import Progress, Training, replay, train
from tests.replicas.test_store import SETTINGS

HEAD, BODY = ("fc2.weight", "fc2.bias"), ("conv1.weight", "conv1.bias", "fc1.weight", "fc1.bias")


@pytest.fixture(scope="module")
def squares() -> xr.Dataset:
    return assemble(Squares(n_train=64, n_probe=18, size=12, side=3))


def convnet() -> nn.Module:
    return ConvNet([1, 12, 12], 9, channels=[3], hidden=[8])


def bits(trained: Progress | nn.Module) -> dict[str, bytes]:
    model = trained.model if isinstance(trained, Progress) else trained
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in model.state_dict().items()}


def training(epochs: int = 0, **more) -> Training:
    return Training(epochs=epochs, batch_size=32, device="cpu", **{"head": "fc2", **more})


def determined_by(trained_by: Training, seed: int = 4) -> dict:
    return identity(Experiment("toy", SETTINGS, Path()), trained_by, "data", seed)


def test_a_network_may_have_the_head_of_another_seed(squares: xr.Dataset) -> None:
    one, other = (bits(train(convnet, training(), squares, seed)) for seed in (4, 7))
    swapped = bits(train(convnet, training(streams={"head": 7}), squares, 4))
    assert all(swapped[name] == one[name] != other[name] for name in BODY)
    assert all(swapped[name] == other[name] != one[name] for name in HEAD)


def test_a_head_that_varies_alone_leaves_the_other_weights_those_of_seed_0(squares: xr.Dataset) -> None:
    alone = [bits(train(convnet, training(vary=("head",)), squares, seed)) for seed in (0, 1, 2)]
    assert len({one["fc2.weight"] for one in alone}) == 3
    assert len({one["fc1.weight"] for one in alone}) == 1
    assert alone[0] == bits(train(convnet, training(), squares, 0))


def test_streams_with_the_seeds_that_they_would_have_change_no_bit_and_no_identity(squares: xr.Dataset) -> None:
    plain = Training(epochs=1, batch_size=32, device="cpu")
    spelled = training(1, vary=(), streams={"weights": 4, "order": 4, "head": 4})
    assert bits(train(convnet, plain, squares, 4)) == bits(train(convnet, spelled, squares, 0))
    assert determined_by(plain) == determined_by(spelled)


def test_the_identity_of_a_replica_names_no_more_than_before_heads_had_a_stream() -> None:
    found = determined_by(training(2))
    assert found["streams"] == {"weights": 4, "order": 4, "draw": 0}
    assert "head" not in found
    before = {"epochs", "batch_size", "learning_rate", "early_frames", "epochs_per_frame"}
    assert (
        found["training"].keys()
        == before
        == asdict(training()).keys() - {*("vary", "streams", "head", "device", "threads", "stacked")}
    )


def test_another_head_is_another_replica_and_so_is_another_layer_as_head() -> None:
    found = [determined_by(training(streams={"head": head})) for head in (5, 6)]
    found.append(determined_by(training(streams={"head": 5}, head="fc1")))
    assert found[0]["streams"]["head"] == 5
    assert len({str(one) for one in [*found, determined_by(training())]}) == 4


def test_a_draw_of_its_own_is_named_with_what_it_is_drawn_from() -> None:
    found = determined_by(training(streams={"draw": 3}))
    assert found["streams"]["draw"] == 3
    assert found["draw_from"] == SETTINGS["data"]


@pytest.mark.parametrize("head", ["", "fc9"])
def test_a_network_without_that_head_is_refused(squares: xr.Dataset, head: str) -> None:
    with pytest.raises(SettingError, match=f"'head' is asked for, and the network has no layer '{head}'"):
        train(convnet, training(head=head, streams={"head": 7}), squares, 4)


def test_a_swapped_replica_is_replayed_from_its_identity(squares: xr.Dataset) -> None:
    swapped = training(2, vary=("order",), streams={"head": 7, "weights": 2})
    said = _learning({**determined_by(swapped), "environment": {"threads": 1}}, 4)
    assert said is not None
    trained = bits(train(convnet, swapped, squares, 4))
    made: list[nn.Module] = []

    def network() -> nn.Module:
        made.append(convnet())
        return made[-1]

    shown = squares.isel(sample=squares.split.values == "train")
    again = replay(network, Training(**said, device="cpu"), shown, 4, lambda *_: None)
    assert bits(again) == trained
    assert again is made[-1]  # whoever hooks into the network that is made last sees the one that is trained
    assert all(torch.isfinite(tensor).all() for tensor in again.state_dict().values())
