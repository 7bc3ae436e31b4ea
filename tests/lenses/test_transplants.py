from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from seedscope.figures import Bars, Dots, panels_of
from seedscope.formulas.halves import halves
from seedscope.formulas.intervals import pair_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.transplants import Transplants
from seedscope.lenses.transplants.compare import _Found, _interval, _unit_metrics
from seedscope.lenses.transplants.operations import Transplanted, as_they_are, draws_of, moves_between, shuffled
from seedscope.lenses.transplants.seeds import SeedLayer
from tests.lenses.sheets import marks, words

LENS = Transplants("fc1", "fc2")
CLASSES, INNER = 3, 6
BIAS = np.array([0.1, 0.0, -0.2])  # so that pictures for which no unit is active are decided, and not by rounding


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.transplants.operations._DRAWS", 12)
    monkeypatch.setattr("seedscope.lenses.transplants.operations._TESTED_DRAWS", 19)
    monkeypatch.setattr("seedscope.lenses.transplants.operations._FEWEST", 2)


def seeing(samples=150):
    """Return what every network sees of each picture: its class, faintly, and much else; and its class."""
    rng = np.random.default_rng(0)
    label = np.arange(samples) % CLASSES
    return rng.normal(0, 1, (samples, INNER)) + 1.5 * np.eye(CLASSES, INNER)[label], label


def trained(replica_of, seed=0, units=8, order=None, scale=1.0, turned=False):
    """Return a network of ReLU units with a head fitted by least squares, its units in an order, scaled or turned."""
    seen, label = seeing()
    rng = np.random.default_rng(seed)
    activation = np.clip(seen @ rng.normal(0, 1, (INNER, units)) + 0.5, 0, None)
    wanted = 4 * np.eye(CLASSES)[label]
    weight = np.linalg.lstsq(activation - activation.mean(0), wanted - wanted.mean(0), rcond=None)[0].T
    if turned:
        turn = np.linalg.qr(np.random.default_rng(7).normal(0, 1, (units, units)))[0]
        activation, weight = activation @ turn, weight @ turn
    order = np.arange(units) if order is None else order
    return replica_of((activation * scale)[:, order], (weight / scale)[:, order], BIAS, label)


def of_seeds(look, *replicas):
    return {seed: look(LENS, replace(one, seed=seed), draw=None).measured for seed, one in enumerate(replicas)}


def test_an_answer_moves_as_that_of_a_torch_network_does_without_a_unit(look, replica_of):
    replica = trained(replica_of, units=5)
    seen = look(LENS, replica, rendered=True)
    activation = torch.tensor(replica.activations["fc1"].values).float().double()
    label, half = replica.probe.label.values, halves(replica.probe.label.values)
    np.testing.assert_array_equal(seen.measured.half, half)
    head = torch.nn.Linear(5, CLASSES).double()
    head.load_state_dict({"weight": torch.tensor(replica.weights["fc2.weight"]), "bias": torch.tensor(BIAS)})
    before = torch.log_softmax(head(activation), 1)
    for unit in range(5):
        moved = np.empty((2, len(label)))
        for side in (0, 1):
            fit, own = half != side, half == side
            for way, group in enumerate((np.zeros(len(label)), label)):
                changed = activation.clone()
                for k in np.unique(group):
                    changed[group == k, unit] = activation[fit & (group == k), unit].mean()
                after = torch.log_softmax(head(changed), 1)
                moved[way, own] = (
                    torch.nn.functional.kl_div(after, before, reduction="none", log_target=True)
                    .sum(1)
                    .detach()
                    .numpy()[own]
                )
        np.testing.assert_allclose(seen.measured.divergence[:, unit], moved.mean(1), atol=1e-9)
    ablated, of_class = seen.measured.divergence.values
    assert seen.summary == {"taking_part": 5, "divergence_singly": pytest.approx(ablated.sum())}
    bars, dots = (marks(seen.sheets["transplants_at_stake"], kind)[0] for kind in (Bars, Dots))
    assert sorted(bars.height) == sorted(ablated)
    assert sorted(dots.y) == sorted(of_class)


def test_a_permuted_and_rescaled_copy_does_all_of_its_likes_work(look, compared, replica_of):
    order = np.random.default_rng(1).permutation(8)
    copy = trained(replica_of, order=order, scale=np.linspace(0.3, 4, 8))
    metrics = compared(LENS, of_seeds(look, trained(replica_of), copy), rendered=True).metrics
    for what in ("recovered", "restored", "kept"):
        for how in ("singly", "together"):
            metric = metrics[f"{what}_{how}"]
            assert metric["mean"] == pytest.approx(1, abs=1e-6)
            assert metric["p"] == 1 / 20
            assert metric["draws"] == 19
            assert metrics[f"{what}_{how}_baseline_random"]["mean"] < 0.9
    assert metrics["restored_singly_null_within_class"]["mean"] < 0.7
    assert metrics["restored_singly_baseline_class_mean"]["mean"] < 0.7
    for way in ("permutation", "linear_map"):
        assert metrics[f"layer_agreement_{way}"]["mean"] > 0.98
    assert metrics["layer_agreement_permutation"]["mean"] == 1
    assert metrics["layer_accuracy_permutation"]["mean"] == metrics["layer_accuracy_intact"]["mean"]


def test_a_turned_copy_is_the_same_space_and_not_the_same_units(look, compared, replica_of):
    measured = of_seeds(look, trained(replica_of), trained(replica_of, turned=True))
    metrics = compared(LENS, measured).metrics
    assert metrics["layer_restored_rotation"]["mean"] == pytest.approx(1, abs=1e-6)
    assert metrics["layer_restored_permutation"]["mean"] < 0.9
    assert metrics["restored_singly"]["mean"] < 0.9
    assert metrics["layer_restored_rotation_above_permutation"]["mean"] > 0.1
    assert metrics["layer_restored_baseline_unmapped"]["mean"] < 0


def test_a_class_mean_is_told_the_answer_and_does_not_give_back_the_networks_own(look, compared, replica_of):
    metrics = compared(LENS, of_seeds(look, trained(replica_of), trained(replica_of, seed=1))).metrics
    assert metrics["recovered_together_baseline_class_mean"]["mean"] > 1
    assert metrics["restored_together_baseline_class_mean"]["mean"] < 0.9


def knowing(rng, group, label, units=4):
    """Return a layer that knows the group of a picture alone, beside noise of its own, and a head drawn at random."""
    tuned = rng.normal(0, 1, (int(group.max()) + 1, units))[group]
    activation = np.clip(tuned + rng.normal(0, 1, tuned.shape), 0, None)
    weight = rng.normal(0, 1, (CLASSES, units, 1))
    groups = {"within_class": label, "within_place": group}
    logit = np.einsum("su,kup->ks", activation, weight)
    return SeedLayer(activation[..., None], weight, logit, label, halves(label), groups)


@pytest.mark.parametrize("null", ["within_class", "within_place"])
def test_layers_that_are_independent_given_the_group_are_rejected_as_often_as_the_level_says(null):
    """With a shuffle of its own for each direction and half a share of nearly 0.1 would be."""
    label = np.arange(48) % CLASSES
    group = label if null == "within_class" else 2 * label + np.arange(48) // CLASSES % 4 // 2
    rejected = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        moves = moves_between(knowing(rng, group, label), knowing(rng, group, label))
        drawn = np.stack([shuffled(moves, group, rng)["permutation"] for _ in range(19)])
        own = {way: sums[None] for way, sums in as_they_are(moves, ("permutation",)).items()}
        done = Transplanted({**own, "null": drawn}, 96)
        found, by_chance = (done.read(way)["restored_singly"] for way in ("permutation", "null"))
        rejected += permutation_p(float(found[0]), by_chance) <= 0.05
    assert rejected <= 18


def test_what_is_shared_beyond_the_class_is_found_by_one_null_and_is_place_by_the_other(look, compared, replica_of):
    """Planted: two seeds that know the class and half of its places, and nothing else in common."""
    rng = np.random.default_rng(0)
    label = np.arange(400) % CLASSES
    y = rng.integers(0, 9, 400)
    part = 3 * label + y // 3
    replicas = []
    for seed in (0, 1, 2):
        own = np.random.default_rng(seed)
        tuned = np.stack([np.eye(9), 1 - np.eye(9)], 1).reshape(9, 18)[:, ::2][part] * 3
        activation = np.clip(tuned + 0.5 * own.normal(0, 1, tuned.shape), 0, None)
        weight = np.eye(3).repeat(3, 1) + 0.05 * own.normal(0, 1, (3, 9))
        one = replica_of(activation, weight, BIAS, label)
        places = {"square_y": ("sample", y), "square_x": ("sample", np.zeros(400, dtype=int))}
        replicas.append(replace(one, probe=one.probe.assign(places)))
    metrics = compared(LENS, of_seeds(look, *replicas), rendered=True).metrics
    assert metrics["restored_singly_gain_within_class"]["p"] < 0.05
    assert metrics["restored_singly_gain_within_class"]["mean"] > 0.2
    assert metrics["restored_singly_gain_within_place"]["mean"] < 0.05
    assert metrics["restored_singly"]["null"] == metrics["restored_singly_null_within_place"]["mean"]
    assert metrics["restored_singly"]["pairs"] == 3


def test_what_is_above_a_baseline_is_not_tested_and_no_claim_rests_on_it(look, compared, replica_of):
    metrics = compared(LENS, of_seeds(look, trained(replica_of), trained(replica_of, seed=1))).metrics
    above = [name for name in metrics if "_above_" in name or "_baseline_" in name]
    assert above
    assert not any("p" in metrics[name] for name in above)
    named = [condition.metric for claim in LENS.claims() for condition in claim.conditions]
    assert named == ["restored_singly_gain_within_class", "restored_singly_gain_within_place"]


def test_of_many_seeds_a_balanced_sample_of_pairs_is_looked_at(monkeypatch):
    monkeypatch.setattr("seedscope.formulas.pairs.MOST", 12)
    label = np.arange(24) % CLASSES
    layers = iter([knowing(np.random.default_rng(seed), label, label, 3) for seed in range(7)])
    monkeypatch.setattr("seedscope.lenses.transplants.compare.SeedLayer.measured", lambda _: next(layers))
    measured = xr.Dataset(coords={"seed": range(7)}, attrs={"unit_kind": "dense"})
    found = _Found.of(measured)
    assert len(found.pairs) == 7  # of 21
    assert np.bincount(np.ravel(found.pairs)).tolist() == [2] * 7
    metrics = _unit_metrics(found)
    assert metrics["restored_singly"]["pairs"] == 7
    assert metrics["restored_singly"]["n"] == 7
    assert metrics["restored_singly_gain_within_class"]["draws"] == 7 * 3


def test_unequal_numbers_of_live_units_and_dead_ones_work(look, compared, replica_of):
    wide, narrow = trained(replica_of, units=9), trained(replica_of, seed=2, units=9)
    narrow.activations["fc1"][:, [0, 3, 4]] = 0
    narrow.activations["logit"][:] = narrow.activations["fc1"].values @ narrow.weights["fc2.weight"].T + BIAS
    comparison = compared(LENS, of_seeds(look, wide, narrow, trained(replica_of, seed=3, units=9)))
    assert comparison.metrics["restored_singly"]["n"] == 3
    assert 0 < comparison.metrics["restored_together"]["mean"] < 1
    table = comparison.tables["transplants_by_pair"]
    assert table[["seed", "other"]].drop_duplicates().to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    own = table[table["way"] == "permutation"]
    assert comparison.metrics["restored_singly"]["mean"] == pytest.approx(own["restored_singly"].mean())
    pairs = comparison.pairs["restored_singly"]
    np.testing.assert_allclose(pairs.value[np.triu_indices(3, 1)], own["restored_singly"])
    null = table[table["way"] == "permutation_within_class"]["restored_singly"]
    np.testing.assert_allclose(pairs.null[np.triu_indices(3, 1)], null)


def mapped(replica_of, order):
    """Return a network whose units are maps of three channels and two by two places, its channels in this order."""
    rng = np.random.default_rng(0)
    label = np.arange(90) % CLASSES
    maps = np.clip(rng.normal(0, 1, (90, 3, 2, 2)) + np.eye(3)[label][:, :, None, None], 0, None)[:, order]
    weight = rng.normal(0, 1, (CLASSES, 3, 2, 2))[:, order]
    return replica_of(maps, weight.reshape(CLASSES, -1), np.zeros(CLASSES), label)


def test_of_a_feature_map_whole_channels_take_each_others_place(look, compared, replica_of):
    measured = of_seeds(look, mapped(replica_of, [0, 1, 2]), mapped(replica_of, [2, 0, 1]))
    comparison = compared(LENS, measured, rendered=True)
    assert comparison.metrics["restored_singly"]["mean"] == pytest.approx(1, abs=1e-6)
    assert "a channel of fc1" in words(comparison.sheets[0])
    seen = look(LENS, mapped(replica_of, [0, 1, 2]), rendered=True)
    assert seen.summary["taking_part"] == 3
    assert "without a channel of fc1" in seen.sheets["transplants_at_stake"].title


def test_pixels_are_the_same_in_every_seed_and_nothing_is_transplanted(look, compared, replica_of):
    image = np.random.default_rng(0).random((30, 1, 3, 4)).astype(np.float32)
    weights = [np.random.default_rng(seed).normal(0, 1, (3, 12)) for seed in (0, 1)]
    replicas = [replica_of(image.reshape(30, -1), one, np.zeros(3), np.arange(30) % 3, image=image) for one in weights]
    comparison = compared(LENS, of_seeds(look, *replicas), rendered=True)
    assert comparison.metrics["restored_singly"] == {
        "mean": None,
        "low": None,
        "high": None,
        "n": 2,
        "null": None,
        "p": None,
    }
    assert all(panel.empty == "every seed has the same pixels" for panel in panels_of(comparison.sheets[0].body))


ODD = {
    "all units dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "one class only": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1, "names": ("no", "yes")},
    "three pictures": {"n": 3},
    "one picture": {"n": 1},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_drawn_and_compared(look, compared, random_replica, case):
    rendered = case in ("all units dead", "one live unit")
    replicas = [random_replica(seed=seed, **ODD[case]) for seed in (0, 1)]
    label = replicas[0].probe.label.values  # of one probe set, as seeds have
    replicas[1] = replace(replicas[1], probe=replicas[1].probe.assign(label=("sample", label)))
    seen = look(LENS, replicas[0], rendered=rendered)
    assert set(seen.sheets) == {"transplants_at_stake"}
    nothing = case in ("all units dead", "one picture")
    assert (seen.summary["taking_part"] == 0) == nothing
    assert np.isnan(seen.summary["divergence_singly"]) == nothing
    comparison = compared(LENS, of_seeds(look, *replicas), rendered=rendered)
    metric = comparison.metrics["restored_together"]
    assert (metric["mean"] is None) == nothing
    accuracy, agreement, *_ = panels_of(comparison.sheets[1].body)
    assert bool(accuracy.empty) == bool(agreement.empty) == nothing


def test_one_seed_has_no_other(look, compared, random_replica):
    comparison = compared(LENS, of_seeds(look, random_replica()), rendered=True)
    assert comparison.metrics["restored_singly"]["mean"] is None
    assert comparison.metrics["layer_accuracy_intact"] == {"mean": None, "low": None, "high": None, "n": 1}
    assert comparison.tables == {}
    assert comparison.pairs == {}
    assert next(panels_of(comparison.sheets[0].body)).empty == "one seed has no other"


def test_equal_seeds_give_equal_numbers(look, compared, replica_of):
    measured = of_seeds(look, trained(replica_of), trained(replica_of, seed=1))
    assert compared(LENS, measured).metrics == compared(LENS, dict(reversed(measured.items()))).metrics


def test_a_seed_whose_pairs_have_no_value_does_not_count():
    rng = np.random.default_rng(0)
    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    values = rng.normal(0, 1, len(pairs))
    matrix = np.zeros((5, 5))
    matrix[tuple(np.transpose(pairs))] = matrix[tuple(np.transpose(pairs))[::-1]] = values
    found = _interval(np.append(values, np.nan), [*pairs, (0, 5)], 6)
    np.testing.assert_allclose(found.numbers, pair_interval(matrix).numbers)
    assert found.n == 5


def test_log_p_is_recovered_only_where_ablation_costs_it():
    """Where as much is gained as is lost, a share of the difference would say nothing."""
    ablated = np.array([[-0.5, -10.0, -4, -30.0, -10, 20, 20]])
    own = np.array([[-0.25, -5.0, -1, -20.0, -5, 30, 25]])
    intact = np.array([[0.0, 0, 0, -10, 0, 40, 30]])
    read = Transplanted({"ablated": ablated, "permutation": own, "intact": intact}, 40).read("permutation")
    assert np.isnan(read["recovered_singly"][0])
    assert read["recovered_together"][0] == pytest.approx(0.5)
    assert [read[f"{what}_singly"][0] for what in ("restored", "kept")] == [0.5, 0.75]
    assert (read["agreement"][0], read["accuracy"][0]) == (0.75, 0.625)


def test_few_pairs_are_drawn_often_and_many_at_least_a_few_times():
    assert [draws_of(pairs, 12) for pairs in (1, 3, 10, 40)] == [12, 4, 2, 2]
