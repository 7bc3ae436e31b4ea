import dataclasses
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from seedscope.activations.capture import activations
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.classes import class_means, class_variance
from seedscope.formulas.selectivity import class_selectivity, orientation_selectivity
from seedscope.lenses import Network
from seedscope.lenses.tuning import _SHUFFLES, Tuning, _shuffled, across
from seedscope.lenses.tuning.layers import MEASURES, medians
from seedscope.lenses.tuning.orientation import (
    ORIENTATIONS,
    PHASES,
    at_best_period,
    grating,
    periods,
    responses,
)
from seedscope.lenses.tuning.receptive_field import effective_fields, effective_side, receptive_fields
from seedscope.models.convnet import ConvNet

LENS = Tuning(["conv1", "conv2"])
DIGITS = {"shape": (1, 28, 28), "classes": 10, "channels": (16, 32), "padding": 0, "hidden": ()}
SOBEL = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])


def kernels(*weights, bias=0.0):
    """Return a network of one layer ``conv`` with these kernels (y, x) and a ReLU."""
    weight = torch.stack([torch.as_tensor(w, dtype=torch.float32) for w in weights])[:, None]
    conv = nn.Conv2d(1, len(weight), weight.shape[2:])
    conv.weight.data, conv.bias.data = weight, torch.full((len(weight),), float(bias))
    return Rectified(conv)


class Rectified(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return torch.relu(self.conv(x))


def gabor(angle, size=9, period=5.0, sigma=2.0):
    """Return an odd Gabor kernel whose stripes lie at ``angle`` degrees, counted from horizontal to the upper right."""
    at = np.arange(size) - size // 2
    x, up = at[None], -at[:, None]
    across = -x * np.sin(np.deg2rad(angle)) + up * np.cos(np.deg2rad(angle))
    return np.sin(2 * np.pi * across / period) * np.exp(-(x**2 + up**2) / (2 * sigma**2))


def tuning_of(network, shape=(1, 24, 24)):
    """Return selectivity and preferred orientation by the lens's procedure, of both versions."""
    inside = {"conv": receptive_fields(network, ["conv"], shape)["conv"].inside}
    moved, mean = responses(network, inside, shape)["conv"]
    return tuple(orientation_selectivity(at_best_period(one)[0], ORIENTATIONS) for one in (moved, mean))


def test_stripes_at_0_degrees_are_horizontal_and_rise_to_the_right_from_there_to_90():
    for picture in grating((1, 12, 12), 0, 6)[:, 0]:
        np.testing.assert_allclose(picture, picture[:, :1] * np.ones(12), atol=1e-12)
    for picture in grating((1, 12, 12), 90, 6)[:, 0]:
        np.testing.assert_allclose(picture, picture[:1] * np.ones((12, 1)), atol=1e-12)
    for picture in grating((1, 12, 12), 45, 6)[:, 0]:
        np.testing.assert_allclose(picture[1:, :-1], picture[:-1, 1:], atol=1e-12)  # one down, one to the left
    np.testing.assert_allclose(grating((1, 12, 12), 90, 6)[0, 0, 0, [0, 3, 6]], [1, 0, 1])


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (2, 1, 5)])
def test_gratings_are_grey_and_fit_into_the_picture(shape):
    assert len(periods(shape)) >= 1
    assert len(periods(shape)) == 1 or periods(shape).max() <= min(shape[1:])
    for period in periods(shape):
        waves = grating(shape, 30, period)
        assert waves.shape == (8, *shape)
        assert 0 <= waves.min() <= waves.max() <= 1
        assert np.ptp(waves, axis=1).max() == 0  # all colours alike
        np.testing.assert_allclose(waves.mean(0), 0.5, atol=1e-12)  # over the phases every pixel is grey


@pytest.mark.parametrize(("kernel", "angle"), [(SOBEL, 0), (SOBEL.T, 90), (-SOBEL, 0)])
def test_a_sobel_kernel_prefers_the_edges_that_it_was_made_for(kernel, angle):
    (index, preferred), (_, of_mean) = tuning_of(kernels(kernel))
    for found in (preferred, of_mean):
        assert abs((found[0] - angle + 90) % 180 - 90) < 0.01
    assert index[0] > 0.3


@pytest.mark.parametrize("angle", [0, 20, 45, 75, 90, 110, 135, 170])
def test_the_preferred_orientation_of_a_planted_gabor_is_found(angle):
    (index, preferred), _ = tuning_of(kernels(gabor(angle)))
    assert abs((preferred[0] - angle + 90) % 180 - 90) < 3
    assert index[0] > 0.6


def test_a_round_kernel_has_no_orientation_and_a_dead_one_no_value():
    at = np.arange(9) - 4
    round_one = np.exp(-(at[:, None] ** 2 + at**2) / 4) - np.exp(-(at[:, None] ** 2 + at**2) / 9) * 4 / 9
    (index, preferred), _ = tuning_of(kernels(round_one, np.zeros((9, 9))))
    assert index[0] < 0.02
    assert np.isnan([index[1], preferred[1]]).all()


def test_a_channel_that_never_falls_to_0_hides_its_orientation_from_the_mean_only():
    (index, preferred), (of_mean, _) = tuning_of(kernels(SOBEL, bias=20))
    assert index[0] > 0.3
    assert min(preferred[0], 180 - preferred[0]) < 1e-3
    assert of_mean[0] < 0.01


def test_responses_of_a_linear_channel_are_the_gain_of_its_kernel():
    """The oracle: of a kernel that stays linear the root mean square is |H| · amplitude / √2, H its transform."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 1, (3, 3))
    moved, mean = responses(kernels(kernel, bias=50), {"conv": np.ones((18, 18), dtype=bool)}, (1, 20, 20))["conv"]
    y, x = np.mgrid[:3, :3]
    for i, period in enumerate(periods((1, 20, 20))):
        for j, angle in enumerate(np.deg2rad(ORIENTATIONS)):
            wave = np.exp(2j * np.pi * (x * np.sin(angle) + y * np.cos(angle)) / period)
            assert moved[0, i, j] == pytest.approx(abs((kernel * wave).sum()) * 0.5 / np.sqrt(2), rel=1e-3, abs=1e-4)
            assert mean[0, i, j] == pytest.approx(50 + kernel.sum() / 2, rel=1e-5)


def test_responses_by_a_slow_loop():
    """The oracle: the definition, place by place, for a network that is not linear."""
    torch.manual_seed(0)
    network = ConvNet(shape=(1, 14, 14), classes=3, channels=(3, 2), padding=0, hidden=()).eval()
    field = receptive_fields(network, ["conv2"], (1, 14, 14))["conv2"]
    moved, mean = responses(network, {"conv2": field.inside}, (1, 14, 14))["conv2"]
    grey = conv2(network, np.full((1, 1, 14, 14), 0.5))[0]
    for i, j in ((0, 3), (2, 7), (3, 0)):
        maps = conv2(network, grating((1, 14, 14), ORIENTATIONS[j], periods((1, 14, 14))[i]))
        for c in range(2):
            values = [(maps[p, c, y, x], grey[c, y, x]) for p in range(len(PHASES)) for y, x in places(field.inside)]
            assert mean[c, i, j] == pytest.approx(sum(v for v, _ in values) / len(values), abs=1e-6)
            expected = np.sqrt(sum((v - g) ** 2 for v, g in values) / len(values))
            assert moved[c, i, j] == pytest.approx(expected, abs=1e-6)


def conv2(network, pictures):
    (outputs,) = activations(network, ["conv2"], [torch.from_numpy(pictures).float()])
    return outputs["conv2"].numpy()


def places(inside):
    return list(zip(*np.nonzero(inside), strict=True))


def test_the_best_period_is_that_of_the_largest_response_and_the_first_of_equals():
    response = np.zeros((3, 6, 12))
    response[0, 4, 2], response[0, 1, :] = 5, 4  # a larger sum elsewhere
    response[1, [2, 3], 0] = 1
    tuning, best = at_best_period(response)
    assert best.tolist() == [4, 2, 0]
    assert tuning[0].tolist() == response[0, 4].tolist()


@pytest.mark.parametrize(
    ("options", "sizes", "strides", "seen"),
    [
        (DIGITS, ((3, 3), (8, 8)), (1, 2), (26, 11)),
        ({**DIGITS, "padding": 1}, ((3, 3), (8, 8)), (1, 2), (26, 10)),
    ],
)
def test_the_receptive_field_is_that_of_the_closed_form(options, sizes, strides, seen):
    """The oracle: conv 3, pool 2 with stride 2, conv 3 see 3, 4 and 4 + 2·2 = 8 pixels."""
    torch.manual_seed(0)
    fields = receptive_fields(ConvNet(**options), ["conv1", "conv2"], (1, 28, 28))
    for field, size, stride, inside in zip(fields.values(), sizes, strides, seen, strict=True):
        assert field.size == size
        assert field.side == size[0]
        assert field.stride == (stride, stride)
        assert field.inside.sum() == inside**2


def test_fields_of_other_shapes():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide = nn.Conv2d(2, 1, (2, 5), stride=(1, 3))
            self.spread = nn.Conv2d(1, 2, 3, dilation=2, padding=2)
            self.norm = nn.BatchNorm2d(2)
            self.all = nn.AdaptiveAvgPool2d(1)
            self.stuck = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            seen = self.all(self.norm(self.spread(self.wide(x))))
            return (seen + self.stuck(torch.ones(len(x), 2, 1, 1, dtype=x.dtype))).flatten(1)

    fields = receptive_fields(Odd().eval(), ["wide", "spread", "norm", "all"], (2, 20, 30))
    assert fields["wide"].size == (2, 5)
    assert fields["wide"].stride == (1, 3)
    assert fields["spread"].size == fields["norm"].size == (2 + 4, 5 + 4 * 3)
    assert fields["spread"].inside.sum() == (19 - 4) * (9 - 4)
    assert fields["all"].size == (20, 29)  # the last column is skipped by the stride
    assert np.isnan(fields["all"].stride).all()
    with pytest.raises(SeedscopeError, match="'stuck' does not depend on the picture"):
        receptive_fields(Odd().eval(), ["stuck"], (2, 20, 30))


def test_weights_of_0_change_no_receptive_field_and_the_network_stays_as_it_was():
    network = ConvNet(**DIGITS)
    for parameter in network.parameters():
        parameter.data.zero_()
    fields = receptive_fields(network, ["conv2"], (1, 28, 28))
    assert fields["conv2"].size == (8, 8)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_the_effective_field_by_differences():
    """The oracle: the slope of the output before its ReLU, pixel by pixel, in double precision."""
    torch.manual_seed(1)
    network = ConvNet(shape=(2, 11, 11), classes=3, channels=(3, 2), padding=0, hidden=()).double()
    network.requires_grad_(requires_grad=False)
    pictures = torch.rand(3, 2, 11, 11, dtype=torch.float64)
    found = effective_fields(network, "conv2", pictures, (1, 0))

    def before_relu(x):
        return network.conv2(torch.relu(network.pool1(network.conv1(x))))[:, :, 1, 0]

    slow = np.zeros((2, 11, 11))
    for colour in range(2):
        for y in range(11):
            for x in range(11):
                step = torch.zeros_like(pictures)
                step[:, colour, y, x] = 1e-6
                slope = (before_relu(pictures + step) - before_relu(pictures - step)) / 2e-6
                slow[:, y, x] += slope.abs().mean(0).numpy()
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert not pictures.requires_grad


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_effective_side_of_an_even_square_is_its_side(size):
    field = np.zeros((2, 12, 15))
    field[0, 3 : 3 + size, 5 : 5 + size] = 0.2
    side = effective_side(field)
    assert side[0] == pytest.approx(size)
    assert np.isnan(side[1])


def test_shuffled_labels_explain_as_much_variance_as_theory_says():
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(5), 12)
    mean = rng.gamma(2, 1, (60, 40)) + (label == 2)[:, None]
    index, variance = _shuffled(mean, label, 5)
    assert variance.mean() == pytest.approx((5 - 1) / (60 - 1), rel=0.03)
    orders = np.random.default_rng(0)
    slow = [class_selectivity(class_means(mean, orders.permutation(label), 5)) for _ in range(_SHUFFLES)]
    np.testing.assert_allclose(index, np.mean(slow, 0))
    assert index.min() > 0.02  # its largest class is chosen, so it is not 0
    means = class_means(mean, label, 5)
    assert (class_selectivity(means) > index).mean() > 0.9
    assert (class_variance(means, mean, label) > variance).mean() > 0.8


# --- the lens ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def convolutional(random_replica):
    """A replica whose network is a small ConvNet; its first frame holds weights of another draw."""

    def build(*, shape=(1, 16, 16), channels=(4, 6), classes=3, change=None, **options):
        architecture = lambda: ConvNet(shape=shape, classes=classes, channels=channels, hidden=())  # noqa: E731
        torch.manual_seed(0)
        untrained, trained = architecture().state_dict(), architecture().state_dict()
        if change is not None:
            change(trained, untrained)
        replica = random_replica(classes=classes, shape=shape, **options)
        frames = xr.Dataset(
            {
                name: (("frame", *(f"{name}.{axis}" for axis in range(value.ndim))), value.numpy()[None])
                for name, value in untrained.items()
            }
        )
        weights = {name: value.numpy() for name, value in trained.items()}
        return dataclasses.replace(replica, architecture=architecture, weights=weights, frames=frames)

    return build


def test_the_lens_tells_its_numbers_by_layer_network_and_channel(look, convolutional):
    seen = look(LENS, convolutional())
    assert set(seen.drawings) == {
        "what_each_layer_sees",
        *(f"{layer}_{what}" for layer in ("conv1", "conv2") for what in ("orientation", "classes")),
    }
    table = seen.drawings["what_each_layer_sees"].table
    assert table.groupby(["network", "layer"]).channel.count().tolist() == [4, 6, 4, 6]
    for layer in ("conv1", "conv2"):
        part = seen.measured.isel(channel=np.flatnonzero(seen.measured.layer.values == layer))
        for name in MEASURES:
            own = table[(table.network == "trained") & (table.layer == layer)][name]
            trained, untrained = medians(part, name)
            assert seen.summary[f"{layer}_{name}"] == pytest.approx(own.median()) == pytest.approx(trained)
            assert seen.summary[f"{layer}_{name}_change"] == pytest.approx(trained - untrained)
    steps = seen.summary["conv2_class_variance"] - seen.summary["conv1_class_variance"]
    before = seen.summary["conv2_class_variance_untrained"] - seen.summary["conv1_class_variance_untrained"]
    assert seen.summary["conv1_to_conv2_class_variance"] == pytest.approx(steps)
    assert seen.summary["conv1_to_conv2_class_variance_change"] == pytest.approx(steps - before)


def test_a_network_that_did_not_change_has_no_change(look, convolutional):
    def same(trained, untrained):
        trained.update(untrained)

    summary = look(LENS, convolutional(change=same), draw=None).summary
    changes = {name: value for name, value in summary.items() if name.endswith("_change")}
    assert len(changes) == 2 * len(MEASURES) + 4
    assert set(changes.values()) == {0.0}


def test_planted_edge_and_class_detectors_are_found(look, convolutional):
    label = np.arange(60) % 3
    image = np.zeros((60, 1, 16, 16))
    image[label == 1, :, 6:10] = 1  # horizontal bars
    image[label == 2, :, :, 6:10] = 1
    image += np.random.default_rng(0).random(image.shape) * 0.1

    def plant(trained, _):
        for name in ("conv1.bias", "conv2.bias"):
            trained[name].fill_(-0.5)
        trained["conv1.weight"][0, 0], trained["conv1.weight"][1, 0] = SOBEL, SOBEL.T
        trained["conv2.weight"].zero_()
        trained["conv2.weight"][0, 0], trained["conv2.weight"][1, 1] = 1, 1

    replica = convolutional(change=plant)
    probe = replica.probe.assign(image=(replica.probe.image.dims, image.astype(np.float32)), label=(("sample",), label))
    measured = look(LENS, dataclasses.replace(replica, probe=probe), draw=None).measured.sel(network="trained")
    for first in (0, 4):  # of conv1, of conv2
        preferred = measured.preferred_orientation.values[first : first + 2]
        assert min(preferred[0], 180 - preferred[0]) < 1
        assert preferred[1] == pytest.approx(90, abs=1)
        assert measured.class_mean.values[first : first + 2].argmax(1).tolist() == [1, 2]
        assert (measured.class_selectivity.values[first : first + 2] > 0.7).all()
        assert (measured.class_variance.values[first : first + 2] > 0.8).all()
    assert np.isnan(measured.class_selectivity.values[6:]).all()  # the others of conv2 are dead


def test_silent_channels_have_no_value_and_the_figures_say_so(look, convolutional):
    def kill(trained, _):
        trained["conv2.bias"].fill_(-1e3)
        trained["conv1.weight"][2] = 0
        trained["conv1.bias"][2] = -1

    seen = look(LENS, convolutional(change=kill))
    assert seen.summary["conv1_silent_channels"] == 1
    assert seen.summary["conv2_silent_channels"] == 6
    assert seen.summary["conv2_silent_channels_untrained"] < 6
    for name in ("orientation_selectivity", "extent", "class_selectivity", "class_variance", "class_variance_change"):
        assert np.isnan(seen.summary[f"conv2_{name}"])
    assert np.isfinite(seen.summary["conv1_orientation_selectivity"])
    assert "conv2: 6 of 6 channels silent" in seen.drawings["what_each_layer_sees"].description
    assert "6 of 6 channels answer to no grating" in seen.drawings["conv2_orientation"].description
    assert "6 channels trained" in seen.drawings["conv2_classes"].description


def test_a_network_that_is_silent_from_the_start_is_drawn_too(look, convolutional):
    def kill(*networks):
        for weights in networks:
            weights["conv1.weight"].zero_()
            weights["conv1.bias"].fill_(-1)

    summary = look(Tuning(["conv1"]), convolutional(change=kill)).summary
    assert summary["conv1_silent_channels"] == summary["conv1_silent_channels_untrained"] == 4
    assert summary["conv1_receptive_field"] == 3


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (3, 12, 20), "channels": (1, 130)},
        {"shape": (1, 4, 4), "channels": (2, 3)},
        {"n": 3},
        {"unseen": (1,)},
        {"unseen": (0, 2)},
        {"classes": 25, "n": 100},
        {"image": np.zeros((60, 1, 16, 16)), "n": 60},
    ],
    ids=["wide-and-coloured", "tiny", "few", "a-class-unseen", "one-class", "many-classes", "blank"],
)
def test_any_network_and_pictures_are_drawn_readably(look, convolutional, options):
    seen = look(LENS, convolutional(**options))
    assert len(seen.drawings) >= 5
    for drawing in seen.drawings.values():
        assert max(drawing.figure.get_size_inches()) <= 20


def test_kernels_stand_beside_the_channels_that_see_the_picture(look, convolutional):
    replica = convolutional(shape=(3, 16, 16))
    seen = look(LENS, replica)
    np.testing.assert_allclose(seen.measured.conv1_kernel, replica.weights["conv1.weight"].sum(1), rtol=1e-6)
    assert "conv2_kernel" not in seen.measured
    assert len(seen.drawings["conv1_orientation"].figure.axes[0].images) == 4
    assert not seen.drawings["conv2_orientation"].figure.axes[0].images


def test_dead_channels_are_not_in_a_layers_number(look, convolutional):
    def kill(trained, untrained):
        for weights in (trained, untrained):  # a Sobel kernel that black pictures do not move, and gratings do
            weights["conv1.weight"][1, 0], weights["conv1.bias"][1] = SOBEL * 10, -1e-3

    replica = convolutional(change=kill, image=np.zeros((60, 1, 16, 16)), n=60)
    seen = look(Tuning(["conv1"]), replica, draw="conv1")
    measured = seen.measured.sel(network="trained")
    assert measured.orientation_selectivity[1] > 0.3
    alive = [c for c in range(4) if measured.active_share[c] > 0]
    assert 1 not in alive
    expected = np.median(measured.orientation_selectivity.values[alive])
    assert seen.summary["conv1_orientation_selectivity"] == pytest.approx(expected)


def test_seeds_are_compared_by_what_training_changed(readable, convolutional):
    def of_seed(seed):
        def draw_again(trained, _):
            torch.manual_seed(seed)
            trained.update(ConvNet(shape=(1, 16, 16), classes=3, channels=(4, 6), hidden=()).state_dict())

        return LENS.measure(convolutional(change=draw_again))

    measured = {seed: of_seed(seed) for seed in range(3)}
    comparison = LENS.compare(measured)
    assert readable(lambda: comparison.drawings) == ["what_training_changes", "early_and_late"]
    steps = comparison.drawings[1].figure.axes[1]
    own = [LENS.summarize(measured[seed])["conv1_to_conv2_class_variance_change"] for seed in range(3)]
    np.testing.assert_allclose(steps.lines[-3].get_xdata(), own)
    alone = Tuning(["conv1"]).compare({0: measured[0].isel(of=[0])})
    assert readable(lambda: alone.drawings) == ["what_training_changes"]
    one_seed = LENS.compare({0: measured[0]})
    assert len(readable(lambda: one_seed.drawings)) == 2
    nothing = {seed: one.assign(active_share=one.active_share * 0) for seed, one in measured.items()}
    assert len(readable(lambda: LENS.compare(nothing).drawings)) == 2


def test_the_p_of_no_change_is_that_of_a_t_test():
    """The oracle: scipy's t test, times the number of tests for the smallest."""
    from scipy.stats import ttest_1samp

    rows = [np.array([0.1, 0.3, 0.2, 0.25]), np.array([0.1, -0.2, 0.15, 0.0]), np.full(4, np.nan), np.array([0.0, 0.0])]
    p = across._no_change(rows)
    assert p[0] == pytest.approx(2 * ttest_1samp(rows[0], 0).pvalue)
    assert p[1] == pytest.approx(ttest_1samp(rows[1], 0).pvalue)
    assert np.isnan(p[2:]).all()


def test_the_same_replica_gives_the_same_bytes(convolutional):
    first, again = (LENS.measure(convolutional()).to_netcdf(engine="h5netcdf") for _ in range(2))
    assert bytes(first) == bytes(again)


def test_the_network_is_looked_at_without_a_warning(convolutional):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LENS.measure(convolutional(shape=(1, 8, 8)))


@pytest.mark.parametrize(("layer", "words"), [("conv3", "did you mean 'conv1'"), ("fc1", "no maps")])
def test_a_layer_without_maps_is_refused_by_name(layer, words):
    network = Network({"conv1": (4, 8, 8), "fc1": (64,), "logit": (3,)}, {}, {}, 3)
    Tuning(["conv1"]).check(network)  # it need not be dumped
    with pytest.raises(SettingError, match=words) as refused:
        Tuning(["conv1", layer]).check(network)
    assert refused.value.key == "layers"
    assert layer in refused.value.problem
