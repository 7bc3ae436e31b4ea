"""Maps by Grad-CAM, occlusion and integrated gradients, against captum on the same tensors and by hand."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.files.errors import SeedscopeError
from seedscope.lenses.attribution.grad_cam import closed_form, grad_cam, layer_gradients
from seedscope.lenses.attribution.integrated_gradients import integrated_gradients, lacking
from seedscope.lenses.attribution.occlusion import occlusion
from seedscope.lenses.attribution.scores import Scores, class_scores, probabilities
from seedscope.models.convnet import ConvNet
from seedscope.models.squeezenet import SqueezeNet

from .networks import cam, fill, pooled_head, random_pictures, relu_first


def same_weights(model, source):
    """Give a network the weights of another with the same layers in the same order."""
    model = model.double().eval()
    model.load_state_dict(dict(zip(model.state_dict(), source.state_dict().values(), strict=True)))
    return model


# --- Grad-CAM ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 20)])
@pytest.mark.parametrize(("layer", "theirs"), [("conv1", 1), ("pool1", 2), ("conv2", 4), ("pool2", 5)])
def test_grad_cam_is_captums_on_the_same_tensor(shape, layer, theirs):
    from captum.attr import LayerGradCam

    oracle = fill(relu_first(shape, 5))
    ours = same_weights(ConvNet(shape, 5, channels=(4, 6), hidden=(10,)), oracle)
    pictures, target = random_pictures(7, shape), np.arange(7) % 5
    wanted = LayerGradCam(oracle, oracle[theirs]).attribute(torch.from_numpy(pictures), torch.from_numpy(target))
    wanted = wanted.detach().numpy()[:, 0]
    assert np.abs(wanted).max() > 1e-3
    got = cam(Scores(ours), layer, pictures, target, 3)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("inplace", [False, True])
def test_a_layer_and_the_relu_behind_it_have_the_same_map_in_place_or_not(inplace):
    from captum.attr import LayerGradCam

    oracle = fill(relu_first((1, 16, 16), 5))
    model = same_weights(relu_first((1, 16, 16), 5, inplace=inplace), oracle)
    pictures, target = random_pictures(6), np.arange(6) % 5
    for convolution, relu in (("0", "1"), ("3", "4")):
        wanted = LayerGradCam(oracle, oracle[int(relu)]).attribute(
            torch.from_numpy(pictures), torch.from_numpy(target), relu_attributions=True
        )
        for layer in (convolution, relu):
            heat = np.maximum(cam(Scores(model), layer, pictures, target, 4), 0)
            np.testing.assert_allclose(heat, wanted.detach().numpy()[:, 0], rtol=0, atol=1e-12)


def test_a_batch_gives_what_each_picture_gives_alone():
    model = fill(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(784, 3))
    )
    model[1].running_var.fill_(1.5)
    pictures, target = random_pictures(9), np.arange(9) % 3
    together = cam(Scores(model), "0", pictures, target, 9)
    np.testing.assert_allclose(together, cam(Scores(model), "0", pictures, target, 1), rtol=0, atol=1e-12)


class Reusing(nn.Module):
    """One ReLU and one pool for both convolutions, a skip past the second, and a module that runs twice."""

    def __init__(self, *, skip_before_relu=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 1)
        self.relu, self.pool, self.head = nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Linear(4 * 16, 3)
        self.skip_before_relu = skip_before_relu

    def forward(self, x):
        first = self.first(x)
        skipped = first.clone() if self.skip_before_relu else None
        x = self.pool(self.relu(first))
        if skipped is not None:
            x = x + self.pool(skipped)
        x = self.twice(self.twice(x))
        return self.head(self.pool(self.relu(self.second(x))).flatten(1))


class Fire(nn.Module):
    """SqueezeNet's block: squeeze, then two expansions side by side, every ReLU in place."""

    def __init__(self, before, squeezed, after):
        super().__init__()
        self.squeeze, self.squeeze_activation = nn.Conv2d(before, squeezed, 1), nn.ReLU(inplace=True)
        self.expand1x1, self.expand1x1_activation = nn.Conv2d(squeezed, after, 1), nn.ReLU(inplace=True)
        self.expand3x3, self.expand3x3_activation = nn.Conv2d(squeezed, after, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


def test_any_layer_of_squeezenets_blocks_has_the_map_that_captum_gives():
    from captum.attr import LayerGradCam

    model = fill(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(6, 4, 5),
            Fire(10, 3, 6), nn.Dropout(0.5), nn.Conv2d(12, 7, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
    )  # fmt: skip
    pictures, target = random_pictures(5, (3, 29, 23)), np.array([6, 0, 3, 2, 2])
    for layer, module in (("3", model[3]), ("4", model[4]), ("2", model[2])):
        wanted = LayerGradCam(model, module).attribute(torch.from_numpy(pictures), torch.from_numpy(target))
        got = cam(Scores(model), layer, pictures, target, 2)
        np.testing.assert_allclose(got, wanted.detach().numpy()[:, 0], rtol=0, atol=1e-12)
    for layer in ("0", "3.squeeze", "4.expand3x3", "6"):
        relu = {"0": "1", "6": "7"}.get(layer, f"{layer}_activation")
        maps = [cam(Scores(model), name, pictures, target, 3) for name in (layer, relu)]
        assert np.abs(maps[0]).max() > 0
        np.testing.assert_allclose(maps[0], maps[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_squeezenet_itself_has_the_map_that_captum_gives_for_the_logit_and_the_centred_one(centred):
    from captum.attr import LayerGradCam

    model = fill(SqueezeNet(classes=6), dtype=torch.float64)
    pictures, target = random_pictures(3, (3, 71, 63)), np.array([5, 0, 2])
    for layer, theirs in (("features.0", "features.1"), ("features.3", "features.3"), ("features.12", "features.12")):
        method = LayerGradCam(lambda x: class_scores(model(x), centred=centred), model.get_submodule(theirs))
        wanted = method.attribute(torch.from_numpy(pictures), torch.from_numpy(target)).detach().numpy()[:, 0]
        assert np.abs(wanted).max() > 0
        got = cam(Scores(model, centred=centred), layer, pictures, target, 2)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_a_network_that_reuses_its_relu_gives_the_gradient_of_the_score():
    model, pictures, target = fill(Reusing()), random_pictures(5), np.arange(5) % 3
    for layer in ("first", "second"):
        (batches,) = layer_gradients(Scores(model), [layer], pictures, target, 5)
        batch = batches[layer]
        step = 1e-6 * torch.randn(
            batch.activation.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        step *= batch.activation > 0

        def rest(a, layer=layer):
            if layer == "first":
                a = model.pool(model.relu(model.second(model.twice(model.twice(model.pool(a))))))
            else:
                a = model.pool(a)
            return model.head(a.flatten(1)).gather(1, torch.from_numpy(target)[:, None])[:, 0]

        with torch.no_grad():
            change = rest(batch.activation + step) - rest(batch.activation - step)
        np.testing.assert_allclose((2 * step * batch.gradient).sum((1, 2, 3)), change, rtol=1e-5, atol=1e-12)


def test_layers_that_no_map_can_be_taken_of_are_named():
    pictures, target = random_pictures(4), np.zeros(4, dtype=int)
    with pytest.raises(SeedscopeError, match="'twice' runs several times"):
        cam(Scores(fill(Reusing())), "twice", pictures, target, 4)
    with pytest.raises(SeedscopeError, match="'first' is used both with and without its ReLU"):
        cam(Scores(fill(Reusing(skip_before_relu=True))), "first", pictures, target, 4)
    with pytest.raises(SeedscopeError, match="there is no layer 'third'"):
        cam(Scores(fill(Reusing())), "third", pictures, target, 4)


@pytest.mark.parametrize("layer", ["first", "twice"])
def test_the_network_is_left_as_found_even_after_an_error(layer):
    model = fill(Reusing()).train()
    model.second.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    try:
        cam(Scores(model), layer, random_pictures(4), np.zeros(4, dtype=int), 4)
    except SeedscopeError:
        assert layer == "twice"
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert [module.training for module in model.modules()] == flags
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("centred", [False, True])
def test_of_a_linear_head_the_channel_weights_are_its_own(centred):
    pictures = random_pictures(6)
    pooled = fill(pooled_head((1, 16, 16), 3))
    head = pooled[4].weight.detach().numpy()
    flat = fill(relu_first((1, 16, 16), 3, hidden=()))
    flat_head = flat[7].weight.detach().numpy().reshape(3, 6, 4, 4).mean((2, 3))
    for model, layer, weight in ((pooled, "0", head / 256), (flat, "5", flat_head)):
        got = closed_form(Scores(model, centred=centred), layer, pictures, np.array([0, 1, 2, 1]), 4)
        wanted = weight - weight.mean(0) if centred else weight
        assert sorted(got) == [0, 1, 2]
        for k in range(3):
            np.testing.assert_allclose(got[k], wanted[k], rtol=0, atol=1e-12)


def test_of_a_network_with_a_hidden_layer_no_channel_weights_serve_all_pictures():
    model = fill(relu_first((1, 16, 16), 3))
    assert closed_form(Scores(model), "5", random_pictures(6), np.array([0, 1]), 4) is None
    assert closed_form(Scores(fill(pooled_head((1, 16, 16), 3))), "0", random_pictures(1), np.array([0]), 4) is None


def test_a_score_that_is_not_linear_is_seen_across_batches():
    """Each batch holds one picture: within it all gradients are alike."""
    assert closed_form(Scores(fill(relu_first((1, 16, 16), 3))), "5", random_pictures(6), np.array([0]), 1) is None


def test_one_logit_speaks_for_one_class_and_against_the_other():
    model, pictures = fill(relu_first((1, 16, 16), 1)), random_pictures(5)
    maps = [cam(Scores(model), "3", pictures, np.full(5, k), 5) for k in (0, 1)]
    np.testing.assert_allclose(maps[0], -maps[1], rtol=0, atol=1e-12)
    logit = model(torch.from_numpy(pictures)).detach().numpy()
    chance = probabilities(model, pictures, 2)
    np.testing.assert_allclose(chance[:, 1], 1 / (1 + np.exp(-logit[:, 0])))
    np.testing.assert_allclose(chance.sum(1), 1)


def test_layers_looked_at_together_have_the_maps_that_each_has_alone():
    """Also where one pools what another gives, and where their branches run side by side."""
    pictures = random_pictures(5, (3, 29, 23))
    fire = fill(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Fire(4, 3, 5), nn.Flatten(), nn.Linear(10 * 27 * 21, 3)))
    network = fill(ConvNet((3, 29, 23), 3, channels=(4, 5), hidden=(6,)))
    for model, layers in (
        (network, ["conv1", "pool1", "conv2", "pool2"]),
        (fire, ["2.expand3x3", "2", "2.squeeze", "2.expand1x1", "0"]),
    ):
        together = grad_cam(Scores(model), layers, pictures, np.arange(5) % 3, 2)
        assert list(together) == layers
        for layer in layers:
            alone = cam(Scores(model), layer, pictures, np.arange(5) % 3, 2)
            assert np.abs(alone).max() > 0
            np.testing.assert_allclose(together[layer], alone, rtol=0, atol=1e-12)


# --- the other two ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(10, 12), (11, 13)])
def test_occlusion_by_hand(height, width):
    """Also where the last window of a row or column is narrower."""
    shape = (2, height, width)
    model, pictures, target = fill(relu_first(shape, 3)), random_pictures(3, shape), np.array([0, 2, 1])
    got = occlusion(Scores(model), pictures, target, 5, window=0.4)
    side, stride = 4, 2
    for s in range(3):
        plain = model(torch.from_numpy(pictures[s : s + 1]))[0, target[s]].item()
        falls, held = np.zeros((height, width)), np.zeros((height, width))
        for top, left in itertools.product(range(0, height - stride, stride), range(0, width - stride, stride)):
            covered = pictures[s].copy()
            here = np.s_[top : top + side, left : left + side]
            for c in range(2):
                covered[c][here] = pictures[s, c].mean()
            falls[here] += plain - model(torch.from_numpy(covered[None]))[0, target[s]].item()
            held[here] += 1
        np.testing.assert_allclose(got[s], falls / held, rtol=0, atol=1e-7)  # captum masks in float32


class Wrapped(nn.Module):
    """A network that is not known for what it is, so that nothing can be left out."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


@pytest.mark.parametrize("window", [0.1875, 0.45, 1.0])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((1, 32, 32), {}),
        ((1, 28, 28), {"padding": 0}),
        ((3, 30, 21), {"channels": (4, 6, 8), "hidden": ()}),
        ((1, 29, 23), {"padding": 2, "hidden": (7, 5), "brightness": (0.3, 0.2)}),
    ],
)
def test_of_a_picture_with_a_part_covered_only_what_sees_it_is_computed_again(shape, settings, window):
    model = fill(ConvNet(shape, 5, **settings))
    pictures, target = random_pictures(3, shape), np.array([0, 4, 2])
    for centred in (False, True):
        got = occlusion(Scores(model, centred=centred), pictures, target, 2, window=window)
        whole = occlusion(Scores(Wrapped(model), centred=centred), pictures, target, 64, window=window)
        np.testing.assert_allclose(got, whole, rtol=0, atol=1e-12 * max(1, np.abs(whole).max()))


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 13, 11)])
def test_occlusion_and_integrated_gradients_are_captums(shape):
    from captum.attr import IntegratedGradients, Occlusion

    model, pictures, target = fill(ConvNet(shape, 3)), random_pictures(4, shape), np.array([0, 2, 1, 1])
    images, even = torch.from_numpy(pictures), torch.from_numpy(pictures).mean((2, 3), keepdim=True)
    classes, side = torch.from_numpy(target), round(0.4 * min(shape[1:]))
    fall = Occlusion(model).attribute(
        images,
        sliding_window_shapes=(shape[0], side, side),
        strides=(shape[0], side // 2, side // 2),
        baselines=even.expand_as(images),
        target=classes,
    )[:, 0]
    got = occlusion(Scores(model), pictures, target, 5, window=0.4)
    np.testing.assert_allclose(got, fall.detach(), rtol=0, atol=1e-6 * float(fall.abs().max()))  # it masks in float32
    added = IntegratedGradients(model).attribute(images, even.expand_as(images), target=classes, n_steps=16).sum(1)
    got = integrated_gradients(Scores(model), pictures, target, 5, steps=16)
    np.testing.assert_allclose(got, added.detach(), rtol=0, atol=1e-7 * float(added.abs().max()))  # points in float32


def test_sixteen_steps_lack_little():
    """Of an untrained network 1.5 % (32: 0.8 %); of those trained on squares and digits 0.1 to 0.7 % (32: to 0.3 %)."""
    torch.manual_seed(0)
    model, pictures = ConvNet((1, 32, 32), 9).eval(), random_pictures(8, (1, 32, 32)).astype(np.float32)
    target = np.arange(8) % 9
    maps = {n: integrated_gradients(Scores(model), pictures, target, 128, steps=n) for n in (16, 128)}
    assert lacking(Scores(model), pictures, target, 128, maps[16]) < 0.02
    error = np.abs(maps[16] - maps[128]).sum() / np.abs(maps[128]).sum()
    assert error < 0.05


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_the_difference():
    model = fill(nn.Sequential(nn.Flatten(), nn.Linear(2 * 36, 3)))
    pictures, target = random_pictures(4, (2, 6, 6)), np.array([2, 0, 1, 1])
    got = integrated_gradients(Scores(model), pictures, target, 8, steps=4)
    weight = model[1].weight.detach().numpy().reshape(3, 2, 6, 6)
    even = pictures.mean((2, 3), keepdims=True)
    np.testing.assert_allclose(got, (weight[target] * (pictures - even)).sum(1), rtol=0, atol=1e-12)
    assert lacking(Scores(model), pictures, target, 8, got) < 1e-12


def test_integrated_gradients_add_up_better_with_more_steps():
    model, pictures, target = fill(relu_first((1, 16, 16), 5)), random_pictures(6), np.arange(6) % 5
    lack = []
    for steps in (2, 200):
        maps = integrated_gradients(Scores(model), pictures, target, 400, steps=steps)
        lack.append(lacking(Scores(model), pictures, target, 400, maps))
    assert lack[1] < 0.01 < lack[0]


def test_integrated_gradients_in_parts_are_those_of_the_whole_way():
    model = fill(relu_first((1, 16, 16), 3))
    pictures, target = random_pictures(3), np.arange(3)
    whole = integrated_gradients(Scores(model), pictures, target, 64, steps=10)
    parts = integrated_gradients(Scores(model), pictures, target, 3, steps=10)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


# --- Grad-CAM of the house's own convolutional network ----------------------------------------------------------


@pytest.mark.parametrize("classes", [1, 5])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 5, 6)])
def test_means_passed_through_blocks_are_those_of_the_gradients(channels, padding, centred, classes):
    """Also at odd sizes, where a pool leaves out a row, and on a constant picture, where all places of it tie."""
    layers = [f"{kind}{number}" for number in range(1, len(channels) + 1) for kind in ("conv", "pool")]
    model = ConvNet((2, 31, 26), classes, channels, padding, hidden=(10,), dropout=0.3, brightness=(0.4, 0.2))
    model = fill(model)
    pictures = np.concatenate([random_pictures(5, (2, 31, 26)), np.full((1, 2, 31, 26), 0.3)])
    target = np.arange(6) % max(classes, 2)
    scores = Scores(model, centred=centred)
    for asked in (layers, layers[:1], layers[-1:], layers[1::2]):
        got = grad_cam(scores, asked, pictures, target, 4)
        assert list(got) == asked
        for at, batch in enumerate(layer_gradients(scores, asked, pictures, target, 4)):
            for layer, own in batch.items():
                wanted = own.map.numpy()
                part = got[layer][4 * at : 4 * at + len(wanted)]
                np.testing.assert_allclose(part, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
    assert np.abs(got[layers[1]]).max() > 1e-6
