from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import spearmanr

from seedscope.figures import Dots, Image, Line, panels_of
from seedscope.formulas.halves import halves
from seedscope.formulas.intervals import holm, mean_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.lenses.ablation import Ablation
from tests.lenses.sheets import marks, words

LENS = Ablation("fc1", "fc2")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.ablation.measure._SHUFFLES", 50)
    monkeypatch.setattr("seedscope.lenses.ablation.measure._DRAWS", 20)


def deciding(replica_of, seed=0, samples=120):
    """Return a replica in which unit k alone decides for class k of three, beside five idle ones."""
    rng = np.random.default_rng(seed)
    label = np.arange(samples) % 3
    activation = 0.1 * rng.random((samples, 8))
    activation[np.arange(samples), label] += 3
    weight = np.zeros((3, 8))
    weight[:, :3], weight[:, 3:] = 3 * np.eye(3), 0.05 * rng.normal(0, 1, (3, 5))
    return replica_of(activation, weight, np.zeros(3), label)


def test_what_is_lost_is_what_a_torch_network_loses_whose_unit_is_overwritten(look, random_replica):
    replica = random_replica(n=50, units=5)
    lost = look(LENS, replica, draw=None).measured.lost.sel(reference="mean", measure="log_probability").values
    activation, label = torch.tensor(replica.activations["fc1"].values), replica.probe.label.values
    head = torch.nn.Linear(5, 3).double()
    head.load_state_dict({name: torch.tensor(replica.weights[f"fc2.{name}"]) for name in ("weight", "bias")})

    def log_p(values):
        return torch.log_softmax(head(values), 1)[torch.arange(50), torch.tensor(label)].detach().numpy()

    for unit in range(5):
        changed = activation.clone()
        changed[:, unit] = activation[:, unit].mean()
        difference = log_p(activation) - log_p(changed)
        for side in (0, 1):
            for k in range(3):
                own = (halves(label) == side) & (label == k)
                assert lost[side, k, unit] == pytest.approx(difference[own].mean(), rel=1e-5, abs=1e-7)


def test_a_prediction_is_made_on_one_half_and_judged_on_the_other(look, random_replica):
    replica = random_replica(n=90, units=8, dead=(2,))
    seen = look(LENS, replica, draw=None)
    activation, label = replica.activations["fc1"].values, replica.probe.label.values
    weight, bias = replica.weights["fc2.weight"], replica.weights["fc2.bias"]
    half, live, rows = halves(label), np.delete(np.arange(8), 2), np.arange(90)
    gone = activation - activation.mean(0)
    before = log_softmax(activation @ weight.T + bias, 1)[rows, label]
    loss = np.stack(
        [
            before - log_softmax(activation @ weight.T + bias - gone[:, [i]] * weight[:, i], 1)[rows, label]
            for i in range(8)
        ]
    )
    found = np.zeros((2, 3))
    for side in (0, 1):
        own = half == side
        ranks = centred_dominance(Votes(activation[own], weight, bias), label[own], 3)
        for k in range(3):
            effect = loss[:, ~own & (label == k)].mean(1)
            found[side, k] = spearmanr(ranks[k, live], effect[live]).statistic
    measured = seen.measured.rho.sel(reference="mean", predictor="centred").values
    np.testing.assert_allclose(measured, found.mean(0), atol=1e-6)
    assert seen.summary["rho_centred_mean"] == pytest.approx(found.mean())
    assert seen.measured.rho_null_shuffled.shape == (3, 5, 50)


def test_a_unit_that_alone_decides_a_class_is_found_and_takes_the_class_with_it(look, replica_of):
    seen = look(LENS, deciding(replica_of), rendered=True)
    assert seen.summary["rho_centred_zero"] > 0.5
    assert seen.summary["first_flips_lost_zero"] == 1
    log_probability = seen.measured.lost.sel(reference="zero", measure="log_probability").values.mean(0)
    assert log_probability.argmax(1).tolist() == [0, 1, 2]
    curves = seen.measured.removal.sel(kept="log_probability")
    lost = (curves.sel(removed=0) - curves.sel(removed=1)).to_series()
    random = seen.measured.removal_null_random.sel(kept="log_probability", removed=1)
    assert lost["class"] > 3 * lost["weight_size"] / 2 > 0
    assert lost["class"] > float(curves.sel(removed=0)[0] - random.min())
    (image, _) = marks(seen.sheets["ablation_units"], Image)
    assert np.abs(image.values).max() == pytest.approx(np.abs(image.values[:, :3]).max())


def test_removed_units_are_those_of_the_other_half_and_all_of_them_leave_one_answer(look, random_replica):
    measured = look(LENS, random_replica(n=60, units=6, dead=(1,)), draw=None).measured
    removal, random = measured.removal, measured.removal_null_random_overall
    assert measured.removed.values.tolist() == [0, 1, 2, 3, 5, 6]
    for curves in (removal, random):
        np.testing.assert_allclose(curves.sel(removed=5), curves.sel(removed=6), atol=1e-12)
        assert (curves.sel(removed=0, kept="flips") == 0).all()
    assert np.ptp(removal.sel(removed=6, kept="accuracy").values) < 1e-12
    assert np.ptp(removal.sel(removed=2, kept="log_probability").values) > 0


ODD = {
    "some units dead": {"dead": (2, 7)},
    "all units dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "one class only": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1, "names": ("no", "yes")},
    "one logit, all dead": {"classes": 2, "targets": 1, "dead": range(12)},
    "one unit": {"units": 1},
    "a feature map": {"feature_map": (3, 2, 2)},
    "three pictures": {"n": 3},
    "one picture": {"n": 1},
    "ninety units": {"units": 90},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_drawn_and_compared(look, compared, random_replica, case):
    rendered = case in ("all units dead", "a feature map", "ninety units", "one class only")
    seen = look(LENS, random_replica(**ODD[case]), rendered=rendered)
    assert set(seen.sheets) == {"ablation_units", "ablation_dominance", "ablation_curves"}
    dead = "all" in case
    assert all(bool(panel.empty) == dead for panel in panels_of(seen.sheets["ablation_curves"].body))
    assert np.isnan(seen.summary["rho_centred_mean"]) == (dead or case in ("one live unit", "one unit", "one picture"))
    assert np.isnan(seen.summary["first_flips_lost_mean"]) == dead
    if case == "a feature map":
        assert "2 (1,0)" in words(seen.sheets["ablation_units"])
    comparison = compared(LENS, {0: seen.measured}, rendered=rendered)
    assert comparison.metrics["rho_centred_mean"]["n"] == (0 if np.isnan(seen.summary["rho_centred_mean"]) else 1)
    assert {sheet.name for sheet in comparison.sheets} == {
        "ablation_prediction_across_seeds",
        "ablation_curves_across_seeds",
    }


def test_seeds_are_put_together_beside_controls_and_nulls(look, compared, random_replica):
    replicas = {
        seed: replace(random_replica(n=80, units=8, seed=seed, dead=range(seed)), seed=seed) for seed in range(3)
    }
    measured = {seed: look(LENS, replica, draw=None).measured for seed, replica in replicas.items()}
    summaries = [LENS.summarize(one) for one in measured.values()]
    comparison = compared(LENS, measured, rendered=True)
    metrics = comparison.metrics
    for name in ("rho_centred_mean", "flips_at_5_class", "area_log_probability_overall", "units_to_halve_class"):
        values = np.array([one[name] for one in summaries])
        assert {key: metrics[name][key] for key in ("mean", "low", "high", "n")} == mean_interval(values).as_dict()
    drawn = np.mean(
        [one.rho_null_shuffled.sel(reference="mean", predictor="centred").values for one in measured.values()], axis=0
    )
    assert metrics["rho_centred_mean"]["p"] == permutation_p(metrics["rho_centred_mean"]["mean"], drawn)
    assert metrics["rho_centred_mean"]["null"] == pytest.approx(drawn.mean())
    gain = metrics["rho_centred_mean_gain_weight_size"]
    assert gain["mean"] == pytest.approx(metrics["rho_centred_mean"]["mean"] - metrics["rho_weight_size_mean"]["mean"])
    gains = [one for name, one in metrics.items() if "_gain_" in name and one["p"] is not None]
    assert len(gains) > 15
    np.testing.assert_allclose(holm(np.array([one["p"] for one in gains])), [one["p_holm"] for one in gains])
    table = comparison.tables["ablation_curves_over_seeds"]
    part = table[(table["order"] == "class") & (table["kept"] == "accuracy")]
    line = next(mark for mark in marks(comparison.sheets[1], Line) if mark.label == "dominance for the picture's class")
    kept = table[(table["order"] == "class") & (table["kept"] == "log_probability")]
    np.testing.assert_array_equal(line.y, kept["mean"])
    expected = np.mean([one.removal.sel(order="class", kept="accuracy").values for one in measured.values()], axis=0)
    np.testing.assert_allclose(part["mean"].to_numpy(float), expected)
    dots = marks(comparison.sheets[0], Dots)
    np.testing.assert_allclose(dots[0].y, [one["rho_centred_mean"] for one in summaries], atol=1e-6)


def test_equal_replicas_give_equal_numbers(look, random_replica):
    first, again = (look(LENS, random_replica(), draw=None).measured for _ in range(2))
    assert first.identical(again)


def test_800_units_are_measured_within_seconds(look, random_replica, monkeypatch):
    import time

    monkeypatch.setattr("seedscope.lenses.ablation.measure._DRAWS", 2)
    start = time.process_time()
    look(LENS, random_replica(n=400, units=800, classes=10), draw=None)
    assert time.process_time() - start < 6
