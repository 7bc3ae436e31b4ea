from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr

from seedscope.data import exhibits, pictures
from seedscope.figures import panels_of
from seedscope.files.errors import SettingError
from seedscope.formulas.verdict import LEVEL
from seedscope.lenses import Network, Replica
from seedscope.lenses.templates import Templates, evidence
from seedscope.lenses.templates.evidence import _most_square
from seedscope.lenses.templates.measure import _log_spaced
from seedscope.lenses.templates.readings import NULLS
from seedscope.lenses.templates.resemblance import TOLERANCE, Inputs, Readings, matched_length
from seedscope.lenses.templates.winners import Rules, State
from seedscope.models.perceptron import Perceptron
from seedscope.seeds.together import stacked

SLP = Templates({"fc1": "input"}, "fc1")
MLP = Templates({"fc1": "input", "fc2": "fc1"}, "fc2")


@pytest.fixture(autouse=True)
def few_nulls(monkeypatch):
    """Draw twenty null networks, for none of these tests asks for digits."""
    monkeypatch.setattr(evidence, "_NULL_NETWORKS", 20)
    monkeypatch.setattr(evidence, "_NULL_ROWS", 640)


def prototypes(classes=4, shape=(1, 8, 8), seed=0):
    """Pictures of which each pixel is lit in one class: their sum is the same everywhere."""
    owner = np.random.default_rng(seed).permutation(int(np.prod(shape))) % classes
    return np.stack([(owner == k).astype(np.float32).reshape(shape) for k in range(classes)])


def drawn(count, rng, classes=4, shape=(1, 8, 8), noise=0.1):
    label = np.arange(count) % classes
    clean = 0.2 + 0.6 * prototypes(classes, shape)[label]
    return np.clip(clean + rng.normal(0, noise, clean.shape), 0, 1).astype(np.float32), label


def replica_with(last, *, first=None, seed=0, classes=4, shape=(1, 8, 8), change=None, probe=40, train=120, seen=None):
    """Return a replica of a perceptron with these weights, random ones before; ``change`` alters its pictures."""
    rng = np.random.default_rng(100 + seed)
    image, label = drawn(train, rng, classes, shape)
    test, test_label = drawn(probe, rng, classes, shape)
    if seen is not None:
        test, test_label = test[np.isin(test_label, seen)], test_label[np.isin(test_label, seen)]
    if change is not None:
        image, test = change(image), change(test)
    last = {name: np.asarray(values, dtype=np.float32) for name, values in last.items()}
    hidden = [len(last["fc1.weight"])] if "fc2.weight" in last else []
    if first is None:
        first = {name: rng.normal(0, 0.1, values.shape).astype(np.float32) for name, values in last.items()}
    steps = [0, 1, 10]
    frames = {name: np.stack([first[name], first[name], last[name]]) for name in last}
    return Replica(
        experiment="toy",
        seed=seed,
        probe=pictures(test, test_label, "probe").assign_coords(sample=np.arange(500, 500 + len(test))),
        training=pictures(image, label, "train"),
        activations={},
        weights=last,
        exhibits=500 + exhibits(test_label, 2),
        class_names=tuple("abcdefghij"[:classes]),
        architecture=partial(Perceptron, shape, classes, hidden),
        frames=xr.Dataset(
            {n: (("frame", *(f"{n}.{axis}" for axis in range(v.ndim - 1))), v) for n, v in frames.items()},
            coords={"step": ("frame", steps), "epoch": ("frame", [0.0, 0.1, 1.0])},
        ),
    )


def single_layer(seed=0, weight=None, bias=None, classes=4, shape=(1, 8, 8), **options):
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 1, (classes, int(np.prod(shape)))) if weight is None else weight
    last = {"fc1.weight": weight, "fc1.bias": np.zeros(classes) if bias is None else bias}
    return replica_with(last, seed=seed, classes=classes, shape=shape, **options)


def two_layers(seed=0, weight=None, bias=None, units=12, classes=4, shape=(1, 8, 8), **options):
    rng = np.random.default_rng(seed)
    last = {
        "fc1.weight": rng.normal(0, 1, (units, int(np.prod(shape)))) if weight is None else weight,
        "fc1.bias": np.zeros(units) if bias is None else bias,
        "fc2.weight": rng.normal(0, 1, (classes, units)),
        "fc2.bias": np.zeros(classes),
    }
    return replica_with(last, seed=seed, classes=classes, shape=shape, **options)


def judged(lens, replicas):
    return lens.compare(stacked({replica.seed: lens.measure(replica) for replica in replicas}))


def inputs_of(training, probe, label=None, probe_label=None, classes=2):
    training, probe = (np.asarray(values, dtype=np.float32) for values in (training, probe))
    label = np.arange(len(training)) % classes if label is None else np.asarray(label)
    probe_label = np.arange(len(probe)) % classes if probe_label is None else np.asarray(probe_label)
    return Inputs(training, label, probe, probe_label, classes)


def test_rows_that_are_training_pictures_are_templates(look):
    lens, replicas = Templates({"fc1": "input"}, "fc2"), []
    for seed in range(3):
        taken = two_layers(seed).training.image.values.reshape(120, -1)[:12]
        replicas.append(two_layers(seed, weight=taken))
    seen = look(lens, replicas[0], draw=None)
    np.testing.assert_allclose(seen.measured["fc1"].nearest, 1, atol=1e-6)
    np.testing.assert_array_equal(seen.measured["fc1"].template, 1)
    assert seen.summary["fc1_nearest"] == pytest.approx(1, abs=1e-6)
    assert seen.summary["fc1_templates"] == 1
    metric = judged(lens, replicas).metrics["fc1_verdict"]
    carried = "winning input, class mean, nearest input"
    assert metric == {
        "mean": 1,
        "low": None,
        "high": None,
        "n": 3,
        "verdict": "supported",
        "carried_by": carried,
    }


def test_rows_that_are_class_means_are_templates_in_the_gauge():
    replicas = [single_layer(seed, weight=prototypes().reshape(4, -1) + 3) for seed in range(3)]
    measured = SLP.measure(replicas[0])
    own = measured["fc1"].similarity.sel(version="whole", measure="pearson", reading="class_mean").isel(frame=-1)
    assert float(own) > 0.98
    assert judged(SLP, replicas).metrics["fc1_verdict"]["verdict"] == "supported"


def test_the_peak_of_resemblance_is_found_where_training_passed_it():
    lens = Templates({"fc1": "input"}, "fc2")
    replica = two_layers(0)
    taken = replica.training.image.values.reshape(120, -1)[:12]
    replica.frames["fc1.weight"][1] = taken
    summary = lens.summarize(lens.measure(replica))
    assert summary["fc1_nearest_at_its_peak"] == pytest.approx(1, abs=1e-6)
    assert summary["fc1_nearest_peak_epoch"] == 0.1
    assert summary["fc1_nearest"] < 0.6


def test_random_rows_are_no_templates():
    for lens, make in ((SLP, single_layer), (MLP, two_layers)):
        comparison = judged(lens, [make(seed) for seed in range(3)])
        assert comparison.metrics["fc1_verdict"]["verdict"] == "not supported"
        assert comparison.metrics["fc1_verdict"]["mean"] == -1


def test_mixtures_of_the_inputs_are_no_templates():
    replicas = []
    for seed in range(4):
        taken = two_layers(seed).training.image.values.reshape(120, -1)
        share = np.random.default_rng(seed).normal(0, 1, (40, 120))
        replicas.append(two_layers(seed, units=40, weight=(share - share.mean(1, keepdims=True)) @ taken))
    lens = Templates({"fc1": "input"}, "fc2")
    excess = [lens.summarize(lens.measure(replica))["fc1_nearest_gain_strongest"] for replica in replicas]
    assert abs(np.mean(excess)) < 0.06
    assert judged(lens, replicas).metrics["fc1_verdict"]["verdict"] != "supported"


def slow_readings(rows, bias, replica, *, rectified, center):
    """Every reading by its definition, picture by picture."""
    image, test = (
        part.image.values.reshape(part.sizes["sample"], -1).astype(float) for part in (replica.training, replica.probe)
    )
    label, test_label = replica.training.label.values, replica.probe.label.values
    if center:
        rows, bias = rows - rows.mean(0), bias - bias.mean()
    means = [image[label == k].mean(0) for k in range(4)]
    _, size, v = np.linalg.svd(image, full_matrices=False)
    v = v[size > TOLERANCE * size[0]]
    found = {name: [] for name in ("winning_input", "class_mean", "other_class_mean", "other_class_means")}
    near = []
    inside = [sum((row @ axis) * axis for axis in v) for row in rows]
    active = set()
    for x, k in zip(test, test_label, strict=True):
        out = [row @ x + b for row, b in zip(rows, bias, strict=True)]
        active |= {at for at, one in enumerate(out) if one > 0 or not rectified}
        winner = int(np.argmax(out))
        if rectified and out[winner] <= 0:
            continue
        others = [pearsonr(inside[winner], means[j])[0] for j in range(4) if j != k]
        found["winning_input"].append(pearsonr(inside[winner], x)[0])
        found["class_mean"].append(pearsonr(inside[winner], means[k])[0])
        found["other_class_mean"].append(max(others))
        found["other_class_means"].append(np.mean(others))
    for unit in sorted(active):
        near.append(max(pearsonr(inside[unit], x)[0] for x in image))
    return {name: np.mean(values) for name, values in found.items()} | {"nearest": np.mean(near)}


@pytest.mark.parametrize("kind", ["single layer", "hidden layer"])
def test_readings_are_those_of_their_definition(kind):
    rectified = kind == "hidden layer"
    bias = np.random.default_rng(1).normal(0, 1, 12 if rectified else 4)
    replica = (two_layers if rectified else single_layer)(5, bias=bias)
    measured = (MLP if rectified else SLP).measure(replica)
    for at, frame in ((0, 0), (-1, 2)):
        weights = {name: replica.frames[name].values[frame].astype(float) for name in ("fc1.weight", "fc1.bias")}
        slow = slow_readings(*weights.values(), replica, rectified=rectified, center=not rectified)
        fast = measured["fc1"].similarity.sel(version="in_span", measure="pearson").isel(frame=at)
        for name, value in slow.items():
            assert float(fast.sel(reading=name)) == pytest.approx(value, abs=1e-6), name
    untrained = measured["fc1"].null_similarity.sel(null="untrained", measure="pearson")
    first = measured["fc1"].similarity.sel(version="in_span", measure="pearson").isel(frame=0)
    np.testing.assert_array_equal(untrained, first)


def test_the_inputs_of_a_later_layer_are_activations_at_the_same_frame():
    replica = two_layers(2, bias=np.linspace(-1, 1, 12))
    measured = MLP.measure(replica)
    image = replica.training.image.values.reshape(120, -1).astype(float)
    for at, frame in ((0, 0), (-1, 2)):
        w, b = (replica.frames[name].values[frame].astype(float) for name in ("fc1.weight", "fc1.bias"))
        hidden = np.maximum(image @ w.T + b, 0)
        assert int(measured["fc2"]["rank"][at]) == np.linalg.matrix_rank(hidden)
    rows = replica.weights["fc2.weight"].astype(float)
    rows = rows - rows.mean(0)
    cosines = [max(row @ x / np.linalg.norm(row) / np.linalg.norm(x) for x in hidden) for row in rows]
    whole = measured["fc2"].similarity.sel(version="whole", measure="cosine", reading="nearest").isel(frame=-1)
    assert float(whole) == pytest.approx(np.mean(cosines), abs=1e-5)
    assert measured["fc2"]["shape"].values.tolist() == [4, 3]
    assert measured["fc1"]["shape"].values.tolist() == [1, 8, 8]


def framed(image):
    """Let two rows and columns at the border be 0."""
    image = image.copy()
    image[..., :2, :], image[..., :, :2] = 0, 0
    return image


def test_what_never_meets_an_input_is_left_out_of_the_span():
    weight = np.random.default_rng(0).normal(0, 1, (4, 64))
    measured = SLP.measure(single_layer(weight=weight, change=framed))
    taken = single_layer(change=framed).training.image.values.reshape(120, -1).astype(float)
    assert measured["fc1"]["rank"].values.tolist() == [np.linalg.matrix_rank(taken)] * 3 == [36] * 3
    border = framed(np.ones((1, 8, 8)))[0].ravel() == 0
    rows = weight - weight.mean(0)
    assert float(measured["fc1"].outside[-1]) == pytest.approx((rows[:, border] ** 2).sum() / (rows**2).sum(), rel=1e-5)
    moved = weight + border * np.random.default_rng(1).normal(0, 9, (4, 64))
    other = SLP.measure(single_layer(weight=moved, change=framed))
    for name in ("winning_input", "class_mean", "nearest"):
        inside = [
            one["fc1"].similarity.sel(version="in_span", reading=name).isel(frame=-1).values
            for one in (measured, other)
        ]
        np.testing.assert_allclose(*inside, atol=1e-5)
        whole = [
            one["fc1"].similarity.sel(version="whole", reading=name).isel(frame=-1).values for one in (measured, other)
        ]
        assert (whole[1] < whole[0]).all()


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_the_rank_is_that_of_the_singular_values(rank):
    rng = np.random.default_rng(rank)
    training = (rng.normal(0, 1, (200, rank)) @ rng.normal(0, 1, (rank, 20))).astype(np.float32)
    size = np.linalg.svd(training.astype(float), compute_uv=False)
    inputs = inputs_of(training, training)
    assert len(inputs.basis) == np.linalg.matrix_rank(training.astype(float), tol=TOLERANCE * size[0]) == rank
    np.testing.assert_allclose(inputs.in_span(training), training, atol=1e-4)
    assert len(inputs_of(np.zeros((5, 3)), np.zeros((2, 3))).basis) == 0


def test_the_nearest_input_is_the_first_of_equals_and_constant_ones_are_passed_over(monkeypatch):
    monkeypatch.setattr("seedscope.lenses.templates.resemblance._CHUNK", 2)
    training = [[1, 1, 1], [0, 0, 0], [1, 0, 2], [0, 1, 0], [1, 0, 2], [2, 0, 4]]
    similarity, place = inputs_of(training, training).nearest(np.array([[1.0, 0, 2], [5, 5, 5], [0, 0, 0]]))
    np.testing.assert_allclose(similarity, [[1, 1, np.nan], [1, np.nan, np.nan]], atol=1e-12)
    assert place.tolist() == [[2, 0, -1], [2, -1, -1]]
    nothing = inputs_of([[1, 1, 1], [0, 0, 0]], training).nearest(np.array([[1.0, 0, 2]]))
    assert np.isnan(nothing[0][1]).all()
    assert nothing[1][1].tolist() == [-1]


def test_equal_rows_are_won_by_the_lowest_number():
    inputs = inputs_of(np.eye(3), np.eye(3), classes=3)
    state = State.of(np.ones((3, 3)), np.zeros(3), inputs, Rules(gauge=False, rectified=True))
    assert state.winner.tolist() == [0, 0, 0]


def test_shuffled_winners_are_the_mean_over_all_shuffles():
    from itertools import permutations

    rng = np.random.default_rng(0)
    inputs = inputs_of(rng.random((20, 6)), rng.random((9, 6)))
    state = State.of(rng.normal(0, 1, (4, 6)), np.zeros(4), inputs, Rules(gauge=False, rectified=False))
    every = [
        Readings.of(state.rows, state.live, np.array(order)[state.winner], inputs) for order in permutations(range(4))
    ]
    found = Readings.of(state.rows, state.live, state.winner, inputs)
    np.testing.assert_allclose(found.shuffled_input, np.mean([one.winning_input for one in every], axis=0))
    np.testing.assert_allclose(found.shuffled_mean, np.mean([one.class_mean for one in every], axis=0))


def test_nulls_choose_their_own_winners_and_keep_lengths():
    rng = np.random.default_rng(0)
    inputs = inputs_of(rng.random((50, 6)), rng.random((30, 6)))
    bias = rng.normal(0, 0.1, 5)
    for rules in (Rules(gauge=False, rectified=True), Rules(gauge=True, rectified=False)):
        state = State.of(rng.normal(0, 1, (5, 6)), bias, inputs, rules)
        own = state.projected[state.live]
        for rows in (inputs.mixtures(own, rng), inputs.turned(own, rng)):
            null = state.replaced(rows, inputs)
            output = inputs.probe @ null.rows.T + null.bias
            won = null.winner >= 0
            np.testing.assert_array_equal(null.winner[won], output.argmax(1)[won])
            np.testing.assert_array_equal(won, (output.max(1) > 0) | (not rules.rectified))
            if not rules.gauge:
                np.testing.assert_allclose(np.linalg.norm(null.rows, axis=1), np.linalg.norm(own, axis=1))


def test_mixtures_have_the_inputs_covariance_and_turned_rows_their_own_spectrum():
    rng = np.random.default_rng(0)
    training = rng.normal(0, 1, (60, 5)) @ np.diag([3, 2, 1, 0.5, 0]) + 4
    inputs = inputs_of(training, training)
    mixed = inputs.mixtures(np.zeros((40_000, 5)), rng)
    covariance = np.cov(training.T.astype(np.float32), bias=True) * 60
    np.testing.assert_allclose(np.cov(mixed.T, bias=True), covariance, atol=0.03 * covariance.max())
    rows = rng.normal(0, 1, (7, 5))
    turned = inputs.turned(rows, rng)
    np.testing.assert_allclose(np.abs(turned @ inputs.basis.T), np.abs(rows @ inputs.basis.T), atol=1e-12)
    np.testing.assert_allclose(inputs.in_span(turned), turned, atol=1e-12)


def test_a_long_row_wins_by_product_and_not_by_cosine():
    x = np.sin(np.linspace(0, 6, 10))
    inputs = inputs_of([x, x], [x, x])
    rows = np.stack([x, 5 * (x + np.cos(np.linspace(0, 6, 10)))])
    state = State.of(rows, np.zeros(2), inputs, Rules(gauge=False, rectified=True))
    assert state.agreement(inputs).tolist() == [[0, 0], [0, 0]]
    same = State.of(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.array([0.0, 50]), inputs, state.rules)
    assert same.agreement(inputs).tolist() == [[1, 1], [0, 0]]


def test_the_products_of_winners_and_losers_by_hand():
    inputs = inputs_of(np.eye(2), [[1, 0], [0, 1]])
    rows = np.array([[4.0, 1], [0, 3], [-2, 1]])
    state = State.of(rows, np.array([0.0, 0, 1.5]), inputs, Rules(gauge=True, rectified=False))
    raw, centred = state.products(inputs)
    assert raw[:2].tolist() == [3.5, 0.0]
    assert raw[4] == pytest.approx((0 + 2 + 1 + 1) / 4 / 3.5)
    assert centred[1] == pytest.approx(-centred[0] / 2)
    hidden = State.of(rows, np.array([0.0, 0, 1.5]), inputs, Rules(gauge=False, rectified=True))
    assert hidden.silent_losers(inputs) == pytest.approx(2 / 4)
    assert np.isnan(hidden.products(inputs)[1]).all()


def test_lengths_are_matched_and_a_row_without_one_stays_0():
    rows = np.array([[3.0, 4], [0, 0]])
    np.testing.assert_allclose(matched_length(rows, np.array([[0.0, 1], [2, 2]])), [[0.6, 0.8], [0, 0]])


def test_frames_are_log_spaced_and_the_first_and_last_among_them():
    step = np.array([0, 1, 2, 4, 8, 16, 24, 240, 480, 2400])
    chosen = _log_spaced(step, 7)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 9, 7)
    assert _log_spaced(np.array([0]), 7).tolist() == [0]
    assert _log_spaced(np.array([0, 5]), 7).tolist() == [0, 1]
    assert [_most_square(count) for count in (128, 64, 7, 12, 1)] == [(16, 8), (8, 8), (7, 1), (4, 3), (1, 1)]


def dead(units, count=2):
    bias = np.zeros(units)
    bias[:count] = -100
    return bias


def zero_row(units, width):
    weight = np.random.default_rng(0).normal(0, 1, (units, width))
    weight[1] = 0
    return weight


def with_constant(image):
    image = image.copy()
    image[:3] = 0.5
    image[3] = 0
    return image


ODD = {
    "one layer": (SLP, single_layer, {}),
    "two layers": (MLP, two_layers, {}),
    "dead neurons": (MLP, two_layers, {"bias": dead(12)}),
    "no neuron is ever active": (MLP, two_layers, {"bias": dead(12, 12)}),
    "a row is all zero": (MLP, two_layers, {"weight": zero_row(12, 64)}),
    "all rows are zero": (SLP, single_layer, {"weight": np.zeros((4, 64))}),
    "one hidden neuron": (MLP, two_layers, {"units": 1}),
    "constant pictures": (MLP, two_layers, {"change": with_constant}),
    "all pictures are constant": (SLP, single_layer, {"change": lambda image: image * 0 + 0.5}),
    "black pictures": (MLP, two_layers, {"change": lambda image: image * 0}),
    "one class of probe pictures": (MLP, two_layers, {"seen": [2]}),
    "few pictures": (SLP, single_layer, {"train": 4, "probe": 4}),
    "colours": (MLP, two_layers, {"shape": (3, 5, 4), "units": 128}),
    "ten classes": (SLP, single_layer, {"classes": 10}),
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_drawn_and_compared(look, compared, case):
    lens, make, options = ODD[case]
    replicas = [make(seed, **options) for seed in range(2)]
    seen = look(lens, replicas[0], rendered=case in ("colours", "black pictures"))
    assert len(seen.sheets) == 5 * len(lens.layers)
    measured = {replica.seed: lens.measure(replica) for replica in replicas}
    comparison = compared(lens, measured, rendered=case in ("colours", "black pictures"))
    assert {metric["verdict"] for metric in comparison.metrics.values()} == {"undecided"}  # two seeds
    assert [sheet.name for sheet in comparison.sheets] == ["templates_verdicts", "templates_through_training"]
    assert "fewer than 3 seeds" in comparison.sheets[0].description


def test_what_has_no_value_is_counted_and_said(look):
    bias = np.array([-100.0] * 2 + [50] * 10)
    seen = look(MLP, two_layers(bias=bias, change=with_constant), draw="fc1_readings")
    assert seen.summary["fc1_units_not_live"] == 2
    assert np.isnan(seen.measured["fc1"].nearest.values[:, :2]).all()
    said = seen.sheets["fc1_readings"].description
    assert "2 of 12 units are not live" in said
    assert "4 probe inputs are constant" in said
    none = look(MLP, two_layers(bias=dead(12, 12)), draw="fc1_winners")
    assert np.isnan(none.summary["fc1_nearest"])
    assert "40 probe pictures have no winner" in none.sheets["fc1_winners"].description


def test_the_monte_carlo_error_is_what_other_draws_differ_by(monkeypatch):
    """The oracle: the same network, its nulls drawn by 30 other generators."""
    found = []
    for draw in range(30):
        monkeypatch.setattr(evidence, "_generator", lambda _, draw=draw: np.random.default_rng(draw))
        found.append(SLP.measure(single_layer(train=40, probe=20))["fc1"])
    for name in ("mixture", "turned"):
        of_readings = [one.null_similarity.sel(null=name, measure="pearson").values[:3] for one in found]
        errors = [one.null_error.sel(null=name, measure="pearson").values[:3] for one in found]
        np.testing.assert_allclose(np.std(of_readings, axis=0, ddof=1), np.mean(errors, axis=0), rtol=0.4)
    for one in found:
        assert (one.null_error.sel(null=["untrained", "shuffled"], measure="pearson").fillna(0) == 0).all()
        assert 0 <= one.template_error <= 0.5


def test_the_share_of_templates_is_known_to_the_rows_near_what_makes_one():
    rng = np.random.default_rng(0)
    bars = evidence._bars({"mixture": rng.normal(0.6, 0.1, 2000), "untrained": np.full(9, 0.3), "turned": np.zeros(0)})
    others = [np.quantile(rng.normal(0.6, 0.1, 2000), 0.95) for _ in range(300)]
    assert bars[1] == pytest.approx(np.mean(others), abs=4 * np.std(others))
    assert (bars[2] - bars[0]) / 2 == pytest.approx(np.std(others), rel=0.3)
    assert evidence._bars({"mixture": np.full(100, 0.2), "untrained": np.full(9, 0.9)}).tolist() == [0.9, 0.9, 0.9]
    assert evidence._bars({}).tolist() == [0.5, 0.5, 0.5]


def test_the_reading_that_carries_the_verdict_is_named():
    prototype = prototypes()
    replicas = [single_layer(seed, weight=prototype.reshape(4, -1)) for seed in range(3)]
    comparison = judged(SLP, replicas)
    (table,) = [sheet.table for sheet in comparison.sheets if sheet.name == "templates_verdicts"]
    carrying = table[table.verdict == "supported"]
    assert len(carrying)
    assert (carrying.p < LEVEL).all()
    said = comparison.metrics["fc1_verdict"]["carried_by"].split(", ")
    assert len(said) == len(carrying)
    (sheet,) = [sheet for sheet in comparison.sheets if sheet.name == "templates_verdicts"]
    assert f"fc1: supported ({', '.join(said)})" in sheet.description
    assert "corrected for three readings (Holm)" in sheet.description
    assert "Monte Carlo error of the nulls' means is at most" in sheet.description


def test_one_seed_decides_nothing():
    comparison = judged(SLP, [single_layer()])
    undecided = {"mean": 0, "low": None, "high": None, "n": 1, "verdict": "undecided", "carried_by": ""}
    assert comparison.metrics["fc1_verdict"] == undecided


def test_the_verdict_stands_in_figure_table_and_metrics():
    comparison = judged(SLP, [single_layer(seed) for seed in range(3)])
    figure = comparison.sheets[0]
    assert [panel.title for panel in panels_of(figure.body)] == ["fc1: not supported"]
    assert "fc1: not supported" in figure.description
    assert set(figure.table["verdict_on_layer"]) == {"not supported"}
    assert figure.table["reading"].tolist() == ["winning_input", "class_mean", "nearest"]


def test_equal_replicas_give_equal_numbers():
    first, again = (MLP.measure(two_layers(3)) for _ in range(2))
    xr.testing.assert_identical(first, again)
    assert first["null"].values.tolist() == list(NULLS)


NETWORK = Network(
    layers={"input": (64,), "fc1": (12,), "fc2": (4,), "logit": (4,)},
    weights={"fc1.weight": (12, 64), "fc1.bias": (12,), "fc2.weight": (4, 12), "fc2.bias": (4,)},
    dumped={},
    n_classes=4,
)


def test_a_network_that_has_these_layers_is_accepted():
    MLP.check(NETWORK)


@pytest.mark.parametrize(
    ("layers", "head", "key", "words"),
    [
        ({"fc3": "input"}, "fc2", "layers", "there is no layer 'fc3'"),
        ({"fc1": "imput"}, "fc2", "layers", "did you mean 'input'?"),
        ({"fc1": "input"}, "fc4", "head", "there is no layer 'fc4'"),
        ({"input": "fc1"}, "fc2", "layers", "is not dense"),
        ({"fc2": "input"}, "fc2", "layers", "layer 'input' has 64 outputs and 'fc2' takes 12"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, head, key, words):
    with pytest.raises(SettingError, match=words.replace("?", r"\?")) as refused:
        Templates(layers, head).check(NETWORK)
    assert refused.value.key == key
