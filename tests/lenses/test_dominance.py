import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedscope.formulas.concentration import cumulative_share, gini, participation_ratio, reaching
from seedscope.lenses.dominance import Dominance

LENS = Dominance("fc1", "fc2")
sizes = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 100).map(lambda x: round(x, 3)))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(sizes)
def test_the_gini_coefficient_is_half_the_relative_mean_absolute_difference(values):
    if values.sum() == 0:
        assert np.isnan(gini(values))
        return
    differences = sum(abs(a - b) for a in values for b in values)
    assert gini(values) == pytest.approx(differences / (2 * len(values) ** 2 * values.mean()), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 10, 64])
def test_the_extremes_of_concentration(n):
    alike, one = np.full(n, 0.3), np.eye(n)[n // 2]
    assert gini(alike) == pytest.approx(0, abs=1e-12)
    assert gini(one) == pytest.approx(1 - 1 / n)
    assert participation_ratio(alike) == pytest.approx(n)
    assert participation_ratio(one) == 1
    assert reaching(cumulative_share(alike), 0.8) == np.ceil(0.8 * n - 1e-9)
    assert reaching(cumulative_share(one), 0.8) == 1


def test_concentration_by_hand():
    values = np.array([[3.0, 1.0, 4.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(cumulative_share(values), [[0.5, 0.875, 1, 1], [0.5, 1, 1, 1]])
    np.testing.assert_allclose(participation_ratio(values), [64 / 26, 2])
    np.testing.assert_allclose(gini(values), [14 / 32, 0.5])
    np.testing.assert_array_equal(reaching(cumulative_share(values), 0.8), [2, 2])
    assert reaching(cumulative_share(values), 0.5).tolist() == [1, 1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes, st.floats(0.01, 100))
def test_concentration_does_not_depend_on_scale_or_order(values, factor):
    for measure in (gini, participation_ratio):
        np.testing.assert_allclose(measure(values[::-1] * factor), measure(values), rtol=1e-9, atol=1e-9)


def test_where_nothing_votes_there_is_no_concentration():
    for nothing in (np.zeros((2, 3)), np.zeros((2, 0)), np.full((2, 3), np.nan)):
        assert np.isnan(gini(nothing)).all()
        assert np.isnan(participation_ratio(nothing)).all()
        assert np.isnan(reaching(cumulative_share(nothing), 0.8)).all()


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
    seen = look(LENS, random_replica(**ODD[case]))
    assert set(seen.drawings) == {"dominance_cumulative", "dominance_units", "unit_activity"}
    dead = len(ODD[case].get("dead", ()))
    assert seen.summary["dead_units"] == dead
    assert np.isfinite(list(seen.summary.values())).all() == (seen.summary["live_units"] > 0)
