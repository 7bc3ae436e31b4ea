from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from scipy.stats import spearmanr, ttest_1samp

from seedscope.figures import Bars, Image, Line, Rule, panels_of
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.variance import shares, sums_of_squares, variance_components
from seedscope.lenses import Network
from seedscope.lenses.variation import Variation
from seedscope.lenses.variation.designs import SOURCES
from seedscope.lenses.variation.measure import level_below

from .sheets import marks, panel_of, words
from .varied import crossed, joined, levels, random_variation, settings_design, vary

LENS = Variation("fc1", "fc2")
FIGURES = {"vote_variance", "same_class_different_votes", "robustness"}


@pytest.mark.parametrize(
    ("accuracy", "base", "found"),
    [
        ([1.0, 0.95, 0.85, 0.5], 0, 0.3 + 0.5 * 0.1),
        ([0.5, 1.0, 1.0, 0.8], 2, 0.4 + 0.5 * 0.2),
        ([0.5, 1.0, 1.0, 1.0], 1, 0.3 - 0.2 * 0.1),
        ([0.8, 1.0, 1.0, 1.0], 0, 0.2),
        ([1.0, 0.9, 0.95, 1.0], 0, np.nan),
        ([1.0, 0.5, 1.0, 0.2], 2, 0.4 - 0.2 * 0.1),
    ],
)
def test_the_level_at_which_accuracy_falls_below_ninety_percent(accuracy, base, found):
    level = np.array([0.2, 0.3, 0.4, 0.6])
    assert level_below(level, np.array(accuracy), base, 0.9) == pytest.approx(found, nan_ok=True)


def test_a_units_variance_is_that_of_its_centred_votes_for_the_pictures_own_class(look, random_replica):
    replica = random_variation(random_replica, dead=(2,))
    measured = look(LENS, replica, draw=None).measured
    a, weight = replica.activations["fc1_variations"].values, replica.weights["fc2.weight"]
    label, design = replica.variations.label.values, replica.variations.design.values
    for k, unit in product(range(3), range(12)):
        own = a[(design == "crossed") & (label == k), unit].reshape(4, 3) * (weight[k, unit] - weight[:, unit].mean())
        np.testing.assert_allclose(measured.sum_of_squares[:, k, unit], sums_of_squares(own), atol=1e-12)
        np.testing.assert_allclose(
            measured.component[:, k, unit], variance_components(sums_of_squares(own), 4, 3), atol=1e-12
        )
    assert measured.sum_of_squares.values.sum((0, 1))[2] == 0


@pytest.mark.parametrize("source", SOURCES)
def test_votes_that_depend_on_one_thing_have_all_their_variance_there(look, random_replica, source):
    replica = random_replica()
    factors = crossed(range(3), 6, 5)
    rng = np.random.default_rng(2)
    place, noise = factors["place"], factors["noise_draw"]
    effect = {
        "place": rng.random((18, 12))[place],
        "noise": rng.random((5, 12))[noise],
        # columns and rows that cancel: neither place nor noise tells anything by itself
        "interaction": 1 + (np.where(place % 2, 1, -1) * (noise - 2.0))[:, None] * np.ones(12) * 0.1,
    }[source]
    seen = look(LENS, vary(replica, effect, **factors), draw=None)
    others = [name for name in SOURCES if name != source]
    if source == "interaction":
        assert seen.summary["interaction_share"] > 1
        assert all(seen.summary[f"{name}_share"] < 0 for name in others)  # unbiased estimates of 0 from below
        squares = shares(seen.measured.sum_of_squares.values.sum((1, 2)))
        np.testing.assert_allclose(squares, [0, 0, 1], atol=1e-12)
    else:
        assert seen.summary[f"{source}_share"] == pytest.approx(1)
        assert [seen.summary[f"{name}_share"] for name in others] == pytest.approx([0, 0], abs=1e-12)


def test_shares_add_up_to_one_and_their_null_to_the_degrees_of_freedom(look, random_replica):
    replica = random_variation(random_replica, factors=crossed(range(3), 10, 8))
    seen = look(LENS, replica, draw=None)
    assert sum(seen.summary[f"{name}_share"] for name in SOURCES) == pytest.approx(1)
    assert sum(seen.summary[f"margin_{name}_share"] for name in SOURCES) == pytest.approx(1)
    null, squares = seen.measured.share_null_shuffled.values, seen.measured.squares_share_null_shuffled.values
    np.testing.assert_allclose(squares.sum(0), 1)
    for at, (expected, df) in enumerate(zip((0, 0, 1), (9, 7, 63), strict=True)):
        assert ttest_1samp(null[at], expected).pvalue > 1e-3
        assert ttest_1samp(squares[at], df / 79).pvalue > 1e-3


def test_the_gauge_changes_no_vote_variance(look, random_replica):
    replica = random_variation(random_replica)
    weights = {**replica.weights, "fc2.weight": replica.weights["fc2.weight"] + np.linspace(-5, 5, 12)}
    logits = {
        f"logit{end}": replica.activations[f"logit{end}"]
        + (replica.activations[f"fc1{end}"].values @ np.linspace(-5, 5, 12))[:, None]
        for end in ("", "_variations")
    }
    moved = replace(replica, weights=weights, activations={**replica.activations, **logits})
    a, b = (look(LENS, one, draw=None).measured for one in (replica, moved))
    np.testing.assert_allclose(a.component, b.component, atol=1e-10)
    np.testing.assert_allclose(a.margin_component, b.margin_component, atol=1e-10)


def slow_top(votes, live, top=5):
    return set(sorted((unit for unit in range(len(votes)) if live[unit]), key=lambda unit: -votes[unit])[:top])


def test_robustness_is_that_of_a_slow_reading_of_the_definitions(look, random_replica):
    replica = random_variation(random_replica, dead=(4,))
    seen = look(LENS, replica, draw=None)
    measured = seen.measured
    varied, weight = replica.variations, replica.weights["fc2.weight"]
    a, logit = replica.activations["fc1_variations"].values, replica.activations["logit_variations"].values
    centred = weight - weight.mean(0)
    label, place = varied.label.values, varied.place.values
    live = (replica.activations["fc1"].values != 0).any(0)
    margin = np.array([z[k] - np.delete(z, k).max() for z, k in zip(logit, label, strict=True)])
    for at in range(measured.sizes["condition"]):
        row = measured.isel(condition=at)
        of_design = varied.design.values == str(row.design.values)
        here = np.flatnonzero(of_design & (varied.level.values == float(row.level)))
        base = np.flatnonzero(of_design & varied.base.values)
        assert float(row.accuracy) == pytest.approx((logit[here].argmax(1) == label[here]).mean())
        assert float(row.accuracy_low) <= float(row.accuracy) <= float(row.accuracy_high)
        assert float(row.margin) == pytest.approx(margin[here].mean())
        assert float(row.margin_median) == pytest.approx(np.median(margin[here]))
        paired = np.array([margin[i] - margin[base[place[base] == place[i]][0]] for i in here])
        assert float(row.margin_change) == pytest.approx(paired.mean())
        if not bool(row.base):
            low, high = ttest_1samp(paired, 0).confidence_interval()
            np.testing.assert_allclose([row.margin_change_low, row.margin_change_high], [low, high])
        means = [[(a[which][label[which] == k] * centred[k]).mean(0) for k in range(3)] for which in (here, base)]
        shared = [len(slow_top(x, live) & slow_top(y, live)) for x, y in zip(*means, strict=True)]
        assert float(row.overlap) == pytest.approx(np.mean(shared))
        ranks = [spearmanr(x[live], y[live]).statistic for x, y in zip(*means, strict=True)]
        assert float(row.rank_correlation) == pytest.approx(np.mean(ranks))
        own = [
            len(
                slow_top(a[i] * centred[label[i]], live)
                & slow_top(a[base[place[base] == place[i]][0]] * centred[label[i]], live)
            )
            for i in here
        ]
        assert float(row.picture_overlap) == pytest.approx(np.mean(own))
        next_one = []
        for k in range(3):
            mine, theirs = (sorted(which[label[which] == k], key=lambda i: place[i]) for which in (here, base))
            for i, j in zip(mine, theirs[1:] + theirs[:1], strict=True):
                next_one.append(len(slow_top(a[i] * centred[k], live) & slow_top(a[j] * centred[k], live)))
        assert float(row.picture_overlap_null_another_picture) == pytest.approx(np.mean(next_one))
        of_others = [
            len(slow_top(a[i] * centred[label[i]], live) & slow_top(a[j] * centred[label[i]], live))
            for i in here
            for j in base
            if label[j] != label[i]
        ]
        assert float(row.picture_overlap_null_other_class) == pytest.approx(np.mean(of_others))
    assert seen.summary["top5_shared_by_two_pictures_null_chance"] == pytest.approx(25 / 11)
    assert seen.summary["top5_shared_by_two_pictures"] == measured.picture_overlap_null_another_picture.values[0]
    other_class = measured.picture_overlap_null_other_class.values[0]
    assert seen.summary["top5_shared_by_two_pictures_null_other_class"] == other_class
    gain = seen.summary["top5_shared_by_two_pictures"] - other_class
    assert seen.summary["top5_shared_by_two_pictures_gain_other_class"] == pytest.approx(gain)
    assert seen.summary["lowest_accuracy_turn"] == measured.accuracy.values[3:].min()


@pytest.mark.parametrize("specific", [False, True])
def test_voters_of_the_class_are_told_from_those_of_any_picture(look, random_replica, specific):
    replica = random_replica(units=30)
    factors = levels("noise", np.repeat(range(3), 8), [1, 2], 1)
    rng, label = np.random.default_rng(3), factors["label"]
    activation = rng.uniform(1, 1.01, (len(label), 30))
    if specific:  # in pictures of a class those units answer that vote for it most
        weight = replica.weights["fc2.weight"] - replica.weights["fc2.weight"].mean(0)
        own = np.argsort(-weight, axis=1)[:, 10:15]
        activation[np.arange(len(label))[:, None], own[label]] = 50
    summary = look(LENS, vary(replica, activation, **factors), draw=None).summary
    assert summary["top5_shared_by_two_pictures"] == pytest.approx(5, abs=0.2)
    if specific:
        assert summary["top5_shared_by_two_pictures_gain_other_class"] > 2
    else:  # who votes for a class does so in every picture: two of a class share no more than two of different ones
        assert summary["top5_shared_by_two_pictures_gain_other_class"] == pytest.approx(0, abs=0.2)


def test_at_the_base_level_everything_agrees_with_itself(look, random_replica):
    measured = look(LENS, random_variation(random_replica), draw=None).measured
    base = measured.isel(condition=np.flatnonzero(measured.base.values))
    assert base["design"].values.tolist() == ["noise", "turn"]
    for name, value in {"overlap": 5, "picture_overlap": 5, "rank_correlation": 1, "margin_change": 0}.items():
        np.testing.assert_allclose(base[name], value)


def test_every_set_has_the_size_of_the_setting(look, random_replica, compared):
    lens, replica = Variation("fc1", "fc2", top=3), random_variation(random_replica, dead=(4,))
    seen = look(lens, replica)
    measured = seen.measured
    base = measured.isel(condition=np.flatnonzero(measured.base.values))
    assert base.overlap.values.tolist() == base.picture_overlap.values.tolist() == [3, 3]
    assert measured.overlap_null_chance == pytest.approx(9 / 11)
    a, label, weight = (replica.activations["fc1"].values, replica.probe.label.values, replica.weights["fc2.weight"])
    varied, of_varied = replica.variations, replica.activations["fc1_variations"].values
    here = (varied.design.values == "noise") & varied.base.values
    shared = []
    for k in range(3):
        votes = (
            values[own].mean(0) * (weight[k] - weight.mean(0))
            for values, own in ((a, label == k), (of_varied, here & (varied.label.values == k)))
        )
        shared.append(len(set.intersection(*(slow_top(of, np.arange(12) != 4, 3) for of in votes))))
    assert measured.overlap_null_other_pictures.values[0] == pytest.approx(np.mean(shared))
    assert seen.summary["top3_shared_by_two_pictures_null_chance"] == pytest.approx(9 / 11)
    sheets = [seen.sheets["robustness"], compared(lens, {1: measured, 2: measured}).sheets[1]]
    for sheet in sheets:
        assert "top 3" in words(sheet)
        assert "top 5" not in words(sheet)


@pytest.mark.parametrize(("contribution", "top"), [({"top": 3}, 3), (None, 5)])
def test_as_many_units_count_as_dominant_as_for_contribution_where_there_is_one(contribution, top):
    lens = OmegaConf.load(Path(__file__).parents[2] / "conf" / "lens" / "variation.yaml")
    settings = OmegaConf.create({"lenses": {"contribution": contribution, "variation": lens}})
    assert settings.lenses.variation.top == top


def test_units_that_wake_up_under_change_are_told_and_not_ranked(look, random_replica):
    replica = random_replica(dead=(0, 1))
    factors = levels("noise", np.repeat(range(3), 4), [1, 2], 1)
    activation = np.clip(np.random.default_rng(0).normal(0, 1, (24, 12)), 0, None)
    activation[:, :2] = 0
    activation[12:, 1] = 3.0
    measured = look(LENS, vary(replica, activation, **factors), draw=None).measured
    assert measured.woken_units.values.tolist() == [0, 1]
    assert measured.woken_share.values[0] == 0
    assert 0 < measured.woken_share.values[1] < 1
    weight = replica.weights["fc2.weight"]
    size = np.abs(activation[12:] * (weight - weight.mean(0))[factors["label"][12:]])
    assert measured.woken_share.values[1] == pytest.approx(size[:, 1].sum() / size.sum())


def test_a_picture_that_changed_class_has_no_voters_of_its_own_to_keep(look, random_replica):
    replica = random_replica()
    factors = levels("shift", np.repeat(range(3), 4), [0, 1, 2], 0)
    factors["label"][12:15] = 1  # three pictures of class 0 are of class 1 now
    factors["label"][24:] = (factors["label"][24:] + 1) % 3
    activation = np.clip(np.random.default_rng(0).normal(0.4, 1, (36, 12)), 0, None)
    activation[12:24] = activation[:12]
    measured = look(LENS, vary(replica, activation, **factors), draw=None).measured
    assert measured.picture_overlap.values[:2].tolist() == [5, 5]
    assert np.isnan(measured.picture_overlap.values[2])
    assert np.isfinite(measured.overlap.values).all()


def test_a_network_on_data_that_cannot_be_varied_is_refused():
    network = Network({"fc1": (12,), "fc2": (3,), "logit": (3,)}, {"fc2.weight": (3, 12)}, {"fc1": "probe"}, 3)
    with pytest.raises(SeedscopeError, match="makes no pictures in which one thing changes"):
        LENS.check(network)
    LENS.check(replace(network, varied=True))
    with pytest.raises(SettingError, match="13 is out of range: 'fc1' has 12 units"):
        Variation("fc1", "fc2", top=13).check(replace(network, varied=True))


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        ({name: values[1:] for name, values in crossed(range(3), 3, 3).items()}, "class 0 has 8 crossed pictures"),
        (crossed(range(3), 3, 1), "at least two places and two fields"),
        (levels("noise", np.arange(3), [1, 2], 3), "'noise' must have one base level"),
        ({n: v[:-1] for n, v in levels("noise", np.arange(3), [1, 2], 1).items()}, "the same places and noise fields"),
    ],
)
def test_designs_that_are_not_what_they_say_are_refused(random_replica, factors, sentence):
    with pytest.raises(SeedscopeError, match=sentence):
        LENS.measure(random_variation(random_replica, factors=factors))


ODD = {
    "some units dead": {"dead": (2, 7)},
    "all units dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "one unit": {"units": 1},
    "one class in the variations": {"present": (1,)},
    "constant pictures": {"constant": True},
    "one logit": {"classes": 2, "targets": 1},
    "twelve classes": {"classes": 12, "n": 200},
    "800 units": {"units": 800, "dead": range(100)},
    "a feature map": {"feature_map": (3, 2, 2)},
    "one level": {"factors": joined(crossed(range(3), 2, 2), levels("shift", np.arange(3), [0], 0))},
    "only robustness": {"factors": levels("noise", np.repeat(range(3), 3), [1, 2], 1)},
    "only crossed": {"factors": crossed(range(3), 3, 8)},
    "one picture per level": {"factors": levels("noise", np.array([1]), [1, 2, 3], 2)},
    "one other setting": {"factors": settings_design(range(3), [0.3], places=2, noises=2)},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_shown(look, random_replica, case):
    seen = look(LENS, random_variation(random_replica, **ODD[case]))
    missing = {"only robustness": {"vote_variance", "same_class_different_votes"}, "only crossed": {"robustness"}}
    missing["one picture per level"] = missing["only robustness"]
    missing["one other setting"] = missing["only crossed"]
    more = {"vote_variance_by_setting"} if case == "one other setting" else set()
    assert set(seen.sheets) == (FIGURES | more) - missing.get(case, set())
    known = {name for name, value in seen.summary.items() if np.isfinite(value)}
    if "place_share" in seen.summary:
        varies = case not in ("all units dead", "constant pictures")
        for name in SOURCES:
            assert (f"{name}_share" in known) == (f"margin_{name}_share" in known) == varies
        units, *_ = panels_of(seen.sheets["vote_variance"].body)
        assert bool(units.empty) == (not varies)
    assert {name for name in seen.summary if name.startswith("lowest")} <= known


@pytest.mark.parametrize("case", ["all units dead", "twelve classes", "800 units", "one level"])
def test_every_figure_can_be_read(look, random_replica, case):
    look(LENS, random_variation(random_replica, **ODD[case]), rendered=True)


def test_stacks_are_the_shares_of_components_with_negative_ones_as_0(look, random_replica):
    seen = look(LENS, random_variation(random_replica, dead=(2,)), draw="vote_variance")
    sheet, component = seen.sheets["vote_variance"], seen.measured.component.values
    variance, stack, classes = panels_of(sheet.body)
    order = np.argsort(-component.sum((0, 1)), kind="stable")[: len(variance.marks[0].height)]
    assert 2 not in order
    assert [int(name) for name in stack.x.names] == order.tolist()
    np.testing.assert_allclose(variance.marks[0].height, component.sum((0, 1))[order])
    parts = np.clip(component.sum(1)[:, order], 0, None)
    np.testing.assert_allclose([bars.height for bars in marks(stack, Bars)], parts / parts.sum(0))
    pooled = np.clip(component.sum((1, 2)), 0, None)
    at = classes.x.names.index("all\nvotes")
    np.testing.assert_allclose([bars.height[at] for bars in marks(classes, Bars)], pooled / pooled.sum())
    assert len(sheet.table) == 3 * (11 + 1)
    row = sheet.table.query("`class` == 1 and unit == '7'").iloc[0]
    assert row["noise_component"] == component[1, 1, 7]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8)])
def test_pictures_of_a_class_stand_above_their_votes(look, random_replica, shape):
    replica = random_replica(shape=shape)
    activation = np.random.default_rng(0).random((27, 12))
    seen = look(LENS, vary(replica, activation, shape=shape, **crossed(range(3), 3, 3)), draw="same_class")
    sheet, measured = seen.sheets["same_class_different_votes"], seen.measured
    pictures_shown = marks(sheet, Image)
    assert len(pictures_shown) == 6
    assert all(image.values.shape == (8, 8, 3) for image in pictures_shown)
    first, second = marks(sheet, Bars)
    np.testing.assert_array_equal(first.height, measured.strip_vote.values[0].ravel())
    np.testing.assert_array_equal(second.height, measured.strip_vote.values[1].ravel())
    assert f"decided: {int(measured.strip_decided[1, 2])}, margin" in words(sheet)


def test_curves_of_robustness_are_those_measured_of_each_design(look, random_replica):
    seen = look(LENS, random_variation(random_replica), draw="robustness")
    accuracy = panel_of(seen.sheets["robustness"], "turn")
    (line,) = marks(accuracy, Line)
    np.testing.assert_array_equal(line.x, [-1, 0, 1])
    np.testing.assert_array_equal(line.y, seen.measured.accuracy.values[3:])
    assert [rule.at for rule in marks(accuracy, Rule)] == [0, pytest.approx(1 / 3)]  # the base level, and chance
    assert len(list(panels_of(seen.sheets["robustness"].body))) == 6


@pytest.mark.parametrize("seeds", [(0,), (3, 4, 5)])
def test_curves_and_shares_over_seeds_are_means_of_the_seeds(look, compared, random_replica, seeds):
    measured = {seed: look(LENS, random_variation(random_replica, seed=seed), draw=None).measured for seed in seeds}
    comparison = compared(LENS, measured, rendered=len(seeds) > 2)
    assert [sheet.name for sheet in comparison.sheets] == ["vote_variance_across_seeds", "robustness_across_seeds"]
    table = comparison.tables["robustness"]
    for name, at in product(("accuracy", "margin", "overlap", "picture_overlap", "rank_correlation"), range(6)):
        row = table[table["measure"] == name].iloc[at]
        values = np.array([measured[seed][name].values[at] for seed in seeds])
        assert row["n"] == len(seeds)
        assert row["mean"] == pytest.approx(values.mean())
        assert (row["design"], row["level"]) == (("noise", "turn")[at // 3], (0.2, 0.4, 0.6, -1, 0, 1)[at])
    of_shares = comparison.sheets[0].table.query("of == 'votes' and source == 'place'")
    values = [shares(one.component.values.sum((1, 2)))[0] for one in measured.values()]
    assert of_shares["mean"].item() == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    "case", ["all units dead", "only robustness", "only crossed", "one logit", "one picture per level"]
)
def test_odd_cases_are_compared(look, compared, random_replica, case):
    measured = {
        seed: look(LENS, random_variation(random_replica, seed=seed, **ODD[case]), draw=None).measured
        for seed in (0, 1)
    }
    sheets = compared(LENS, measured, rendered=case == "all units dead").sheets
    assert [sheet.name for sheet in sheets] == [
        *(["vote_variance_across_seeds"] if case not in ("only robustness", "one picture per level") else []),
        *(["robustness_across_seeds"] if case != "only crossed" else []),
    ]
