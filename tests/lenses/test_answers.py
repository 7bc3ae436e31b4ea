"""What layers answer to all probe pictures, against the activations themselves; and that it is asked for once."""

import numpy as np
import pytest
import torch

from seedscope.activations.capture import activations
from seedscope.files.errors import SeedscopeError
from seedscope.lenses.answers import answers
from seedscope.models.convnet import ConvNet

from .networks import random_pictures, replica_of_network


def make(seed=0):
    torch.manual_seed(seed)
    return ConvNet((1, 12, 12), 3, channels=(4, 5), hidden=(6,))


@pytest.fixture
def replica():
    label = np.arange(20) % 3
    return replica_of_network(make, random_pictures(20, (1, 12, 12)), label, untrained=lambda: make(1))


@pytest.mark.parametrize("frame", [None, 0])
def test_they_are_the_means_and_counts_of_the_activations(replica, frame):
    layers = ["conv2", "fc1", "pool1", "logit"]
    found = answers(replica, layers, frame)
    assert list(found) == layers
    with replica.network(frame) as network:
        (wanted,) = activations(network, layers[:3], [torch.from_numpy(replica.probe.image.values)])
    for layer in layers:
        values = wanted[layer].numpy()
        places = tuple(range(2, values.ndim))
        np.testing.assert_allclose(found[layer]["mean"], values.mean(places), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found[layer]["active"], (values != 0).sum(places))
        assert tuple(found[layer]["shape"]) == values.shape[2:]


def test_who_asks_first_makes_no_difference_and_the_second_makes_nothing(replica, monkeypatch):
    first = answers(replica, ["fc1"])["fc1"]["mean"]
    monkeypatch.setattr("seedscope.lenses.answers._passed", lambda *_: pytest.fail("asked again"))
    assert answers(replica, ["conv1", "fc1"])["fc1"]["mean"] is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_what_was_asked_for_long_ago_is_let_go(replica, monkeypatch):
    monkeypatch.setattr("seedscope.lenses.replica._KEPT", 100)
    made = []

    def array(name):
        return replica.once(name, lambda: {"values": made.append(name) or np.zeros(10)})

    for name in ("a", "b", "b", "a"):
        array(name)
    assert made == ["a", "b", "a"]


def test_an_unknown_layer_is_named(replica):
    with pytest.raises(SeedscopeError, match="there is no layer 'conv3'"):
        answers(replica, ["conv3"])
