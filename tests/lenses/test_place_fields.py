from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import pearsonr

from seedscope.data.squares import Squares
from seedscope.figures import Image
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.votes import centred_dominance
from seedscope.lenses import Network
from seedscope.lenses.place_fields import PlaceFields
from seedscope.lenses.place_fields.compare import compare
from seedscope.lenses.votes import votes_of

from .networks import fill, replica_of_network
from .sheets import marks, words

DATA = {"_target_": "seedscope.data.squares.Squares", "size": 12, "side": 3, "n_probe": 90, "n_train": 9}
LENS = PlaceFields("1", "3", DATA)


def dense(hidden=10, classes=9, dead=()):
    """Return a dense network of one hidden layer on pictures of 12×12."""

    def make(seed=0):
        model = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(144, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes)
        )
        model = fill(model, seed, torch.float32)
        with torch.no_grad():
            for unit in dead:
                model[1].weight[unit], model[1].bias[unit] = 0, -1
        return model

    return make


def replica(seed=0, data=None, **options):
    """Return the replica of a network drawn from ``seed`` that looks at the probe pictures of squares."""
    source = Squares(**{key: value for key, value in {**DATA, **(data or {})}.items() if key != "_target_"})
    probe, make = source.probe(), dense(classes=options.pop("classes", source.grid**2), **options)
    truth = {name: probe[name].values for name in ("square_y", "square_x")}
    found = replica_of_network(lambda: make(seed), probe.image.values, probe.label.values, **truth)
    with torch.no_grad():
        hidden = torch.relu(make(seed)[1](torch.from_numpy(probe.image.values).flatten(1))).numpy()
    activations = {**found.activations, "1": xr.DataArray(hidden, dims=("sample", "unit"))}
    return replace(found, seed=seed, activations=activations), source


def test_a_field_is_the_mean_answer_to_a_square_at_each_place(look):
    """Oracle: pictures without noise, whose activations follow from the weights."""
    quiet = {**DATA, "noise": 0.0, "background": 0.2}
    one, source = replica(data=quiet)
    seen = look(PlaceFields("1", "3", quiet), one, draw=None)
    weight, bias = one.weights["1.weight"].astype(float), one.weights["1.bias"].astype(float)
    assert seen.measured.field.shape == (2, 10, 10, 10)
    for y, x in ((0, 0), (4, 7), (9, 9)):
        image = np.full((12, 12), 0.2)
        image[y : y + 3, x : x + 3] += source.contrast
        wanted = np.maximum(weight @ image.ravel() + bias, 0)
        for half in range(2):
            np.testing.assert_allclose(seen.measured.field.values[half, :, y, x], wanted, rtol=1e-4, atol=1e-5)
        assert seen.measured.label_of_place.values[y, x] == source.label(np.array([y]), np.array([x]))[0]
    assert seen.summary["field_reliability"] == pytest.approx(1)


def test_noise_is_another_in_each_half_and_the_same_in_every_seed(look):
    measured = look(LENS, replica()[0], draw=None).measured
    assert np.abs(measured.field[0] - measured.field[1]).max() > 0.05
    again = look(LENS, replace(replica()[0], seed=7), draw=None).measured
    np.testing.assert_array_equal(measured.field, again.field)
    votes = votes_of(replica()[0], "1", "3")
    dominance = centred_dominance(votes, replica()[0].probe.label.values, 9)
    np.testing.assert_allclose(measured.total_dominance, np.abs(dominance).sum(0))
    even = (replica()[0].probe.square_y + replica()[0].probe.square_x).values % 2 == 0
    np.testing.assert_allclose(measured.activation, replica()[0].activations["1"].values[even])
    assert measured.matched_label.size == even.sum()


def test_of_either_polarity_each_half_has_as_many_dark_squares_as_bright_ones(look):
    both = {**DATA, "noise": 0.0, "polarity": "both", "contrast": 0.1}
    one, _ = replica(data=both)
    field = look(PlaceFields("1", "3", both), one, draw=None).measured.field.values
    np.testing.assert_allclose(field[0], field[1], rtol=1e-5)
    sides = []
    for polarity in ("bright", "dark"):
        settings = {**both, "polarity": polarity}
        sides.append(look(PlaceFields("1", "3", settings), one, draw=None).measured.field.values[0])
    np.testing.assert_allclose(field[0], np.mean(sides, axis=0), rtol=1e-4, atol=1e-5)


def test_beyond_27_places_along_an_axis_every_third_is_looked_at(look):
    wide = {**DATA, "size": 40, "n_probe": 9}
    source = Squares(size=40, side=3, n_probe=9)
    make = lambda: fill(  # noqa: E731
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1600, 3), torch.nn.ReLU(), torch.nn.Linear(3, 9)),
        0,
        torch.float32,
    )
    probe = source.probe()
    truth = {name: probe[name].values for name in ("square_y", "square_x")}
    found = replica_of_network(make, probe.image.values, probe.label.values, **truth)
    hidden = torch.relu(make()[1](torch.from_numpy(probe.image.values).flatten(1))).detach().numpy()
    found = replace(found, activations={**found.activations, "1": xr.DataArray(hidden, dims=("sample", "unit"))})
    measured = look(PlaceFields("1", "3", wide), found, draw=None).measured
    assert measured.place_y.values.tolist() == list(range(0, 38, 3))


def smoothed(rng, units):
    """Return fields of which even places tell what they are at odd ones."""
    field = rng.normal(size=(units, 12, 12))
    field = sum(field[:, y : y + 10, x : x + 10] for y in range(3) for x in range(3))
    return field.reshape(units, 100) / 3


def planted(seeds=3, units=12, *, shared, per_class=24, seed=0):
    """Return what seeds measured whose units share their classes, and with ``shared`` their answer within a class.

    Three units are tuned to each of four classes. Within a class each answers to places of its own; with ``shared`` a
    unit and its likes in other seeds to the same ones, of which the activations for pictures tell.
    """
    rng = np.random.default_rng(seed)
    label_of_place = np.kron(np.arange(4).reshape(2, 2), np.ones((5, 5), dtype=int))
    even = np.indices((10, 10)).sum(0) % 2 == 0
    of_class = [np.flatnonzero(((label_of_place == k) & even).ravel()) for k in range(4)]
    picture_place = np.concatenate([rng.choice(places, per_class) for places in of_class])
    label = np.repeat(np.arange(4), per_class)
    common = smoothed(rng, units)
    fields, activation = [], []
    for _ in range(seeds):
        own = common if shared else rng.normal(size=(units, 100))
        field = 5 * (label_of_place.ravel() == np.arange(units)[:, None] // 3) + own
        order = rng.permutation(units)
        fields.append(np.stack([field + 0.5 * rng.normal(size=field.shape) for _ in range(2)])[:, order])
        activation.append((field[:, picture_place] + 0.5 * rng.normal(size=(units, len(label)))).T[:, order])
    found = {
        "field": (("seed", "half", "unit", "place_y", "place_x"), np.reshape(fields, (seeds, 2, units, 10, 10))),
        "activation": (("seed", "matched_sample", "unit"), np.array(activation)),
        "matched_label": (("seed", "matched_sample"), np.tile(label, (seeds, 1))),
        "live": (("seed", "unit"), np.ones((seeds, units), dtype=bool)),
        "total_dominance": (("seed", "unit"), rng.random((seeds, units))),
        "label_of_place": (("seed", "place_y", "place_x"), np.tile(label_of_place, (seeds, 1, 1))),
    }
    attrs = {"experiment": "toy", "class_names": list("abcd"), "features": "fc1", "unit_kind": "dense"}
    coords = {"seed": np.arange(seeds), "place_y": np.arange(10), "place_x": np.arange(10)}
    return xr.Dataset(found, coords, {**attrs, "unit_shape": [units]})


def test_fields_that_are_shared_beyond_the_class_are_found_and_shared_classes_alone_are_not():
    alike = compare(planted(shared=True)).metrics["field_correlation"]
    assert alike["mean"] > 0.7
    assert alike["null"] < alike["mean"] - 0.2
    assert alike["p"] < 0.01
    metrics = compare(planted(shared=False)).metrics
    assert abs(metrics["field_correlation"]["mean"]) < 0.1
    assert metrics["field_correlation"]["p"] > 0.05
    assert metrics["whole_field_correlation"]["mean"] > 0.7
    assert metrics["whole_field_correlation_null_class_means"]["mean"] > 0.7
    assert metrics["whole_field_correlation_null_random"]["mean"] < 0.2


def test_the_null_rejects_at_its_level_where_units_share_nothing_but_their_class(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.matched_units.draws_of", lambda *_: 19)
    monkeypatch.setattr("seedscope.lenses.place_fields.compare.sheets_over_seeds", lambda *_: [])
    p = [compare(planted(2, shared=False, seed=s, per_class=9)).metrics["field_correlation"]["p"] for s in range(200)]
    assert np.sum(np.array(p) <= 0.05) <= 18


def test_the_numbers_are_those_of_a_slow_loop():
    measured = planted(2, shared=True)
    measured["live"][1, 4:] = False
    comparison = compare(measured)
    field, activation = measured.field.values, measured.activation.values
    r = np.array([[pearsonr(activation[0, :, i], activation[1, :, j]).statistic for j in range(4)] for i in range(12)])
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-r)
    label = measured.label_of_place.values[0]
    odd = np.indices((10, 10)).sum(0) % 2 == 1
    left, label = field[..., odd], label[odd]
    for k in range(4):
        left[..., label == k] -= left[..., label == k].mean(-1, keepdims=True)
    scored = [
        np.mean([pearsonr(left[0, h, i].ravel(), left[1, 1 - h, j].ravel()).statistic for h in range(2)])
        for i, j in zip(rows, columns, strict=True)
    ]
    assert comparison.metrics["field_correlation"]["mean"] == pytest.approx(np.mean(scored))
    assert comparison.tables["place_fields_pairs"]["value"][0] == pytest.approx(np.mean(scored))


@pytest.mark.parametrize("dead", [(), (0, 3), range(10), range(1, 10)])
def test_seeds_are_drawn_and_compared_whatever_is_dead(look, compared, dead):
    seen = {s: look(LENS, replica(s, dead=dead)[0], rendered=s == 0 and len(dead) in (0, 10)) for s in (0, 1)}
    assert set(seen[0].sheets) == {"place_fields", "place_votes"}
    live = int(seen[0].measured.live.sum())
    assert live <= 10 - len(dead)
    assert len(marks(seen[0].sheets["place_fields"], Image)) == live
    assert ("no unit is ever active" in words(seen[0].sheets["place_fields"])) == (live == 0)
    comparison = compared(LENS, {s: one.measured for s, one in seen.items()}, rendered=len(dead) in (0, 10))
    assert (comparison.metrics["field_correlation"]["mean"] is None) == (live == 0)
    assert {sheet.name for sheet in comparison.sheets} == {
        "place_field_correlation",
        "matched_fields",
        "matched_fields_beyond_class",
    }
    alone = compared(LENS, {0: seen[0].measured})
    assert alone.sheets == []
    assert alone.metrics["field_correlation"]["mean"] is None


def test_a_grid_of_one_cell_and_one_logit_have_values(look):
    lone = {**DATA, "grid": 1}
    one, _ = replica(data=lone, classes=2)
    one = replace(one, class_names=("a", "b"))
    assert np.isnan(look(PlaceFields("1", "3", lone), one, draw="place").summary["field_class_share"])


def test_other_data_sets_are_refused():
    network = Network({"fc1": (6,), "fc2": (3,), "logit": (3,)}, {"fc2.weight": (3, 6)}, {"fc1": "probe"}, 3)
    digits = {"_target_": "seedscope.data.digits.Digits"}
    with pytest.raises(SeedscopeError, match="does not move one square"):
        PlaceFields("fc1", "fc2", digits).check(network)
    PlaceFields("fc1", "fc2", DATA).check(network)
    maps = Network({"conv1": (6, 1, 1), "fc2": (3,), "logit": (3,)}, {"fc2.weight": (3, 6)}, {"conv1": "probe"}, 3)
    with pytest.raises(SettingError, match="has maps"):
        PlaceFields("conv1", "fc2", DATA).check(maps)
