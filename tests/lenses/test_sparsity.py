import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.figures import Dots, panels_of
from seedscope.files.errors import SettingError
from seedscope.lenses import Network
from seedscope.lenses.sparsity import Sparsity

from .sheets import marks, words
from .trained import data_of, trained_replica

LENS = Sparsity(["conv1", "conv2"])


class TwoConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.fc1 = nn.Linear(6 * 36, 3)

    def forward(self, x):
        return self.fc1(torch.relu(self.conv2(torch.relu(self.conv1(x)))).flatten(1))


@pytest.fixture(scope="module")
def replica():
    return trained_replica(network=TwoConvolutions, data=data_of(shape=(1, 8, 8)))


def planted(replica, *, conv1=(), conv2=(), frame0=False):
    """Return the replica with channels that can answer to nothing: weights 0 and a negative bias."""
    weights = {name: values.copy() for name, values in replica.weights.items()}
    for layer, channels in (("conv1", conv1), ("conv2", conv2)):
        for channel in channels:
            weights[f"{layer}.weight"][channel], weights[f"{layer}.bias"][channel] = 0, -1
    frames = replica.frames
    if frame0:
        first = {name: (("frame", *frames[name].dims[1:]), values[None]) for name, values in weights.items()}
        frames = frames.isel(frame=[0]).assign(first)
    return dataclasses.replace(replica, weights=weights, frames=frames)


def slow(weights, picture):
    """Return the maps of both layers of one picture (y, x), after their ReLU, by loops."""
    maps = []
    values = np.pad(picture[None], ((0, 0), (1, 1), (1, 1)))
    for layer in ("conv1", "conv2"):
        kernel, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        side = values.shape[1] - 2
        out = np.zeros((len(kernel), side, side))
        for c in range(len(kernel)):
            for y in range(side):
                for x in range(side):
                    out[c, y, x] = max(0, (kernel[c] * values[:, y : y + 3, x : x + 3]).sum() + bias[c])
        maps.append(out)
        values = out
    return maps


def test_silent_channels_and_zeros_are_those_of_a_slow_loop(look, replica):
    measured = look(LENS, planted(replica, conv1=[1]), draw=None).measured
    for sample in measured.sample.values[:5]:
        picture = replica.probe.image.sel(sample=sample).values[0]
        for layer, maps in zip(("conv1", "conv2"), slow(planted(replica, conv1=[1]).weights, picture), strict=True):
            own = measured.sel(network="trained", layer=layer, sample=sample)
            assert own.silent == pytest.approx((maps == 0).all((1, 2)).mean())
            assert own.zeros == pytest.approx((maps == 0).mean())


def test_what_is_left_without_the_dead_channels_is_that_of_a_slow_loop(look, replica):
    changed = planted(replica, conv1=[1], conv2=[0, 3])
    measured = look(LENS, changed, draw=None).measured.sel(network="trained")
    pictures = replica.probe.image.sel(sample=measured.sample.values).values[:, 0]
    maps = dict(
        zip(("conv1", "conv2"), zip(*(slow(changed.weights, one) for one in pictures), strict=True), strict=True)
    )
    for layer, of_layer in maps.items():
        of_layer = np.stack(of_layer)  # (sample, channel, y, x)
        live = [channel for channel in range(of_layer.shape[1]) if (of_layer[:, channel] != 0).any()]
        assert float(measured.dead.sel(layer=layer)) == 1 - len(live) / of_layer.shape[1]
        own = measured.sel(layer=layer)
        np.testing.assert_allclose(own.silent_live, (of_layer[:, live] == 0).all((2, 3)).mean(1))
        np.testing.assert_allclose(own.zeros_live, (of_layer[:, live] == 0).mean((1, 2, 3)))


def test_a_step_that_is_dead_channels_alone_is_gone_without_them(look, replica):
    woken = planted(replica)
    for layer in ("conv1", "conv2"):
        woken.weights[f"{layer}.bias"][:] = 50  # every other channel answers everywhere
    summary = look(LENS, planted(woken, conv2=[0, 1, 2]), draw=None).summary
    assert summary["conv1_to_conv2_silent"] == summary["conv1_to_conv2_zeros"] == summary["conv1_to_conv2_dead"] == 0.5
    assert summary["conv1_to_conv2_silent_live"] == summary["conv1_to_conv2_zeros_live"] == 0


def test_the_parts_make_the_whole(look, replica):
    measured = look(LENS, planted(replica, conv1=[2], conv2=[1, 4]), draw=None).measured
    for name in ("silent", "zeros"):
        np.testing.assert_allclose(measured[name], measured.dead + (1 - measured.dead) * measured[f"{name}_live"])


def test_planted_silent_channels_are_counted_in_their_layer_and_network(look, replica):
    before = look(LENS, replica, draw=None).summary
    after = look(LENS, planted(replica, conv2=[0, 1, 2, 3, 4, 5]), draw=None).summary
    assert after["conv2_silent"] == after["conv2_zeros"] == after["conv2_dead"] == 1
    assert np.isnan([after["conv2_silent_live"], after["conv2_zeros_live"], after["conv1_to_conv2_silent_live"]]).all()
    assert after["conv1_silent"] == before["conv1_silent"]
    assert after["conv1_to_conv2_silent"] == pytest.approx(1 - before["conv1_silent"])
    assert after["conv2_silent_null_untrained"] == before["conv2_silent_null_untrained"] < 1
    assert after["conv2_silent_gain_untrained"] == pytest.approx(1 - before["conv2_silent_null_untrained"])
    step = after["conv1_to_conv2_silent"] - after["conv1_to_conv2_silent_null_untrained"]
    assert after["conv1_to_conv2_silent_gain_untrained"] == pytest.approx(step)


def test_a_channel_that_some_pictures_wake_is_silent_but_not_dead(look, replica):
    weights = planted(replica, conv1=[0, 1, 2, 3]).weights
    weights["conv1.weight"][2, 0, 1, 1], weights["conv1.bias"][2] = 1, -0.95  # the brightest pixels pass
    summary = look(LENS, dataclasses.replace(replica, weights=weights), draw=None).summary
    brightest = replica.probe.image.values.max((1, 2, 3))
    assert 0 < (brightest > 0.95).mean() < 1
    assert summary["conv1_silent"] == pytest.approx(0.75 + 0.25 * (brightest <= 0.95).mean())
    assert summary["conv1_dead"] == 0.75


def test_a_network_that_did_not_change_has_no_change(look, replica):
    summary = look(LENS, planted(replica, frame0=True), draw=None).summary
    changes = [value for name, value in summary.items() if name.endswith("_gain_untrained")]
    assert len(changes) == 15
    assert changes == [0.0] * 15


def test_given_weights_are_looked_at_without_an_untrained_network(look, replica):
    given = dataclasses.replace(replica, frames=None, learning=None, seed="given")
    seen = look(LENS, given, rendered=True)
    assert not [name for name in seen.summary if "untrained" in name]
    assert "untrained" not in words(seen.sheets["sparsity"])
    assert "given weights" in seen.sheets["sparsity"].heading


def test_each_picture_is_a_dot_and_the_table_holds_their_means(look, replica):
    seen = look(LENS, replica, rendered=True)
    sheet = seen.sheets["sparsity"]
    table = sheet.table.set_index(["measure", "network", "layer"])["mean"]
    assert table["silent", "trained", "conv2"] == seen.summary["conv2_silent"]
    assert table["zeros", "untrained", "conv1"] == seen.summary["conv1_zeros_null_untrained"]
    shown = [(network, layer) for layer in ("conv1", "conv2") for network in ("untrained", "trained")]
    measures = ("silent", "dead", "silent_live", "zeros", "zeros_live")
    for panel, name in zip(panels_of(sheet.body), measures, strict=True):
        for dots, (network, layer) in zip(marks(panel, Dots), shown, strict=True):
            np.testing.assert_array_equal(dots.y, np.atleast_1d(seen.measured[name].sel(network=network, layer=layer)))


def test_a_layer_whose_channels_are_all_dead_is_drawn_and_compared(look, replica, compared):
    dead = planted(replica, conv1=range(4), conv2=range(6))
    seen = look(LENS, dead, rendered=True)
    assert "no value" in words(seen.sheets["sparsity"])
    (sheet,) = compared(LENS, {0: seen.measured, 1: look(LENS, replica, draw=None).measured}, rendered=True).sheets
    table = sheet.table.set_index(["measure", "network", "layer"])["mean"]
    assert table["dead", "trained", "conv1"] > 0.5


@pytest.mark.parametrize("layers", [["conv1"], ["conv1", "conv2"]])
@pytest.mark.parametrize("seeds", [1, 4])
def test_seeds_are_compared_by_their_means_over_pictures(compared, replica, layers, seeds):
    lens = Sparsity(layers)
    measured = {seed: lens.measure(planted(replica, conv1=range(seed), conv2=range(seed))) for seed in range(seeds)}
    (sheet,) = compared(lens, measured, rendered=seeds == 4).sheets
    after = marks(sheet, Dots)[1]
    own = [float(measured[seed].silent.sel(network="trained", layer="conv1").mean()) for seed in range(seeds)]
    np.testing.assert_array_equal(after.y, own)
    table = sheet.table.set_index(["measure", "network", "layer"])["mean"]
    assert table["silent", "trained", "conv1"] == pytest.approx(np.mean(own))


def test_sixty_pictures_are_looked_at_and_dead_is_what_none_of_all_wakes(look):
    data = data_of(shape=(1, 8, 8), probe=150, n=12)
    data["image"][-1, 0, 0, 0] = 5  # a picture that is not among the sixty, brighter than any
    replica = trained_replica(network=TwoConvolutions, data=data, epochs=1)
    weights = planted(replica, conv1=[0, 1]).weights
    weights["conv1.weight"][1, 0, 1, 1], weights["conv1.bias"][1] = 1, -4
    seen = look(LENS, dataclasses.replace(replica, weights=weights), draw=None)
    assert seen.measured.sizes["sample"] == 60
    assert data.sample.values[-1] not in seen.measured.sample
    assert seen.summary["conv1_dead"] == 0.25
    assert seen.summary["conv1_silent"] == pytest.approx(0.5 + 0.5 * own_silent(weights, replica, seen))


def own_silent(weights, replica, seen):
    """Return the share of channels 2 and 3 that each of the pictures looked at leaves silent, its mean."""
    images = replica.probe.image.sel(sample=seen.measured.sample.values).values[:, 0]
    return np.mean([(slow(weights, image)[0][2:] == 0).all((1, 2)).mean() for image in images])


@pytest.mark.parametrize(("layer", "words"), [("conv3", "did you mean 'conv"), ("fc1", "no maps")])
def test_a_layer_without_maps_is_refused_by_name(layer, words):
    network = Network({"conv1": (4, 8, 8), "fc1": (3,), "logit": (3,)}, {}, {}, 3)
    Sparsity(["conv1"]).check(network)
    with pytest.raises(SettingError, match=words) as refused:
        Sparsity(["conv1", layer]).check(network)
    assert refused.value.key == "layers"
