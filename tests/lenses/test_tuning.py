import dataclasses
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.activations.capture import activations
from seedscope.activations.receptive_field import receptive_fields
from seedscope.figures import FOR, Dots, Image, Words, panels_of
from seedscope.files.arrays import write_measured
from seedscope.files.errors import SettingError
from seedscope.formulas.classes import class_means, class_variance
from seedscope.formulas.gratings import ORIENTATIONS, PHASES, at_best_period, grating, periods
from seedscope.formulas.intervals import mean_interval
from seedscope.formulas.selectivity import class_selectivity, orientation_selectivity
from seedscope.lenses import Network
from seedscope.lenses.beside_nulls import with_p_of_gains
from seedscope.lenses.lens import is_share
from seedscope.lenses.tuning import Tuning, measure
from seedscope.lenses.tuning.layers import MEASURES, at_periods, medians
from seedscope.lenses.tuning.responses import to_gratings
from seedscope.models.convnet import ConvNet
from tests.lenses.networks import frames_of
from tests.lenses.sheets import marks, panel_of, words

LENS = Tuning(["conv1", "conv2"])
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
    moved, mean = to_gratings(network, inside, shape)["conv"]
    return tuple(orientation_selectivity(at_best_period(one)[0], ORIENTATIONS) for one in (moved, mean))


def test_sobel_kernels_prefer_the_edges_that_they_were_made_for():
    (index, preferred), (_, of_mean) = tuning_of(kernels(SOBEL, SOBEL.T, -SOBEL))
    for found in (preferred, of_mean):
        assert (np.abs((found - [0, 90, 0] + 90) % 180 - 90) < 0.01).all()
    assert (index > 0.3).all()


def test_the_preferred_orientations_of_planted_gabors_are_found():
    angles = np.array([0, 20, 45, 75, 90, 110, 135, 170])
    (index, preferred), _ = tuning_of(kernels(*map(gabor, angles)))
    assert (np.abs((preferred - angles + 90) % 180 - 90) < 3).all()
    assert (index > 0.6).all()


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
    moved, mean = to_gratings(kernels(kernel, bias=50), {"conv": np.ones((18, 18), dtype=bool)}, (1, 20, 20))["conv"]
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
    moved, mean = to_gratings(network, {"conv2": field.inside}, (1, 14, 14))["conv2"]
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


def test_shuffled_labels_explain_as_much_variance_as_theory_says():
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(5), 12)
    mean = rng.gamma(2, 1, (60, 40)) + (label == 2)[:, None]
    index, variance = measure._shuffled(mean, label, 5)
    assert variance.mean() == pytest.approx((5 - 1) / (60 - 1), rel=0.03)
    orders = np.random.default_rng(0)
    slow = [class_selectivity(class_means(mean, orders.permutation(label), 5)) for _ in range(measure._SHUFFLES)]
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
        before, after = ({name: value.numpy() for name, value in of.items()} for of in (untrained, trained))
        replica = random_replica(classes=classes, shape=shape, **options)
        return dataclasses.replace(replica, architecture=architecture, weights=after, frames=frames_of(before))

    return build


def test_the_lens_tells_its_numbers_by_layer_network_and_channel(look, convolutional):
    seen = look(LENS, convolutional(), rendered=True)
    assert set(seen.sheets) == {
        "what_each_layer_sees",
        *(f"{layer}_{what}" for layer in ("conv1", "conv2") for what in ("orientation", "classes")),
    }
    assert list(seen.measured.children) == ["conv1", "conv2"]
    table = seen.sheets["what_each_layer_sees"].table
    assert table.groupby(["network", "layer"]).channel.count().tolist() == [4, 6, 4, 6]
    for layer in ("conv1", "conv2"):
        part = seen.measured[layer].to_dataset()
        for name in MEASURES:
            own = table[(table.network == "trained") & (table.layer == layer)][name]
            trained, untrained = medians(part, name)
            assert seen.summary[f"{layer}_{name}"] == pytest.approx(own.median()) == pytest.approx(trained)
            assert seen.summary[f"{layer}_{name}_null_untrained"] == pytest.approx(untrained)
            assert seen.summary[f"{layer}_{name}_gain_untrained"] == pytest.approx(trained - untrained)
    steps = seen.summary["conv2_class_variance"] - seen.summary["conv1_class_variance"]
    before = seen.summary["conv2_class_variance_null_untrained"] - seen.summary["conv1_class_variance_null_untrained"]
    assert seen.summary["conv1_to_conv2_class_variance"] == pytest.approx(steps)
    assert seen.summary["conv1_to_conv2_class_variance_gain_untrained"] == pytest.approx(steps - before)


def test_a_network_that_did_not_change_has_no_gain(look, convolutional):
    def same(trained, untrained):
        trained.update(untrained)

    summary = look(LENS, convolutional(change=same), draw=None).summary
    gains = {name: value for name, value in summary.items() if name.endswith("_gain_untrained")}
    fixed = len(periods((1, 16, 16)))
    assert len(gains) == 2 * (len(MEASURES) + fixed) + 4 + fixed
    assert set(gains.values()) == {0.0}


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
    measured = look(LENS, dataclasses.replace(replica, probe=probe), draw=None).measured
    for layer in ("conv1", "conv2"):
        part = measured[layer].to_dataset().sel(network="trained").isel(channel=slice(2))
        preferred = part.preferred_orientation.values
        assert min(preferred[0], 180 - preferred[0]) < 1
        assert preferred[1] == pytest.approx(90, abs=1)
        assert part.class_mean.values.argmax(1).tolist() == [1, 2]
        assert (part.class_selectivity.values > 0.7).all()
        assert (part.class_variance.values > 0.8).all()
    assert np.isnan(measured["conv2"].class_selectivity.values[0, 2:]).all()  # the others are dead


def test_silent_channels_have_no_value_and_the_figures_say_so(look, convolutional):
    def kill(trained, _):
        trained["conv2.bias"].fill_(-1e3)
        trained["conv1.weight"][2] = 0
        trained["conv1.bias"][2] = -1

    seen = look(LENS, convolutional(change=kill))
    assert seen.summary["conv1_silent_channels"] == 1
    assert seen.summary["conv2_silent_channels"] == 6
    assert seen.summary["conv2_silent_channels_null_untrained"] < 6
    for name in (
        "orientation_selectivity_at_best_period",
        "orientation_selectivity_at_period_8",
        "extent",
        "class_selectivity",
        "class_variance",
    ):
        assert np.isnan(seen.summary[f"conv2_{name}"])
    assert np.isnan(seen.summary["conv2_class_variance_gain_untrained"])
    assert np.isfinite(seen.summary["conv1_orientation_selectivity_at_best_period"])
    overview = seen.sheets["what_each_layer_sees"]
    assert "conv2: 6 of 6 channels silent" in words(overview)
    extents = panel_of(overview, "extent")
    assert len(extents.top.names) == 3  # of conv2 there is no trained median
    trained_dots = [dots for dots in marks(extents, Dots) if dots.color == "#0072B2"]
    assert np.isnan(trained_dots[1].y).all()
    assert "6 of 6 channels answer to no grating" in seen.sheets["conv2_orientation"].description
    assert "6 channels trained" in seen.sheets["conv2_classes"].description
    assert panel_of(seen.sheets["conv2_classes"], "trained").empty == "no channel responds to a probe picture"


def test_a_network_that_is_silent_from_the_start_is_drawn_too(look, convolutional):
    def kill(*networks):
        for weights in networks:
            weights["conv1.weight"].zero_()
            weights["conv1.bias"].fill_(-1)

    seen = look(Tuning(["conv1"]), convolutional(change=kill), rendered=True)
    assert seen.summary["conv1_silent_channels"] == seen.summary["conv1_silent_channels_null_untrained"] == 4
    assert seen.summary["conv1_receptive_field"] == 3
    assert {panel.empty for panel in panels_of(seen.sheets["what_each_layer_sees"].body)} == {"no channel has a value"}


@pytest.mark.parametrize(
    ("options", "rendered"),
    [
        ({"shape": (3, 12, 20), "channels": (1, 130), "classes": 25, "n": 100}, True),
        ({"shape": (1, 4, 4), "channels": (2, 3), "n": 3, "unseen": (1,)}, True),
        ({"unseen": (0, 2)}, False),
        ({"image": np.zeros((60, 1, 16, 16)), "n": 60}, False),
    ],
    ids=["wide-coloured-many-classes", "tiny-few-a-class-unseen", "one-class", "blank"],
)
def test_any_network_and_pictures_are_drawn_readably(look, convolutional, options, rendered):
    seen = look(LENS, convolutional(**options), rendered=rendered)
    assert not any("nan" in words(sheet) for sheet in seen.sheets.values())
    count = seen.measured["conv2"].sizes["channel"]
    parts = [name for name in seen.sheets if name.startswith("conv2_orientation")]
    assert len(seen.sheets) == 4 + len(parts)
    assert len(parts) == -(-count // 64)
    said = [mark for name in parts for mark in marks(seen.sheets[name], Words)]
    assert [mark.text.partition(":")[0] for mark in said] == [str(channel) for channel in range(count)]


def test_kernels_stand_beside_the_channels_that_see_the_picture(look, convolutional):
    replica = convolutional(shape=(3, 16, 16))
    seen = look(LENS, replica)
    np.testing.assert_allclose(seen.measured["conv1"].kernel, replica.weights["conv1.weight"].sum(1), rtol=1e-6)
    assert "kernel" not in seen.measured["conv2"]
    shown = marks(seen.sheets["conv1_orientation"], Image)
    np.testing.assert_array_equal([image.values for image in shown], seen.measured["conv1"].kernel)
    assert len({(image.scale.low, image.scale.high) for image in shown}) == 1
    assert not marks(seen.sheets["conv2_orientation"], Image)


def random_kernels(count):
    return np.random.default_rng(0).normal(size=(count, 3, 3))


def responses(kernels, period):
    """Return the amplitude (kernel, orientation) of each kernel's answer to gratings: their Fourier transform."""
    y, x = np.mgrid[:3, :3]
    along = x * np.sin(np.deg2rad(ORIENTATIONS))[:, None, None] + y * np.cos(np.deg2rad(ORIENTATIONS))[:, None, None]
    return np.abs(np.einsum("oyx,kyx->ko", np.exp(2j * np.pi * along / period), kernels))


@pytest.mark.parametrize(("period", "most"), [(16, 0.04), (8, 0.17), (4, 0.61)])
def test_a_small_kernel_that_answers_most_to_wide_stripes_is_not_selective(period, most):
    every = periods((1, 28, 28))
    answers = np.stack([responses(random_kernels(20_000), one) for one in every], 1)
    best = np.abs(every[answers.max(2).argmax(1)] - period) < 0.1
    assert best.any()
    index, _ = orientation_selectivity(answers[best, np.abs(every - period).argmin()], ORIENTATIONS)
    assert index.max() < most
    at_fixed, _ = orientation_selectivity(responses(SOBEL.numpy()[None], period), ORIENTATIONS)
    assert at_fixed[0] > 0.3  # a kernel that is selective stays so at this period


def test_at_a_fixed_period_a_channel_that_only_blurs_more_keeps_its_selectivity(look, convolutional):
    """Planted: training adds a blur to an edge detector. Its best period grows; what a period shows is all of it."""

    def blur(trained, untrained):
        for weights in (trained, untrained):
            weights["conv1.weight"][:, 0], weights["conv1.bias"][:] = SOBEL, 0.0
        trained["conv1.weight"][:, 0] += 2.0

    seen = look(Tuning(["conv1"]), convolutional(change=blur), draw=None)
    part, summary = seen.measured["conv1"].to_dataset(), seen.summary
    assert (part.best_period.values[0] > part.best_period.values[1]).all()
    for index, period in enumerate(part.period.values):
        name = f"conv1_orientation_selectivity_at_period_{period:.0f}"
        trained, untrained = part.orientation_selectivity.values[:, 0, index]
        assert summary[name] == pytest.approx(trained)
        assert summary[f"{name}_null_untrained"] == pytest.approx(untrained)
        assert summary[f"{name}_gain_untrained"] == pytest.approx(trained - untrained)
        assert is_share(Tuning(["conv1"]), name)
        assert not is_share(Tuning(["conv1"]), f"{name}_gain_untrained")
    assert not is_share(LENS, "conv1_to_conv2_class_variance")
    best = np.abs(part.period.values - part.best_period.values[0, 0]).argmin()
    assert part.orientation_selectivity_at_best_period[0, 0] == part.orientation_selectivity[0, 0, best]


def test_dead_channels_are_not_in_a_layers_number(look, convolutional):
    def kill(trained, untrained):
        for weights in (trained, untrained):  # a Sobel kernel that black pictures do not move, and gratings do
            weights["conv1.weight"][1, 0], weights["conv1.bias"][1] = SOBEL * 10, -1e-3

    replica = convolutional(change=kill, image=np.zeros((60, 1, 16, 16)), n=60)
    seen = look(Tuning(["conv1"]), replica, draw=None)
    part = seen.measured["conv1"].to_dataset().sel(network="trained")
    assert part.orientation_selectivity_at_best_period[1] > 0.3
    alive = [c for c in range(4) if part.active_share[c] > 0]
    assert 1 not in alive
    expected = np.median(part.orientation_selectivity_at_best_period.values[alive])
    assert seen.summary["conv1_orientation_selectivity_at_best_period"] == pytest.approx(expected)


def test_seeds_are_compared_by_what_training_changed(compared, convolutional):
    def of_seed(seed):
        def draw_again(trained, _):
            torch.manual_seed(seed)
            trained.update(ConvNet(shape=(1, 16, 16), classes=3, channels=(4, 6), hidden=()).state_dict())

        return LENS.measure(convolutional(change=draw_again))

    measured = {seed: of_seed(seed) for seed in range(3)}
    gains, by_period, steps = compared(LENS, measured, rendered=True).sheets
    assert (gains.name, by_period.name) == ("what_training_changes", "orientation_by_period")
    assert steps.name == "early_and_late"
    own = [LENS.summarize(measured[seed])["conv1_to_conv2_class_variance_gain_untrained"] for seed in range(3)]
    of_seeds = [dots for dots in marks(panel_of(steps, "gain"), Dots) if len(dots.x) == 3]
    np.testing.assert_array_equal(of_seeds[-1].x, own)
    tested = sum("_gain_" in name for name in LENS.summarize(measured[0]))
    for sheet in (gains, by_period, steps):
        assert f"corrected for the {tested} gains of this lens" in sheet.description
    trained = [dots for dots in marks(panel_of(by_period, "conv2"), Dots) if dots.color == FOR]
    for dots, name in zip(trained, at_periods(measured[0]), strict=True):
        np.testing.assert_array_equal(dots.y, [LENS.summarize(measured[seed])[f"conv2_{name}"] for seed in range(3)])
    alone = {seed: one.drop_nodes("conv2") for seed, one in measured.items()}
    assert [sheet.name for sheet in compared(Tuning(["conv1"]), alone).sheets] == [
        "what_training_changes",
        "orientation_by_period",
    ]
    assert len(compared(LENS, {0: measured[0]}).sheets) == 3
    for one in measured.values():
        for layer in ("conv1", "conv2"):
            one[layer]["active_share"] = one[layer].active_share * 0
    nothing = compared(LENS, measured).sheets[0]
    assert {panel.empty for panel in panels_of(nothing.body)} == {"no seed has a value"}


def test_the_p_in_the_figures_are_those_of_the_metrics(compared, convolutional):
    rng = np.random.default_rng(0)

    def change(trained, _):
        trained["conv1.weight"] += torch.from_numpy(
            rng.normal(0, 0.3, trained["conv1.weight"].shape).astype(np.float32)
        )

    measured = {seed: Tuning(["conv1"]).measure(convolutional(change=change)) for seed in range(3)}
    summaries = [Tuning(["conv1"]).summarize(one) for one in measured.values()]
    by_name = {name: mean_interval(np.array([one[name] for one in summaries])).as_dict() for name in summaries[0]}
    p = with_p_of_gains(by_name)["conv1_orientation_selectivity_at_period_4_gain_untrained"]["p"]
    _, by_period = compared(Tuning(["conv1"]), measured).sheets
    assert panel_of(by_period, "conv1").top.names[-2].endswith(f"p {p:.2g}")


def test_the_same_replica_gives_the_same_bytes(convolutional, tmp_path):
    for name in ("first.nc", "again.nc"):
        write_measured(tmp_path / name, LENS.measure(convolutional()))
    assert (tmp_path / "first.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()


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
