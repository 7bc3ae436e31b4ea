import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.votes import VERSIONS
from seedscope.lenses import Network
from seedscope.lenses.contribution import Contribution, ranking_table

LENS = Contribution("fc1", "fc2", top=3)


def test_a_dead_unit_is_never_named_however_large_its_weights(look, replica_of):
    rng = np.random.default_rng(0)
    activation = rng.random((40, 6))
    activation[:, 2] = 0
    weight = rng.normal(0, 1, (3, 6))
    weight[:, 2] = [1e3, -1e3, 5e2]
    seen = look(LENS, replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 40)), draw=None)
    assert not seen.measured.live[2]
    assert 2 not in seen.measured.top
    assert 2 not in ranking_table(seen.measured)["unit"].to_numpy()


def test_a_planted_dominant_unit_is_found_in_every_version(look, replica_of):
    rng = np.random.default_rng(1)
    label = np.arange(90) % 3
    activation = 0.3 * rng.random((90, 12))
    weight = 0.3 * rng.normal(0, 1, (3, 12))
    planted = [7, 0, 10]
    for k, unit in enumerate(planted):
        activation[label == k, unit] += 2
        weight[k, unit] += 2
    seen = look(LENS, replica_of(activation, weight, np.zeros(3), label), draw=None)
    for version in VERSIONS:
        assert seen.measured.top.sel(version=version).values[:, 0].tolist() == planted
    assert ranking_table(seen.measured).groupby("class")["unit"].first().tolist() == planted


def test_another_order_of_the_units_is_the_same_result_in_that_order(random_replica, replica_of):
    replica = random_replica(dead=(4,))
    order = np.random.default_rng(3).permutation(12)
    moved = replica_of(
        replica.activations["fc1"].values[:, order],
        replica.weights["fc2.weight"][:, order],
        replica.weights["fc2.bias"],
        replica.probe.label.values,
    )
    before, after = LENS.measure(replica), LENS.measure(moved)
    for name in before.data_vars:
        if name == "top":
            np.testing.assert_array_equal(order[after.top], before.top)
        elif "unit" in before[name].dims:
            expected = before[name].isel(unit=order).values
            np.testing.assert_allclose(after[name].values, expected, rtol=1e-9, atol=1e-12, err_msg=name)
        elif name != "completeness_error":
            np.testing.assert_allclose(after[name].values, before[name].values, rtol=1e-9, err_msg=name)


def test_measured_factors_are_the_networks_own_and_add_up(random_replica):
    replica = random_replica()
    measured = LENS.measure(replica)
    votes = measured.activation * measured.weight
    logit = votes.sum("unit") + measured.bias
    np.testing.assert_allclose(logit, replica.activations["logit"], atol=1e-5)
    np.testing.assert_allclose(measured.logit, replica.activations["logit"], atol=1e-6)
    own = votes.sel(sample=measured.label.values == 1).mean("sample")
    np.testing.assert_allclose(measured.mean_vote[1], own.transpose("target", "unit"), atol=1e-5)
    assert measured.sample.values[0] == 100


def test_votes_that_do_not_add_up_to_the_logits_are_refused(replica_of):
    """A GELU stands between the layer and the head, say: the numbers would be about another network."""
    rng = np.random.default_rng(0)
    activation, weight = rng.normal(0, 1, (20, 5)), rng.normal(0, 1, (3, 5))
    gelu = torch.nn.functional.gelu(torch.from_numpy(activation)).numpy()
    replica = replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 20), logit=gelu @ weight.T)
    with pytest.raises(SeedscopeError, match=r"'fc1' and the bias of 'fc2' do not add up to the logits"):
        LENS.measure(replica)


def test_rounding_of_a_float32_network_is_not_refused(replica_of):
    rng = np.random.default_rng(0)
    activation, weight = np.clip(rng.normal(0, 30, (20, 800)), 0, None), rng.normal(0, 1, (3, 800))
    logit = activation.astype(np.float32) @ weight.T.astype(np.float32)
    measured = LENS.measure(replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 20), logit=logit))
    assert 0 < measured.completeness_error.max() < 1


def test_a_unit_that_is_always_negative_votes_and_is_not_dead(look, replica_of):
    rng = np.random.default_rng(0)
    activation = rng.random((30, 4))
    activation[:, 1] = -2
    activation[:, 3] = 0
    weight = np.array([[0.1, -3, 0.1, 1], [0.1, 3, 0.1, 1]])
    replica = replica_of(activation, weight, np.zeros(2), np.arange(30) % 2)
    seen = look(Contribution("fc1", "fc2", top=2), replica, draw="fc1_all_classes")
    assert seen.measured.live.values.tolist() == [True, True, True, False]
    assert seen.measured.top.sel(version="centred").values[0, 0] == 1


def test_exhibits_show_their_own_pictures_and_samples(look, random_replica):
    replica = random_replica(n=30)
    seen = look(LENS, replica, draw=None).measured
    for k in range(3):
        for column, position in enumerate(seen.exhibit.values[k]):
            sample = int(seen.sample[position])
            assert sample in replica.exhibits
            assert int(seen.label[position]) == k
            shown = replica.probe.image.sel(sample=sample)
            np.testing.assert_array_equal(seen.exhibit_image.values[k, column], shown)


ODD = {
    "all units dead": {"dead": range(12)},
    "one class only": {"unseen": (0, 2)},
    "one logit, some dead": {"classes": 2, "targets": 1, "dead": (3,), "names": ("no", "yes")},
    "one logit, all dead": {"classes": 2, "targets": 1, "dead": range(12)},
    "one unit": {"units": 1, "classes": 2},
    "few pictures": {"n": 3, "classes": 2},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, random_replica, case):
    replica = random_replica(**ODD[case])
    units = replica.weights["fc2.weight"].shape[1]
    seen = look(Contribution("fc1", "fc2", top=min(3, units), watch=(0,)), replica)
    label = replica.probe.label.values
    classes = len(replica.class_names)
    per_class = {f"{name}{k}" for k in np.unique(label) for name in ("all_class_contrib_true", "vote_waterfall_class")}
    rankings = {f"contribution_ranking_class{k}_{min(3, (label == k).sum())}samples" for k in np.unique(label)}
    always = {"fc1_all_classes", "fc2_weights", "contribution_ranking_all_classes"}
    assert set(seen.drawings) == per_class | rankings | always
    assert seen.measured.sizes["true"] == classes
    assert seen.summary["completeness_error"] < 1e-5
    assert np.isfinite(list(seen.summary.values())).all() == ("dead" not in case or "some" in case)


def pixel_replica(replica_of, channels=1):
    """Return a replica whose features are its pictures; the first column is never on."""
    rng = np.random.default_rng(0)
    image = rng.random((60, channels, 4, 5)).astype(np.float32) * (rng.random((60, channels, 4, 5)) < 0.6)
    image[..., 0] = 0
    weight = rng.normal(0, 1, (3, image[0].size))
    return replica_of(image.reshape(60, -1), weight, np.zeros(3), np.arange(60) % 3, image=image)


def shown_maps(drawing):
    return [ax.images[0].get_array() for ax in drawing.figure.axes if ax.images and ax.get_label() != "<colorbar>"]


def test_votes_of_a_map_are_summed_by_channel_and_by_place(look, random_replica):
    replica = random_replica(n=90, units=800, feature_map=(32, 5, 5), unseen=(1,), dead=range(3, 800, 25))
    seen = look(LENS, replica, draw="contribution_by_place")
    drawing = seen.drawings["contribution_by_place"]
    ranked = seen.measured.dominance.sel(version="centred").values.reshape(3, 32, 5, 5)
    maps = shown_maps(drawing)
    for k in (0, 2):
        np.testing.assert_allclose(np.delete(maps[k].ravel(), 3), np.delete(ranked[k].sum(0).ravel(), 3), atol=1e-9)
    assert maps[0].mask.ravel().tolist() == [place == 3 for place in range(25)]
    assert maps[1].mask.all()
    bars = drawing.figure.axes[0].collections[0].get_paths()
    heights = [path.vertices[2, 1] - path.vertices[0, 1] for path in bars]
    np.testing.assert_allclose(heights, ranked[0].sum((1, 2)), atol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_that_vote_are_called_by_their_place_and_are_never_dead(look, replica_of, channels):
    seen = look(LENS, pixel_replica(replica_of, channels))
    figures = {name: drawing.figure for name, drawing in seen.drawings.items()}
    assert {"fc1_all_classes", "contribution_by_place"} <= set(figures)
    assert f"{4 * channels} of {20 * channels} never on" in figures["fc1_all_classes"].get_suptitle()
    names = [tick.get_text() for tick in figures["vote_waterfall_class0"].axes[0].get_xticklabels()]
    assert all(name.endswith(")") for name in names[1:-1])
    words = " ".join(drawing.description + drawing.figure.get_supxlabel() for drawing in seen.drawings.values())
    assert "dead" not in words
    assert "pixels that are on" in words


def test_a_head_of_800_units_is_drawn_readably_within_seconds(look, random_replica):
    start = time.process_time()
    seen = look(LENS, random_replica(n=120, units=800, dead=range(300, 400)))
    assert time.process_time() - start < 15
    ranking = seen.drawings["contribution_ranking_all_classes"].figure
    assert ranking.get_supxlabel().startswith("13 highest and 13 lowest of 700 live units")


@pytest.mark.parametrize("image", [np.full((60, 1, 8, 8), 0.5), np.random.default_rng(0).random((60, 3, 9, 7))])
def test_constant_and_coloured_pictures_are_shown(look, random_replica, image):
    seen = look(LENS, random_replica(classes=2, image=image), draw="contribution_ranking_class0")
    (drawing,) = seen.drawings.values()
    shown = drawing.figure.axes[0].images[0].get_array()
    first = image[int(seen.measured.exhibit[0, 0])]
    np.testing.assert_allclose(np.moveaxis(np.atleast_3d(shown), -1, 0), first, atol=1e-6)


def test_constant_activations_make_no_unit_special_to_a_class(random_replica, replica_of):
    weight = random_replica().weights["fc2.weight"]
    measured = LENS.measure(replica_of(np.ones((60, 12)), weight, np.zeros(3), np.arange(60) % 3))
    np.testing.assert_allclose(measured.dominance.sel(version="mean_subtracted"), 0, atol=1e-12)
    np.testing.assert_allclose(measured.dominance.sel(version="raw"), weight)


def test_a_feature_map_is_its_flattened_units(random_replica):
    flat, folded = (LENS.measure(random_replica(feature_map=shape)) for shape in (None, (3, 2, 2)))
    assert folded.equals(flat)


def test_a_class_without_pictures_does_not_dilute_the_summary(look, random_replica):
    seen = look(LENS, random_replica(unseen=(0, 2)), draw=None)
    assert np.isnan(seen.measured.dominance.values[:, [0, 2]]).all()
    top = seen.measured.top
    for version in ("raw", "margin", "mean_subtracted"):
        shared = set(top.sel(version=version).values[1]) & set(top.sel(version="centred").values[1])
        assert seen.summary[f"top3_shared_with_{version}"] == len(shared)


def test_versions_that_agree_by_chance_only_share_what_the_summary_says(look, random_replica):
    replica = random_replica(dead=(0, 5, 6, 9))
    seen = look(LENS, replica, draw=None)
    live = np.flatnonzero(seen.measured.live)
    rng = np.random.default_rng(0)
    drawn = [len(set(rng.permutation(live)[:3]) & set(rng.permutation(live)[:3])) for _ in range(4000)]
    assert seen.summary["top3_shared_by_chance"] == pytest.approx(np.mean(drawn), abs=0.05)
    few = look(LENS, random_replica(dead=range(10)), draw=None)
    assert few.summary["top3_shared_by_chance"] == 2 == few.summary["top3_shared_with_raw"]


def test_pictures_that_no_unit_votes_on_do_not_count_as_outvoted(look, replica_of):
    activation = np.array([[0.0, 0], [0, 0], [1, 0], [0, 1]])
    weight, bias = np.array([[2.0, -1], [-1, 2]]), np.array([0.0, 0.1])
    seen = look(Contribution("fc1", "fc2", top=1), replica_of(activation, weight, bias, [0, 1, 0, 1]), draw=None)
    assert seen.summary["largest_vote_loses_raw"] == 0
    assert seen.summary["positive_share_raw"] == 1


def test_the_summary_averages_the_measured_shares(look, random_replica):
    seen = look(LENS, random_replica(), draw=None)
    for gauge in ("raw", "centred"):
        part = seen.measured.sel(gauge=gauge)
        assert seen.summary[f"positive_share_{gauge}"] == pytest.approx(float(part.positive_share.mean()))
        loses = (part.largest_vote_class != part.predicted).mean()
        assert 0 < loses < 1
        assert seen.summary[f"largest_vote_loses_{gauge}"] == pytest.approx(float(loses))


def bars_of(ax):
    """Return (left edge, low, high) of every bar in the panel, left to right."""
    from matplotlib.collections import PolyCollection

    (collection, *others) = [part for part in ax.collections if isinstance(part, PolyCollection)]
    paths = [path for part in (collection, *others) for path in part.get_paths()]
    corners = [path.vertices for path in paths]
    return sorted((c[:, 0].min(), c[0, 1], c[2, 1]) for c in corners)


@pytest.mark.parametrize(("units", "targets"), [(12, 2), (90, 2), (12, 1)])
def test_the_waterfall_ends_at_the_logit(look, random_replica, units, targets):
    replica = random_replica(units=units, n=20, classes=2, targets=targets)
    seen = look(LENS, replica, draw="vote_waterfall")
    for k in range(2):
        steps = bars_of(seen.drawings[f"vote_waterfall_class{k}"].figure.axes[0])
        position = int(seen.measured.exhibit.values[k, 0])
        sign, target = (1, k) if targets == 2 else (2 * k - 1, 0)  # votes against the only logit are minus those for it
        logit = sign * float(seen.measured.logit[position, target])
        (_, zero, end), (_, _, before) = steps[-1], steps[-2]
        assert zero == 0
        assert end == pytest.approx(logit, abs=1e-4)
        assert before == pytest.approx(logit, abs=1e-4)
        assert steps[0][1:] == pytest.approx((0, sign * float(seen.measured.bias[target])), abs=1e-6)
        for (_, _, top), (_, base, _) in pairwise(steps[:-1]):
            assert base == pytest.approx(top, abs=1e-9)


def test_the_margin_that_is_written_is_that_of_the_logits(look, random_replica):
    for options in ({}, {"classes": 2, "targets": 1}):
        seen = look(LENS, random_replica(**options), draw="all_class_contrib_true0")
        position = int(seen.measured.exhibit.values[0, 0])
        logit = np.sort(seen.measured.logit.values[position])
        lead = logit[-1] - logit[-2] if len(logit) > 1 else abs(logit[0])
        assert seen.drawings["all_class_contrib_true0"].figure.get_suptitle().endswith(f"by {lead:.2f}")


def test_where_no_unit_votes_the_panel_says_so(look, random_replica):
    seen = look(LENS, random_replica(dead=range(12), classes=2), draw="contribution_ranking")
    for drawing in seen.drawings.values():
        words = [text.get_text() for ax in drawing.figure.axes for text in ax.texts]
        assert "no unit votes" in words


NETWORK = Network(
    layers={"conv1": (2, 2, 2), "fc1": (8,), "fc2": (3,), "logit": (3,)},
    weights={"conv1.weight": (2, 1, 3, 3), "fc1.weight": (8, 8), "fc2.weight": (3, 8)},
    dumped={"fc1": "probe", "conv1": "exhibits"},
    n_classes=3,
)


def test_a_head_on_its_features_is_accepted():
    Contribution("fc1", "fc2", top=8, watch=(0, 7)).check(NETWORK)


@pytest.mark.parametrize(
    ("lens", "key", "words"),
    [
        (Contribution("fc1", "fc3"), "head", "no layer 'fc3'"),
        (Contribution("fc1", "fc1"), "head", "does not give|gives the logits"),
        (Contribution("fc1", "conv1"), "head", "not a dense layer"),
        (Contribution("fc9", "fc2"), "features", "no layer 'fc9'"),
        (Contribution("fc2", "fc2"), "features", "3 outputs and 'fc2' takes 8"),
        (Contribution("conv1", "fc2"), "features", "not dumped for all probe pictures"),
        (Contribution("fc1", "fc2", top=9), "top", "8 units"),
        (Contribution("fc1", "fc2", watch=(8,)), "watch", "units 0 to 7"),
    ],
)
def test_a_network_that_cannot_be_looked_at_so_is_refused(lens, key, words):
    with pytest.raises(SettingError, match=words) as refused:
        lens.check(NETWORK)
    assert refused.value.key == key


def test_one_class_is_nothing_to_decide():
    with pytest.raises(SeedscopeError, match="one class"):
        LENS.check(Network(NETWORK.layers, NETWORK.weights, NETWORK.dumped, 1))
