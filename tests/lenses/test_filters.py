import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import ndimage
from torch import nn

from seedscope.activations.capture import activations
from seedscope.figures import SILENT, Dots, Image, Strokes, panels_of, rgb
from seedscope.files.arrays import write_measured
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.filters import Filters
from seedscope.lenses.filters.ascent import blurred, variation_gradient
from seedscope.lenses.filters.found import found_in

from .sheets import marks, words

LENS = Filters(["conv2"], steps=12, step_size=0.05)


class Net(nn.Module):
    """Two convolutions and a dense head; its ReLUs work in place, and so does it on its own input."""

    def __init__(self, shape=(1, 8, 8), channels=(4, 6)):
        super().__init__()
        self.conv1 = nn.Conv2d(shape[0], channels[0], 3, padding=1)
        self.relu1 = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(channels[0])
        self.conv2 = nn.Conv2d(*channels, 3)
        self.fc = nn.Linear(channels[1] * (shape[1] - 2) * (shape[2] - 2), 3)

    def forward(self, x):
        x = self.norm(self.relu1(self.conv1(x.mul_(2).sub_(1))))
        return self.fc(torch.relu_(self.conv2(x)).flatten(1))


def net(*, seed=0, double=False, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Net(**options)
        for module in (model.conv1, model.conv2):
            nn.init.kaiming_normal_(module.weight)
    return (model.double() if double else model).eval().requires_grad_(False)


def start_of(lens, shape=(1, 8, 8)):
    return lens.ascent.start(shape).double()


@pytest.fixture
def replica_with(random_replica):
    """A replica that is this network, with the frames that it went through."""

    def build(model=None, *, frames=(), shape=(1, 8, 8), image=None, n=20, channels=(4, 6)):
        model = model or net(shape=shape, channels=channels)
        weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        states = [{name: t.numpy() for name, t in frame.state_dict().items()} for frame in frames]
        film = xr.Dataset(
            {
                name: (
                    ("frame", *(f"{name}.{a}" for a in range(weights[name].ndim))),
                    np.stack([s[name] for s in states]),
                )
                for name in (weights if states else ())
            }
        )
        return dataclasses.replace(
            random_replica(n=n, shape=shape, image=image),
            architecture=lambda: Net(shape, channels),
            weights=weights,
            frames=film if states else None,
        )

    return build


def tutorial(model, layer, channel, start, steps, step_size):
    """One channel, as a tutorial writes it: the loss is the mean of what a ReLU lets through."""
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output.clone()))
    x = start[None].clone()
    for _ in range(steps):
        x = x.clone().requires_grad_()
        kept.clear()
        model(x.clone())
        z = kept[0][0, channel]
        loss = z.clamp(min=0).mean() if (z > 0).any() else z.max()
        loss.backward()
        gradient = x.grad / (x.grad**2).mean() ** 0.5
        x = (x.detach() + step_size * gradient).clamp(0, 1)
    handle.remove()
    return x[0]


def test_a_linear_channel_has_its_own_kernel_added_step_by_step():
    lens = Filters(["0"], steps=7, step_size=0.1, bounded=False)
    model = nn.Sequential(nn.Conv2d(2, 3, 4)).double().requires_grad_(False)
    start = start_of(lens, (2, 4, 4))
    climbed = lens.ascent.climb(model, "0", False, [0, 2], start)
    for kernel, picture, activation in zip(model[0].weight[[0, 2]], climbed.picture, climbed.activation, strict=True):
        size = kernel.square().mean().sqrt()
        torch.testing.assert_close(picture, start + 7 * 0.1 * kernel / size, rtol=0, atol=1e-12)
        torch.testing.assert_close(activation.diff(), (0.1 * 32 * size).expand(7), rtol=0, atol=1e-12)


def test_within_bounds_a_linear_channel_reaches_its_maximum():
    lens = Filters(["0"], steps=100, step_size=0.1)
    model = nn.Sequential(nn.Conv2d(1, 3, 4)).double().requires_grad_(False)
    drawn = np.random.default_rng(0)
    model[0].weight.copy_(torch.from_numpy(drawn.uniform(0.2, 1, (3, 1, 4, 4)) * drawn.choice([-1, 1], (3, 1, 4, 4))))
    climbed = lens.ascent.climb(model, "0", False, range(3), start_of(lens, (1, 4, 4)))
    torch.testing.assert_close(climbed.picture, (model[0].weight > 0).double(), rtol=0, atol=1e-12)
    best = model[0].weight.clamp(min=0).sum((1, 2, 3)) + model[0].bias
    torch.testing.assert_close(climbed.activation[:, -1], best, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", ["conv1", "conv2", "norm", "fc"])
def test_a_batch_is_one_channel_at_a_time_is_the_tutorial(layer):
    model = net(double=True)
    lens = dataclasses.replace(LENS, layers=[layer])
    start, rectified = start_of(lens), layer.startswith("conv")
    count = len(next(p for p in model.get_submodule(layer).parameters()))
    together = lens.ascent.climb(model, layer, rectified, range(count), start)
    assert not together.silent.any()
    for channel in range(count):
        alone = lens.ascent.climb(model, layer, rectified, [channel], start)
        for one, many in ((alone.picture, together.picture), (alone.activation, together.activation)):
            torch.testing.assert_close(one[0], many[channel], rtol=0, atol=1e-12)
        if rectified:
            theirs = tutorial(model, layer, channel, start, lens.steps, lens.step_size)
            torch.testing.assert_close(alone.picture[0], theirs, rtol=0, atol=1e-12)


def test_the_activation_rises_and_is_that_of_the_picture_shown(look, replica_with):
    model = net()
    seen = look(Filters(["conv1", "conv2", "fc"]), replica_with(model), draw=None)
    for layer, kind in (("conv1", "channel"), ("conv2", "channel"), ("fc", "unit")):
        found = found_in(seen.measured, layer, "trained")
        activation = found["activation"].values
        assert found["activation"].dims == (kind, "step")
        assert (activation[:, -1] > activation[:, 0]).all()
        assert seen.summary[f"{layer}_rises"] == (np.diff(activation, axis=1) > 0).mean() > 0.8
        picture = torch.from_numpy(found["picture"].values)
        (outputs,) = activations(model, [layer], [picture.clone()])
        answer = outputs[layer].reshape(*outputs[layer].shape[:2], -1).mean(2).diagonal().numpy()
        np.testing.assert_allclose(activation[:, -1], answer, rtol=1e-5)
        assert picture.min() >= 0
        assert picture.max() <= 1


def test_the_summary_by_hand(look, replica_with):
    model = net()
    model.conv2.bias[4] = -1e3
    replica = replica_with(model)
    seen = look(LENS, replica, draw=None)
    (outputs,) = activations(model, ["conv2"], [torch.from_numpy(replica.probe.image.values.copy())])
    found = found_in(seen.measured, "conv2", "trained")
    best = outputs["conv2"].mean((2, 3)).numpy().max(0)
    np.testing.assert_allclose(found["probe"], best, rtol=1e-6)
    most = outputs["conv2"].mean((2, 3)).numpy().argmax(0)
    np.testing.assert_array_equal(found["probe_sample"], replica.probe.sample.values[most])
    end = found["activation"].values[:, -1]
    live = np.array([c for c in range(6) if c != 4])
    assert seen.summary["conv2_silent"] == 1
    assert seen.summary["conv2_woken"] == ((best[live] == 0) & (end[live] > 0)).sum()
    assert seen.summary["conv2_above_probe"] == (end[live] > best[live]).mean()
    known = live[best[live] > 0]
    assert seen.summary["conv2_times_probe"] == pytest.approx(np.median(end[known] / best[known]), rel=1e-5)
    assert not [name for name in seen.summary if "untrained" in name]  # there are no frames


def test_a_channel_that_a_probe_picture_raises_and_the_ascent_does_not_counts_as_not_above(look, replica_with):
    model = net()
    model.conv2.bias[4] = -1e9
    model.conv2.bias[1] = -(1 + 8 * model.conv2.weight[1].abs().sum())  # answers to far brighter pictures only
    replica = replica_with(model, image=np.concatenate([np.full((1, 1, 8, 8), 1e4), np.zeros((19, 1, 8, 8))]))
    seen = look(dataclasses.replace(LENS, steps=3), replica, draw="conv2_filters")
    found = found_in(seen.measured, "conv2", "trained")
    probe, end = found["probe"].values, found["activation"].values[:, -1]
    assert found["silent"].values.tolist() == [False, True, False, False, True, False]
    assert probe[1] > 0
    assert probe[4] == 0
    of = [0, 1, 2, 3, 5]
    assert seen.summary["conv2_above_probe"] == (end[of] > probe[of]).mean() > 0
    assert "1 answers to a probe picture: there the ascent fails" in seen.sheets["conv2_filters"].description


def test_channels_in_batches_are_channels_together():
    model, lens = net(double=True), dataclasses.replace(LENS, batch_size=4)
    together = lens.ascent.climb(model, "conv2", True, range(6), start_of(lens))
    parts = lens.ascent.climb_in_batches(model, "conv2", True, range(6), start_of(lens))
    for one, other in ((parts.picture, together.picture), (parts.activation, together.activation)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert parts.silent.tolist() == together.silent.tolist()


def test_the_null_is_the_same_ascent_in_the_network_before_its_first_step(look, replica_with):
    first = net(seed=5)
    trained = look(LENS, replica_with(net(), frames=[first, net(seed=6), net()]), draw=None)
    untrained = look(LENS, replica_with(first), draw=None)
    for name in ("picture", "activation", "silent", "probe", "probe_sample"):
        there = found_in(trained.measured, "conv2", "untrained")[name]
        here = found_in(untrained.measured, "conv2", "trained")[name]
        np.testing.assert_array_equal(there, here)
    for name in ("above_probe", "times_probe", "rises"):
        assert trained.summary[f"conv2_{name}_null_untrained"] == untrained.summary[f"conv2_{name}"]
    of_both = trained.measured["conv2"].picture
    assert (of_both.sel(network="trained") != of_both.sel(network="untrained")).any()


def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(replica_with, tmp_path):
    lens = dataclasses.replace(LENS, jitter=2, blur=0.5, total_variation=0.1)
    for name in ("a", "b"):
        torch.rand(3)
        np.random.default_rng().random(3)
        write_measured(tmp_path / name, lens.measure(replica_with(frames=[net(seed=1)])))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_channel_that_nothing_raises_is_silent_and_stays_as_it_was(look, replica_with):
    model = net()
    model.conv2.weight[1], model.conv2.bias[1] = 0, -1  # no gradient at all
    model.conv2.weight[2], model.conv2.bias[2] = 0, 1  # answers, and always the same
    model.conv2.bias[3] = -1e3  # has a gradient, and never wakes
    seen = look(LENS, replica_with(model, frames=[model]))
    found = found_in(seen.measured, "conv2", "trained")
    assert found["silent"].values.tolist() == [False, True, True, True, False, False]
    start = LENS.ascent.start((1, 8, 8)).numpy()
    np.testing.assert_array_equal(found["picture"][[1, 2]], np.stack([start, start]))
    assert np.isfinite(found["picture"]).all()
    assert seen.summary["conv2_silent"] == 3
    for name in ("conv2_filters", "conv2_filters_untrained"):
        assert "3 of 6 stay silent (grey)" in seen.sheets[name].description
        assert "3 of 6 stay silent (grey)" in seen.sheets[name].note


def test_a_channel_that_is_0_all_over_at_the_start_is_woken():
    model = net(double=True)
    model.conv2.bias -= 2
    lens = dataclasses.replace(LENS, steps=30)
    climbed = lens.ascent.climb(model, "conv2", True, range(6), start_of(lens))
    mute = climbed.activation[:, 0] == 0
    assert mute.any()
    assert (climbed.activation[mute].amax(1) > 0).all()
    assert not climbed.silent.any()


def test_layers_that_are_silent_all_over_are_said_to_be(look, replica_with):
    model = net()
    for module in (model.conv2, model.fc):
        module.weight.zero_()
        module.bias.fill_(-1)
    seen = look(Filters(["conv2", "fc"], steps=2), replica_with(model, frames=[model]))
    assert seen.summary["conv2_silent"] == 6
    assert np.isnan(seen.summary["conv2_above_probe"])
    assert "All 6 channels of conv2 stay silent" in seen.sheets["conv2_filters"].description
    assert "All 3 units of fc stay silent" in seen.sheets["fc_filters"].description
    assert {panel.empty for panel in panels_of(seen.sheets["fc_ascent"].body)} == {"no unit answers to both"}


def test_constant_probe_pictures_and_a_constant_start_give_numbers(look, replica_with):
    seen = look(dataclasses.replace(LENS, noise=0.0), replica_with(image=np.zeros((20, 1, 8, 8))))
    assert np.isfinite(seen.measured["conv2"].picture).all()


@pytest.mark.parametrize(
    ("shape", "bounded"), [((3, 150, 150), True), ((2, 9, 12), False), ((1, 3, 3), True), ((1, 5, 200), False)]
)
def test_pictures_of_any_size_and_colours_are_drawn_readably(look, replica_with, shape, bounded):
    lens = Filters(["conv1"], steps=2, bounded=bounded)
    replica = replica_with(frames=[net(seed=1, shape=shape)], n=4, shape=shape)
    seen = look(lens, replica, rendered=True)
    assert set(seen.sheets) == {"conv1_filters", "conv1_filters_untrained", "conv1_ascent"}
    assert seen.measured["conv1"].picture.shape == (2, 4, *shape)
    assert ("Grey is the mean of the 2 colours" in seen.sheets["conv1_filters"].description) == (shape[0] == 2)
    assert ("Colours are those that the network saw" in seen.sheets["conv1_filters"].description) == bounded


def test_titles_say_that_weights_are_given_and_nothing_of_an_untrained_network(look, replica_with):
    sheets = look(LENS, dataclasses.replace(replica_with(), seed="given")).sheets.values()
    assert len(sheets) == 2
    assert all("given weights)" in sheet.heading for sheet in sheets)
    assert not any("untrained" in words(sheet) or "Grey" in words(sheet) for sheet in sheets)


@pytest.mark.parametrize("channels", [1, 9, 300])
def test_any_number_of_filters_is_drawn_readably(look, replica_with, channels):
    replica = replica_with(shape=(3, 32, 32), channels=(channels, 2), n=4)
    look(Filters(["conv1"], steps=1), replica, rendered=True)


def test_what_is_drawn_is_the_picture_and_silent_channels_are_grey(look, replica_with):
    model = net()
    model.conv2.weight[1], model.conv2.bias[1] = 0, -1
    seen = look(LENS, replica_with(model), draw="conv2_filters")
    (image,) = marks(seen.sheets["conv2_filters"], Image)
    own = found_in(seen.measured, "conv2", "trained")["picture"][0].values[0, ..., None]
    np.testing.assert_allclose(image.values[:8, :8], np.repeat(own, 3, -1))
    np.testing.assert_allclose(image.values[:8, 9:17], np.broadcast_to(rgb(SILENT), (8, 8, 3)), rtol=1e-6)
    assert (image.values[:8, 8] == 1).all()


def test_each_climb_is_a_line_and_its_end_a_point(look, replica_with):
    model = net()
    model.conv2.bias[4] = -1e9
    seen = look(LENS, replica_with(model, frames=[net(seed=5)]), draw="conv2_ascent")
    sheet, found = seen.sheets["conv2_ascent"], found_in(seen.measured, "conv2", "trained")
    both = ~found["silent"].values & (found["probe"].values > 0)
    (untrained, trained), (_, ends) = marks(sheet, Strokes), marks(sheet, Dots)
    assert len(trained.points) == both.sum() < len(untrained.points)
    times = found["activation"].values[both] / found["probe"].values[both][:, None]
    for line, own in zip(trained.points, times, strict=True):
        np.testing.assert_array_equal(line, np.stack([np.arange(13), own], 1)[own > 0])
    np.testing.assert_array_equal(ends.x, found["probe"].values[both])
    np.testing.assert_array_equal(ends.y, found["activation"].values[both, -1])
    assert [(panel.x.kind, panel.y.kind) for panel in panels_of(sheet.body)] == [("linear", "log"), ("log", "log")]


def test_options_bound_what_is_computed(look, replica_with):
    replica = replica_with(n=20)
    all_of = look(LENS, replica, draw=None).measured
    few = look(dataclasses.replace(LENS, channels=2, batch_size=1, pictures=7), replica, draw=None).measured
    np.testing.assert_allclose(few["conv2"].picture, all_of["conv2"].picture[:, :2], atol=1e-4)
    assert few.attrs["probe_pictures"] == 7
    assert (few["conv2"].probe.values <= all_of["conv2"].probe.values[:, :2] * (1 + 1e-6)).all()
    larger = look(dataclasses.replace(LENS, size=17), replica, draw=None).measured
    assert larger["conv2"].picture.shape == (1, 6, 1, 17, 17)


def test_blur_is_scipys_gaussian():
    picture = np.random.default_rng(0).random((2, 3, 15, 11))
    ours = blurred(torch.from_numpy(picture), 1.5).numpy()
    theirs = ndimage.gaussian_filter(picture, 1.5, mode="nearest", radius=5, axes=(2, 3))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_the_gradient_of_total_variation_is_autograds():
    picture = torch.rand(2, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (picture.diff(dim=2).abs().sum() + picture.diff(dim=3).abs().sum()).backward()
    torch.testing.assert_close(variation_gradient(picture.detach()), picture.grad, rtol=0, atol=1e-12)


def test_blur_and_total_variation_smooth():
    def roughness(**options):
        lens = dataclasses.replace(LENS, **options)
        picture = lens.ascent.climb(net(double=True), "conv2", True, range(6), start_of(lens)).picture
        return picture.diff(dim=2).abs().mean() + picture.diff(dim=3).abs().mean()

    assert roughness(blur=0.7) < 0.7 * roughness()
    assert roughness(total_variation=0.3) < 0.9 * roughness()


def test_jitter_changes_nothing_for_a_network_that_does_not_know_place():
    """With circular borders a shifted picture has a shifted answer, whose mean is the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"),
        ).double()
    lens = Filters(["2"], steps=9)
    still = lens.ascent.climb(model, "2", True, range(3), start_of(lens))
    moved = dataclasses.replace(lens, jitter=3).ascent.climb(model, "2", True, range(3), start_of(lens))
    torch.testing.assert_close(moved.picture, still.picture, rtol=0, atol=1e-12)
    known = dataclasses.replace(LENS, jitter=3).ascent.climb(net(double=True), "conv2", True, range(6), start_of(LENS))
    assert not torch.allclose(
        known.picture, LENS.ascent.climb(net(double=True), "conv2", True, range(6), start_of(LENS)).picture
    )


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_left_as_found(fails):
    model = net(double=True).train().requires_grad_(True)
    model.conv2.eval()
    before = {name: (parameter, parameter.clone()) for name, parameter in model.named_parameters()}
    flags = {name: module.training for name, module in model.named_modules()}
    if fails:
        with pytest.raises(RuntimeError):
            LENS.ascent.climb(model, "conv2", True, [0, 1], torch.zeros(7, 8, 8, dtype=torch.float64))
    else:
        LENS.ascent.climb(model, "conv2", True, [0, 1], start_of(LENS))
    assert flags == {name: module.training for name, module in model.named_modules()}
    for name, parameter in model.named_parameters():
        assert parameter is before[name][0]
        assert torch.equal(parameter, before[name][1])
        assert parameter.requires_grad
        assert parameter.grad is None
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_layer_that_runs_twice_is_refused(replica_with):
    class Twice(Net):
        def forward(self, x):
            return super().forward(x.clone()) + super().forward(x.clone())

    replica = dataclasses.replace(replica_with(), architecture=Twice)
    with pytest.raises(SeedscopeError, match="'conv2' runs several times"):
        LENS.measure(replica)


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({"layers": ["conv1", "conv3"]}, "layers", "no layer 'conv3'; did you mean 'conv1'"),
        ({"layers": ["logit"]}, "layers", "no layer 'logit'"),
        ({"layers": ["rows"]}, "layers", r"'rows' has no channels: it gives \(5, 7\)"),
        ({"layers": ["conv1", "fc"], "size": 64}, "size", "'fc' takes pictures of the data set's size only"),
    ],
)
def test_what_has_no_filters_is_refused_by_name(options, key, words):
    network = Network({"conv1": (4, 8, 8), "rows": (5, 7), "fc": (3,), "logit": (3,)}, {}, {}, 3)
    Filters(["conv1", "fc"]).check(network)
    with pytest.raises(SettingError, match=words) as refused:
        Filters(**options).check(network)
    assert refused.value.key == key
