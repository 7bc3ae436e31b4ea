import dataclasses
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from seedscope.data import pictures
from seedscope.figures import Dots, Image, Line, Shapes, panels_of
from seedscope.files.arrays import write_measured
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.weights import read_weights
from seedscope.formulas.gratings import ORIENTATIONS, PHASES, grating
from seedscope.lenses import Network, Replica
from seedscope.lenses.words import Words, rule
from seedscope.lenses.words.null import permute
from seedscope.lenses.words.responses import answers, preferred_hue, view_of
from seedscope.lenses.words.stimuli import HUES, colour, periods, rings
from seedscope.lenses.words.vocabulary import (
    COLOUR,
    EDGE,
    NAMES,
    NONE,
    SILENT,
    SPOT,
    WORDS,
    counted,
    monte_carlo_error,
    shares,
)
from seedscope.models.convnet import ConvNet
from seedscope.models.vgg16 import Vgg16
from tests.lenses.networks import frames_of
from tests.lenses.sheets import marks, panel_of

DATA = Path(os.environ.get("SEEDSCOPE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
LENS = Words(["conv"])
AT = np.arange(9) - 4
SQUARED = AT[:, None] ** 2 + AT**2
WEIGHT = np.deg2rad(np.array([0.0, 120.0, 240.0]))  # of red, green, blue on the hue circle


def gabor(angle, *, period=5.0, sigma=2.0, phase=0.0):
    """Return a Gabor kernel whose stripes lie at ``angle`` degrees, counted from horizontal to the upper right."""
    across = AT[None] * np.sin(np.deg2rad(angle)) + AT[:, None] * np.cos(np.deg2rad(angle))
    kernel = np.cos(2 * np.pi * across / period + phase) * np.exp(-SQUARED / (2 * sigma**2))
    return kernel - kernel.mean()


def centre_surround(sigma=1.0, sign=1):
    centre, around = np.exp(-SQUARED / (2 * sigma**2)), np.exp(-SQUARED / (2 * (1.6 * sigma) ** 2))
    return sign * (centre - around * centre.sum() / around.sum())


def opponent(hue):
    """Return a kernel (colour, y, x) that is a blob of one hue and sums to 0 over colours at each place."""
    return np.cos(np.deg2rad(hue) - WEIGHT)[:, None, None] * np.exp(-SQUARED / 8)


def noise(seed, colours=3):
    return np.random.default_rng(seed).normal(0, 1, (colours, 9, 9))


def in_grey(kernel, colours=3):
    return np.repeat(kernel[None], colours, 0)


class Rectified(nn.Module):
    def __init__(self, kernels, bias=0.0):
        super().__init__()
        weight = torch.tensor(np.stack(kernels), dtype=torch.float32)
        self.conv = nn.Conv2d(weight.shape[1], len(weight), tuple(weight.shape[2:]))
        self.conv.weight.data, self.conv.bias.data = weight, torch.full((len(weight),), float(bias))

    def forward(self, x):
        return torch.relu(self.conv(x)).mean((2, 3))


@pytest.fixture
def given(random_replica):
    """A replica of one convolution with these kernels (colour, y, x), its weights given."""

    def build(kernels, bias=0.0, side=32):
        model = Rectified(kernels, bias)
        return dataclasses.replace(
            random_replica(shape=(model.conv.in_channels, side, side), n=8),
            architecture=lambda: Rectified(kernels),
            weights={name: tensor.numpy() for name, tensor in model.state_dict().items()},
        )

    return build


@pytest.fixture
def planted(given):
    """The same with a first frame that is the network itself: a null that takes one network, not up to 200."""

    def build(kernels, bias=0.0):
        replica = given(kernels, bias)
        return dataclasses.replace(replica, frames=frames_of(replica.weights))

    return build


@pytest.fixture
def trained(random_replica):
    """A replica of a small ConvNet, with a first frame of another draw, or of the same weights."""

    def build(*, shape=(1, 16, 16), channels=(16, 8), seed=1, change=True):
        architecture = partial(ConvNet, shape=shape, classes=3, channels=channels, hidden=())
        torch.manual_seed(seed)
        untrained, after = (
            {name: tensor.numpy() for name, tensor in architecture().state_dict().items()} for _ in range(2)
        )
        return dataclasses.replace(
            random_replica(shape=shape, n=8),
            architecture=architecture,
            weights=after if change else untrained,
            frames=frames_of(untrained),
            seed=seed,
        )

    return build


def conv(replica):
    """Return what the lens measures of the layer ``conv``."""
    return LENS.measure(replica)["conv"].to_dataset()


def answered(part):
    return part.answer.values.tolist()


def apart(one, other, circle):
    return abs((one - other + circle / 2) % circle - circle / 2)


PLANTED = {
    "gabor": (in_grey(gabor(30)), EDGE),
    "edge": (in_grey(gabor(100, phase=np.pi / 2)), EDGE),
    "bright": (in_grey(centre_surround()), SPOT),
    "dark": (in_grey(centre_surround(sign=-1)), SPOT),
    "orange": (opponent(40), COLOUR),
    "box": (np.ones((3, 9, 9)), NONE),
    "noise": (noise(3), NONE),
    "zero": (np.zeros((3, 9, 9)), SILENT),
}


def test_planted_kernels_get_their_words_and_what_they_prefer(given):
    measured = conv(given([kernel for kernel, _ in PLANTED.values()]))
    assert answered(measured) == [word for _, word in PLANTED.values()]
    assert apart(measured.preferred_orientation[0], 30, 180) < 7.5
    assert apart(measured.preferred_orientation[1], 100, 180) < 7.5
    assert measured.spot_polarity.values[2:4].tolist() == [0, 1]
    crossing = np.sqrt(2 * np.log(1.6**2) / (1 - 1.6**-2))  # where the centre turns into its surround
    assert (np.abs(np.log2(measured.spot_radius.values[2:4] / crossing)) < 0.5).all()  # radii grow by √2
    assert apart(measured.preferred_hue[4], 40, 360) < 15
    np.testing.assert_array_equal(measured.kernel[2], np.float32(PLANTED["bright"][0]))


def test_a_rotated_gabor_rotates_the_answer(planted):
    """The oracle: the peak of the kernel's two-dimensional Fourier spectrum, whose stripes lie across its direction."""
    angles = np.repeat([0, 15, 40, 90, 117, 135, 172], 2)
    gabors = [gabor(angle, phase=phase) for angle, phase in zip(angles, [0.0, np.pi / 2] * 7, strict=True)]
    measured = conv(planted([in_grey(kernel, 1) for kernel in gabors]))
    assert answered(measured) == [EDGE] * len(gabors)
    spectrum = np.abs(np.fft.fft2(gabors, (256, 256)))[..., :128]
    down, right = np.unravel_index(spectrum.reshape(len(gabors), -1).argmax(1), spectrum.shape[1:])
    expected = np.rad2deg(np.arctan2(right, (down + 128) % 256 - 128)) % 180
    assert (apart(expected, angles, 180) < 4).all()
    assert (apart(measured.preferred_orientation.values, expected, 180) < 7.5).all()


def test_the_hue_of_a_channel_is_that_of_its_weights(planted):
    """The oracle: the hue of the weights themselves, by the formula of hue, saturation and intensity."""
    hues = np.array([0, 50, 120, 200, 299])
    kernels = np.stack([opponent(hue) + 0.05 * noise(0) for hue in hues])
    red, green, blue = kernels.sum((2, 3)).T
    expected = np.rad2deg(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
    measured = conv(planted(kernels))
    assert answered(measured) == [COLOUR] * len(hues)
    assert (apart(measured.preferred_hue.values, expected, 360) < 1).all()
    assert (apart(expected, hues, 360) < 15).all()


def test_a_channel_that_sees_red_alone_answers_to_white_as_much_and_is_no_colour(planted):
    kernel = np.zeros((3, 9, 9))
    kernel[0] = np.exp(-SQUARED / 8)
    measured = conv(planted([kernel]))
    assert answered(measured) == [NONE]
    assert measured.hue_rise.values == pytest.approx(measured.grey_rise.values)


def test_permuted_channels_permute_the_words(planted):
    kernels = [kernel for kernel, _ in PLANTED.values()]
    order = np.random.default_rng(0).permutation(len(kernels))
    first, then = conv(planted(kernels)), conv(planted([kernels[i] for i in order]))
    for name in ("answer", "preferred_orientation", "preferred_hue", "spot_radius", "by_orientation", "met"):
        np.testing.assert_allclose(first[name].values[order], then[name].values, rtol=1e-4, atol=1e-5)


def test_a_stronger_filter_has_the_same_word(planted):
    kernels = [kernel for kernel, _ in PLANTED.values()]
    once = conv(planted(kernels, bias=0.1))
    for factor in (0.01, 30):
        more = conv(planted([factor * kernel for kernel in kernels], bias=0.1 * factor))
        assert answered(more) == answered(once)
        np.testing.assert_allclose(more.met, once.met, atol=1e-4)


def test_a_threshold_makes_no_channel_more_selective_until_it_is_silent(planted):
    kernels = [in_grey(gabor(30) + 0.4 * np.exp(-SQUARED / 8)), noise(3), in_grey(centre_surround())]
    plain, high = conv(planted(kernels)), conv(planted(kernels, bias=-0.5))
    np.testing.assert_allclose(plain.met, high.met, atol=1e-4)
    assert answered(conv(planted(kernels, bias=-1e4))) == [SILENT] * 3


def test_grey_pictures_have_no_colours(given):
    tree = LENS.measure(given([gabor(30)[None], centre_surround()[None], np.ones((1, 9, 9))]))
    measured = tree["conv"].to_dataset()
    assert answered(measured) == [EDGE, SPOT, NONE]
    assert np.isnan(measured.met.values[:, COLOUR]).all()
    assert np.isnan(measured.preferred_hue).all()
    assert set(LENS.summarize(tree)) == {
        f"conv_{word}{which}"
        for word in ("edges", "spots", "none", "silent")
        for which in ("", "_null_permuted", "_null_permuted_monte_carlo_error")
    }


def slow(network, layer, place, side, shape):
    """Return G, A, S, U, H and M of each channel at one place, a picture at a time, as the docstring writes them."""
    y, x = place

    def z(picture):
        seen = []
        handle = network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
        network(torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32))[None])
        handle.remove()
        return seen[0][0, :, y, x].double().numpy()

    grey = z(np.full(shape, 0.5))
    waves = periods(side)
    changes = []

    def rise(pictures):
        found = np.stack([z(picture) - grey for picture in pictures])
        changes.append(np.abs(found).max(0))
        return np.maximum(found.max(0), 0)

    by_angle = np.stack([np.max([rise(grating(shape, a, p)) for p in waves], 0) for a in ORIENTATIONS])
    best = by_angle.argmax(0)
    across = by_angle[(best + 6) % 12, np.arange(len(best))]
    spot = np.max([rise(rings(shape, p, side)) for p in waves], 0)
    plain = rise([np.zeros(shape), np.ones(shape)])
    hue = rise([np.broadcast_to(colour(h)[:, None, None], shape) for h in HUES]) if shape[0] == 3 else 0 * plain
    return by_angle.max(0), across, spot, plain, hue, np.max(changes, 0)


@pytest.mark.parametrize("shape", [(3, 24, 24), (1, 24, 24)])
def test_numbers_by_a_slow_loop_a_picture_at_a_time(shape):
    """The oracle: the definition, for a network that is not linear; so no number depends on what shares a batch."""
    torch.manual_seed(3)
    network = ConvNet(shape=shape, classes=2, channels=(5, 7), padding=1, hidden=()).eval().requires_grad_(False)
    view = view_of(network, "conv2", shape)
    inside = np.zeros((12, 12), dtype=bool)
    inside[6, 5] = True  # so that the largest over places is that of the loop
    view = dataclasses.replace(view, field=dataclasses.replace(view.field, inside=inside), shape=shape)
    found = rule.numbers(answers(network, view))
    g, a, s, u, h, m = slow(network, "conv2", (6, 5), view.field.side, shape)
    np.testing.assert_allclose(found[:, EDGE], (g - np.max([a, u, h], 0)) / m, atol=1e-4)
    np.testing.assert_allclose(found[:, SPOT], (s - np.max([g, u, h], 0)) / m, atol=1e-4)
    if shape[0] == 3:
        np.testing.assert_allclose(found[:, COLOUR], (h - np.max([g, s, u], 0)) / m, atol=1e-4)


def test_stimuli_are_grey_changed_by_at_most_a_half():
    for period in periods(24):
        pictures = rings((3, 20, 20), period, 9)
        assert pictures.shape == (18, 3, 20, 20)
        assert 0 <= pictures.min() <= pictures.max() <= 1
        np.testing.assert_allclose(pictures[:9] + pictures[9:], 1)  # a dark spot is a bright one turned over
        middle = pictures[4, 0, 1:, 1:]  # around (10, 10)
        np.testing.assert_allclose(middle, np.rot90(middle), atol=1e-12)
        assert middle[9, 9] == pytest.approx(1)
    np.testing.assert_allclose(colour(HUES).mean(-1), 0.5)
    np.testing.assert_allclose(colour(np.array([0.0, 120.0, 240.0])), 0.25 + 0.75 * np.eye(3))
    assert len(PHASES) == 8


def test_a_larger_field_has_the_same_periods_and_more():
    np.testing.assert_allclose(periods(3), 2 ** np.arange(1.5, 4.1, 0.5))
    assert periods(40)[: len(periods(3))].tolist() == periods(3).tolist()
    assert periods(40).max() == pytest.approx(32)


def test_the_preferred_hue_is_the_phase_of_the_first_harmonic():
    change = np.stack([2 * np.cos(np.deg2rad(HUES - 77)), np.zeros(12), np.ones(12)])
    found = preferred_hue(change)
    assert found[0] == pytest.approx(77)
    assert np.isnan(found[1:]).all()


def test_of_two_words_it_is_the_one_farther_above_its_limit():
    number = np.array([[0.55, 0.4, np.nan], [0.9, 0.2, np.nan], [0.4, 0.1, 0.3], [np.nan] * 3, [0.9, 0, 0]])
    quiet = np.array([False, False, False, False, True])
    found = rule.words(number, quiet, np.array([0.1, 0.1, np.nan]))
    assert found.tolist() == [SPOT, EDGE, NONE, NONE, SILENT]
    assert rule.words(number[:1], quiet[:1], np.array([0.01, 0.1, 1.0])).tolist() == [EDGE]


# --- the field and the null -------------------------------------------------------------------------------------------


def test_every_layer_is_shown_pictures_as_small_as_its_field():
    """The oracle: the closed form of VGG16's blocks, three pixels and two strides more for each convolution."""
    stack, names, sizes = [], [], []
    depth, size, stride = 3, 1, 1
    for convolutions in (2, 2, 2):
        for _ in range(convolutions):
            names.append(str(len(stack)))
            stack += [nn.Conv2d(depth, 2, 3, padding=1), nn.ReLU()]
            depth, size = 2, size + 2 * stride
            sizes.append((size, stride))
        stack.append(nn.MaxPool2d(2))
        size, stride = size + stride, stride * 2
    network = nn.Sequential(*stack).eval().requires_grad_(False)
    for name, (expected, step) in zip(names, sizes, strict=True):
        view = view_of(network, name, (3, 100, 120))
        assert view.field.size == (expected, expected)
        assert view.shape == (3, expected + step, expected + step)
        assert view.field.inside.any()


def test_a_dense_layer_behind_does_not_hold_the_pictures_at_their_size():
    network = ConvNet(shape=(3, 60, 60), classes=2, channels=(2, 3, 2), padding=0, hidden=(4,)).eval()
    assert view_of(network, "conv3", (3, 60, 60)).shape == (3, 22, 22)


def test_a_layer_that_takes_one_size_only_is_shown_whole_pictures():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.conv(x.reshape(-1, 1, 20, 24))

    assert view_of(Fixed().eval(), "conv", (1, 20, 24)).shape == (1, 20, 24)


def test_a_layer_that_sees_the_whole_picture_is_refused_by_name():
    network = ConvNet(shape=(1, 10, 10), classes=2, channels=(2, 2), padding=1, hidden=()).eval()
    assert view_of(network, "conv2", (1, 10, 10)).field.size == (8, 8)
    with pytest.raises(SeedscopeError, match="layer 'conv2' sees the whole picture of 6×6 pixels"):
        view_of(network, "conv2", (1, 6, 6))


def test_the_null_keeps_each_filters_weights_and_takes_away_their_order():
    torch.manual_seed(0)
    network = ConvNet(shape=(3, 16, 16), classes=2, channels=(4, 5), hidden=())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    permute(network, np.random.default_rng(0))
    for name, tensor in network.state_dict().items():
        if tensor.ndim == 4:
            assert not torch.equal(tensor, before[name])
            assert torch.equal(tensor.flatten(1).sort(1).values, before[name].flatten(1).sort(1).values)
            moved = [torch.equal(a, b) for a, b in zip(tensor, before[name], strict=True)]
            assert not any(moved)
        else:
            assert torch.equal(tensor, before[name])


def test_random_filters_rarely_have_a_word_for_a_spot_or_a_colour(given):
    measured = conv(given([noise(seed)[:, 3:6, 3:6] for seed in range(200)]))
    counts = counted(measured.answer.values)
    assert counts[SPOT] + counts[COLOUR] <= 10
    assert counts[EDGE] < 60  # a 3×3 kernel prefers some orientation: so its null stands beside it
    assert int(measured.null_count.sum()) == 200
    null = measured.null_count.values / 200
    error = monte_carlo_error(measured)
    np.testing.assert_allclose(error, [stats.binom(200, share).std() / 200 for share in null])
    share, null = shares(measured)
    np.testing.assert_allclose(share, null, atol=0.08)  # permuted, noise is noise


def test_a_network_that_did_not_learn_has_the_words_of_its_null(trained):
    lens = Words(["conv1", "conv2"])
    summary = lens.summarize(lens.measure(trained(change=False)))
    gains = {name: value for name, value in summary.items() if name.endswith("_gain_untrained")}
    assert len(gains) == 2 * 4
    assert set(gains.values()) == {0.0}
    assert summary["conv1_edges"] == summary["conv1_edges_null_untrained"]


# --- the lens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernels", "figure", "rendered"),
    [
        ([kernel for kernel, _ in PLANTED.values()] * 2, "few", True),
        ([in_grey(gabor(seed * 5.6)) for seed in range(16)] + [opponent(seed * 6) for seed in range(64)], "many", True),
        ([noise(seed, 1)[:, :3, :3] for seed in range(300)], "grey, 300", True),
        ([np.zeros((1, 9, 9))], "one, silent", False),
        ([noise(seed, 2) for seed in range(5)], "two colours", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_of_all_sizes_are_drawn_readably(look, planted, kernels, figure, rendered):
    seen = look(LENS, planted(kernels), rendered=rendered)
    assert set(seen.sheets) == {"what_channels_answer_to", "conv_words", "conv_tuning_curves"}, figure
    answer = answered(seen.measured["conv"])
    table = seen.sheets["what_channels_answer_to"].table
    assert table.word.tolist() == [WORDS[word] for word in answer]
    assert sum(seen.summary.get(f"conv_{name}", 0) for name in NAMES) == pytest.approx(1)
    words = seen.sheets["conv_words"]
    (page,) = panels_of(words.body)
    assert max(page.width, page.height) < 14
    images, squares = len(marks(words, Image)), marks(words, Shapes)[0]
    assert images == (len(answer) if kernels[0].shape[0] in (1, 3) else 0)
    assert len(squares.corners) == images + sum(word < NONE for word in answer)


def test_the_figure_says_how_many_curves_it_shows(look, planted):
    sheet = look(LENS, planted([in_grey(gabor(a)) for a in range(0, 180, 15)])).sheets["conv_tuning_curves"]
    edges, spots, _ = panels_of(sheet.body)
    assert edges.title == "oriented edges: the 8 clearest of 12"
    assert len({line.label for line in marks(edges, Line)}) == 8
    assert spots.empty == "no channel has this word"
    table = sheet.table
    assert table[table.stimulus == "orientation"].groupby("channel").rise.idxmax().size == 12


def test_layers_that_the_rule_was_fixed_on_are_said_to_be_in_sample(look, trained):
    """Planted: the rule was fixed on conv1. Figure, table and metrics say so, of conv1 alone."""
    seen = look(Words(["conv1", "conv2"], ["conv1"]), trained(seed=1), draw="what_channels_answer_to")
    sheet = seen.sheets["what_channels_answer_to"]
    assert "In-sample: the rule was fixed after looking at conv1, so only conv2 test it." in sheet.description
    rows = panel_of(sheet, "oriented edges").y.names
    assert [name.endswith("in-sample") for name in rows] == [True, False]
    assert sheet.table.groupby("layer").in_sample.all().to_dict() == {"conv1": True, "conv2": False}
    assert (seen.summary["conv1_in_sample"], seen.summary["conv2_in_sample"]) == (1.0, 0.0)
    plain = look(Words(["conv1"]), trained(seed=1), draw="what_channels_answer_to")
    assert "n-sample" not in plain.sheets["what_channels_answer_to"].description
    assert not any("in_sample" in name for name in plain.summary)
    only = look(Words(["conv1"], ["conv1"]), trained(seed=1), draw="what_channels_answer_to")
    assert "none of these layers tests it" in only.sheets["what_channels_answer_to"].description


def test_a_layer_that_shaped_the_rule_is_one_that_is_looked_at():
    network = Network({"conv1": (4, 8, 8), "conv2": (4, 8, 8), "logit": (3,)}, {}, {}, 3)
    with pytest.raises(SettingError, match="'conv2' is not one of the layers"):
        Words(["conv1"], ["conv2"]).check(network)


def test_seeds_are_compared_with_their_untrained_networks(trained, compared):
    lens = Words(["conv1", "conv2"])
    measured = {seed: lens.measure(trained(seed=seed)) for seed in (1, 2, 3)}
    (sheet,) = compared(lens, measured, rendered=True).sheets
    dots = {mark.label: mark.x for mark in marks(panel_of(sheet, "oriented edges"), Dots)}
    for layer, word in ((0, "conv1_edges"), (1, "conv2_edges")):
        for network, ending in (("trained", ""), ("untrained (null)", "_null_untrained")):
            expected = np.mean([lens.summarize(one)[word + ending] for one in measured.values()])
            assert dots[network][layer] == pytest.approx(expected)
    assert len(compared(lens, {1: measured[1]}).sheets) == 1


def test_the_same_replica_gives_the_same_bytes(trained, tmp_path):
    lens = Words(["conv1", "conv2"])
    for name in ("first.nc", "again.nc"):
        write_measured(tmp_path / name, lens.measure(trained()))
    assert (tmp_path / "first.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()


@pytest.mark.parametrize(("layer", "words"), [("conv3", "did you mean 'conv1'"), ("fc1", "no maps")])
def test_a_layer_without_maps_is_refused_by_name(layer, words):
    network = Network({"conv1": (4, 8, 8), "fc1": (64,), "logit": (3,)}, {}, {}, 3)
    Words(["conv1"]).check(network)
    with pytest.raises(SettingError, match=words):
        Words(["conv1", layer]).check(network)


@pytest.mark.skipif(not (DATA / "weights").is_dir(), reason="neither SEEDSCOPE_DATA nor ../shared/data")
def test_the_first_layer_of_vgg16_holds_oriented_edges_and_colours():
    probe = pictures(np.full((1, 3, 224, 224), 0.5, dtype=np.float32), np.array([-1]), "probe")
    make = partial(Vgg16, last="features.1", mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0))
    weights = read_weights(DATA / "weights/vgg16_features_blocks1-3.safetensors")
    first = {name: tensor for name, tensor in weights.items() if name.startswith("features.0.")}
    replica = Replica("vgg16", "given", probe, probe, {}, first, np.array([0]), ("unknown",), make)
    lens = Words(["features.0"])
    summary = lens.summarize(lens.measure(replica))
    assert summary["features.0_edges"] > 2 * summary["features.0_edges_null_permuted"]
    assert summary["features.0_colours"] > 0.2 > 0.05 > summary["features.0_colours_null_permuted"]
