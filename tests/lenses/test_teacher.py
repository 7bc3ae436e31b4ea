from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses.dense_layers import DenseLayers
from seedscope.lenses.teacher import Teacher
from seedscope.lenses.teacher.measure import _state, corrections, sign_agreement
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.training import loss_of

from .trained import ConvThenDense, WithSigmoid, data_of, network_of, trained_replica

LENS = Teacher(["fc1", "fc2"])


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("targets", [4, 1])
def test_a_correction_is_the_gradient_of_the_summed_loss_at_the_activations(targets, seed):
    torch.manual_seed(seed)
    net = Perceptron([1, 3, 3], targets, [7, 6, 5]).double()
    image = torch.rand(9, 1, 3, 3, dtype=torch.float64)
    label = torch.arange(9) % max(2, targets)
    layers = ["fc1", "fc2", "fc3", "fc4"]
    found = corrections(DenseLayers.of(net, layers), image.flatten(1).numpy(), label.numpy())
    h, post, pre = image.flatten(1), [], []
    for layer in layers:
        z = net.get_submodule(layer)(h)
        z.retain_grad()
        h = torch.relu(z)
        h.retain_grad()
        pre.append(z)
        post.append(h)
    loss_of(z, label).sum().backward()
    assert len(found) == 3
    for own, z, h in zip(found, pre, post, strict=False):
        for version, tensor in (("pre", z), ("post", h)):
            outputs, correction = own[version]
            np.testing.assert_allclose(outputs, tensor.detach().numpy(), atol=1e-14)
            np.testing.assert_allclose(correction, tensor.grad.numpy(), atol=1e-14)


def test_one_pictures_teacher_does_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    chain = DenseLayers((rng.normal(size=(5, 4)), rng.normal(size=(3, 5))), (rng.normal(size=5), rng.normal(size=3)))
    x, label = rng.normal(size=(6, 4)), np.arange(6) % 3
    whole = corrections(chain, x, label)[0]["post"][1]
    np.testing.assert_allclose(corrections(chain, x[2:3], label[2:3])[0]["post"][1], whole[2:3], rtol=1e-12)


def test_the_teacher_by_hand():
    chain = DenseLayers((np.eye(2), np.array([[1.0, -1.0], [-1.0, 1.0]])), (np.zeros(2), np.zeros(2)))
    x = np.array([[2.0, -1.0]])  # the second unit is silent; logits 2 and −2
    ((own),) = corrections(chain, x, np.array([0]))
    off = 1 / (1 + np.exp(4.0))  # probability of the other class: dout = (−off, off)
    np.testing.assert_allclose(own["post"][0] - own["post"][1], [[2 + 2 * off, -2 * off]])
    np.testing.assert_allclose(own["pre"][0] - own["pre"][1], [[2 + 2 * off, -1]])  # the gate is shut: as it was


def test_a_small_step_towards_the_teacher_lowers_the_loss():
    rng = np.random.default_rng(0)
    chain = DenseLayers((rng.normal(size=(6, 4)), rng.normal(size=(3, 6))), (rng.normal(size=6), rng.normal(size=3)))
    x, label = rng.normal(size=(20, 4)), np.arange(20) % 3
    outputs, correction = corrections(chain, x, label)[0]["post"]

    def loss(h):
        logit = torch.from_numpy(h @ chain.weights[1].T + chain.biases[1])
        return loss_of(logit, torch.from_numpy(label)).numpy()

    step = loss(outputs) - loss(outputs - 1e-5 * correction)
    np.testing.assert_allclose(step, 1e-5 * (correction**2).sum(1), rtol=1e-3)


def test_the_state_by_hand():
    outputs = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    correction = np.array([[-3.0, 2.0, 1.0], [0.0, 0.0, -4.0]])  # teacher (3, 0, −1) and (0, 0, 4)
    state = _state(outputs, correction)
    assert state["distance"] == pytest.approx((np.sqrt(14) + 4) / 2)
    assert state["length"] == pytest.approx((np.sqrt(14) + 4) / 2)
    assert state["zeros"] == state["outputs_zeros"] - 2 / 6 == 3 / 6
    assert (state["on"], state["outputs_on"], state["negative"]) == pytest.approx((2 / 6, 1 / 6, 1 / 6))
    assert np.isnan(_state(np.zeros((2, 3)), correction)["distance"])


@pytest.mark.parametrize("targets", [3, 1])
def test_before_anything_is_known_every_unit_is_asked_to_vote_for_the_class(targets):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(targets, 8))
    chain = DenseLayers((rng.normal(size=(8, 4)), 1e-9 * weight), (np.zeros(8), np.zeros(targets)))  # all classes alike
    label = np.arange(30) % max(2, targets)
    gradient = corrections(chain, rng.normal(size=(30, 4)), label)[0]["post"][1]
    live = np.ones(8, dtype=bool)
    assert sign_agreement(gradient, weight, label, live) == 1
    assert sign_agreement(-gradient, weight, label, live) == 0
    assert sign_agreement(rng.normal(size=(3000, 8)), weight, np.resize(label, 3000), live) == pytest.approx(
        0.5, abs=0.02
    )
    assert np.isnan(sign_agreement(np.zeros((30, 8)), weight, label, live))


def test_signs_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    gradient, weight, label = rng.normal(size=(9, 5)), rng.normal(size=(4, 5)), np.arange(9) % 4
    live = np.array([True, True, False, True, True])
    agreed = []
    for s in range(9):
        for i in np.flatnonzero(live):
            others = np.mean([weight[k, i] for k in range(4) if k != label[s]])
            agreed.append((-gradient[s, i] > 0) == (weight[label[s], i] - others > 0))
    assert sign_agreement(gradient, weight, label, live) == pytest.approx(np.mean(agreed))


def with_frames(replica, states):
    """Return the replica with these weights as its frames, and the last of them as its own."""
    frames = xr.Dataset(
        {
            name: (
                ("frame", *(f"{name}.{i}" for i in range(states[0][name].ndim))),
                np.stack([s[name] for s in states]),
            )
            for name in states[0]
        },
        coords={"step": ("frame", np.arange(len(states))), "epoch": ("frame", np.arange(len(states)) / 10)},
    )
    return replace(replica, frames=frames, weights=states[-1])


def test_a_step_of_gradient_descent_on_one_picture_goes_straight_to_the_teacher(look):
    data = data_of(n=1, probe=3)
    replica = trained_replica(epochs=0, data=data)
    states = []
    with replica.network() as model:
        model.requires_grad_(True)
        for _ in range(3):
            states.append({name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()})
            first = [model.fc1.weight, model.fc1.bias]
            loss = loss_of(
                model(torch.from_numpy(replica.training.image.values)), torch.from_numpy(replica.training.label.values)
            )
            for parameter, gradient in zip(first, torch.autograd.grad(loss.sum(), first), strict=True):
                parameter.data -= 1e-2 * gradient
    seen = look(LENS, with_frames(replica, states), draw=None)
    followed = seen.measured["fc1"].followed.sel(version="pre", pictures="training")
    assert np.isnan(followed.values[0]).all()
    np.testing.assert_allclose(followed.values[1:], 1, atol=1e-4)  # the only picture is its own null
    without_gate = seen.measured["fc1"].followed.sel(version="post", pictures="training", shuffle="none").values
    assert (without_gate[1:] < 0.999).all()


def test_training_closes_in_on_the_teacher_and_follows_that_of_the_class(look):
    seen = look(LENS, trained_replica(n=120, epochs=20), draw=None)
    summary = seen.summary
    assert summary["fc1_distance_training"] < 0.5 * summary["fc1_distance_training_at_start"]
    assert summary["fc1_followed_training"] > summary["fc1_followed_training_null_shuffled"] + 0.1
    followed = seen.measured["fc1"].followed.sel(pictures="training", version="post", shuffle="none")
    assert summary["fc1_followed_training"] == pytest.approx(
        np.nanmean(followed), rel=1e-12
    )  # the article's version, which is ``post``
    assert summary["sign_agreement"] > summary["sign_agreement_null_shuffled"] + 0.1
    assert summary["fc1_zeros"] == 0


def test_pictures_are_the_training_and_the_probe_ones(look):
    replica = trained_replica()
    measured = look(LENS, replica, draw=None).measured
    for which in ("training", "probe"):
        pictures = getattr(replica, which)
        with replica.network(2) as model:
            x = pictures.image.values.reshape(len(pictures.label), -1).astype(np.float64)
            outputs, correction = corrections(DenseLayers.of(model, ["fc1", "fc2"]), x, pictures.label.values)[0][
                "post"
            ]
        expected = np.linalg.norm(correction, axis=1).sum() / np.linalg.norm(outputs, axis=1).sum()
        found = measured["fc1"].distance.sel(version="post", pictures=which)[2]
        assert float(found) == pytest.approx(expected, rel=1e-9)


def test_looking_twice_gives_the_same(look):
    replica = trained_replica()
    xr.testing.assert_identical(look(LENS, replica, draw=None).measured, look(LENS, replica, draw=None).measured)


ODD = {
    "one hidden layer": {},
    "one logit": {"classes": 2, "targets": 1},
    "two hidden layers": {"hidden": (5, 4)},
    "untrained": {"epochs": 0},
    "black pictures": {"image": 0.0},
    "one class only": {"unseen": (0, 2)},
    "ten classes": {"classes": 10, "n": 90},
    "three pictures": {"n": 3, "probe": 3},
    "a convolution before": {"network": ConvThenDense},
    "one hidden unit": {"hidden": (1,)},
}
FIGURES = ("teacher_distance", "teacher_sparsity", "teacher_followed", "teacher_by_class")


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, case):
    options = ODD[case]
    layers = [f"fc{i}" for i in range(1, len(options.get("hidden", (6,))) + 2)]
    seen = look(Teacher(layers), trained_replica(**options), rendered=case in ("two hidden layers", "one class only"))
    assert set(seen.sheets) == {f"{name}_{layer}" for name in FIGURES for layer in layers[:-1]}


def test_dead_layers_have_no_relative_distance_and_say_nothing_of_signs(look):
    replica = trained_replica(epochs=1)
    dead = {name: np.zeros_like(values) for name, values in replica.weights.items()}
    seen = look(LENS, with_frames(replica, [dead, dead]))
    for name in ("fc1_distance_training", "fc1_followed_probe", "sign_agreement"):
        assert np.isnan(seen.summary[name])
    assert seen.summary["fc1_outputs_zeros"] == 1


def test_a_network_without_a_hidden_layer_is_refused():
    with pytest.raises(SettingError, match="'fc1' alone has no hidden layer"):
        Teacher(["fc1"]).check(network_of((4, 3)))
    with pytest.raises(SettingError, match="no layer 'fc9'"):
        Teacher(["fc1", "fc9"]).check(network_of((4, 5, 3)))
    LENS.check(network_of((4, 5, 3)))


def test_what_is_no_chain_or_was_not_trained_is_refused():
    with pytest.raises(SeedscopeError, match="do not give the network's logits"):
        LENS.measure(trained_replica(network=lambda: WithSigmoid([1, 4, 4], 3, [6])))
    with pytest.raises(SeedscopeError, match="there are no frames"):
        LENS.measure(replace(trained_replica(epochs=0), frames=None))
