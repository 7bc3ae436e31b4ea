"""Trends over conditions: against scipy, planted slopes, and simulation without any."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seedscope.figures import panels_of
from seedscope.formulas.intervals import Interval, mean_interval, pair_interval
from seedscope.lenses.comparison import Comparison, Headline, Pairs
from seedscope.seeds.conditions import Axis, Trend, compare_conditions, number_of, slopes, trends
from seedscope.seeds.headlines import Followed, followed
from seedscope.seeds.variants import _alike

WIDTHS = [[16], [32], [64], [128]]
SEEDS = (0, 1, 2, 5)


def number(values, metric="x", null=None):
    return Followed(metric, metric, np.asarray(values, dtype=np.float64), 0.1, null)


def symmetric(rng, n):
    upper = np.triu(rng.normal(2, 1, (n, n)), 1)
    return upper + upper.T


@pytest.mark.parametrize(
    ("values", "numeric", "geometric", "steps", "step"),
    [
        (WIDTHS, True, True, [4, 5, 6, 7], "doubling of k"),
        ([1, 3, 9], True, True, [0, 1, 2], "3-fold of k"),
        ([0.1, 0.2, 0.3, 0.4], True, False, [1, 2, 3, 4], "0.1 of k"),
        ([0.3, 0.1, 0.2], True, False, [3, 1, 2], "0.1 of k"),
        ([0, 5, 10], True, False, [0, 1, 2], "5 of k"),
        ([1, 2, 7], True, False, [1, 2, 7], "1 of k"),
        ([2, 4], True, False, [1, 2], "2 of k"),
        (["adam", "sgd"], False, False, [0, 1], ""),
        ([[32], [32, 32]], False, False, [0, 1], ""),
        ([True, False], False, False, [0, 1], ""),
    ],
)
def test_conditions_lie_along_an_axis_of_their_own_kind(values, numeric, geometric, steps, step):
    axis = Axis.of("k", values)
    assert (axis.numeric, axis.geometric, axis.step) == (numeric, geometric, step)
    np.testing.assert_allclose(axis.steps, steps)


def test_the_experiments_own_value_is_marked_where_it_lies():
    assert Axis.of("k", WIDTHS).mark([48]) == 48
    assert Axis.of("k", WIDTHS).mark([32, 32]) is None
    assert Axis.of("k", ["adam", "sgd"]).mark("sgd") == 1
    assert Axis.of("k", ["adam", "sgd"]).mark("lion") is None
    assert number_of(True) is None


def test_a_planted_trend_is_found_with_its_size_though_seeds_differ_more():
    rng = np.random.default_rng(0)
    offset = rng.normal(0, 50, 4)  # far larger than the trend, and shared by all conditions
    conditions = [[number(offset + 3 * j + rng.normal(0, 0.1, 4))] for j in range(4)]
    (trend,) = trends(Axis.of("model.hidden", WIDTHS), conditions)
    assert trend.slope.low < 3 < trend.slope.high
    assert trend.slope.high - trend.slope.low < 0.5
    assert trend.spearman.mean == 1
    assert trend.sentence("doubling of model.hidden").startswith("X: up by 2.98 [2.96, 3.00] per")


def test_the_p_of_a_trend_is_that_of_a_t_test_of_the_slopes():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 6)) + np.arange(4)[:, None] * 0.4
    axis = Axis.of("k", [1, 2, 3, 4])
    (trend,) = trends(axis, [[number(row)] for row in values])
    assert trend.p == pytest.approx(stats.ttest_1samp(slopes(values, axis.steps), 0).pvalue)
    assert trend.p_holm == trend.p


def test_without_a_trend_few_sweeps_say_there_is_one():
    rng = np.random.default_rng(2)
    axis, said = Axis.of("k", WIDTHS), 0
    for _ in range(400):
        found = trends(axis, [[number(rng.normal(size=5), name) for name in "abc"] for _ in WIDTHS])
        said += any(" by " in trend.sentence("step") for trend in found)
    assert said / 400 == pytest.approx(0.05, abs=0.03)


def test_pairs_have_the_trend_of_what_they_have_above_chance():
    rng = np.random.default_rng(3)
    pairs = [symmetric(rng, 4) for _ in WIDTHS]
    chance = [np.full((4, 4), float(10 * j)) for j in range(4)]  # all that grows is chance
    axis = Axis.of("k", WIDTHS)
    (trend,) = trends(axis, [[number(p + c, null=c)] for p, c in zip(pairs, chance, strict=True)])
    expected = pair_interval(slopes(np.stack(pairs), axis.steps))
    assert (trend.slope.mean, trend.slope.low) == pytest.approx((expected.mean, expected.low))
    assert "above chance: no trend that these seeds can tell" in trend.sentence("step")


def test_a_bound_near_0_has_the_decimals_of_the_other():
    trend = Trend("x", "X", Interval(0.00385, -6.28e-05, 0.00775, 5), Interval(None, None, None, 5), p=0.1, p_holm=0.1)
    assert ", +0.00385 [-0.00006, +0.00775] per step" in trend.sentence("step")


def test_one_seed_has_a_slope_and_no_interval():
    conditions = [[number([2.0 * j]), number([[0.0]], null=np.zeros((1, 1)))] for j in range(4)]
    own, pairs = trends(Axis.of("k", WIDTHS), conditions)
    assert own.sentence("step") == "X: +2 per step; n = 1 gives no interval."
    assert pairs.sentence("step") == "X, above chance: no trend can be told (n = 1)."


def test_values_that_are_no_numbers_have_no_trend():
    assert trends(Axis.of("k", ["a", "b"]), [[number([1, 2])], [number([3, 4])]]) == []


@pytest.mark.parametrize("values", [WIDTHS, [0.1, 0.2, 0.3, 0.4], ["a", "b", "c", "d"]])
@pytest.mark.parametrize("seeds", [SEEDS, (7,)])
def test_figure_tables_and_metrics_say_the_same(values, seeds):
    rng = np.random.default_rng(0)
    n = len(seeds)
    conditions = [[number(rng.random(n)), number(symmetric(rng, n), "y", np.ones((n, n)))] for _ in values]
    found = compare_conditions("toy-sweep", "k", values[1], values, conditions, seeds)
    (sheet,) = found.sheets
    assert f"n = {n} seed" in sheet.heading
    assert [panel.title for panel in panels_of(sheet.body)] == ["x", "y"]
    label = Axis.of("k", values).labels[2]
    summary = found.tables["summary"].set_index(["metric", "condition"])
    expected = mean_interval(conditions[2][0].values)
    assert summary.loc[("x", label), "mean"] == expected.mean
    assert found.metrics[f"k: {label}"]["x"] == expected.as_dict()
    assert found.metrics[f"k: {label}"]["y"]["null"] == (1 if n > 1 else None)
    by_seed = sheet.table.set_index(["metric", "condition", "seed"])["value"]
    assert by_seed["x", label, seeds[-1]] == conditions[2][0].values[-1]
    numeric = not isinstance(values[0], str)
    assert ("trend" in found.metrics) == numeric
    assert len(found.tables["trends"]) == (2 if numeric else 0)


class Following:
    """A lens that has nothing but headlines."""

    def __init__(self, *headlines):
        self._headlines = headlines

    def headlines(self):
        return self._headlines


def test_headline_numbers_are_those_that_the_lenses_name_and_give():
    by_seed = {
        "0": {"training": {"probe_accuracy": 0.9}, "dominance": {"dead": 40.0, "live": 24.0, "gini": None}},
        "1": {"training": {"probe_accuracy": 0.8}, "dominance": {"dead": 20.0, "live": 44.0, "gini": 0.5}},
    }
    pairs = {f"overlap_{v}": Pairs(np.full((2, 2), 1.0), np.full((2, 2), 0.4), 5) for v in ("raw", "centred")}
    lenses = {
        "contribution": Following(Headline("overlap_centred", "shared"), Headline("absent", "not given")),
        "dominance": Following(Headline("dead", "dead units", whole=("dead", "live")), Headline("gini", "Gini")),
    }
    found = followed(by_seed, lenses, {"contribution": Comparison({}, pairs=pairs)})
    assert [one.metric for one in found] == ["probe_accuracy", "dead", "gini", "overlap_centred"]
    assert [one.wanted for one in found] == pytest.approx([0.01, 1.5, 0.025, 0.25])
    assert found[1].whole.tolist() == [64, 64]
    assert np.isnan(found[2].values[0])
    assert found[2].interval().n == 1
    assert found[3].null_mean == 0.4


def test_headline_numbers_of_two_lenses_of_a_kind_are_told_apart():
    by_seed = {"0": {"first": {"gini": 0.1}, "second": {"gini": 0.7}, "training": {}}}
    lens = Following(Headline("gini", "Gini"))
    found = followed(by_seed, {"first": lens, "second": lens}, {})
    assert {one.metric: one.values.tolist() for one in found} == {"first_gini": [0.1], "second_gini": [0.7]}
    assert [one.words for one in found] == ["Gini (first)", "Gini (second)"]


def test_a_count_is_followed_as_a_share_where_conditions_differ_in_what_it_is_part_of():
    def count(units):
        return {"dead": Followed("dead", "dead units", np.array([4.0, 8.0]), 0.1, whole=np.full(2, units))}

    (same,), (other,) = _alike([count(16.0), count(16.0)])
    assert (same.metric, other.metric) == ("dead", "dead")
    (small,), (large,) = _alike([count(16.0), count(32.0)])
    assert small.metric == "dead_share"
    np.testing.assert_allclose([small.values, large.values], [[0.25, 0.5], [0.125, 0.25]])
