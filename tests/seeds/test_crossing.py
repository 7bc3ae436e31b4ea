"""A crossing looked at: planted streams are found in every number, and figures, tables and metrics say the same."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

from seedscope.figures import panels_of
from seedscope.figures.renderer import save
from seedscope.seeds.crossed import LIKENESS, NUMBERS, look, numbers
from seedscope.seeds.crossing import compare_cells

CLASSES, UNITS, PICTURES = 4, 24, 48


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedscope.seeds.crossed._TIMES", 199)


def planted(levels, *, rng, alive_by, tuned_by, kept=1.0):
    """Return cells in which one stream says who is alive, and one what each unit is tuned to.

    ``kept`` is the chance that a unit lives and dies as that stream says, in place of by itself.
    """
    cells = list(np.ndindex(*levels.values()))
    streams = list(levels)
    alive = {level: rng.random(UNITS) < 0.5 for level in range(max(levels.values()))}
    heads = {level: rng.normal(size=(CLASSES, UNITS)) for level in range(max(levels.values()))}
    answers = {level: rng.exponential(size=(PICTURES, UNITS)) for level in range(max(levels.values()))}
    names = ("live", "tuning", "head_at_start", "dominance", "answer")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for cell in cells:
        at = dict(zip(streams, cell, strict=True))
        own = np.where(rng.random(UNITS) < kept, alive[at[alive_by]], rng.random(UNITS) < 0.5)
        tuning = np.maximum(0, 1 + heads[at[tuned_by]] + 0.1 * rng.normal(size=(CLASSES, UNITS))) * own
        head = heads[at.get("head", at.get("weights", 0))]
        centred = head - head.mean(0)
        parts["live"].append(own)
        parts["tuning"].append(tuning)
        parts["head_at_start"].append(centred)
        parts["dominance"].append(tuning * centred)
        parts["answer"].append(rng.permutation(answers[at[tuned_by]], axis=1))
    return xr.Dataset(
        {
            "accuracy": ("cell", 0.9 + 0.01 * rng.normal(size=len(cells))),
            "live": (("cell", "unit"), np.stack(parts["live"])),
            "answer": (("cell", "sample", "unit"), np.stack(parts["answer"])),
            "tuning_at_start": (("cell", "true", "unit"), rng.random((len(cells), CLASSES, UNITS))),
            **{
                name: (("cell", "true", "unit"), np.stack(parts[name]))
                for name in ("tuning", "head_at_start", "dominance")
            },
        },
        coords={stream: ("cell", [cell[place] for cell in cells]) for place, stream in enumerate(streams)}
        | {"label": ("sample", np.arange(PICTURES) % CLASSES)},
    )


def test_the_stream_that_says_who_lives_is_found():
    levels = {"weights": 5, "order": 4, "draw": 3}
    found = look(planted(levels, rng=np.random.default_rng(0), alive_by="order", tuned_by="weights"), levels)
    who = {one.words: one for one in found.sources["who_is_alive"]}
    assert (who["order"].verdict, who["weights"].verdict, who["draw"].verdict) == ("decides", "does not", "does not")
    assert who["order"].share.mean > 0.95
    assert who["weights"].total.high < 0.1
    assert set(who) == {*levels, "weights × order", "weights × draw", "order × draw", "all three"}
    alike = {one.words: one for one in found.pairs["live_sets"]}
    assert alike["order"].verdict == "same"
    assert alike["order"].mean.low > 0.95
    assert alike["weights + draw"].verdict == "not the same"
    assert alike["order"].p == 1 / 200 < 0.05 < alike["draw"].p
    assert alike["order"].p_holm > alike["order"].p


def test_tuning_foretold_by_the_initial_head_is_found_among_pairs():
    levels = {"weights": 4, "order": 3, "draw": 3}
    cells = planted(levels, rng=np.random.default_rng(1), alive_by="order", tuned_by="weights")
    found = look(cells, levels)
    alike = {one.words: one.mean.mean for one in found.pairs["foretold"]}
    assert alike["weights"] > 0.8
    assert abs(alike["order"]) < 0.2
    assert abs(alike["nothing"]) < 0.2


def test_units_that_stand_in_another_order_are_found_again_by_their_answers():
    levels = {"weights": 4, "order": 3, "draw": 3}
    cells = planted(levels, rng=np.random.default_rng(8), alive_by="order", tuned_by="weights")
    pairs = look(cells, levels).pairs["matched"]
    alike = {one.words: one.mean.mean for one in pairs}
    for shared in ("weights", "weights + order", "weights + draw"):
        assert alike[shared] == pytest.approx(1.0)
    for shared in ("nothing", "order", "draw", "order + draw"):
        assert abs(alike[shared]) < 0.2  # chosen on one half of the pictures, scored on the other
    said = compare_cells("toy-x", cells, levels)
    assert "verdict" not in said.metrics["pairs, matched"]["sharing weights"]  # about numbers they say nothing
    sentence = said.tables["trends"].set_index("metric").sentence["matched"]
    assert sentence.startswith("Pearson's r of units matched one to one: ")


@pytest.mark.parametrize(("tuned_by", "verdict"), [("head", "follows the head"), ("weights", "does not")])
def test_a_swap_of_heads_says_whom_a_unit_follows(tuned_by, verdict):
    levels = {"weights": 5, "head": 5, "order": 2}
    cells = planted(levels, rng=np.random.default_rng(2), alive_by="order", tuned_by=tuned_by)
    found = look(cells, levels)
    assert found.swap is not None
    assert found.swap.verdict == verdict
    assert abs(found.swap.start.mean) < 0.2
    assert (found.swap.given.mean > 0.8) is (tuned_by == "head")


def test_no_stream_decides_where_only_all_together_do():
    levels = {"weights": 5, "order": 5, "draw": 3}
    cells = planted(levels, rng=np.random.default_rng(3), alive_by="order", tuned_by="weights", kept=0.0)
    found = look(cells, levels)
    assert {one.verdict for one in found.sources["who_is_alive"][:3]} == {"does not"}
    assert found.sources["who_is_alive"][-1].share.mean > 0.8
    sentences = compare_cells("toy-x", cells, levels).tables["trends"].set_index("metric").sentence
    assert sentences["live_sets"].endswith("all streams must be shared.")
    assert sentences["who_is_alive"].count("does not decide") == 3


@pytest.mark.parametrize("streams", ["weights 3 order 3 draw 3", "weights 3 head 3", "weights 2 order 2"])
def test_figures_tables_and_metrics_say_the_same(streams, tmp_path):
    words = streams.split()
    levels = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    tuned_by = "head" if "head" in levels else "weights"
    cells = planted(levels, rng=np.random.default_rng(4), alive_by="weights", tuned_by=tuned_by)
    found = compare_cells("toy-x", cells, levels)
    names = [sheet.name for sheet in found.sheets]
    assert names == ["shares_of_variance", "pairs_by_what_they_share", *["swap_of_heads"] * ("head" in levels)]
    assert [panel.title for panel in panels_of(found.sheets[0].body)] == list(NUMBERS.values())
    assert [panel.title for panel in panels_of(found.sheets[1].body)] == list(LIKENESS.values())
    for sheet in found.sheets:
        assert save(sheet, tmp_path)
    summary = found.tables["summary"].set_index(["metric", "condition"])
    share = summary.loc[("share of the variance: who is alive", "weights")]
    assert found.metrics["variance of who_is_alive"]["weights"]["mean"] == share["mean"]
    pair = summary.loc[("pairs: live units in common, Jaccard index", "sharing weights")]
    metric = found.metrics["pairs, live_sets"]["sharing weights"]
    assert (metric["mean"], metric["null"]) == (pair["mean"], pair["null"])
    assert len(found.tables["cells"]) == math.prod(levels.values())
    json.dumps(found.metrics, allow_nan=False)
    again = compare_cells("toy-x", cells, levels)
    assert again.metrics == found.metrics


def test_dead_networks_a_class_without_pictures_and_equal_cells_leave_no_value_and_no_traceback():
    levels = {"weights": 3, "head": 3}
    cells = planted(levels, rng=np.random.default_rng(5), alive_by="weights", tuned_by="head")
    missing = cells.copy(deep=True)
    missing["tuning"][:, 2] = missing["dominance"][:, 2] = missing["tuning_at_start"][:, 2] = np.nan
    found = look(missing, levels)
    assert found.swap is not None
    assert np.isfinite(found.swap.given.mean)
    assert found.sources["tuning"][0].share.mean is not None
    dead = cells * 0
    dead["live"] = dead["live"].astype(bool)
    found = look(dead, levels)
    assert found.sources["gini"][0].share.mean is None
    assert found.pairs["live_sets"][0].mean.mean is None
    compared = compare_cells("toy-x", dead, levels)
    assert "it does not vary, or has no value" in compared.tables["trends"].sentence[0]
    json.dumps(compared.metrics, allow_nan=False)


def test_numbers_of_one_cell_are_those_of_its_definition():
    levels = {"weights": 2, "order": 2}
    cells = planted(levels, rng=np.random.default_rng(6), alive_by="order", tuned_by="weights")
    found = numbers(cells, levels)
    assert found["live_units"][1, 0] == cells.live.values[2].sum()
    tuning = cells.tuning.values[2]
    np.testing.assert_allclose(found["tuning"][1, 0], tuning - tuning.mean(0))
    assert (found["who_dominates"][1, 0].sum(-1) <= 5).all()
    best = cells.dominance.values[2][0].argmax()
    assert found["who_dominates"][1, 0][0, best] == 1
