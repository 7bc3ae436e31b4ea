from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score

from seedscope.figures import Dots, panels_of
from seedscope.formulas.clusters import groups_of, ward_tree
from seedscope.formulas.subcells import subcells
from seedscope.lenses.patterns import Patterns
from seedscope.lenses.patterns.measure import measure

from .sheets import marks

LENS = Patterns("fc1", "fc2")


def voting(replica_of, ways, *, n=150, classes=3, units=12, seed=0, **options):
    """Return a replica in which ``ways`` (by class) sets of units lead to each class, a third of noise beside."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    way = rng.integers(0, np.array(ways)[label])
    activation = np.abs(rng.normal(0, 0.3, (n, units)))
    activation[np.arange(n), label * (units // classes) + way] += 5
    weight = np.repeat(np.eye(classes), units // classes, axis=1)
    return replica_of(activation, weight, np.zeros(classes), label, **options), way


def test_as_many_patterns_are_found_as_ways_were_planted(look, replica_of):
    replica, _ = voting(replica_of, (1, 2, 3))
    seen = look(LENS, replica, rendered=True)
    assert seen.measured.patterns.values.tolist() == [1, 2, 3]
    assert seen.summary["patterns"] == 2
    assert seen.summary["classes_with_several"] == 2
    assert seen.summary["classes_spread_unevenly"] == 2
    assert seen.measured.stability.values[1:].tolist() == [1, 1]
    assert seen.summary["stability"] > seen.summary["stability_null_even"] + 0.1
    chosen = [dots.x.tolist() for dots in marks(seen.sheets["patterns_gap"], Dots)]
    assert chosen == [[1], [2], [3]]
    assert "2 of 3 classes have several" in seen.sheets["patterns"].title


def test_groups_that_are_places_are_told_from_groups_that_are_not(replica_of, compared):
    rng = np.random.default_rng(77)
    y, x = rng.integers(0, 9, (2, 150))
    ways = (3, 3, 3)
    measured, random = {}, {}
    for seed in (0, 1, 2):
        replica, _ = voting(replica_of, ways, seed=seed, places=(y, x))
        label = replica.probe.label.values
        random[seed] = replace(replica, seed=seed)
        activation = replica.activations["fc1"].copy()
        third = 3 * y // 9
        activation[:] = np.abs(np.random.default_rng(seed).normal(0, 0.3, activation.shape))
        activation.values[np.arange(150), 4 * label + third] += 5
        logit = xr.DataArray(activation.values @ replica.weights["fc2.weight"].T, dims=("sample", "target"))
        measured[seed] = replace(replica, seed=seed, activations={"fc1": activation, "logit": logit})
    found = {s: measure(one, "fc1", "fc2") for s, one in measured.items()}
    metric = compared(LENS, found).metrics["place_information"]
    assert metric["p"] == pytest.approx(1 / 1001)
    assert metric["mean"] > 0.3
    assert metric["n"] == 3
    metric = compared(LENS, {s: measure(one, "fc1", "fc2") for s, one in random.items()}).metrics["place_information"]
    assert metric["p"] > 0.05
    assert abs(metric["mean"]) < 0.1
    for k in range(3):  # the oracle of one class's number
        own = label == k
        votes = measured[0].activations["fc1"].values[own] * (np.repeat(np.eye(3), 4, axis=1)[k] - 1 / 3)
        place = subcells(y, x, label)[own]
        group = groups_of(ward_tree(votes), len(np.unique(place)))
        wanted = adjusted_mutual_info_score(place, group)
        assert found[0].place_information.values[k] == pytest.approx(wanted)


def test_places_are_permuted_alike_in_every_seed(replica_of):
    places = (np.arange(150) // 3 % 9, np.arange(150) // 9 % 9)
    one, other = (measure(voting(replica_of, (2, 2, 2), seed=s, places=places)[0], "fc1", "fc2") for s in (0, 0))
    np.testing.assert_array_equal(one.information_null, other.information_null)
    assert one.information_null.values.std() > 0


ODD = {
    "some dead": {"dead": (1, 4)},
    "all dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "few pictures": {"n": 12},
    "one class": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1, "n": 120},
    "a feature map": {"feature_map": (3, 2, 2)},
    "twenty classes": {"classes": 20, "n": 60, "units": 20},
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("places", [False, True])
def test_odd_cases_are_drawn_and_compared(look, compared, random_replica, case, places):
    options = ODD[case]
    n = options.get("n", 60)
    known = {"places": (np.arange(n) % 7, np.arange(n) % 5)} if places else {}
    replica = random_replica(**options, **known)
    rendered = places and case in ("all dead", "some dead", "twenty classes")
    seen = look(LENS, replica, rendered=rendered)
    assert set(seen.sheets) == {"patterns", "patterns_gap"}
    nothing = np.isnan(seen.summary["patterns"])
    assert nothing >= (case in ("all dead", "few pictures", "twenty classes"))
    assert nothing <= (case not in ("some dead", "a feature map"))
    comparison = compared(LENS, {0: seen.measured, 1: seen.measured}, rendered=rendered)
    assert bool(next(panels_of(comparison.sheets[0].body)).empty) == nothing
    assert ("place_information" in comparison.metrics) == places
    for metric in comparison.metrics.values():
        assert (metric["mean"] is None) == (metric["p"] is None)


def test_arms_from_a_middle_are_one_pattern_that_is_spread_unevenly(replica_of):
    rng = np.random.default_rng(3)
    arm, along = rng.integers(0, 6, 200), rng.exponential(1, 200)
    activation = np.abs(rng.normal(0, 0.05, (200, 6)))
    activation[np.arange(200), arm] += along
    activation = np.concatenate([activation, np.full((200, 1), 9.0)], 1)
    weight = np.stack([np.ones(7), -np.ones(7)])
    measured = measure(replica_of(activation, weight, np.zeros(2), np.zeros(200, dtype=int)), "fc1", "fc2")
    assert measured.gap.values[0, 6] - measured.gap_error.values[0, 6] > measured.gap.values[0, 0]
    assert LENS.summarize(measured)["classes_spread_unevenly"] == 1


@pytest.mark.parametrize("alike", [True, False])
def test_votes_that_differ_in_size_alone_spread_in_one_direction_and_unrelated_ones_in_as_many_as_permuted(
    replica_of, alike
):
    rng = np.random.default_rng(4)
    size = rng.exponential(1, (200, 1 if alike else 8))
    weight = np.stack([np.ones(8), -np.ones(8)])
    measured = measure(replica_of(size * np.ones(8), weight, np.zeros(2), np.zeros(200, dtype=int)), "fc1", "fc2")
    found = LENS.summarize(measured)
    assert found["vote_dimension_null_permuted"] == pytest.approx(8, rel=0.15)
    assert found["vote_dimension"] == pytest.approx(1 if alike else found["vote_dimension_null_permuted"], rel=0.1)
    assert (found["vote_dimension_gain_permuted"] < -5) == alike
