from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses.dense_layers import DenseLayers, logit_gradient
from seedscope.lenses.learning_rule import LearningRule
from seedscope.lenses.learning_rule.measure import (
    leading_directions,
    shares_along,
    shares_by_class,
    weight_gradients,
)
from seedscope.lenses.replica import _learning
from seedscope.replicas.streams import Streams

from .trained import SEED, ConvThenDense, WithSigmoid, data_of, network_of, trained_replica

LENS = LearningRule(["fc1", "fc2"], rows=4)


def random_chain(widths, seed=0):
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    return DenseLayers(tuple(rng.normal(size=(b, a)) for a, b in pairs), tuple(rng.normal(size=b) for _, b in pairs))


def loss(chain, x, label):
    """Summed cross-entropy, sample by sample, from its definition."""
    total = 0.0
    for row, k in zip(chain.forward(x)[-1], label, strict=True):
        if len(row) == 1:
            total += np.log1p(np.exp(-row[0] if k == 1 else row[0]))
        else:
            total += np.log(np.exp(row).sum()) - row[k]
    return total


@pytest.mark.parametrize("widths", [(3, 2), (3, 1), (3, 4, 2), (3, 4, 1), (3, 5, 4, 3)])
def test_the_rule_is_the_slope_of_the_loss(widths):
    chain = random_chain(widths)
    rng = np.random.default_rng(1)
    x, label = rng.normal(size=(5, widths[0])), rng.integers(0, max(2, widths[-1]), 5)
    for layer, (dW, db) in enumerate(weight_gradients(chain, x, label)):
        for kind, found in (("weights", dW), ("biases", db)):
            for at in np.ndindex(found.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [values.copy() for values in getattr(chain, kind)]
                    moved[layer][at] += step
                    ends.append(loss(replace(chain, **{kind: tuple(moved)}), x, label))
                assert found[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_the_rule_by_hand():
    chain = DenseLayers((np.array([[1.0, -1.0], [0.0, 2.0]]), np.array([[1.0, 1.0]])), (np.zeros(2), np.zeros(1)))
    x = np.array([[1.0, 2.0]])  # z1 = (−1, 4): the first unit is silent; logit 4
    dout = 1 / (1 + np.exp(-4.0))  # label 0
    (first, first_bias), (second, second_bias) = weight_gradients(chain, x, np.array([0]))
    np.testing.assert_allclose(second, [[0, 4 * dout]])
    np.testing.assert_allclose(second_bias, [dout])
    np.testing.assert_allclose(first, [[0, 0], [dout, 2 * dout]])
    np.testing.assert_allclose(first_bias, [0, dout])


def test_logits_of_any_size_have_a_gradient():
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(logit_gradient(np.array([[900.0], [-900.0]]), np.array([0, 1])), [[1], [-1]])
        np.testing.assert_allclose(logit_gradient(np.array([[900.0, -900.0]]), np.array([1])), [[1, -1]])


@pytest.mark.parametrize("options", [{}, {"classes": 2, "targets": 1}, {"hidden": (6, 5)}])
def test_the_rule_is_the_gradient_at_every_frame(look, options):
    layers = [f"fc{i}" for i in range(1, len(options.get("hidden", (6,))) + 2)]
    replica = trained_replica(**options)
    measured = look(LearningRule(layers), replica, draw=None).measured
    assert list(measured.children) == layers
    for layer in layers:
        assert measured[layer].rule_error.shape == (replica.frames.sizes["frame"],)
        assert float(measured[layer].rule_error.max()) < 1e-13


def follow(optimizer_of, *, steps=60, n=8):
    """Train a small network in float64 on pictures with a constant pixel; return changes and inputs of its layers."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(20, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3)).double()
    x = torch.rand(n, 20, dtype=torch.float64)
    x[:, 3] = 0
    label = torch.arange(n) % 3
    start = [net[i].weight.detach().numpy().copy() for i in (0, 2)]
    optimizer = optimizer_of(net.parameters())
    seen = []
    for step in range(steps):
        batch = torch.arange(step % 2, n, 2)
        seen.append(torch.relu(net[0](x[batch])).detach().numpy())
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x[batch]), label[batch]).backward()
        optimizer.step()
    change = [net[i].weight.detach().numpy() - before for i, before in zip((0, 2), start, strict=True)]
    return change, [x.numpy(), np.concatenate(seen)]


def share_in(change, inputs):
    basis, rank = leading_directions(inputs.T @ inputs)
    return shares_along(change, basis)[:rank].sum()


def test_plain_gradient_descent_stays_in_the_span_of_what_it_saw():
    change, inputs = follow(lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    for own, seen in zip(change, inputs, strict=True):
        assert share_in(own, seen) == pytest.approx(1, abs=1e-10)


def test_adam_leaves_the_span_but_where_it_lies_along_the_axes():
    change, inputs = follow(lambda parameters: torch.optim.Adam(parameters, lr=0.01))
    assert 0.4 < share_in(change[0], inputs[0]) < 0.99
    assert share_in(change[0], np.eye(20)[np.arange(20) != 3]) == pytest.approx(1, abs=1e-12)


def test_a_random_change_has_the_share_of_the_rank():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 20))
    assert share_in(rng.normal(size=(4000, 20)), inputs) == pytest.approx(6 / 20, abs=0.01)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(rank=st.integers(0, 8), silent=st.integers(0, 3), seed=st.integers(0, 99))
def test_the_planted_rank_is_found_and_directions_are_orthonormal(rank, silent, seed):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(30, rank)) @ rng.normal(size=(rank, 10))
    inputs[:, :silent] = 0
    directions, found = leading_directions(inputs.T @ inputs)
    assert found == min(rank, 10 - silent) == np.linalg.matrix_rank(inputs)
    np.testing.assert_allclose(directions.T @ directions, np.eye(10), atol=1e-12)
    energy = ((inputs @ directions) ** 2).sum(0)
    assert (np.diff(energy) <= 1e-9 * energy.max(initial=1)).all()


def test_shares_by_class_by_hand():
    parts = np.array([[[3.0, 0.0]], [[0.0, 4.0]], [[0.0, 0.0]]])  # (class, row, in); the change is their sum
    np.testing.assert_allclose(shares_by_class(parts, parts.sum(0)), [[9 / 25, 16 / 25, 0]])
    assert np.isnan(shares_by_class(np.zeros((3, 1, 2)), np.zeros((1, 2)))).all()


def slowly_split(replica, *, targets):
    """Adam by hand, in float64, one sample at a time; return the parts of the single layer, (class, row, in)."""
    x = replica.training.image.values.reshape(replica.training.sizes["sample"], -1).astype(np.float64)
    label, size = replica.training.label.values, replica.learning["batch_size"]
    weight, bias = (replica.frames[f"fc1.{name}"].values[0].astype(np.float64) for name in ("weight", "bias"))
    parts, moments = np.zeros((2, 3, *weight.shape))
    first, second = np.zeros((2, targets))
    v = np.zeros_like(weight)
    t = 0
    for epoch in range(replica.learning["epochs"]):
        order = Streams(SEED, ("weights", "order")).generator("order", epoch, 0).permutation(len(label))
        for start in range(0, len(label), size):
            batch = order[start : start + size]
            t += 1
            moments *= 0.9
            total, total_bias = np.zeros_like(weight), np.zeros(targets)
            for s in batch:
                z = weight @ x[s] + bias
                if targets == 1:
                    dout = 1 / (1 + np.exp(-z)) - label[s]
                else:
                    dout = np.exp(z) / np.exp(z).sum() - (np.arange(targets) == label[s])
                moments[label[s]] += 0.1 * np.outer(dout, x[s]) / len(batch)
                total += np.outer(dout, x[s]) / len(batch)
                total_bias += dout / len(batch)
            v = 0.999 * v + 0.001 * total**2
            scale = 0.01 / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            if t > 1:
                parts -= scale * moments
            weight = weight - scale * moments.sum(0)
            first = 0.9 * first + 0.1 * total_bias
            second = 0.999 * second + 0.001 * total_bias**2
            bias = bias - 0.01 / (1 - 0.9**t) * first / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    return parts


@pytest.mark.parametrize("targets", [3, 1])
def test_the_split_is_that_of_adam_by_hand(look, targets):
    classes = max(2, targets)
    replica = trained_replica(hidden=(), classes=classes, targets=targets, n=61)  # the last batch is smaller
    measured = look(LearningRule(["fc1"]), replica, draw=None).measured
    slow = slowly_split(replica, targets=targets)[:classes]
    if targets > 1:
        slow = slow - slow.mean(1, keepdims=True)
    np.testing.assert_allclose(measured["fc1"].part, slow, atol=2e-5 * np.abs(slow).max())


@pytest.mark.parametrize("options", [{}, {"classes": 2, "targets": 1}, {"network": ConvThenDense}])
def test_the_replay_ends_in_the_same_bits_and_the_parts_add_up(look, options):
    seen = look(LENS, trained_replica(**options), draw=None)
    assert seen.summary["replay_error"] == 0
    assert seen.summary["completeness_error"] < 1e-5
    for layer in ("fc1", "fc2"):
        # What is missing is the first step: of each weight at most the learning rate.
        missing = seen.measured[layer].change - seen.measured[layer].part.sum("true")
        assert float(np.abs(missing).max()) < 2 * 0.0101


def test_a_replay_that_goes_astray_is_said_to(look):
    replica = trained_replica()
    off = {name: values * np.float32(1.01) for name, values in replica.weights.items()}
    seen = look(LENS, replace(replica, weights=off), draw="change_by_class")
    assert seen.summary["replay_error"] == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert all("did not end in the same bits" in sheet.description for sheet in seen.sheets.values())
    assert "same bits" not in look(LENS, replica, draw="change_by_class_fc2").sheets["change_by_class_fc2"].description


def test_what_only_one_class_shows_is_learned_from_that_class(look):
    data = data_of()
    data.image.values[:, 0, 3, 3] = (data.label.values == 1) * 0.7
    measured = look(LearningRule(["fc1"]), trained_replica(hidden=(), data=data), draw=None).measured
    part = measured["fc1"].part.values[:, :, 15]
    assert (part[[0, 2]] == 0).all()
    assert (part[1] != 0).all()
    assert part[1, 1] > 0


def test_own_classes_write_their_rows_and_shuffled_ones_do_not(look):
    seen = look(LearningRule(["fc1"]), trained_replica(hidden=(), n=300, epochs=6), draw=None)
    share = seen.measured["fc1"].share.values
    assert (share[0].argmax(1) == np.arange(3)).all()
    assert seen.summary["own_class_is_largest"] == 1
    assert seen.summary["own_class_share"] == pytest.approx(np.diagonal(share[0]).mean())
    assert seen.summary["own_class_share_null_chance"] == pytest.approx(1 / 3)
    np.testing.assert_allclose(share[1].mean(), 1 / 3, atol=0.02)
    assert share[1].max() < 0.45 < np.diagonal(share[0]).min()


def test_the_units_that_changed_most_are_split(look):
    replica = trained_replica()
    measured = look(LENS, replica, draw=None).measured
    change = replica.frames["fc1.weight"].values[-1] - replica.frames["fc1.weight"].values[0]
    size = np.linalg.norm(change, axis=1)
    assert set(measured["fc1"].unit.values) == set(np.argsort(-size)[:4])
    np.testing.assert_allclose(measured["fc1"].change, change[measured["fc1"].unit.values], rtol=1e-6)
    assert measured["fc2"].unit.values.tolist() == [0, 1, 2]


def test_inputs_that_change_are_summed_over_the_training(look):
    measured = look(LENS, trained_replica(network=ConvThenDense), draw=None).measured
    for own in (group.to_dataset() for group in measured.children.values()):
        np.testing.assert_allclose(own.span_share.sel(inputs="seen").values[1:], 1, atol=1e-6)
        assert own["rank"].sel(inputs="seen") >= own["rank"].sel(inputs="end")


def test_looking_twice_gives_the_same(look):
    replica = trained_replica()
    xr.testing.assert_identical(look(LENS, replica, draw=None).measured, look(LENS, replica, draw=None).measured)


ODD = {
    "two layers": {},
    "one layer": {"hidden": ()},
    "one layer, one logit": {"hidden": (), "classes": 2, "targets": 1},
    "three layers": {"hidden": (5, 4)},
    "untrained": {"epochs": 0},
    "black pictures": {"image": 0.0},
    "one picture again and again": {"image": 0.3},
    "one class only": {"unseen": (0, 2)},
    "ten classes": {"classes": 10, "n": 90},
    "colour": {"shape": (3, 4, 4)},
    "three pictures": {"n": 3, "probe": 3},
    "a convolution before": {"network": ConvThenDense},
    "one hidden unit": {"hidden": (1,)},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, case):
    options = ODD[case]
    layers = [f"fc{i}" for i in range(1, len(options.get("hidden", (6,))) + 2)]
    seen = look(
        LearningRule(layers), trained_replica(**options), rendered=case in ("two layers", "colour", "untrained")
    )
    expected = {"rule_and_span", *(f"change_by_class_{layer}" for layer in layers)}
    assert set(seen.sheets) == expected | (set() if "network" in options else {"parts_fc1"})
    assert np.isfinite(seen.summary["rule_error"])
    assert seen.summary["replay_error"] == 0
    assert np.isnan(seen.summary["own_class_share"]) == (case == "untrained")


@pytest.mark.parametrize(
    ("layers", "network", "words"),
    [
        (["fc1", "fc3"], network_of((4, 5, 3)), "no layer 'fc3'"),
        ([], network_of((4, 5, 3)), "names no layer"),
        (["fc1"], network_of((4, 5, 3)), "'fc1', does not give the logits"),
        (["fc1", "fc3"], network_of((4, 5, 6, 3)), "'fc1' has 5 outputs and 'fc3' takes 6"),
        (["conv1", "fc1"], network_of((4, 3), conv1=(8, 2, 2)), "'conv1' is not a dense layer"),
    ],
)
def test_what_is_no_chain_of_dense_layers_is_refused(layers, network, words):
    with pytest.raises(SettingError, match=words) as refused:
        LearningRule(layers).check(network)
    assert refused.value.key == "layers"
    LearningRule(["fc1", "fc2"]).check(network_of((4, 5, 3)))


def test_one_class_is_nothing_to_learn():
    with pytest.raises(SeedscopeError, match="one class"):
        LearningRule(["fc1"]).check(network_of((4, 1), classes=1))


def test_a_network_with_something_else_between_is_refused():
    replica = trained_replica(network=lambda: WithSigmoid([1, 4, 4], 3, [6]))
    with pytest.raises(SeedscopeError, match="do not give the network's logits"):
        LENS.measure(replica)


def test_a_network_that_was_not_trained_here_is_refused():
    replica = trained_replica()
    with pytest.raises(SeedscopeError, match="seed 5: there are no frames"):
        LENS.measure(replace(replica, frames=None))
    with pytest.raises(SeedscopeError, match="not trained, but given"):
        LENS.measure(replace(replica, learning=None))


def test_the_settings_of_a_training_are_read_from_its_identity():
    identity = {
        "training": {"epochs": 3, "batch_size": 8},
        "streams": {"weights": 7, "order": 7, "draw": 0},
        "environment": {"threads": 1},
    }
    assert _learning(identity, 7) == {
        "epochs": 3,
        "batch_size": 8,
        "vary": ("weights", "order"),
        "streams": {"weights": 7, "order": 7, "draw": 0},
        "head": "",
        "threads": 1,
    }
    assert _learning({}, 7) is None
