import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from seedscope.figures import Image, Shapes, Words, centred, panels_of
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses import Network
from seedscope.lenses.attribution.scores import Scores
from seedscope.lenses.lens import is_share
from seedscope.lenses.places import Places
from seedscope.lenses.places.agreed import COMPARED
from seedscope.lenses.places.agreement import AGREEMENTS, agreement
from seedscope.lenses.places.votes import DenseEnd, dense_layers

from .networks import fill, random_pictures, relu_first, replica_of_network
from .sheets import marks

LENS = Places("5", "7", pictures=8, batch_size=5)


def ending(model):
    """Return the pooled maps of a network, which is a sequence, its dense layers and its weights."""
    flatten = next(i for i, module in enumerate(model) if isinstance(module, nn.Flatten))
    dense = [str(i) for i, module in enumerate(model) if isinstance(module, nn.Linear)]
    return model[:flatten], dense, {name: tensor.numpy() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("hidden", [(), (10,), (12, 7)])
@pytest.mark.parametrize("classes", [1, 5])
def test_places_and_rest_add_up_to_the_centred_logit(hidden, classes):
    model = fill(relu_first((2, 16, 12), classes, hidden=hidden))
    front, dense, weights = ending(model)
    pictures = random_pictures(9, (2, 16, 12))
    maps = front(torch.from_numpy(pictures)).detach().numpy()
    score = Scores(model, centred=True).of(pictures, 4)
    end = DenseEnd.of(weights, dense)
    for k in range(score.shape[1]):
        votes, rest = end.votes(maps, np.full(9, k))
        assert votes.shape == maps.shape
        np.testing.assert_allclose(votes.sum((1, 2, 3)) + rest, score[:, k], rtol=0, atol=1e-9)


@pytest.mark.parametrize("hidden", [(), (10,), (12, 7)])
def test_the_exact_votes_are_captums_gradient_times_activation(hidden):
    from captum.attr import LayerGradientXActivation

    model = fill(relu_first((1, 16, 16), 5, hidden=hidden))
    front, dense, weights = ending(model)
    pictures, target = random_pictures(6), np.arange(6) % 5
    maps = front(torch.from_numpy(pictures)).detach().numpy()
    votes, _ = DenseEnd.of(weights, dense).votes(maps, target)
    method = LayerGradientXActivation(Scores(model, centred=True), model[5])
    wanted = method.attribute(torch.from_numpy(pictures), torch.from_numpy(target)).detach().numpy()
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(votes, wanted, rtol=0, atol=1e-9)


def test_the_votes_by_hand():
    weights = {
        "fc1.weight": np.array([[1.0, 2, 0, 0], [0, 0, -1, 1], [1, 1, 1, 1]]),
        "fc1.bias": np.array([0.5, -9.0, 0]),  # the second is not active
        "fc2.weight": np.array([[1.0, 5, 0], [-1, 7, 2]]),
        "fc2.bias": np.array([3.0, 1]),
    }
    maps = np.array([1.0, 2, 3, 4]).reshape(1, 1, 2, 2)
    votes, rest = DenseEnd.of(weights, ["fc1", "fc2"]).votes(maps, np.array([0]))
    # Centred weights of class 0: 1, −1, −1; back: (1, 2, 0, 0) − (1, 1, 1, 1).
    np.testing.assert_allclose(votes[0, 0], [[0, 2], [-3, -4]])
    assert rest[0] == pytest.approx(0.5 + 1)


def test_the_dense_layers_between_maps_and_head_are_found():
    shapes = {"conv1.weight": (4, 1, 3, 3), "fc1.weight": (8, 64), "fc1.bias": (8,), "fc2.weight": (3, 8)}
    assert dense_layers(shapes, 64, "fc2") == ("fc1", "fc2")
    assert dense_layers(shapes, 8, "fc2") == ("fc2",)
    assert dense_layers(shapes, 65, "fc2") is None
    assert dense_layers(shapes, 64, "fc3") is None


def test_agreement_against_scipy_and_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3, 4)).round(1)
    got = dict(zip(AGREEMENTS, agreement(a, b), strict=True))
    for s in range(5):
        assert got["rank_correlation"][s] == pytest.approx(spearmanr(a[s].ravel(), b[s].ravel()).statistic)
        cosine = (a[s] * b[s]).sum() / np.sqrt((a[s] ** 2).sum() * (b[s] ** 2).sum())
        assert got["cosine"][s] == pytest.approx(cosine)
    np.testing.assert_allclose(agreement(a, 3 * a), 1)
    np.testing.assert_allclose(agreement(a, -a)[:2], -1)
    assert (agreement(a, np.zeros_like(a))[:2] == 0).all()
    np.testing.assert_allclose(agreement(a, np.ones_like(a))[2], 1 / 12)  # of twelve that tie one is right


class OnePlace(nn.Module):
    """Hand-made: one pooled cell alone decides, of maps that pass the picture on."""

    def __init__(self):
        super().__init__()
        self.conv1, self.pool1 = nn.Conv2d(1, 1, 1), nn.MaxPool2d(4)
        self.fc1, self.fc2 = nn.Linear(16, 2), nn.Linear(2, 2)
        with torch.no_grad():
            for tensor in self.parameters():
                tensor.zero_()
            self.conv1.weight.fill_(1)
            self.fc1.weight[0, 6] = 2  # the cell in row 1, column 2
            self.fc1.bias[1] = 0.8
            self.fc2.weight.copy_(torch.tensor([[-1.0, 1], [1, -1]]))

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.pool1(torch.relu(self.conv1(x))).flatten(1))))


def test_the_place_that_decides_is_found(look):
    rng = np.random.default_rng(0)
    image = rng.random((20, 1, 16, 16)) * 0.2
    label = np.arange(20) % 2
    image[label == 1, :, 5, 9] = 1
    lens = Places("pool1", "fc2", pictures=16, truth={"top": 4, "left": 8, "height": 4, "width": 4})
    seen = look(lens, replica_of_network(OnePlace, image, label), rendered=True)
    assert set(seen.sheets) == {"places", "place_channels", "places_agreement"}
    bright = seen.measured.label.values == 1
    assert (seen.measured.answer == seen.measured.label).all()
    of_maps = seen.measured["pool1"]
    place = of_maps.place_vote.values[bright]
    assert (place[:, 1, 2] > 1).all()
    assert (np.delete(place.reshape(len(place), -1), 6, axis=1) == 0).all()
    assert seen.summary["votes_on_object"] == pytest.approx(1)
    assert seen.summary["votes_on_object_null_even"] == pytest.approx(1 / 16)
    assert seen.summary["completeness_error"] < 1e-6
    same = of_maps.agreement.sel(source="own", measure="same_place")
    answer = label[of_maps.compared_sample.values - 100]
    assert (same.sel(by="integrated_gradients").values[answer == 1] == 1).all()
    assert (same.sel(by="occlusion").values[answer == 1] > 0).all()


def test_each_map_stands_on_its_own_scale_beside_its_picture_with_the_object_framed(look):
    image = np.random.default_rng(0).random((4, 1, 16, 16))
    lens = Places("pool1", "fc2", pictures=4, shown=2, truth={"top": 4, "left": 8, "height": 4, "width": 4})
    seen = look(lens, replica_of_network(OnePlace, image, [0, 1, 0, 1]), draw="places")
    (board,) = panels_of(seen.sheets["places"].body)
    shown = marks(board, Image)
    assert len(shown) == 2 * (1 + 1 + len(COMPARED))
    np.testing.assert_array_equal(shown[0].values[..., 0], image[0, 0].astype(np.float32))
    np.testing.assert_array_equal(shown[1].values, seen.measured["pool1"].place_vote.values[0])
    for one in shown[1:6]:
        assert one.scale == centred(one.values)
    assert len(marks(board, Shapes)) == 2 * len(shown)  # a frame is drawn twice, black and white


def test_votes_on_the_object_are_held_against_those_of_another_picture_with_the_same_answer(look):
    """The place that decides is one for all pictures, and the object of every second one lies elsewhere."""
    image = np.full((8, 1, 16, 16), 0.1)
    image[:, :, 5, 9] = 1
    top, left = np.array([4, 12] * 4), np.array([8, 0] * 4)
    lens = Places("pool1", "fc2", pictures=4, truth={"top": "top", "left": "left", "height": 4, "width": 4})
    seen = look(lens, replica_of_network(OnePlace, image, np.ones(8, dtype=int), top=top, left=left), draw=None)
    of_maps = seen.measured["pool1"]
    np.testing.assert_allclose(of_maps.votes_on_object / of_maps.votes, [1, 0] * 4)
    of_another = of_maps.votes_on_object_same_answer / of_maps.votes_same_answer
    np.testing.assert_allclose(of_another, [1, 0] * 4)
    assert seen.summary["votes_on_object"] == seen.summary["votes_on_object_null_same_answer"] == 0.5


class ThreePlaces(OnePlace):
    """Hand-made: of the answer's votes 4 come from the object, 2 from elsewhere, and 1 from elsewhere is against."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.fc1.weight[0] = torch.zeros(16).index_put_((torch.tensor([6, 0, 15]),), torch.tensor([4.0, 2.0, -1.0]))


def test_votes_on_the_object_are_told_net_of_those_against_and_of_those_for_and_by_size(look):
    image = np.ones((6, 1, 16, 16))
    lens = Places("pool1", "fc2", pictures=4, truth={"top": 4, "left": 8, "height": 4, "width": 4})
    seen = look(lens, replica_of_network(ThreePlaces, image, np.ones(6, dtype=int)), draw="places")
    for sign, expected in {"": 4 / 5, "_positive": 4 / 6, "_absolute": 4 / 7}.items():
        assert seen.summary[f"votes_on_object{sign}"] == pytest.approx(expected)
        assert seen.summary[f"votes_on_object{sign}_null_same_answer"] == pytest.approx(expected)
        assert seen.summary[f"votes_on_object{sign}_null_even"] == pytest.approx(1 / 16)
    words = "80% come from cells that the object touches, net"
    assert words in seen.sheets["places"].description
    assert "for the answer it is 67%, of all votes by size 57%" in seen.sheets["places"].description
    assert is_share(lens, "votes_on_object_absolute")
    assert is_share(lens, "votes_near_object_positive_null_same_answer")
    assert is_share(lens, "occlusion_same_place")
    for no_share in ("votes_on_object", "votes_on_object_null_same_answer", "occlusion_cosine"):
        assert not is_share(lens, no_share)
    assert not is_share(lens, "occlusion_same_place_gain_same_answer")


def test_a_picture_whose_votes_cancel_does_not_outweigh_the_others(look):
    lens = Places("5", "7", pictures=4, truth={"top": 0, "left": 0, "height": 8, "width": 8})
    make = lambda: fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32)  # noqa: E731
    seen = look(lens, replica_of_network(make, random_pictures(9), np.arange(9) % 3), draw=None)
    of_maps = seen.measured["5"]
    votes = of_maps.votes.values
    assert np.ptp(votes) > 0
    share = (of_maps.votes_on_object / of_maps.votes).values
    weighted = np.average(share, weights=votes)
    assert seen.summary["votes_on_object"] == pytest.approx(weighted)
    assert seen.summary["votes_on_object"] != pytest.approx(share.mean(), rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"hidden": ()}, {"classes": 1}, {"classes": 12}])
def test_random_networks_are_drawn_with_and_without_hidden_layers(look, options):
    classes, hidden = options.get("classes", 4), options.get("hidden", (10,))
    make = lambda: fill(relu_first((3, 16, 20), classes, hidden=hidden), dtype=torch.float32)  # noqa: E731
    label = np.arange(15) % max(2, classes)
    lens = Places("5", "9" if hidden else "7", pictures=8, shown=3, batch_size=6)
    seen = look(lens, replica_of_network(make, random_pictures(15, (3, 16, 20)), label), rendered=classes == 12)
    assert seen.summary["completeness_error"] < 1e-5
    # Of one logit, Grad-CAM of the centred score and of the logit would be the same map twice.
    compared = [name for name in COMPARED if classes > 1 or name != "grad_cam_of_logit"]
    assert seen.measured["5"].by.values.tolist() == compared
    assert seen.measured["5"].agreement.shape == (len(compared), 3, 3, 8)
    assert any(name.startswith("grad_cam_of_logit") for name in seen.summary) == (classes > 1)
    assert "votes_on_object" not in seen.summary


def test_a_picture_is_told_by_its_answer_and_in_truth_by_its_class_if_that_is_known(look):
    make = lambda: fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32)  # noqa: E731
    replica = replica_of_network(make, random_pictures(4), [2, 2, 2, -1], names=["ant", "bee", "2"])
    seen = look(LENS, dataclasses.replace(replica, seed="given", exhibits=100 + np.arange(4)))
    assert all(sheet.heading.endswith("(toy, given weights)") for sheet in seen.sheets.values())
    told = [mark.text for mark in marks(seen.sheets["places"], Words) if "centred logit" in mark.text]
    assert len(told) == 4
    assert any("in truth" in said for said in told)
    for said, answer, label in zip(told, seen.measured.answer.values, seen.measured.label.values, strict=True):
        assert said.startswith(["ant: ", "bee: ", "class 2: "][answer])
        assert said.endswith(", in truth class 2)") == (label == 2 != answer)


def test_a_dead_layer_and_a_single_picture_are_no_trouble(look):
    def dead():
        model = fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32)
        with torch.no_grad():
            model[3].bias.fill_(-99)
        return model

    box = {"top": 0, "left": 0, "height": 3, "width": 3}
    lens = Places("5", "7", truth=box)
    seen = look(lens, replica_of_network(dead, random_pictures(6), np.arange(6) % 3), rendered=True)
    assert np.isnan(seen.summary["votes_on_object"])
    assert seen.summary["grad_cam_cosine"] == 0
    make = lambda: fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32)  # noqa: E731
    look(LENS, replica_of_network(make, random_pictures(1), [2]))


def test_another_layer_between_the_maps_and_the_head_is_noticed():
    class Doubling(nn.Sequential):
        def forward(self, x):
            for i, module in enumerate(self):
                x = module(x) * (2 if i == 6 else 1)
            return x

    make = lambda: Doubling(*fill(relu_first((1, 16, 16), 3, hidden=()), dtype=torch.float32))  # noqa: E731
    with pytest.raises(SeedscopeError, match="the votes of '5' do not add up to the logits"):
        LENS.measure(replica_of_network(make, random_pictures(6), np.arange(6) % 3))


def test_seeds_are_put_together_with_their_nulls(compared):
    measured = {}
    for seed in range(3):
        make = partial(fill, relu_first((1, 16, 16), 3, hidden=()), seed, torch.float32)
        replica = dataclasses.replace(replica_of_network(make, random_pictures(12), np.arange(12) % 3), seed=seed)
        measured[seed] = LENS.measure(replica)
    comparison = compared(LENS, measured, rendered=True)
    assert [sheet.name for sheet in comparison.sheets] == ["places_agreement"]
    means = [
        one["5"].agreement.sel(by="occlusion", measure="cosine").mean("compared_picture") for one in measured.values()
    ]
    own, null = (np.array([float(mean.sel(source=source)) for mean in means]) for source in ("own", "other_answer"))
    assert comparison.metrics["occlusion_cosine_null_other_answer"] == mean_interval(null).as_dict()
    assert comparison.metrics["occlusion_cosine_gain_other_answer"] == mean_interval(own - null).as_dict()
    assert len(comparison.tables["places_agreement"]) == len(COMPARED) * 3 * 3


NETWORK = Network(
    {"conv1": (4, 4, 4), "fc1": (64,), "fc2": (3,), "logit": (3,)},
    {"conv1.weight": (4, 1, 3, 3), "fc1.weight": (64, 64), "fc2.weight": (3, 64)},
    {},
    3,
)


@pytest.mark.parametrize(
    ("maps", "head", "key", "words"),
    [
        ("conv2", "fc2", "maps", "no layer 'conv2'; did you mean 'conv1'"),
        ("fc1", "fc2", "maps", "'fc1' has no maps"),
        ("conv1", "fc1", "head", "'fc1' is not a dense layer that gives the logits"),
    ],
)
def test_what_has_no_dense_end_is_refused_by_name(maps, head, key, words):
    Places("conv1", "fc2").check(NETWORK)
    with pytest.raises(SettingError, match=words) as refused:
        Places(maps, head).check(NETWORK)
    assert refused.value.key == key
    cut = Network({"conv1": (4, 4, 4), "fc1": (64,)}, NETWORK.weights, {}, 3)
    with pytest.raises(SeedscopeError, match="the network gives no logits, which this lens needs: it ends with 'fc1'"):
        Places("conv1", "fc1").check(cut)
    larger = Network({**NETWORK.layers, "conv1": (4, 8, 8)}, NETWORK.weights, {}, 3)
    with pytest.raises(SettingError, match="from the 256 numbers of 'conv1' no dense layers lead to 'fc2'"):
        Places("conv1", "fc2").check(larger)
