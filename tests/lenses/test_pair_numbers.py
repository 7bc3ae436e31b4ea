"""Of many seeds a balanced sample of pairs is looked at; oracles: numpy's means over these, the jackknife by hand."""

import numpy as np
import pytest
import xarray as xr

from seedscope.formulas.intervals import pair_interval
from seedscope.formulas.pairs import balanced_pairs
from seedscope.lenses.agreement.decisions import Decisions, margins, same_wrong_answer, shared_mistakes
from seedscope.lenses.matched_units import MatchedUnits
from seedscope.lenses.pair_figures import beside_their_nulls, matrix
from seedscope.lenses.pair_numbers import PairNumbers, looked_at, pair_table
from seedscope.lenses.same_places.compare import correlation

SEEDS = 9


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr("seedscope.formulas.pairs.MOST", 20)
    monkeypatch.setattr("seedscope.lenses.agreement.decisions.DRAWS", 19)
    monkeypatch.setattr("seedscope.lenses.same_places.compare._DRAWS", 19)


def symmetric(seed=0):
    values = np.random.default_rng(seed).random((SEEDS, SEEDS))
    return values + values.T


def test_only_the_sample_of_pairs_counts_in_means_nulls_tables_and_figures():
    value, null = symmetric(), symmetric(1)
    pairs = balanced_pairs(SEEDS, 20)
    assert len(pairs) == 18 < SEEDS * (SEEDS - 1) / 2
    assert np.transpose(looked_at(SEEDS)).tolist() == [list(pair) for pair in pairs]
    one = PairNumbers(value, {"within_class": null}, {"within_class": 0.05}, np.arange(SEEDS) + 3)
    metrics = one.metrics("what")
    assert metrics["what"]["mean"] == pytest.approx(np.mean([value[pair] for pair in pairs]))
    assert metrics["what"]["null"] == pytest.approx(np.mean([null[pair] for pair in pairs]))
    masked = np.full((SEEDS, SEEDS), np.nan)
    for a, b in pairs:
        masked[a, b] = masked[b, a] = value[a, b] - null[a, b]
    expected = pair_interval(masked)
    assert (metrics["what_gain_within_class"]["low"], metrics["what_gain_within_class"]["n"]) == (expected.low, SEEDS)
    assert metrics["what"]["pairs"] == metrics["what_gain_within_class"]["pairs"] == 18
    assert len(pair_table({"what": one})) == 18
    assert np.isfinite(one.pairs().value).sum() == 36
    others = np.where(np.isfinite(masked), value, np.nan)  # what is not looked at need not be known
    assert PairNumbers(others, {"within_class": null}, {}, one.seeds).defined
    dots = next(mark for mark in beside_their_nulls({"what": one}, {"what": ""}, {}, "").marks if hasattr(mark, "size"))
    assert len(dots.y) == 18
    assert matrix(one, "").empty == ""


def test_decisions_of_many_seeds_are_compared_over_the_sample_of_pairs():
    rng = np.random.default_rng(0)
    label = np.arange(60) % 3
    decided = np.where(rng.random((SEEDS, 60)) < 0.5, label, rng.integers(0, 3, (SEEDS, 60)))
    decisions = Decisions(decided, rng.normal(size=(SEEDS, 60)), label, {"within_class": label}, np.arange(SEEDS))
    looked = looked_at(SEEDS)
    consistency, shared = shared_mistakes(decisions)
    wrong = (decided != label).astype(float)
    for one, name in ((consistency, "error_consistency"), (shared, "shared_mistakes"), (margins(decisions)[0], "m")):
        assert one.metrics(name)[name]["pairs"] == 18
    both = np.array([wrong[a] @ wrong[b] for a, b in zip(*looked, strict=True)])
    assert shared.metrics("shared")["shared"]["mean"] == pytest.approx(both.mean())
    alike = sum(((decided[a] == decided[b]) & (wrong[a] * wrong[b] > 0)).sum() for a, b in zip(*looked, strict=True))
    found = same_wrong_answer(decisions)
    assert (found["mean"], found["pairs"]) == (pytest.approx(alike / both.sum()), 18)


def test_maps_and_matched_units_of_many_seeds_are_compared_over_the_sample_of_pairs():
    rng = np.random.default_rng(0)
    vote = rng.normal(size=(SEEDS, 12, 2, 2))
    measured = xr.Dataset(
        {
            "place_vote": (("seed", "sample", "y", "x"), vote),
            "answer": (("seed", "sample"), np.tile(np.arange(12) % 2, (SEEDS, 1))),
        },
        {"seed": np.arange(SEEDS)},
    )
    found = correlation(measured)[0]
    by_hand = [
        np.mean([np.corrcoef(vote[a, s].ravel(), vote[b, s].ravel())[0, 1] for s in range(12)])
        for a, b in zip(*looked_at(SEEDS), strict=True)
    ]
    assert found.metrics("r")["r"]["mean"] == pytest.approx(np.mean(by_hand))
    values = [rng.normal(size=(12, 3)) for _ in range(SEEDS)]
    units = MatchedUnits.of(np.arange(SEEDS), values, {"within_class": np.arange(12) % 2}, {})
    assert list(units.units) == balanced_pairs(SEEDS, 20)
    number = units.numbers({pair: rng.random((3, 3)) for pair in units.units})
    assert number.defined
    assert number.metrics("r")["r"]["pairs"] == 18
