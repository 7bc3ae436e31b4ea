from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import pearsonr

from seedscope.figures import Image
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.places import Places
from seedscope.lenses.same_places import SamePlaces
from seedscope.lenses.same_places.compare import compare

from .networks import fill, random_pictures, relu_first, replica_of_network
from .sheets import marks

LENS = SamePlaces("5", "9")  # pool2 and the head of `relu_first`


def seed_of(seed, *, n=48, classes=3, **options):
    """Return the replica of a network drawn from ``seed``, on pictures that are the same for all."""
    label = np.arange(n) % max(2, classes)
    image = random_pictures(n) + np.eye(16)[label][:, None, :, None]
    make = lambda: fill(relu_first((1, 16, 16), classes), seed, torch.float32)  # noqa: E731
    return replace(replica_of_network(make, image, label, **options), seed=seed)


def test_the_maps_are_those_of_the_lens_that_holds_heat_maps_against_them(look):
    replica = seed_of(0)
    seen = look(LENS, replica, rendered=True)
    found = look(Places("5", "9", shown=6), replica, draw=None).measured
    exact = found.children["5"].place_vote.values
    at = np.searchsorted(seen.measured.sample.values, found.shown_sample.values)
    np.testing.assert_allclose(seen.measured.place_vote.values[at], exact, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen.measured.answer.values[at], found.answer.values)
    answer, maps = seen.measured.answer.values, seen.measured.place_vote.values
    groups = np.unique(answer, return_counts=True)[1]
    slow = sum(
        2 * pearsonr(maps[s].ravel(), maps[t].ravel()).statistic / np.sum(answer == answer[s])
        for s, t in combinations(range(len(answer)), 2)
        if answer[s] == answer[t]
    )
    assert seen.summary["pictures_with_places"] == 48
    assert seen.summary["same_answer_correlation"] == pytest.approx(slow / (groups - 1).sum(), rel=1e-4)


def measured_maps(maps, answer, **more):
    """Return what two or more seeds measured whose maps (seed, sample, y, x) these are."""
    found = {
        "place_vote": (("seed", "sample", "y", "x"), maps.astype(np.float32)),
        "answer": (("seed", "sample"), np.broadcast_to(answer, maps.shape[:2])),
        "image": (("shown_sample", "channel", "picture_y", "picture_x"), np.zeros((1, 1, 4, 4))),
        **{name: (("seed", "sample"), np.broadcast_to(values, maps.shape[:2])) for name, values in more.items()},
    }
    coords = {"seed": np.arange(len(maps)), "sample": np.arange(maps.shape[1]), "shown_sample": [0]}
    return xr.Dataset(found, coords, {"experiment": "toy", "class_names": ["a", "b", "c"]})


def test_maps_that_share_the_answer_only_or_the_picture_too_are_told_apart():
    rng = np.random.default_rng(0)
    answer, part = np.arange(90) % 3, np.arange(90) // 3 % 3
    of_answer, of_part = rng.normal(size=(3, 5, 5)), rng.normal(size=(9, 5, 5))
    noise = rng.normal(size=(4, 90, 5, 5))
    by_answer = compare(measured_maps(of_answer[answer] + noise, answer), "pool2").metrics
    assert by_answer["map_correlation"]["p"] > 0.05
    assert by_answer["map_correlation"]["mean"] > 0.3
    assert by_answer["map_correlation"]["null"] == pytest.approx(by_answer["map_correlation"]["mean"], abs=0.03)
    by_part = of_answer[answer] + of_part[3 * answer + part] + noise
    metrics = compare(measured_maps(by_part, answer, subcell=3 * answer + part), "pool2").metrics
    assert metrics["map_correlation_gain_same_answer"]["p"] == pytest.approx(1 / 1001)
    assert metrics["map_correlation_gain_within_place"]["p"] > 0.05
    by_picture = by_part + rng.normal(size=(90, 5, 5))
    metrics = compare(measured_maps(by_picture, answer, subcell=3 * answer + part), "pool2").metrics
    assert metrics["map_correlation"]["p"] == pytest.approx(1 / 1001)
    assert metrics["map_correlation"]["null"] == metrics["map_correlation_null_within_place"]["mean"]


def test_pictures_that_seeds_answer_otherwise_or_without_votes_are_left_out():
    maps = np.random.default_rng(1).normal(size=(3, 30, 4, 4))
    answer = np.broadcast_to(np.arange(30) % 3, (3, 30)).copy()
    answer[1, 4] = 2
    maps[2, 7] = 0
    comparison = compare(measured_maps(maps, answer), "pool2")
    kept = np.delete(np.arange(30), [4, 7])
    slow = [
        np.mean([pearsonr(maps[a, s].ravel(), maps[b, s].ravel()).statistic for s in kept])
        for a, b in combinations(range(3), 2)
    ]
    assert comparison.tables["same_places_pairs"]["value"].tolist() == pytest.approx(slow, rel=1e-5)
    assert "28 pictures" in comparison.sheets[0].description


@pytest.mark.parametrize("case", ["one seed", "no picture in common", "no votes"])
def test_without_a_pair_or_a_picture_there_is_no_value(case):
    maps = np.random.default_rng(2).normal(size=(1 if case == "one seed" else 2, 6, 3, 3))
    answer = np.zeros(maps.shape[:2], dtype=int)
    if case == "no picture in common":
        answer[1] = 1
    comparison = compare(measured_maps(maps * (case != "no votes"), answer), "pool2")
    assert comparison.metrics["map_correlation"]["mean"] is None
    assert comparison.metrics["map_correlation"]["p"] is None
    assert len(comparison.sheets) == (0 if case == "one seed" else 2)
    assert comparison.pairs == {}


@pytest.mark.parametrize("classes", [1, 3])
def test_networks_are_compared_from_end_to_end(look, compared, classes):
    places = {"square_y": np.arange(48) % 8, "square_x": np.arange(48) % 5}
    measured = {seed: look(LENS, seed_of(seed, classes=classes, **places), draw=None).measured for seed in (0, 1)}
    comparison = compared(LENS, measured, rendered=True)
    assert {sheet.name for sheet in comparison.sheets} == {"same_places", "same_places_pictures"}
    assert len(marks(comparison.sheets[1], Image)) == measured[0].sizes["shown_sample"] * 3
    both = (measured[0].answer == measured[1].answer).values
    assert (comparison.metrics["map_correlation"]["mean"] is None) == (not both.any())
    assert "map_correlation_null_within_place" in comparison.metrics


def test_of_many_pictures_as_many_of_each_class_are_compared(look):
    seen = look(replace(LENS, pictures=9), seed_of(0), draw=None)
    assert 9 <= seen.measured.sizes["sample"] <= 9 + 6
    assert seen.measured.sizes["shown_sample"] == 6


def test_a_network_with_something_else_behind_its_maps_is_refused():
    network = Network({"conv1": (3, 4, 4), "fc2": (3,), "logit": (3,)}, {"fc2.weight": (3, 7)}, {}, 3)
    with pytest.raises(SettingError, match="no dense layers lead to"):
        SamePlaces("conv1", "fc2").check(network)


def test_another_layer_between_the_maps_and_the_head_is_noticed(look):
    class Doubling(torch.nn.Sequential):
        def forward(self, x):
            for i, module in enumerate(self):
                x = module(x) * (2 if i == 6 else 1)
            return x

    make = lambda: Doubling(*fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32))  # noqa: E731
    with pytest.raises(SeedscopeError, match="the votes of '5' do not add up to the logits"):
        look(SamePlaces("5", "7"), replica_of_network(make, random_pictures(4), [0, 1, 2, 0]), draw=None)
