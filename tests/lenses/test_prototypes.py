from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import hypergeom

from seedscope.figures import Image
from seedscope.formulas.halves import halves
from seedscope.lenses.prototypes import Prototypes
from seedscope.lenses.prototypes.compare import compare
from seedscope.lenses.prototypes.measure import prototypes

from .sheets import marks, words

LENS = Prototypes("fc1", "fc2", 4)


def test_prototypes_are_the_pictures_with_the_largest_activations():
    activation = np.array([[0.0, 3], [2, 1], [5, 3], [0, 0], [2, 9]])
    assert prototypes(activation, 3).tolist() == [[2, 1, 4], [4, 0, 2]]
    assert prototypes(activation[:, :1], 4).tolist() == [[2, 1, 4, -1]]


def test_measured_prototypes_are_found_again_by_sorting(look, random_replica):
    replica = random_replica(units=12, dead=(5,))
    seen = look(LENS, replica, rendered=True)
    activation, label = replica.activations["fc1"].values, replica.probe.label.values
    for unit in np.delete(np.arange(12), 5):
        best = np.argsort(-activation[:, unit], kind="stable")[:4]
        assert seen.measured.top_label.values[unit].tolist() == label[best].tolist()
    assert seen.measured.top_label.values[5].tolist() == [-1] * 4
    scored = np.flatnonzero(halves(label) == 1)
    best = scored[seen.measured.scored_top.values[0]]
    assert best.tolist() == scored[np.argsort(-activation[scored, 0], kind="stable")[:4]].tolist()
    first = int(seen.measured.shown_number[0])
    place = int(np.argmax(activation[:, first]))
    np.testing.assert_allclose(seen.measured.image[0, 0], replica.probe.image[place])
    assert seen.measured.shown_activation.values[0, 0] == pytest.approx(activation[place, first])
    assert len(marks(seen.sheets["prototypes"], Image)) == 8 * 4


def test_the_share_of_one_class_and_its_chance():
    measured = xr.Dataset(
        {
            "label": ("sample", np.repeat([0, 1], [6, 14])),
            "top_label": (("unit", "rank"), np.array([[0, 0, 1, -1], [1, 1, 1, 1], [-1] * 4])),
            "live": ("unit", np.array([True, True, False])),
        }
    )
    summary = LENS.summarize(measured)
    assert summary["one_class_share"] == pytest.approx((2 / 3 + 1) / 2)
    exact = [sum(max(x, size - x) * hypergeom(20, 6, size).pmf(x) for x in range(size + 1)) / size for size in (3, 4)]
    assert summary["one_class_share_null_random"] == pytest.approx(np.mean(exact), abs=0.005)


def planted(*, shared, seeds=3, units=12, n=240, seed=0):
    """Return what seeds measured whose units share their classes, and with ``shared`` the pictures within a class."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 4
    first = halves(label) == 0
    common = rng.normal(size=(n, units))
    activation, top = [], []
    for _ in range(seeds):
        own = common if shared else rng.normal(size=(n, units))
        values = 6 * (label[:, None] == np.arange(units) // 3) + own + 0.3 * rng.normal(size=(n, units)) + 5
        values = values[:, rng.permutation(units)]
        activation.append(values[first])
        top.append(prototypes(values[~first], 5))
    found = {
        "activation": (("seed", "matched_sample", "unit"), np.array(activation)),
        "scored_top": (("seed", "unit", "rank"), np.array(top)),
        "live": (("seed", "unit"), np.ones((seeds, units), dtype=bool)),
        "matched_label": (("seed", "matched_sample"), np.tile(label[first], (seeds, 1))),
        "scored_label": (("seed", "scored_sample"), np.tile(label[~first], (seeds, 1))),
    }
    attrs = {"experiment": "toy", "class_names": list("abcd"), "features": "fc1", "unit_kind": "dense"}
    return xr.Dataset(found, {"seed": np.arange(seeds)}, {**attrs, "unit_shape": [units]})


def test_prototypes_that_are_shared_beyond_the_class_are_found_and_shared_classes_alone_are_not():
    alike = compare(planted(shared=True)).metrics["shared_prototypes"]
    assert alike["mean"] > 3
    assert alike["p"] == pytest.approx(1 / 1001)
    metrics = compare(planted(shared=False)).metrics
    assert metrics["shared_prototypes"]["p"] > 0.05
    assert metrics["shared_prototypes"]["mean"] == pytest.approx(5 * 5 / 30, abs=0.3)  # of 30 pictures of a class
    assert metrics["shared_prototypes_null_random"]["mean"] < 0.4


def test_the_null_rejects_at_its_level_where_units_share_nothing_but_their_class(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.matched_units.draws_of", lambda *_: 19)
    p = [compare(planted(shared=False, seeds=2, n=96, seed=s)).metrics["shared_prototypes"]["p"] for s in range(200)]
    assert np.sum(np.array(p) <= 0.05) <= 18


ODD = {
    "some dead": {"dead": (1, 4)},
    "all dead": {"dead": range(12)},
    "one live unit": {"dead": range(1, 12)},
    "fewer pictures than prototypes": {"n": 6},
    "one class": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1},
    "a feature map": {"feature_map": (3, 2, 2)},
    "places": {"places": (np.arange(60) % 7, np.arange(60) % 5)},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_cases_are_drawn_and_compared(look, compared, random_replica, case):
    lens = replace(LENS, top=8)
    seen = {
        s: look(lens, random_replica(seed=s, **ODD[case]), rendered=s == 0 and case in ("all dead", "a feature map"))
        for s in (0, 1)
    }
    comparison = compared(lens, {s: one.measured for s, one in seen.items()}, rendered=case == "all dead")
    shared = comparison.metrics["shared_prototypes"]
    assert (shared["mean"] is None) == (case == "all dead")
    assert ("no unit is ever active" in words(seen[0].sheets["prototypes"])) == (case == "all dead")
    assert ("shared_prototypes_null_within_place" in comparison.metrics) == (case == "places")
    if case == "a feature map":
        assert seen[0].measured.sizes["unit"] == 3
        assert "channels of fc1" in seen[0].sheets["prototypes"].title
    alone = compared(lens, {0: seen[0].measured})
    assert alone.sheets == []
    assert alone.metrics["shared_prototypes"]["mean"] is None


def test_pixels_are_not_matched(look, compared, replica_of):
    image = np.random.default_rng(0).random((30, 1, 3, 4)).astype(np.float32)
    replica = replica_of(image.reshape(30, -1), np.ones((3, 12)), np.zeros(3), np.arange(30) % 3, image=image)
    seen = look(LENS, replica)
    assert "pixels" in seen.sheets["prototypes"].title
    assert compared(LENS, {0: seen.measured, 1: seen.measured}).metrics == {}
