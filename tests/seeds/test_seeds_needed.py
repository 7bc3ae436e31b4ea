"""How many seeds are needed: against closed forms, textbook tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from seedscope.figures import Facts, panels_of
from seedscope.formulas.intervals import share_interval
from seedscope.seeds.headlines import Followed
from seedscope.seeds.seeds_needed import seeds_needed


def pairs_of(rng: np.random.Generator, n: int, seed: float, pair: float, mean: float = 2.0) -> np.ndarray:
    """Draw x_ab = μ + g_a + g_b + e_ab with these standard deviations of g and e."""
    g = rng.normal(0, seed, n)
    e = np.triu(rng.normal(0, pair, (n, n)), 1)
    return mean + g[:, None] + g + e + e.T


def test_the_answer_stands_in_figure_table_and_metrics():
    rng = np.random.default_rng(0)
    numbers = [
        Followed("probe_accuracy", "probe accuracy", np.append(rng.normal(0.9, 0.02, 6), np.nan), 0.01),
        Followed("top5_overlap_centred", "top-5 shared", pairs_of(rng, 7, 0.1, 0.3), 0.25, np.zeros((7, 7))),
        Followed("dead_units", "dead units", np.array([3.0, np.nan]), 0.1),
        Followed("live_units", "live units", np.array([59.0, 59.0, 59.0]), 0.1),
        Followed("accuracy", "accuracy", rng.beta(50, 1, 7), 0.01, share=True),
    ]
    found = seeds_needed(Facts("toy", seeds=(1, 2)), numbers)
    assert list(found.metrics) == ["probe_accuracy", "accuracy"]  # no pairs, no spread, nothing that seeds change
    answer = found.metrics["probe_accuracy"]
    assert answer["n"] == 6
    assert answer["low"] < answer["mean"] < answer["high"]
    assert found.tables["seeds_needed_summary"]["seeds_needed"].tolist() == [m["mean"] for m in found.metrics.values()]
    (sheet,) = found.sheets
    titles = [panel.title for panel in panels_of(sheet.body)]
    assert titles[0] == f"probe accuracy\n±0.01 asks for {answer['mean']} [{answer['low']}, {answer['high']}] seeds"
    low, high = share_interval(numbers[-1].values).ends
    assert found.metrics["accuracy"]["half_width"] == pytest.approx((high - low) / 2)
    table = sheet.table.set_index(["metric", "seeds"])
    assert table.loc[("probe_accuracy", 6), "realised_mean"] == pytest.approx(answer["half_width"])
    assert table.loc[("probe_accuracy", 6), "expected"] == pytest.approx(answer["half_width"])
    assert table.loc[("accuracy", 7), "expected"] == pytest.approx((high - low) / 2)
    assert table.loc[("accuracy", 7), "realised_mean"] == pytest.approx((high - low) / 2)


def test_too_few_seeds_give_no_answer():
    assert seeds_needed(Facts("toy", seeds=(1, 2)), [Followed("x", "x", np.array([1.0]), 0.1)]).sheets == ()
