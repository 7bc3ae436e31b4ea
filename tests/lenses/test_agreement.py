from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.subcells import subcells
from seedscope.lenses import Network
from seedscope.lenses.agreement import Agreement

from .sheets import words

LENS = Agreement()


def seeds_of(random_replica, logits, label, places=None):
    """Return what is measured of seeds that give these logits (sample, target) to the same pictures."""
    replica = random_replica(n=len(label), classes=max(2, logits[0].shape[1]))
    truth = {"label": ("sample", np.asarray(label))}
    if places is not None:
        truth |= {name: ("sample", place) for name, place in zip(("square_y", "square_x"), places, strict=True)}
    probe = replica.probe.assign(truth)
    measured = {}
    for seed, logit in enumerate(logits):
        activations = {"logit": xr.DataArray(np.asarray(logit, dtype=np.float64), dims=("sample", "target"))}
        measured[seed] = LENS.measure(replace(replica, seed=seed, probe=probe, activations=activations))
    return measured


def decisions_of(wrong, label, classes=3, seed=0):
    """Return logits by which these pictures are wrong: each for a random other class."""
    rng = np.random.default_rng(seed)
    decided = np.where(wrong, (label + rng.integers(1, classes, len(label))) % classes, label)
    logit = rng.uniform(-1, 0, (len(label), classes))
    logit[np.arange(len(label)), decided] += rng.uniform(2, 4, len(label))
    return logit


def random_seeds(n=120, seeds=3, classes=3, share=0.2):
    rng = np.random.default_rng(1)
    label = np.arange(n) % classes
    wrong = rng.random((seeds, n)) < share
    return [decisions_of(one, label, classes, seed) for seed, one in enumerate(wrong)], label


def test_kappa_shared_mistakes_and_margins_are_those_of_other_libraries(compared, random_replica):
    logits, label = random_seeds()
    comparison = compared(LENS, seeds_of(random_replica, logits, label))
    wrong = np.stack([logit.argmax(1) != label for logit in logits])
    rows = np.arange(len(label))
    margin = []
    for logit in logits:
        others = logit.copy()
        others[rows, label] = -np.inf
        margin.append(logit[rows, label] - others.max(1))
    pairs = list(combinations(range(3), 2))
    metrics = comparison.metrics
    kappa = [cohen_kappa_score(wrong[a], wrong[b]) for a, b in pairs]
    assert metrics["error_consistency"]["mean"] == pytest.approx(np.mean(kappa))
    shared = [(wrong[a] & wrong[b]).sum() for a, b in pairs]
    assert metrics["shared_mistakes"]["mean"] == pytest.approx(np.mean(shared))
    chance = [wrong[a].sum() * wrong[b].sum() / len(label) for a, b in pairs]
    assert metrics["shared_mistakes_null_chance"]["mean"] == pytest.approx(np.mean(chance))
    by_class = [sum(wrong[a, label == k].sum() * wrong[b, label == k].sum() / 40 for k in range(3)) for a, b in pairs]
    assert metrics["shared_mistakes_null_within_class"]["mean"] == pytest.approx(np.mean(by_class))
    rho = [spearmanr(margin[a], margin[b]).statistic for a, b in pairs]
    assert metrics["margin_agreement"]["mean"] == pytest.approx(np.mean(rho), rel=1e-5)
    within = [
        np.mean([spearmanr(margin[a][label == k], margin[b][label == k]).statistic for k in range(3)]) for a, b in pairs
    ]
    assert metrics["margin_agreement_within_class"]["mean"] == pytest.approx(np.mean(within), abs=1e-5)
    assert metrics["margin_agreement_within_class_null_within_class"]["mean"] == pytest.approx(0, abs=1e-12)
    assert metrics["error_consistency"]["p"] > 0.05
    table = comparison.tables["agreement_pairs"]
    assert table[table["number"] == "error_consistency"]["value"].tolist() == pytest.approx(kappa)
    assert set(comparison.pairs) == {"error_consistency", "margin_agreement", "margin_agreement_within_class"}
    hard = comparison.tables["hard_pictures"]
    assert hard["wrong_in"].tolist() == sorted(wrong.sum(0)[wrong.any(0)], reverse=True)
    assert (hard["sample"] - 100).map(lambda at: wrong[:, at].sum()).tolist() == hard["wrong_in"].tolist()


def test_hard_pictures_that_are_planted_are_shared_and_a_hard_place_alone_is_not(compared, random_replica):
    """Oracle: what was planted. In one part of each region pictures are hard; which of them is drawn for each seed."""
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1, 2], 180)
    y, x = rng.integers(0, 9, len(label)), rng.integers(0, 9, len(label))
    hard_place = subcells(y, x, label) % 9 == 0
    by_place = [decisions_of(rng.random(len(label)) < np.where(hard_place, 0.4, 0.01), label, seed=s) for s in range(4)]
    metrics = compared(LENS, seeds_of(random_replica, by_place, label, (y, x))).metrics
    assert metrics["error_consistency_gain_within_class"]["p"] == pytest.approx(1 / 1001)
    assert metrics["error_consistency_gain_within_place"]["p"] > 0.05
    assert metrics["error_consistency"]["p"] == metrics["error_consistency_gain_within_place"]["p"]
    assert metrics["error_consistency"]["null"] == metrics["error_consistency_null_within_place"]["mean"]
    hard = rng.random(len(label)) < 0.1
    of_pictures = [decisions_of(rng.random(len(label)) < 0.5 * hard, label, seed=s) for s in range(4)]
    metrics = compared(LENS, seeds_of(random_replica, of_pictures, label, (y, x))).metrics
    assert metrics["error_consistency"]["p"] == pytest.approx(1 / 1001)
    assert metrics["error_consistency_gain_within_place"]["low"] > 0.1


def test_the_same_wrong_answer_is_told_from_the_usual_one(compared, random_replica):
    label = np.repeat([0, 1, 2], 60)
    wrong = np.random.default_rng(3).random(len(label)) < 0.4
    same = [decisions_of(wrong, label, seed=7)] * 3
    found = compared(LENS, seeds_of(random_replica, same, label)).metrics["same_wrong_answer"]
    assert found["mean"] == 1
    assert found["null"] == pytest.approx(0.5, abs=0.1)
    assert found["p"] == pytest.approx(1 / 1001)
    apart = [decisions_of(wrong, label, seed=s) for s in range(3)]
    found = compared(LENS, seeds_of(random_replica, apart, label)).metrics["same_wrong_answer"]
    assert found["mean"] == pytest.approx(0.5, abs=0.2)
    assert found["p"] > 0.05


def test_a_seed_without_mistakes_is_left_out_and_that_is_said(compared, random_replica):
    logits, label = random_seeds(seeds=4)
    perfect = decisions_of(np.zeros(len(label), dtype=bool), label)
    comparison = compared(LENS, seeds_of(random_replica, [*logits, perfect], label), rendered=True)
    without = compared(LENS, seeds_of(random_replica, logits, label)).metrics
    assert comparison.metrics["error_consistency"] == without["error_consistency"]
    assert comparison.metrics["error_consistency"]["n"] == 4
    assert comparison.metrics["margin_agreement"]["n"] == 5
    assert "1 seeds make no mistake" in comparison.sheets[0].description


def _perfect(label):
    return [decisions_of(np.zeros(len(label), dtype=bool), label, seed=s) for s in range(2)]


LABEL = np.arange(30) % 3
ODD = {
    "no mistakes": (_perfect(LABEL), LABEL),
    "nothing but mistakes": ([decisions_of(np.ones(30, dtype=bool), LABEL, seed=s) for s in range(2)], LABEL),
    "one class": (_perfect(LABEL * 0), LABEL * 0),
    "the same logits everywhere": ([np.ones((30, 3))] * 2, LABEL),
    "one logit": ([np.random.default_rng(s).normal(size=(30, 1)) for s in range(3)], LABEL % 2),
    "one picture of each class": (_perfect(np.arange(3)), np.arange(3)),
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_has_a_value_or_none(compared, random_replica, case):
    logits, label = ODD[case]
    measured = seeds_of(random_replica, logits, label, (np.zeros_like(label), np.zeros_like(label)))
    comparison = compared(LENS, measured, rendered=case in ("no mistakes", "one logit"))
    metrics = comparison.metrics
    assert (metrics["error_consistency"]["mean"] is None) == (case not in ("one logit", "the same logits everywhere"))
    alike = ("the same logits everywhere", "one picture of each class")
    assert (metrics["margin_agreement_within_class"]["mean"] is None) == (case in alike)
    if case == "one logit":
        assert metrics["same_wrong_answer"]["mean"] is None  # of two classes there is one wrong answer
        assert np.isfinite(metrics["error_consistency"]["p"])
    for one in metrics.values():
        assert all(value is None or np.isfinite(value) for value in one.values())
    (sheet,) = list(LENS.draw(measured[0]))
    assert "of" in words(sheet) or sheet.title


def test_one_seed_has_no_pair(compared, random_replica):
    logits, label = random_seeds(seeds=1)
    comparison = compared(LENS, seeds_of(random_replica, logits, label))
    assert comparison.sheets == []
    assert comparison.pairs == {}
    assert all(one["mean"] is None for one in comparison.metrics.values())


def test_what_is_measured_is_drawn_and_summarized(look, random_replica):
    replica = random_replica(places=(np.arange(60) % 7, np.arange(60) % 5))
    seen = look(LENS, replica, rendered=True)
    logit, label = replica.activations["logit"].values, replica.probe.label.values
    assert seen.summary["mistakes"] == (logit.argmax(1) != label).sum()
    assert set(seen.sheets) == {"margins"}
    np.testing.assert_array_equal(seen.measured.subcell, subcells(np.arange(60) % 7, np.arange(60) % 5, label))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (Network({"conv1": (3, 4, 4)}, {}, {}, 3), "gives no logits"),
        (Network({"logit": (3,)}, {}, {}, 3, labelled=False), "does not say of which class"),
        (Network({"logit": (1,)}, {}, {}, 1), "nothing to decide"),
    ],
)
def test_a_network_that_does_not_decide_is_refused(network, sentence):
    with pytest.raises(SeedscopeError, match=sentence):
        LENS.check(network)
