import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.figures import Image, Shapes, Words, panels_of
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.intervals import mean_interval, share_interval
from seedscope.formulas.localization import MEASURES, normalised
from seedscope.lenses import Network
from seedscope.lenses.attribution.scores import Scores
from seedscope.lenses.heat_maps import HeatMaps
from seedscope.lenses.heat_maps.localization import enlarged
from seedscope.lenses.heat_maps.randomised import shuffled

from .networks import fill, random_pictures, relu_first, replica_of_network
from .sheets import marks

BOX = {"top": "top", "left": "left", "height": 4, "width": 4}
NAMES = ("grad_cam_conv1", "occlusion", "integrated_gradients")


class Seeker(nn.Module):
    """Hand-made: one channel sees bright spots and speaks for class 1, one sees dark spots and speaks for class 0."""

    def __init__(self, common=0.0, dead=False):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate")
        self.head = nn.Linear(2 * 16 * 16, 2)
        with torch.no_grad():
            self.conv1.weight.copy_(torch.tensor([1.0, -1.0])[:, None, None, None] / 9)
            self.conv1.bias.copy_(torch.tensor([-0.75, 0.25]) - 9 * dead)
            bright = torch.tensor([1.0, -1.0]).repeat_interleave(256)
            self.head.weight.copy_(torch.stack([-bright, bright]) + common)  # a common weight changes no answer
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(torch.relu(self.conv1(x)).flatten(1))


def spots(n=24, seed=0):
    """Return grey pictures with a 4 × 4 spot, bright (1) or dark (0), and where it is."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    top, left = rng.integers(0, 13, (2, n))
    image = 0.4 + 0.2 * rng.random((n, 1, 16, 16))
    for s in range(n):
        image[s, 0, top[s] : top[s] + 4, left[s] : left[s] + 4] = label[s]
    return image, label, {"top": top, "left": left}


@pytest.fixture
def seeker():
    image, label, truth = spots()
    return replica_of_network(Seeker, image, label, untrained=lambda: fill(Seeker(), dtype=torch.float32), **truth)


SEEK = HeatMaps(["conv1"], truth=BOX, pictures=12, batch_size=20, steps=8)
QUICK = dataclasses.replace(SEEK, window=0.25)  # a quarter of the windows


def test_the_heat_of_a_hand_made_network_lies_where_its_weights_say(look, seeker):
    seen = look(SEEK, seeker, rendered=True)
    assert set(seen.sheets) == {"heat_maps", "localization"}
    assert [one.name for one in SEEK.maps] == list(NAMES)
    for one in SEEK.maps:
        assert seen.summary[f"{one.name}_pointing"] == 1
        assert seen.summary[f"{one.name}_mass"] > (0.9 if one.method == "grad_cam" else 0.4)
        for measure in ("mass", "rank"):
            mean = one.of(seen.measured, "inside").sel(measure=measure).mean("sample")
            assert mean.sel(source="trained") > mean.sel(source="same_class") + 0.2
            assert mean.sel(source="trained") > mean.sel(source="untrained") + 0.2
    assert seen.measured.baseline.sel(prior="brightest_window", measure="pointing") == pytest.approx(0.5, abs=0.05)
    of_layer, of_picture = seen.measured["conv1"], seen.measured["picture"]
    assert [of_layer["count"].values.tolist(), of_picture["count"].values.tolist()] == [[24], [12, 12]]
    assert of_picture.inside.notnull().sum("sample").min() == 12
    assert (of_layer.ceiling == 1).all()  # these maps are as fine as the picture
    assert seen.summary["grad_cam_conv1_closed_form_error"] < 1e-6
    assert "the network is linear" in seen.sheets["heat_maps"].description


def test_heat_lies_on_the_picture_as_far_as_the_opacity_says_and_the_object_is_framed(look, seeker):
    lens = dataclasses.replace(QUICK, opacity=0.3, shown=2)
    seen = look(lens, seeker, draw="heat_maps")
    (board,) = panels_of(seen.sheets["heat_maps"].body)
    shown = marks(board, Image)
    assert len(shown) == 2 * (1 + 2 * len(NAMES))  # below each map lies the picture
    picture = seeker.probe.image.sel(sample=seen.measured.shown_sample[0]).values[0]
    for below, above, one in zip(shown[1:7:2], shown[2:7:2], lens.maps, strict=True):
        np.testing.assert_array_equal(below.values[..., 0], picture)
        heat, _ = normalised(np.maximum(one.of(seen.measured, "attribution").values[:1, 0], 0))
        np.testing.assert_array_equal(above.values, enlarged(heat, (16, 16))[0])
        assert (below.opacity, above.opacity) == (1, 0.3)
        assert above.extent == below.extent
        assert (above.scale.low, above.scale.high) == (0, 1)
    frames = [mark.corners[0] for mark in marks(board, Shapes)]
    assert len(frames) == 2 * 2 * (1 + len(NAMES))  # each in black and white
    left, _, _, top = shown[0].extent
    pixel = (shown[0].extent[1] - left) / 16
    corner = (frames[0][0] - [left, top]) / pixel
    np.testing.assert_allclose(corner, [seen.measured.box.values[0, 1], seen.measured.box.values[0, 0]])


def test_a_common_weight_of_all_classes_takes_the_heat_of_the_logit_but_not_of_the_centred_one(look):
    image, label, truth = spots()
    lens = dataclasses.replace(SEEK, methods=["grad_cam"])
    measured = look(lens, replica_of_network(lambda: Seeker(common=-2), image, label, **truth), draw=None).measured
    plain = look(lens, replica_of_network(Seeker, image, label, **truth), draw=None).measured
    common, plain = measured["conv1"], plain["conv1"]
    np.testing.assert_allclose(common.attribution, plain.attribution, rtol=0, atol=1e-5)
    assert common.no_heat.sel(explained="logit") == 1
    assert plain.no_heat.sel(explained="logit") == 0
    assert common.inside.sel(source="untrained").isnull().all()  # without frames there is no step 0


def test_a_dead_layer_is_said_to_give_no_heat(look):
    image, label, truth = spots()
    seen = look(QUICK, replica_of_network(lambda: Seeker(dead=True), image, label, **truth), rendered=True)
    assert seen.summary["grad_cam_conv1_no_heat_centred"] == 1
    assert seen.summary["grad_cam_conv1_mass"] == pytest.approx(1 / 16)
    assert np.isnan(seen.summary["integrated_gradients_lack"])
    words = [mark.text for mark in marks(seen.sheets["heat_maps"], Words)]
    assert words.count("no heat") == 3 * seen.measured.sizes["shown_sample"]
    assert "constant" in seen.sheets["heat_maps"].description


@pytest.mark.parametrize("constant", [0.0, 0.5])
def test_constant_pictures_and_one_picture_are_no_trouble(look, constant):
    image = np.full((3, 1, 16, 16), constant)
    look(QUICK, replica_of_network(Seeker, image, [0, 1, 1], top=[0, 1, 2], left=[0, 5, 9]))
    look(QUICK, replica_of_network(Seeker, image[:1], [1], top=[4], left=[5]))


@pytest.mark.parametrize(
    ("options", "rows"),
    [({"ranks": 3}, 24), ({"target": "label"}, 8), ({"target": 2, "score": "logit"}, 8), ({"shown": 1}, 1)],
)
def test_any_classes_of_colour_pictures_of_any_shape_without_a_truth(look, options, rows):
    shape = (3, 20, 28)
    label = np.arange(10) % 4
    names = ["tench, Tinca tinca", "African elephant", "Egyptian cat", "spider"]
    make = lambda: fill(relu_first(shape, 4, inplace=True), dtype=torch.float32)  # noqa: E731
    replica = replica_of_network(make, random_pictures(10, shape), label, names=names)
    lens = HeatMaps(["0", "3", "5"], batch_size=8, steps=4, window=0.3, **options)
    seen = look(lens, replica, rendered=lens.ranks > 1)
    several = {f"heat_maps_sample{sample}" for sample in seen.measured.shown_sample.values}
    assert set(seen.sheets) == {"randomised", *(several if lens.ranks > 1 else {"heat_maps"})}
    marked = {(sheet.family, sheet.mark) for name, sheet in seen.sheets.items() if name in several}
    assert marked == {
        ("What speaks for the likeliest classes", f"sample {name[16:]}") for name in several & set(seen.sheets)
    }
    assert seen.measured.target.size == rows
    with replica.network() as network:
        score = Scores(network, centred=lens.score == "centred").of(replica.probe.image.values, 4)
    for exhibit in range(seen.measured.sizes["shown_sample"]):
        row = int(seen.measured.shown_sample[exhibit]) - 100
        wanted = {"label": [label[row]], 2: [2]}.get(lens.target, np.argsort(-score[row])[: lens.ranks])
        assert seen.measured.target.values[exhibit].tolist() == list(wanted)
        np.testing.assert_allclose(seen.measured.score.values[exhibit], score[row, wanted], rtol=1e-5)
    assert seen.measured["5"].attribution.shape[-2:] == (5, 7)
    assert seen.measured["picture"].attribution.shape[-2:] == (20, 28)


def test_one_logit_is_shown_for_and_against(look):
    image, label, truth = spots()
    make = lambda: fill(relu_first((1, 16, 16), 1), dtype=torch.float32)  # noqa: E731
    seen = look(
        HeatMaps(["0"], ranks=2, truth=BOX, steps=4),
        replica_of_network(make, image, label, **truth),
    )
    np.testing.assert_allclose(seen.measured.probability.sum("rank"), 1, rtol=1e-6)
    np.testing.assert_allclose(seen.measured.score.sum("rank"), 0, atol=1e-6)


def test_the_sheets_say_that_weights_are_given(look, seeker):
    sheets = look(QUICK, dataclasses.replace(seeker, seed="given")).sheets.values()
    assert len(sheets) == 2
    assert all(sheet.heading.endswith("(toy, given weights)") for sheet in sheets)


@pytest.mark.parametrize("method", ["grad_cam", "occlusion", "integrated_gradients"])
def test_no_more_pictures_than_a_batch_are_in_the_network_at_a_time(method):
    model = fill(relu_first((1, 16, 16), 3), dtype=torch.float32)
    image, label = random_pictures(7).astype(np.float32), np.arange(7) % 3
    replica, sizes = replica_of_network(lambda: model, image, label), []
    handle = model.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    HeatMaps(["0"], methods=[method], batch_size=5, steps=12, ranks=2).measure(replica)
    handle.remove()
    assert max(sizes) == 5


# --- given weights ----------------------------------------------------------------------------------------------


def test_shuffled_weights_are_the_same_numbers_in_other_places():
    rng = np.random.default_rng(0)
    weights = {"a.weight": rng.normal(size=(4, 3, 3, 3)), "b.weight": rng.normal(size=(5, 40)), "count": np.array(3)}
    found = shuffled(weights)
    for name, values in weights.items():
        assert found[name].shape == values.shape
        assert sorted(found[name].ravel()) == sorted(values.ravel())
    assert (found["b.weight"] != weights["b.weight"]).mean() > 0.9
    assert (shuffled({"b.weight": weights["b.weight"]})["b.weight"] == found["b.weight"]).all()
    assert (shuffled(weights, seed=1)["b.weight"] != found["b.weight"]).any()


class Even(Seeker):
    """Its tensors hold one number each, so that shuffling changes nothing: a map that learning has no part in."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            for number, tensor in enumerate(self.state_dict().values(), start=1):
                tensor.fill_(number / 10)


def test_maps_of_given_weights_are_held_against_shuffled_weights(look):
    image, label, _ = spots()
    lens = HeatMaps(["conv1"], score="logit", steps=8, window=0.25)
    even = look(lens, replica_of_network(Even, image, label))
    for name in NAMES:
        assert even.summary[f"{name}_like_randomised"] == pytest.approx(1)
        assert even.summary[f"{name}_like_randomised_null_another_picture"] < 0.6
    assert even.summary["compared_pictures"] == 4
    learned = look(lens, replica_of_network(Seeker, image, label), rendered=True)
    assert learned.summary["grad_cam_conv1_like_randomised"] < 0.6
    assert "Mean over 4 pictures" in learned.sheets["randomised"].description
    table = learned.sheets["randomised"].table
    assert table.columns.tolist() == ["other", "map", "sample", "rank_correlation"]
    assert len(table) == 2 * 3 * 4
    mean = table[(table["map"] == "occlusion") & (table["other"] == "randomised")].rank_correlation.mean()
    assert mean == pytest.approx(learned.summary["occlusion_like_randomised"])


def test_one_picture_of_given_weights_has_no_other_to_be_compared_with(look):
    seen = look(HeatMaps(["conv1"], steps=4), replica_of_network(Seeker, spots()[0][:1], [-1]))
    assert np.isnan(seen.summary["occlusion_like_randomised_null_another_picture"])
    assert np.isfinite(seen.summary["occlusion_like_randomised"])


def test_a_trained_network_is_compared_with_its_own_step_0_instead(look, seeker):
    assert "similarity" not in look(QUICK, seeker, draw=None).measured["conv1"]


def test_the_same_replica_gives_the_same_numbers(seeker):
    first, second = QUICK.measure(seeker), QUICK.measure(seeker)
    assert first.identical(second)


def test_seeds_are_put_together_with_their_nulls(compared):
    measured = {}
    for seed, (image, label, truth) in enumerate(spots(12, seed) for seed in range(3)):
        untrained = lambda seed=seed: fill(Seeker(), seed, torch.float32)  # noqa: E731
        measured[seed] = QUICK.measure(replica_of_network(Seeker, image, label, untrained=untrained, **truth))
    comparison = compared(QUICK, measured, rendered=True)
    assert [sheet.name for sheet in comparison.sheets] == ["localization"]
    summaries = [QUICK.summarize(one) for one in measured.values()]
    means = [one["picture"].inside.sel(by="occlusion", measure="mass").mean("sample") for one in measured.values()]
    own = np.array([summary["occlusion_mass"] for summary in summaries])
    null = np.array([float(mean.sel(source="untrained")) for mean in means])
    assert comparison.metrics["occlusion_mass_null_untrained"] == share_interval(null).as_dict()
    assert comparison.metrics["occlusion_mass_gain_untrained"] == mean_interval(own - null).as_dict()
    assert comparison.metrics["occlusion_mass_gain_untrained"]["low"] > 0.1
    table = comparison.tables["localization"].set_index(["map", "source", "measure"])
    assert table.loc[("grad_cam_conv1", "trained", "pointing"), "mean"] == 1
    for source in ("trained", "same_class", "chance", "ceiling"):
        assert set(table.xs(source, level="source").reset_index().measure) == set(MEASURES)


def test_where_no_one_knows_the_objects_there_is_nothing_to_compare(compared, seeker):
    lens = HeatMaps(["conv1"], methods=["grad_cam"])
    comparison = compared(lens, {0: lens.measure(seeker)})
    assert (comparison.sheets, comparison.metrics) == ((), {})


NETWORK = Network({"conv1": (4, 8, 8), "fc1": (64,), "logit": (3,)}, {}, {}, 3)


@pytest.mark.parametrize(
    ("options", "network", "key", "words"),
    [
        ({"layers": ["conv2"]}, NETWORK, "layers", "no layer 'conv2'; did you mean 'conv1'"),
        ({"layers": ["fc1"]}, NETWORK, "layers", "'fc1' has no maps"),
        ({"layers": ["conv1"]}, Network({"fc1": (64,), "logit": (3,)}, {}, {}, 3), "layers", "no layer with maps"),
        ({"target": 3}, NETWORK, "target", "no class 3"),
        ({"ranks": 4}, NETWORK, "ranks", "3 classes"),
        ({"ranks": 2, "target": "label"}, NETWORK, "ranks", "only `target: answer`"),
        ({"truth": {"top": "y"}}, NETWORK, "truth", "lacks 'left'"),
        ({"layers": ["picture"]}, Network({"picture": (4, 8, 8), "logit": (3,)}, {}, {}, 3), "layers", "another name"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_by_name(options, network, key, words):
    HeatMaps(["conv1"], truth=BOX).check(NETWORK)
    with pytest.raises(SettingError, match=words) as refused:
        HeatMaps(**{"layers": ["conv1"], **options}).check(network)
    assert refused.value.key == key


def test_a_network_without_logits_and_pictures_without_classes_are_refused():
    with pytest.raises(
        SeedscopeError, match="the network gives no logits, which this lens needs: it ends with 'conv1'"
    ):
        HeatMaps(["conv1"]).check(Network({"conv1": (4, 8, 8)}, {}, {}, 3))
    unlabelled = dataclasses.replace(NETWORK, labelled=False)
    HeatMaps(["conv1"]).check(unlabelled)
    with pytest.raises(SettingError, match="does not say of which class") as refused:
        HeatMaps(["conv1"], target="label").check(unlabelled)
    assert refused.value.key == "target"
