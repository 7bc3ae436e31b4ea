from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from seedscope.figures import Dots, Image, Spans, of_member, panels_of
from seedscope.formulas.intervals import holm
from seedscope.formulas.overlap import membership
from seedscope.lenses.contribution import Contribution
from seedscope.lenses.contribution.compare import compare, overlap_rows
from seedscope.lenses.units import Units
from seedscope.seeds.together import stacked
from tests.lenses.sheets import marks


def dense(count):
    return Units("fc1", "dense", (count,))


def p_value(member, live, units=None):
    (row,) = [
        row for row in overlap_rows("centred", member, live, units or dense(live.shape[1])) if row["class"] == "all"
    ]
    return row["p"]


def test_independent_seeds_give_every_p_equally_often(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.contribution.compare._SHUFFLES", 99)
    rng = np.random.default_rng(0)
    p = []
    for _ in range(100):
        live = rng.random((4, 40)) < 0.5
        top = np.array([[rng.permutation(np.flatnonzero(own))[:5] for _ in range(6)] for own in live])
        p.append(p_value(membership(top, 40), live))
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert np.mean(np.array(p) <= 0.1) < 0.2


def measured_of(top, live, seed=0, units=None):
    """Return what the contribution lens would have measured, as far as comparing needs it: (class, rank) top units."""
    top = np.asarray(top)
    versions = ["raw", "centred", "margin", "mean_subtracted"]
    dominance = np.random.default_rng(seed).normal(0, 1, (4, len(top), len(live)))
    dominance[:, (top < 0).all(1)] = np.nan
    return xr.Dataset(
        {
            "top": (("version", "true", "rank"), np.stack([top] * 4)),
            "dominance": (("version", "true", "unit"), dominance),
            "live": ("unit", np.asarray(live, dtype=bool)),
        },
        coords={"version": versions},
        attrs={
            "experiment": "toy",
            "seed": seed,
            "class_names": [str(k) for k in range(len(top))],
            **(units or dense(len(live))).attributes(),
        },
    )


def compare_seeds(measured):
    return compare(stacked(measured))


@pytest.fixture
def few_shuffles(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.contribution.compare._SHUFFLES", 99)


@pytest.mark.usefixtures("few_shuffles")
def test_planted_identical_sets_overlap_fully_and_no_shuffle_does_as_well():
    rng = np.random.default_rng(0)
    top = np.array([rng.permutation(40)[:5] for _ in range(3)])
    comparison = compare_seeds({seed: measured_of(top, np.ones(40), seed) for seed in range(4)})
    for version in ("raw", "centred", "margin", "mean_subtracted"):
        metric = comparison.metrics[f"top5_overlap_{version}"]
        assert metric["mean"] == 5
        assert metric["same"]  # in every pair
        assert metric["n"] == 4
        assert metric["null"] == pytest.approx(5 * 5 / 40)
        assert metric["p"] == pytest.approx(1 / 100)
    table = comparison.tables["top5_overlap"]
    tested = table[table["class"] != "all"]
    assert len(tested) == 12
    np.testing.assert_allclose(tested["p_holm"], holm(tested["p"].to_numpy()))
    assert table[table["class"] == "all"]["p_holm"].isna().all()


MAP = Units("pool2", "map", (4, 2, 3))
PIXELS = Units("input", "pixel", (1, 4, 6))


def sets_at_places(rng, channels, places, at, seeds=4, classes=3):
    """Return top sets (seed, class, unit) of four units: channels drawn for each set, places out of ``at``."""
    top = [
        [rng.permutation(channels)[:4] * places + rng.permutation(at)[:4] for _ in range(classes)] for _ in range(seeds)
    ]
    return membership(np.array(top), channels * places)


def test_seeds_that_look_at_the_same_places_through_channels_of_their_own_share_no_more_than_chance(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.contribution.compare._SHUFFLES", 99)
    units = Units("pool2", "map", (8, 1, 25))
    rng = np.random.default_rng(0)
    live = np.ones((4, 200), dtype=bool)
    sets = [sets_at_places(rng, 8, 25, at=np.array([6, 7, 8, 12])) for _ in range(40)]
    p = [p_value(member, live, units) for member in sets]
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    unaware = [p_value(member, live) for member in sets]  # as if the places of a map were drawn by the seed
    assert np.median(unaware) < 0.02


@pytest.mark.usefixtures("few_shuffles")
def test_seeds_that_share_channels_and_places_are_told_from_those_that_share_places_only():
    units = Units("pool2", "map", (8, 5, 5))
    rng = np.random.default_rng(0)
    same = sets_at_places(rng, 8, 25, at=np.array([6, 7, 8, 12]), seeds=1)
    assert p_value(np.repeat(same, 4, axis=0), np.ones((4, 200), dtype=bool), units) == pytest.approx(1 / 100)


def pixel_metric(tops):
    measured = {seed: measured_of(top, np.ones(24), seed, PIXELS) for seed, top in enumerate(tops)}
    return compare_seeds(measured).metrics["top3_overlap_centred"]


@pytest.mark.usefixtures("few_shuffles")
def test_pixels_of_each_class_that_return_in_every_seed_are_above_chance():
    metric = pixel_metric([np.arange(12).reshape(4, 3)] * 4)
    assert (metric["mean"], metric["null"]) == (3, 3 / 4)
    assert metric["p"] == pytest.approx(1 / 100)


@pytest.mark.usefixtures("few_shuffles")
def test_pixels_that_dominate_every_class_in_every_seed_are_no_more_than_chance():
    metric = pixel_metric([np.tile([3, 5, 8], (4, 1))] * 4)
    assert (metric["mean"], metric["null"], metric["p"]) == (3, 3, 1)


@pytest.mark.usefixtures("few_shuffles")
def test_disjoint_sets_overlap_less_than_any_shuffle():
    tops = np.arange(3 * 2 * 5).reshape(3, 2, 5)
    comparison = compare_seeds({seed: measured_of(tops[seed], np.ones(30)) for seed in range(3)})
    assert comparison.metrics["top5_overlap_raw"]["mean"] == 0
    assert comparison.metrics["top5_overlap_raw"]["p"] == 1


@pytest.mark.usefixtures("few_shuffles")
def test_where_every_shuffle_does_as_well_p_is_1():
    live = np.arange(12) < 5
    comparison = compare_seeds({seed: measured_of([[4, 0, 1, 3, 2]], live, seed) for seed in range(3)})
    metric = comparison.metrics["top5_overlap_margin"]
    assert (metric["mean"], metric["null"], metric["p"]) == (5, 5, 1)


@pytest.mark.usefixtures("few_shuffles")
def test_a_class_without_pictures_is_no_test_and_does_not_dilute_the_mean():
    top = np.array([[0, 1], [-1, -1], [2, 3]])
    comparison = compare_seeds({seed: measured_of(top, np.ones(8)) for seed in range(3)})
    assert comparison.metrics["top2_overlap_centred"]["mean"] == 2
    table = comparison.tables["top2_overlap"]
    assert table[table["class"] == 1][["mean", "null", "p", "p_holm"]].isna().all(axis=None)
    assert table["p_holm"].notna().sum() == 8


@pytest.mark.usefixtures("few_shuffles")
def test_networks_without_a_live_unit_have_no_overlap_to_speak_of():
    measured = {seed: measured_of(np.full((2, 2), -1), np.zeros(4)) for seed in range(3)}
    for seed in measured:
        measured[seed]["dominance"] = measured[seed].dominance * 0
    comparison = compare_seeds(measured)
    metric = {
        "mean": None,
        "low": None,
        "high": None,
        "n": 3,
        "null": None,
        "null_low": None,
        "null_high": None,
        "p": None,
    }
    assert comparison.metrics["top2_overlap_raw"] == metric
    assert len(comparison.tables["top2_units"]) == 0


def test_one_seed_has_no_pair_to_compare():
    comparison = compare_seeds({7: measured_of([[0, 1], [2, 3]], np.ones(6))})
    metric = {
        "mean": None,
        "low": None,
        "high": None,
        "n": 1,
        "null": None,
        "null_low": None,
        "null_high": None,
        "p": None,
    }
    assert comparison.metrics["top2_overlap_centred"] == metric
    assert [sheet.name for sheet in comparison.sheets] == ["dominance_heatmap"]


@pytest.mark.usefixtures("few_shuffles")
def test_equal_measurements_in_another_order_give_equal_comparisons():
    rng = np.random.default_rng(0)
    measured = {seed: measured_of([rng.permutation(9)[:3] for _ in range(2)], np.ones(9), seed) for seed in (1, 2, 5)}
    first = compare_seeds(measured)
    again = compare_seeds(dict(reversed(measured.items())))
    assert first.metrics == again.metrics
    for name, table in first.tables.items():
        assert table.equals(again.tables[name])


def test_the_table_of_units_lists_ranks_with_their_dominance():
    measured = measured_of([[4, 1], [2, -1]], np.ones(6))
    table = compare_seeds({3: measured}).tables["top2_units"]
    assert table[["seed", "class", "rank", "unit"]].to_numpy().tolist() == [[3, 0, 1, 4], [3, 0, 2, 1], [3, 1, 1, 2]]
    values = measured.dominance.sel(version="centred").values
    np.testing.assert_allclose(table["dominance"], [values[0, 4], values[0, 1], values[1, 2]])


@pytest.mark.usefixtures("few_shuffles")
def test_what_seeds_share_is_shown_beside_its_null_and_followed(compared, random_replica):
    lens = Contribution("fc1", "fc2", top=2)
    replicas = {seed: replace(random_replica(seed=seed, dead=(seed,)), seed=seed) for seed in range(3)}
    measured = {seed: lens.measure(replica) for seed, replica in replicas.items()}
    comparison = compared(lens, measured, rendered=True)
    heat_map, overlap = comparison.sheets
    for k, panel in enumerate(panels_of(heat_map.body)):
        (image,) = marks(panel, Image)
        for seed in range(3):
            expected = measured[seed].dominance.sel(version="centred").values[k].copy()
            expected[seed] = np.nan
            np.testing.assert_array_equal(image.values[seed], expected)
    table = comparison.tables["top2_overlap"]
    centred = table[table["version"] == "centred"]
    (dots,) = [mark for mark in marks(overlap, Dots) if mark.label == "centred"]
    assert dots.y.tolist() == centred["mean"].tolist()
    nulls = [mark for mark in marks(overlap, Spans) if mark.across]
    assert nulls[1].at.tolist() == centred["null"].tolist()
    assert [mark.label for mark in nulls] == ["", "", "", "chance:\nlive units"]
    assert dots.color == of_member(1)
    (headline,) = lens.headlines()
    pairs = comparison.pairs[headline.metric].value[np.triu_indices(3, 1)]
    assert pairs.mean() == pytest.approx(comparison.metrics[headline.metric]["mean"])
