import numpy as np
import pytest

from seedscope.figures import Line, panels_of
from seedscope.formulas.concentration import gini
from seedscope.lenses.dominance import Dominance
from tests.lenses.sheets import marks

LENS = Dominance("fc1", "fc2")


def test_work_is_the_mean_size_of_a_units_contributions(look, random_replica):
    replica = random_replica(dead=(2,))
    measured = look(LENS, replica, draw=None).measured
    a, weight = replica.activations["fc1"].values, replica.weights["fc2.weight"]
    label = replica.probe.label.values
    for gauge, used in (("raw", weight), ("centred", weight - weight.mean(0))):
        for k in range(3):
            own = [abs(a[s] * used[k]) for s in range(60) if label[s] == k]
            work = measured.work.sel(gauge=gauge).values[k]
            np.testing.assert_allclose(work, sum(own) / len(own), rtol=1e-12)
            live = np.delete(work, 2)
            assert measured.gini.sel(gauge=gauge)[k] == pytest.approx(float(gini(live)))
            curve = np.cumsum(sorted(live, reverse=True)) / live.sum()
            np.testing.assert_allclose(measured.cumulative_share.sel(gauge=gauge)[k], curve)
            assert measured.units_for_80_percent.sel(gauge=gauge)[k] == 1 + np.argmax(curve >= 0.8)
    np.testing.assert_allclose(measured.active_share, (a > 0).mean(0))


def test_dead_units_change_nothing_but_their_count(look, random_replica, replica_of):
    replica = random_replica()
    rng = np.random.default_rng(0)
    more = replica_of(
        np.concatenate([replica.activations["fc1"].values, np.zeros((60, 20))], axis=1),
        np.concatenate([replica.weights["fc2.weight"], rng.normal(0, 5, (3, 20))], axis=1),
        replica.weights["fc2.bias"],
        replica.probe.label.values,
    )
    without, with_dead = (look(LENS, r, draw=None).summary for r in (replica, more))
    assert with_dead.pop("dead_units") == without.pop("dead_units") + 20 == 20
    assert with_dead == pytest.approx(without)


def test_the_gauge_shows_in_raw_votes_only(look, random_replica, replica_of):
    replica = random_replica()
    moved = replica_of(
        replica.activations["fc1"].values,
        replica.weights["fc2.weight"] + np.linspace(-5, 5, 12),
        replica.weights["fc2.bias"],
        replica.probe.label.values,
    )
    a, b = (look(LENS, r, draw=None).measured for r in (replica, moved))
    np.testing.assert_allclose(a.work.sel(gauge="centred"), b.work.sel(gauge="centred"), atol=1e-12)
    assert np.abs(a.work.sel(gauge="raw") - b.work.sel(gauge="raw")).max() > 0.1


def test_the_summary_averages_over_classes_that_have_pictures(look, random_replica):
    seen = look(LENS, random_replica(unseen=(1,)), draw=None)
    for gauge in ("raw", "centred"):
        values = seen.measured.gini.sel(gauge=gauge).values
        assert np.isnan(values).tolist() == [False, True, False]
        assert seen.summary[f"gini_{gauge}"] == pytest.approx((values[0] + values[2]) / 2)


ODD = {
    "some units dead": {"dead": (2, 7)},
    "all units dead": {"dead": range(12)},
    "one class only": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1},
    "ten classes": {"classes": 10, "n": 200},
    "800 units": {"units": 800, "dead": range(100)},
    "one unit": {"units": 1},
    "a feature map": {"feature_map": (3, 2, 2)},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, random_replica, case):
    seen = look(LENS, random_replica(**ODD[case]), rendered=case in ("all units dead", "a feature map", "800 units"))
    assert set(seen.sheets) == {"dominance_cumulative", "dominance_units", "unit_activity"}
    dead = len(ODD[case].get("dead", ()))
    assert seen.summary["dead_units"] == dead
    assert np.isfinite(list(seen.summary.values())).all() == (seen.summary["live_units"] > 0)


def test_the_curves_start_at_0_and_end_at_1_and_tell_the_concentration(look, random_replica):
    seen = look(LENS, random_replica(dead=(2, 7)), draw="dominance_cumulative")
    sheet = seen.sheets["dominance_cumulative"]
    for panel, gauge in zip(panels_of(sheet.body), ("raw", "centred"), strict=True):
        assert panel.title.startswith(f"{gauge} votes: Gini {float(seen.measured.gini.sel(gauge=gauge).mean()):.2f}")
        *curves, alike = marks(panel, Line)
        assert [curve.label for curve in curves] == ["0", "1", "2"]
        for k, curve in enumerate(curves):
            assert (curve.y[0], curve.y[-1]) == (0, pytest.approx(1))
            assert curve.y[1:].tolist() == seen.measured.cumulative_share.sel(gauge=gauge).values[k].tolist()
        assert (alike.x, alike.y) == ([0, 10], [0, 1])
    assert sheet.table.columns.tolist() == ["gauge", "class", "count", "share"]


def test_the_busiest_unit_comes_first_and_dead_units_are_crossed(look, random_replica):
    seen = look(LENS, random_replica(dead=(2, 7)), draw="unit_activity")
    panel = seen.sheets["unit_activity"].body
    bars, crosses = panel.marks
    assert bars.height.tolist() == sorted(seen.measured.active_share.values, reverse=True)
    assert [panel.x.names[int(place)] for place in crosses.x] == ["2", "7"]


def test_the_headlines_are_numbers_of_the_summary(look, random_replica):
    summary = look(LENS, random_replica(), draw=None).summary
    for headline in LENS.headlines():
        assert {headline.metric, *headline.whole} <= set(summary)


def test_few_units_decide_where_votes_are_planted_on_few_and_not_where_they_are_a_broken_stick(look, replica_of):
    rng, label = np.random.default_rng(0), np.arange(60) % 3
    gains = {"few": [], "random": []}
    for _ in range(40):
        for case, sizes in (("few", np.repeat([9.0, 0.1], [2, 18])), ("random", rng.exponential(size=20))):
            replica = replica_of(
                np.tile(sizes, (60, 1)), np.array([[1.0], [-1], [0.5]]) * np.ones(20), np.zeros(3), label
            )
            gains[case].append(look(LENS, replica, draw=None).summary["share_for_80_percent_raw_gain_broken_stick"])
    assert np.max(gains["few"]) < -0.2
    assert abs(np.mean(gains["random"])) < 3 * np.std(gains["random"]) / np.sqrt(40)
