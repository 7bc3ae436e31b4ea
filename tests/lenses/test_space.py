from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.decomposition import PCA

from seedscope.figures import FOR, NEUTRAL, Bars, Dots, Line, Words, panels_of
from seedscope.files.errors import SettingError
from seedscope.formulas.classes import class_separation, nearest_centroid_accuracy
from seedscope.formulas.ridge import readout
from seedscope.lenses import Network
from seedscope.lenses.space import Space

from .sheets import marks, words

LENS = Space("fc1")


def train(replica, *, frames=3, of=40, constant=False):
    """Return the replica with frames: its activations of the first pictures grow out of noise, unless ``constant``."""
    values = replica.activations["fc1"].values[:of]
    flat = values.reshape(*values.shape[:2], -1).mean(-1)
    rng = np.random.default_rng(4)
    noise = np.clip(rng.normal(0, 1, (frames, *flat.shape)), 0, None)
    part = np.linspace(0, 1, frames)[:, None, None] if frames > 1 else np.ones((1, 1, 1))
    grown = np.ones((frames, *flat.shape)) if constant else part * flat + (1 - part) * noise * (flat != 0)
    step = np.array([0, 1, 3, 10, 100, 1200])[:frames]
    followed = xr.DataArray(
        grown,
        dims=("frame", "sample", "unit"),
        coords={
            "sample": replica.probe.sample.values[:of],
            "frame": np.arange(frames),
            "step": ("frame", step),
            "epoch": ("frame", step / 100),
        },
    )
    return replace(replica, activations={**replica.activations, "fc1_frames": followed})


class Maps(torch.nn.Module):
    """A convolution, ``fc1``, that makes three maps of 2×2 of a picture of 8×8, and a dense head on them."""

    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Conv2d(1, 3, 5, stride=3)
        self.fc2 = torch.nn.Linear(12, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)).flatten(1))


def with_network(replica, frames):
    """Return a replica of feature maps with a network that makes them, other weights at each frame."""
    rng = np.random.default_rng(5)
    shapes = {name: tuple(tensor.shape) for name, tensor in Maps().state_dict().items()}
    weights = {name: rng.normal(0, 1, (frames, *shape)).astype(np.float32) for name, shape in shapes.items()}
    dims = {name: ("frame", *(f"{name}_{axis}" for axis in range(len(shape)))) for name, shape in shapes.items()}
    kept = xr.Dataset({name: (dims[name], values) for name, values in weights.items()})
    return replace(replica, architecture=Maps, frames=kept)


def random_space(random_replica, *, frames=3, constant=False, places=False, **options):
    n = options.setdefault("n", 60)
    if places:
        rng = np.random.default_rng(8)
        options["places"] = (rng.integers(0, 27, n), rng.integers(0, 27, n))
    replica = random_replica(**options)
    if constant:
        same = xr.full_like(replica.activations["fc1"], 0.1)
        replica = replace(replica, activations={**replica.activations, "fc1": same})
    if "feature_map" in options:
        replica = with_network(replica, frames)
    return train(replica, frames=frames, constant=constant)


def test_the_null_of_the_readout_is_what_the_class_alone_tells(look, random_replica):
    rng = np.random.default_rng(0)
    n = 300
    label = rng.integers(3, size=n)
    replica = random_replica(
        n=n, seed=1, classes=3, places=(10 * label + rng.integers(0, 5, n), rng.integers(0, 27, n))
    )
    label_of = replica.probe.label.values
    y = 10 * label_of + rng.integers(0, 5, n)
    values = np.clip(replica.activations["fc1"].values, 0, None)
    values[:, 0] = y
    activations = {**replica.activations, "fc1": replica.activations["fc1"].copy(data=values)}
    replica = replace(replica, probe=replica.probe.assign(square_y=("sample", y)), activations=activations)
    summary = look(LENS, train(replica), draw=None).summary
    assert summary["place_r2_within_class_null_permuted"] == pytest.approx(0, abs=0.05)
    assert summary["place_r2"] > summary["place_r2_null_permuted"]
    y_total, x_total = ((v - v.mean()) @ (v - v.mean()) for v in (y, replica.probe.square_x.values))
    mean = np.array([y[label_of == k].mean() for k in range(3)])[label_of]
    class_alone = ((mean - y.mean()) ** 2).sum() / (y_total + x_total)
    assert summary["place_r2_null_permuted"] == pytest.approx(class_alone, abs=0.06)


@pytest.mark.parametrize("copies", [True, False])
def test_copies_of_one_unit_span_less_than_permuted_ones_and_unrelated_units_as_much(look, random_replica, copies):
    replica = random_space(random_replica, n=400)
    rng = np.random.default_rng(7)
    values = np.abs(rng.normal(0, 1, (400, 1 if copies else 12)) * np.ones(12)) + 0.01
    activations = {**replica.activations, "fc1": replica.activations["fc1"].copy(data=values)}
    summary = look(LENS, replace(replica, activations=activations), draw=None).summary
    assert summary["effective_dimension_null_permuted"] == pytest.approx(12, rel=0.1)
    assert summary["effective_dimension"] == pytest.approx(1 if copies else 12, rel=0.1)
    gain = summary["effective_dimension_share_gain_permuted"]
    assert gain == pytest.approx((summary["effective_dimension"] - summary["effective_dimension_null_permuted"]) / 12)
    assert gain < -0.8 if copies else abs(gain) < 0.05


def test_what_is_measured_is_that_of_live_units_and_of_each_frame(look, random_replica):
    replica = random_space(random_replica, dead=(2, 5), frames=4)
    measured = look(LENS, replica, draw=None).measured
    values = replica.activations["fc1"].values
    live = np.delete(np.arange(12), [2, 5])
    np.testing.assert_allclose(measured.variance, PCA().fit(values[:, live]).explained_variance_)
    assert measured.loading.values[:, [2, 5]].tolist() == [[0, 0]] * 3
    np.testing.assert_allclose(
        measured.score, (values - values.mean(0)) @ measured.loading.values.T, rtol=1e-5, atol=1e-5
    )
    frames, label = replica.activations["fc1_frames"].values, replica.probe.label.values[:40]
    for at in range(4):
        assert measured.class_separation[at] == pytest.approx(class_separation(frames[at], label))
        assert measured.nearest_centroid_accuracy[at] == pytest.approx(nearest_centroid_accuracy(frames[at], label))
        spectrum = np.linalg.eigvalsh(np.cov(frames[at], rowvar=False))
        assert measured.effective_dimension[at] == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum())
    assert measured.step.values.tolist() == [0, 1, 3, 10]
    summary = LENS.summarize(measured)
    assert summary["class_separation"] == pytest.approx(class_separation(frames[-1], label))
    assert "place_r2" not in summary


def test_a_feature_map_is_followed_with_all_its_places(look, random_replica):
    replica = random_space(random_replica, feature_map=(3, 2, 2), frames=2)
    measured = look(LENS, replica, draw=None).measured
    label = replica.probe.label.values[:40]
    image = torch.from_numpy(replica.probe.image.values[:40])
    for at in range(2):
        weight, bias = (torch.from_numpy(replica.frames[f"fc1.{name}"].values[at]) for name in ("weight", "bias"))
        maps = torch.nn.functional.conv2d(image, weight, bias, stride=3).relu().flatten(1).double().numpy()
        assert measured.class_separation[at] == pytest.approx(class_separation(maps, label), rel=1e-5)
        spectrum = np.linalg.eigvalsh(np.cov(maps, rowvar=False))
        assert measured.effective_dimension[at] == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum(), rel=1e-5)


class Dense(torch.nn.Module):
    """A dense layer, ``fc1``, on pictures of 8×8, and a head."""

    def __init__(self, units=12, classes=3):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(64, units), torch.nn.Linear(units, classes)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def with_start(replica, weight, bias):
    """Return the replica with a frame 0 at which its ``fc1`` had these weights."""
    head = {"fc2.weight": np.zeros((3, len(bias))), "fc2.bias": np.zeros(3)}
    kept = {"fc1.weight": weight, "fc1.bias": bias, **head}
    frames = xr.Dataset(
        {
            name: (("frame", *(f"{name}_{axis}" for axis in range(values.ndim))), values[None].astype(np.float32))
            for name, values in kept.items()
        },
        coords={"step": ("frame", [0]), "epoch": ("frame", [0.0])},
    )
    return replace(replica, architecture=lambda: Dense(len(bias)), frames=frames)


def started(random_replica, *, seed=0, n=200, dead=()):
    """Return a replica whose layer is a random one at step 0, in which the units ``dead`` are so."""
    rng = np.random.default_rng(seed)
    image, weight = rng.random((n, 1, 8, 8)), rng.normal(0, 1, (12, 64))
    bias = -weight.sum(1) / 2
    bias[list(dead)] = -99
    places = rng.integers(0, 27, (2, n))
    image[:, 0, 0, 0], image[:, 0, 0, 1] = places[0] / 27, places[1] / 27
    replica = train(random_replica(n=n, seed=seed, image=image, places=tuple(places)))
    return with_start(replica, weight, bias), np.clip(image.reshape(n, 64) @ weight.T + bias, 0, None)


def by_spectrum(values):
    spectrum = np.linalg.eigvalsh(np.cov(values, rowvar=False))
    return spectrum.sum() ** 2 / (spectrum**2).sum()


def test_everything_stands_beside_the_same_pictures_in_the_untrained_network(look, random_replica):
    replica, before = started(random_replica, dead=(2, 3))
    seen = look(LENS, replica, draw=None)
    values, label = replica.activations["fc1"].values, replica.probe.label.values
    for which, of in (("", values), ("_null_untrained", before)):
        means = np.stack([of[label == k].mean(0) for k in range(3)])
        expected = {
            "": by_spectrum(of),
            "_class_means": by_spectrum(means),
            "_within_class": by_spectrum(of - means[label]),
        }
        for part, dimension in expected.items():
            assert seen.summary[f"effective_dimension{part}{which}"] == pytest.approx(dimension, rel=1e-5)
    assert (seen.summary["live_units"], seen.summary["live_units_null_untrained"]) == (12, 10)
    assert seen.summary["class_separation_null_untrained"] == seen.measured.class_separation.values[0]
    place = np.stack([replica.probe.square_y.values, replica.probe.square_x.values], 1).astype(float)
    left, total, within = readout(before[:, before.any(0)], place, label)
    assert seen.summary["place_r2_null_untrained"] == pytest.approx(1 - left.sum() / total.sum(), abs=1e-4)
    r2 = 1 - within[:, 0].sum() / within[:, 1].sum()
    assert seen.summary["place_r2_within_class_null_untrained"] == pytest.approx(r2, abs=1e-4)
    for name in ("effective_dimension", "effective_dimension_class_means", "place_r2", "class_separation"):
        gain = seen.summary[name] - seen.summary[f"{name}_null_untrained"]
        assert seen.summary[f"{name}_gain_untrained"] == pytest.approx(gain)


def test_classes_in_a_ball_have_the_dimensions_of_their_means_and_of_the_ball(look, random_replica):
    rng = np.random.default_rng(0)
    replica = random_replica(n=900, classes=6, units=12)
    label = replica.probe.label.values
    means = np.concatenate([3 * np.eye(6), np.zeros((6, 6))], 1)  # six classes span five dimensions
    ball = np.concatenate([np.zeros((900, 6)), rng.normal(0, 0.1, (900, 6))], 1)
    activation = replica.activations["fc1"].copy(data=5 + means[label] + ball)
    summary = look(
        LENS, train(replace(replica, activations={**replica.activations, "fc1": activation})), draw=None
    ).summary
    assert summary["effective_dimension_class_means"] == pytest.approx(5, rel=0.01)
    assert summary["effective_dimension_within_class"] == pytest.approx(6, rel=0.05)
    assert summary["effective_dimension"] == pytest.approx(5, rel=0.1)


def test_the_untrained_network_is_shown_and_compared(look, compared, random_replica):
    measured = {}
    for seed in (0, 1, 2):
        seen = look(LENS, started(random_replica, seed=seed, n=60)[0], rendered=not seed)
        measured[seed] = seen.measured
        table = seen.sheets["space_place"].table.set_index(["read", "along"])["untrained"]
        assert np.isfinite(table["all", "y"])
        assert "untrained (grey): 12" in words(seen.sheets["space_spectrum"])
    sheets = {sheet.name: sheet for sheet in compared(LENS, measured, rendered=True).sheets}
    table = sheets["space_beside_untrained"].table.set_index(["measure", "of", "network"])["mean"]
    summaries = [LENS.summarize(one) for one in measured.values()]
    for part, network, name in (
        ("class_means", "untrained", "effective_dimension_class_means_null_untrained"),
        ("within_class", "trained", "effective_dimension_within_class"),
    ):
        assert table["effective dimension", part, network] == pytest.approx(np.mean([one[name] for one in summaries]))
    r2 = np.mean([one["place_r2_null_untrained"] for one in summaries])
    assert table["R²", "place_r2", "untrained"] == pytest.approx(r2)


def pixels(replica_of, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((60, 1, 3, 4)).astype(np.float32)
    image[:, :, 0, :2] = 0
    weight = rng.normal(0, 1, (3, 12))
    return replica_of(image.reshape(60, -1), weight, np.zeros(3), np.arange(60) % 3, image=image)


def test_a_layer_that_training_cannot_change_has_one_value_and_no_curve(look, compared, replica_of):
    replica = pixels(replica_of)
    seen = look(LENS, replica)
    assert set(seen.sheets) == {"space_pca", "space_spectrum"}
    values = replica.activations["fc1"].values
    assert seen.summary["class_separation"] == pytest.approx(class_separation(values, replica.probe.label.values))
    assert seen.measured.sizes["frame"] == 1
    assert "in the space of 10 pixels that are ever on" in seen.sheets["space_pca"].title
    measured = {seed: look(LENS, pixels(replica_of, seed), draw=None).measured for seed in (0, 1)}
    (sheet,) = compared(LENS, measured, rendered=True).sheets
    assert set(sheet.table["curve"]) == {"spectrum"}
    assert len(list(panels_of(sheet.body))) == 1
    assert "training cannot change this layer" in sheet.description


@pytest.mark.parametrize(
    ("features", "dumped", "sentence"),
    [("fc9", {"fc1": "probe"}, "there is no layer 'fc9'"), ("fc1", {"fc1": "exhibits"}, "set dump.layers.fc1: probe")],
)
def test_a_layer_that_is_not_kept_is_refused(features, dumped, sentence):
    with pytest.raises(SettingError, match=sentence) as refused:
        Space(features).check(Network({"fc1": (12,), "logit": (3,)}, {}, dumped, 3))
    assert refused.value.key == "features"


ODD = {
    "some units dead": {"dead": (2, 7)},
    "all units dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "two live units": {"dead": range(2, 12)},
    "one unit": {"units": 1},
    "one class only": {"unseen": (0, 2)},
    "constant pictures": {"constant": True},
    "one logit": {"classes": 2, "targets": 1},
    "twelve classes": {"classes": 12, "n": 200},
    "more units than pictures": {"units": 80},
    "a feature map": {"feature_map": (3, 2, 2)},
    "one frame": {"frames": 1},
    "many frames": {"frames": 6},
    "four pictures": {"n": 4},
    "places unknown": {"places": False},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, random_replica, case):
    rendered = case in ("some units dead", "all units dead", "one frame", "twelve classes")
    seen = look(LENS, random_space(random_replica, **{"places": True, **ODD[case]}), rendered=rendered)
    expected = {"space_pca", "space_spectrum", "space_separation"}
    assert set(seen.sheets) == (expected if case == "places unknown" else expected | {"space_place"})
    nothing = case in ("all units dead", "constant pictures")
    assert np.isnan(seen.summary["effective_dimension"]) == nothing
    assert all(bool(panel.empty) == nothing for panel in panels_of(seen.sheets["space_spectrum"].body))
    assert np.isnan(seen.summary["class_separation"]) == (nothing or case == "one class only")
    assert (seen.summary["components_above_chance"] == 0) >= nothing
    if case != "a feature map":
        assert not [name for name in seen.summary if "untrained" in name]  # these have no weights to go back to


def test_points_lie_where_their_scores_are_and_a_class_is_named_at_its_mean(look, random_replica):
    seen = look(LENS, random_space(random_replica, places=True), draw="space_pca")
    score, label = seen.measured.score.values, seen.measured.label.values
    points = marks(seen.sheets["space_pca"], Dots)
    for dots, (across, up) in zip(points, [(0, 1), (0, 2), (0, 1)], strict=True):
        np.testing.assert_array_equal(np.stack([dots.x, dots.y], 1), score[:, [across, up]])
    first = marks(next(panels_of(seen.sheets["space_pca"].body)), Words)
    assert [word.text for word in first] == ["0", "1", "2"]
    for k, word in enumerate(first):
        np.testing.assert_allclose([word.x, word.y], score[label == k][:, :2].mean(0), rtol=1e-5)


def test_as_many_components_are_coloured_as_are_above_chance(look, random_replica):
    seen = look(LENS, random_space(random_replica, units=8), draw="space_spectrum")
    (bars,) = marks(seen.sheets["space_spectrum"], Bars)
    variance = seen.measured.variance.values
    np.testing.assert_allclose(bars.height, variance / variance.sum())
    above = int(seen.summary["components_above_chance"])
    assert bars.color == [FOR] * above + [NEUTRAL] * (8 - above)
    np.testing.assert_allclose(marks(seen.sheets["space_spectrum"], Line)[1].y[-1], 1)


def test_one_place_in_each_class_is_nothing_to_read(look, random_replica):
    replica = random_replica(n=60)
    label = replica.probe.label.values
    probe = replica.probe.assign(square_y=("sample", 10 * label), square_x=("sample", 0 * label))
    seen = look(LENS, train(replace(replica, probe=probe)), draw="space_place")
    summary = seen.summary
    assert np.isnan(summary["place_r2_within_class"])
    assert np.isfinite(summary["place_r2"])
    table = seen.sheets["space_place"].table.set_index(["read", "along"])["r2"]
    assert table.isna().sum() == 9  # of columns all, of rows within classes
    assert np.isfinite(table["all", "y"])


@pytest.mark.parametrize("seeds", [(0,), (3, 4, 5)])
def test_curves_over_seeds_are_means_of_the_seeds(look, compared, random_replica, seeds):
    measured = {
        seed: look(LENS, random_space(random_replica, seed=seed, dead=range(seed)), draw=None).measured
        for seed in seeds
    }
    (sheet,) = compared(LENS, measured, rendered=True).sheets
    assert sheet.name == "space_across_seeds"
    for name in ("class_separation", "nearest_centroid_accuracy", "effective_dimension"):
        rows = sheet.table[sheet.table["curve"] == name]
        values = np.stack([measured[seed][name].values for seed in seeds])
        np.testing.assert_allclose(rows["mean"].to_numpy(float), values.mean(0))
        assert rows["n"].tolist() == [len(seeds)] * 3
    spectrum = sheet.table[sheet.table["curve"] == "spectrum"]["mean"].to_numpy(float)
    assert spectrum[0] == 0
    assert spectrum[-1] == pytest.approx(1)
    assert len(spectrum) == 13 - min(seeds)  # as many as the seed has that has most
    first = np.mean([measured[seed].variance.values[0] / measured[seed].variance.values.sum() for seed in seeds])
    assert spectrum[1] == pytest.approx(first)


@pytest.mark.parametrize("case", ["all units dead", "one class only", "one frame", "one unit", "constant pictures"])
def test_odd_cases_are_compared_and_drawn(look, compared, random_replica, case):
    measured = {
        seed: look(LENS, random_space(random_replica, seed=seed, **ODD[case]), draw=None).measured for seed in (0, 1)
    }
    (sheet,) = compared(LENS, measured, rendered=case == "all units dead").sheets
    empty = [bool(panel.empty) for panel in panels_of(sheet.body)]
    nothing = case in ("all units dead", "constant pictures")
    assert empty == [nothing, nothing or case == "one class only", nothing or case == "one class only", nothing]
