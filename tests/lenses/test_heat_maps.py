import dataclasses
import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from seedscope.lenses.heat_maps.baselines import brightest_window, centre_prior
from torch import nn

from seedscope.data.squares import Squares
from seedscope.data.textures import Textures
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.attribution.grad_cam import closed_form, grad_cam, layer_gradients
from seedscope.lenses.attribution.integrated_gradients import integrated_gradients, lacking
from seedscope.lenses.attribution.occlusion import occlusion
from seedscope.lenses.attribution.scores import Scores, class_scores, probabilities
from seedscope.lenses.heat_maps import HeatMaps, another_of_its_class
from seedscope.lenses.heat_maps.localization import (
    MEASURES,
    added_up,
    best_cells,
    localization,
    normalised,
    reduced,
)
from seedscope.lenses.heat_maps.randomised import rank_correlation, shuffled
from seedscope.lenses.heat_maps.truth import Boxes
from seedscope.models.convnet import ConvNet
from seedscope.models.squeezenet import SqueezeNet

from .networks import fill, pooled_head, random_pictures, relu_first, replica_of_network

BOX = {"top": "top", "left": "left", "height": 4, "width": 4}


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
    got = grad_cam(Scores(ours), layer, pictures, target, 3)
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
            heat = np.maximum(grad_cam(Scores(model), layer, pictures, target, 4), 0)
            np.testing.assert_allclose(heat, wanted.detach().numpy()[:, 0], rtol=0, atol=1e-12)


def test_a_batch_gives_what_each_picture_gives_alone():
    model = fill(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(784, 3))
    )
    model[1].running_var.fill_(1.5)
    pictures, target = random_pictures(9), np.arange(9) % 3
    together = grad_cam(Scores(model), "0", pictures, target, 9)
    np.testing.assert_allclose(together, grad_cam(Scores(model), "0", pictures, target, 1), rtol=0, atol=1e-12)


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
        got = grad_cam(Scores(model), layer, pictures, target, 2)
        np.testing.assert_allclose(got, wanted.detach().numpy()[:, 0], rtol=0, atol=1e-12)
    for layer in ("0", "3.squeeze", "4.expand3x3", "6"):
        relu = {"0": "1", "6": "7"}.get(layer, f"{layer}_activation")
        maps = [grad_cam(Scores(model), name, pictures, target, 3) for name in (layer, relu)]
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
        got = grad_cam(Scores(model, centred=centred), layer, pictures, target, 2)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_a_network_that_reuses_its_relu_gives_the_gradient_of_the_score():
    model, pictures, target = fill(Reusing()), random_pictures(5), np.arange(5) % 3
    for layer in ("first", "second"):
        (batch,) = layer_gradients(Scores(model), layer, pictures, target, 5)
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
        grad_cam(Scores(fill(Reusing())), "twice", pictures, target, 4)
    with pytest.raises(SeedscopeError, match="'first' is used both with and without its ReLU"):
        grad_cam(Scores(fill(Reusing(skip_before_relu=True))), "first", pictures, target, 4)
    with pytest.raises(SeedscopeError, match="there is no layer 'third'"):
        grad_cam(Scores(fill(Reusing())), "third", pictures, target, 4)


@pytest.mark.parametrize("layer", ["first", "twice"])
def test_the_network_is_left_as_found_even_after_an_error(layer):
    model = fill(Reusing()).train()
    model.second.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    try:
        grad_cam(Scores(model), layer, random_pictures(4), np.zeros(4, dtype=int), 4)
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
    maps = [grad_cam(Scores(model), "3", pictures, np.full(5, k), 5) for k in (0, 1)]
    np.testing.assert_allclose(maps[0], -maps[1], rtol=0, atol=1e-12)
    logit = model(torch.from_numpy(pictures)).detach().numpy()
    chance = probabilities(model, pictures, 2)
    np.testing.assert_allclose(chance[:, 1], 1 / (1 + np.exp(-logit[:, 0])))
    np.testing.assert_allclose(chance.sum(1), 1)


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


# --- is it on the object? ---------------------------------------------------------------------------------------


def all_masks(size=32, side=6):
    places = np.array(list(itertools.product(range(size - side + 1), repeat=2)))
    return Boxes(places[:, 0], places[:, 1], *(np.full(len(places), side) for _ in range(2))).masks((size, size))


def ceiling(mask, size):
    """Return the largest IoU that cells of a map of this size can reach with each mask."""
    covered = reduced(mask, size).reshape(len(mask), -1)
    return best_cells(covered, covered.sum(1), mask[0].size / covered.shape[1])[1]


@pytest.mark.parametrize(("cells", "wanted"), [(8, 0.57), (16, 0.79), (32, 1.0)])
def test_the_ceiling_of_a_coarse_map_of_squares(cells, wanted):
    assert ceiling(all_masks(), (cells, cells)).mean() == pytest.approx(wanted, abs=0.0051)


def test_the_best_cells_are_those_of_all_subsets():
    mask = all_masks(7, 3)
    covered = reduced(mask, (3, 2)).reshape(len(mask), -1)
    np.testing.assert_allclose(covered.sum(1), 9)
    count, best = best_cells(covered, np.full(len(mask), 9.0), 49 / 6)
    subsets = [list(s) for n in range(1, 7) for s in itertools.combinations(range(6), n)]
    for s in range(len(mask)):
        iou = [covered[s, subset].sum() / (9 + len(subset) * 49 / 6 - covered[s, subset].sum()) for subset in subsets]
        assert best[s] == pytest.approx(max(iou))
        assert len(subsets[int(np.argmax(iou))]) == count[s] or max(iou) == pytest.approx(sorted(iou)[-2])


@pytest.mark.parametrize(("cells", "wanted"), [(8, [0.98, 0.55, 0.89]), (16, [1, 0.77, 0.98]), (32, [1, 1, 1])])
def test_the_object_itself_as_heat_says_what_a_coarse_map_can_be_asked_for(cells, wanted):
    mask = all_masks()
    assert localization(reduced(mask, (cells, cells)), mask)[:3].mean(1) == pytest.approx(wanted, abs=0.0055)


@pytest.mark.parametrize("cells", [8, 16, 32])
def test_the_object_itself_as_heat_reaches_the_ceiling_and_no_other_map_passes_it(cells):
    mask = all_masks()[::7]
    perfect = localization(reduced(mask, (cells, cells)), mask)
    np.testing.assert_allclose(perfect[3], ceiling(mask, (cells, cells)), rtol=0, atol=1e-9)
    assert perfect[0].mean() > 0.9
    heat = np.random.default_rng(0).random((len(mask), cells, cells))
    assert (localization(heat, mask)[3] <= ceiling(mask, (cells, cells)) + 1e-9).all()


def test_localization_by_hand():
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :2, :2] = True
    heat = np.array([[[8, 1, 0, 0], [2, 0, 0, 4], [0, 0, 0, 3], [0, 0, 0, 2.0]]])
    pointing, mass, rank, iou = localization(heat, mask)[:, 0]
    # The four hottest: 8, 4, 3 and a tie of two 2s, one of which is inside.
    assert (pointing, mass, rank) == pytest.approx((1, 11 / 20, 1.5 / 4))
    assert iou == pytest.approx(1.5 / (8 - 1.5))


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_constant_map_gets_what_chance_gives_and_never_nan(level):
    mask = all_masks()[::11]
    measured = localization(np.full((len(mask), 8, 8), level, dtype=np.float32), mask)
    np.testing.assert_allclose(measured[:3], 36 / 1024, rtol=1e-6)
    scaled, constant = normalised(np.full((2, 4, 4), level))
    assert constant.all()
    assert (scaled == 0).all()


def test_heat_that_knows_nothing_of_the_object_is_at_chance():
    rng = np.random.default_rng(0)
    mask = np.repeat(all_masks(), 3, axis=0)
    heat = rng.random((len(mask), 32, 32)).astype(np.float32)
    assert localization(heat, mask)[:3].mean(1) == pytest.approx([36 / 1024] * 3, abs=0.008)


def test_the_brightest_window_is_the_square_where_contrast_is_high_and_chance_where_there_is_none():
    source = dataclasses.replace(Squares(), n_probe=180, noise=0.1, contrast=0.5)
    probe = source.probe()
    boxes = Boxes.read({"top": "square_y", "left": "square_x", "height": "square_side", "width": 6}, probe)
    mask = boxes.masks((32, 32))
    found = brightest_window(probe.image.values, boxes)
    assert localization(found, mask).mean(1) == pytest.approx([1] * 4, abs=0.01)
    noise = np.random.default_rng(0).random((180, 1, 32, 32))
    assert localization(brightest_window(noise, boxes), mask)[1].mean() < 0.1
    flat = brightest_window(np.full((180, 3, 32, 32), 0.5), boxes)
    assert (flat[:, :6, :6] == 1).all()
    assert flat.sum() == 180 * 36


def test_the_centre_prior_is_hottest_in_the_middle():
    heat = centre_prior((9, 13))
    assert np.unravel_index(heat.argmax(), heat.shape) == (4, 6)
    np.testing.assert_allclose(heat, heat[::-1, ::-1])


def test_a_truth_that_the_data_lacks_is_named():
    probe = dataclasses.replace(Squares(), n_probe=9).probe()
    with pytest.raises(SeedscopeError, match="no variable 'square_z' to say where objects are; did you mean 'square_"):
        Boxes.read({"top": "square_z", "left": "square_x", "height": 6, "width": 6}, probe)
    with pytest.raises(SeedscopeError, match="9 pictures hold no pixel of their object"):
        Boxes.read({"top": 40, "left": 0, "height": 6, "width": 6}, probe).masks((32, 32))


def test_a_round_object_is_its_own_pixels_and_its_box_is_the_smallest_around_them():
    probe = Textures(n_train=1, n_probe=12, size=40, object_size=(9, 20)).probe()
    boxes = Boxes.read("object", probe)
    np.testing.assert_array_equal(boxes.masks((40, 40)), probe.object.values == 1)
    for sample in range(12):
        rows, columns = np.nonzero(probe.object.values[sample])
        assert (boxes.top[sample], boxes.left[sample]) == (rows.min(), columns.min())
        assert (boxes.height[sample], boxes.width[sample]) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    some = np.array([7, 2])
    np.testing.assert_array_equal(boxes.take(some).masks((40, 40)), probe.object.values[some] == 1)
    nowhere = probe.assign(object=probe.object * (probe.sample != 3))
    with pytest.raises(SeedscopeError, match="1 pictures hold no pixel of their object, the first at 3"):
        Boxes.read("object", nowhere).masks((40, 40))
    with pytest.raises(SeedscopeError, match=r"'hue' of the data cannot say where objects are: it is \('sample',\)"):
        Boxes.read("hue", probe)
    with pytest.raises(SeedscopeError, match="no variable 'objects' to say where objects are; did you mean 'object'"):
        Boxes.read("objects", probe)


def test_the_partner_is_another_of_the_same_class():
    assert another_of_its_class(np.array([0, 1, 0, 2, 0])).tolist() == [2, -1, 4, -1, 0]


# --- the lens ---------------------------------------------------------------------------------------------------


class Seeker(nn.Module):
    """Hand-made: one channel sees bright spots and speaks for class 1, one sees dark spots and speaks for class 0."""

    def __init__(self, common=0.0, dead=False):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate")
        self.head = nn.Linear(2 * 16 * 16, 2)
        with torch.no_grad():
            self.conv1.weight.copy_(torch.tensor([1.0, -1.0])[:, None, None, None] / 9)
            self.conv1.bias.copy_(torch.tensor([-0.75, 0.25]) - 9 * dead)
            bright = torch.tensor([1.0, -1.0]).repeat_interleave(256)
            self.head.weight.copy_(torch.stack([-bright, bright]) + common)  # a common weight changes no answer
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(torch.relu(self.conv1(x)).flatten(1))


def spots(n=24, seed=0):
    """Return grey pictures with a 4 × 4 spot, bright (1) or dark (0), and where it is."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    top, left = rng.integers(0, 13, (2, n))
    image = 0.4 + 0.2 * rng.random((n, 1, 16, 16))
    for s in range(n):
        image[s, 0, top[s] : top[s] + 4, left[s] : left[s] + 4] = label[s]
    return image, label, {"top": top, "left": left}


@pytest.fixture
def seeker():
    image, label, truth = spots()
    return replica_of_network(Seeker, image, label, untrained=lambda: fill(Seeker(), dtype=torch.float32), **truth)


SEEK = HeatMaps(["conv1"], truth=BOX, pictures=12, batch_size=10, steps=8)


def test_the_heat_of_a_hand_made_network_lies_where_its_weights_say(look, seeker):
    seen = look(SEEK, seeker)
    assert set(seen.drawings) == {"heat_maps", "localization"}
    for name in ("grad_cam_conv1", "occlusion", "integrated_gradients"):
        assert seen.summary[f"{name}_pointing"] == 1
        assert seen.summary[f"{name}_mass"] > (0.9 if name == "grad_cam_conv1" else 0.4)
        for measure in ("mass", "rank"):
            mean = seen.measured.inside.sel(map=name, measure=measure).mean("sample")
            assert mean.sel(source="trained") > mean.sel(source="same_class") + 0.2
            assert mean.sel(source="trained") > mean.sel(source="untrained") + 0.2
    assert seen.measured.baseline.sel(prior="brightest_window", measure="pointing") == pytest.approx(0.5, abs=0.05)
    assert seen.measured["count"].values.tolist() == [24, 12, 12]
    assert seen.measured.inside.notnull().sum("sample").min() == 12
    assert (seen.measured.ceiling == 1).all()  # these maps are as fine as the picture
    assert seen.summary["grad_cam_conv1_closed_form_error"] < 1e-6
    assert "the network is linear" in seen.drawings["heat_maps"].description


def test_a_common_weight_of_all_classes_takes_the_heat_of_the_logit_but_not_of_the_centred_one(look):
    image, label, truth = spots()
    measured = look(SEEK, replica_of_network(lambda: Seeker(common=-2), image, label, **truth), draw=None).measured
    plain = look(SEEK, replica_of_network(Seeker, image, label, **truth), draw=None).measured
    np.testing.assert_allclose(measured.grad_cam_conv1, plain.grad_cam_conv1, rtol=0, atol=1e-5)
    assert measured.no_heat.sel(explained="logit") == 1
    assert plain.no_heat.sel(explained="logit") == 0
    assert measured.inside.sel(source="untrained").isnull().all()  # without frames there is no step 0


def test_a_dead_layer_is_said_to_give_no_heat(look):
    image, label, truth = spots()
    seen = look(SEEK, replica_of_network(lambda: Seeker(dead=True), image, label, **truth))
    assert seen.summary["grad_cam_conv1_no_heat_centred"] == 1
    assert seen.summary["grad_cam_conv1_mass"] == pytest.approx(1 / 16)
    assert np.isnan(seen.summary["integrated_gradients_lack"])
    words = [text.get_text() for ax in seen.drawings["heat_maps"].figure.axes for text in ax.texts]
    assert words.count("no heat") == 3 * seen.measured.sizes["exhibit"]
    assert "constant" in seen.drawings["heat_maps"].description


@pytest.mark.parametrize("constant", [0.0, 0.5])
def test_constant_pictures_and_one_picture_are_no_trouble(look, constant):
    image = np.full((3, 1, 16, 16), constant)
    look(SEEK, replica_of_network(Seeker, image, [0, 1, 1], top=[0, 1, 2], left=[0, 5, 9]))
    look(SEEK, replica_of_network(Seeker, image[:1], [1], top=[4], left=[5]))


@pytest.mark.parametrize(
    ("options", "rows"),
    [({"ranks": 3}, 24), ({"target": "label"}, 8), ({"target": 2, "score": "logit"}, 8), ({"shown": 1}, 1)],
)
def test_any_classes_of_colour_pictures_of_any_shape_without_a_truth(look, options, rows):
    shape = (3, 20, 28)
    label = np.arange(10) % 4
    names = ["tench, Tinca tinca", "African elephant", "Egyptian cat", "spider"]
    make = lambda: fill(relu_first(shape, 4, inplace=True), dtype=torch.float32)  # noqa: E731
    replica = replica_of_network(make, random_pictures(10, shape), label, names=names)
    lens = HeatMaps(["0", "3", "5"], batch_size=3, steps=4, **options)
    seen = look(lens, replica)
    several = {f"heat_maps_sample{sample}" for sample in seen.measured.exhibit.values}
    assert set(seen.drawings) == {"randomised", *(several if lens.ranks > 1 else {"heat_maps"})}
    assert seen.measured.target.size == rows
    with replica.network() as network:
        score = Scores(network, centred=lens.score == "centred").of(replica.probe.image.values, 4)
    for exhibit in range(seen.measured.sizes["exhibit"]):
        row = int(seen.measured.exhibit[exhibit]) - 100
        wanted = {"label": [label[row]], 2: [2]}.get(lens.target, np.argsort(-score[row])[: lens.ranks])
        assert seen.measured.target.values[exhibit].tolist() == list(wanted)
        np.testing.assert_allclose(seen.measured.score.values[exhibit], score[row, wanted], rtol=1e-5)
    assert seen.measured["grad_cam_5"].shape[2:] == (5, 7)


def test_one_logit_is_shown_for_and_against(look):
    image, label, truth = spots()
    make = lambda: fill(relu_first((1, 16, 16), 1), dtype=torch.float32)  # noqa: E731
    seen = look(
        HeatMaps(["0"], ranks=2, truth=BOX, steps=4),
        replica_of_network(make, image, label, **truth),
    )
    np.testing.assert_allclose(seen.measured.probability.sum("rank"), 1, rtol=1e-6)
    np.testing.assert_allclose(seen.measured.score.sum("rank"), 0, atol=1e-6)


def test_titles_say_that_weights_are_given(look, seeker):
    drawings = look(SEEK, dataclasses.replace(seeker, seed="given")).drawings.values()
    assert len(drawings) == 2
    assert all("(toy, given weights)" in drawing.figure.get_suptitle() for drawing in drawings)


@pytest.mark.parametrize("method", ["grad_cam", "occlusion", "integrated_gradients"])
def test_no_more_pictures_than_a_batch_are_in_the_network_at_a_time(method):
    model = fill(relu_first((1, 16, 16), 3), dtype=torch.float32)
    image, label = random_pictures(7).astype(np.float32), np.arange(7) % 3
    replica, sizes = replica_of_network(lambda: model, image, label), []
    handle = model.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    HeatMaps(["0"], methods=[method], batch_size=5, steps=12, ranks=2).measure(replica)
    handle.remove()
    assert max(sizes) == 5


def test_integrated_gradients_in_parts_are_those_of_the_whole_way():
    model = fill(relu_first((1, 16, 16), 3))
    pictures, target = random_pictures(3), np.arange(3)
    whole = integrated_gradients(Scores(model), pictures, target, 64, steps=10)
    parts = integrated_gradients(Scores(model), pictures, target, 3, steps=10)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


# --- given weights ----------------------------------------------------------------------------------------------


def test_shuffled_weights_are_the_same_numbers_in_other_places():
    rng = np.random.default_rng(0)
    weights = {"a.weight": rng.normal(size=(4, 3, 3, 3)), "b.weight": rng.normal(size=(5, 40)), "count": np.array(3)}
    found = shuffled(weights)
    for name, values in weights.items():
        assert found[name].shape == values.shape
        assert sorted(found[name].ravel()) == sorted(values.ravel())
    assert (found["b.weight"] != weights["b.weight"]).mean() > 0.9
    assert (shuffled({"b.weight": weights["b.weight"]})["b.weight"] == found["b.weight"]).all()
    assert (shuffled(weights, seed=1)["b.weight"] != found["b.weight"]).any()


def test_the_rank_correlation_is_scipys_and_has_no_value_for_a_constant_map():
    rng = np.random.default_rng(0)
    maps, others = rng.normal(size=(2, 4, 6, 5))
    others[1] = np.exp(maps[1])  # in the same order
    others[2] = -maps[2].round(1)
    others[3] = 0.5
    found = rank_correlation(maps, others)
    for s in range(3):
        assert found[s] == pytest.approx(spearmanr(maps[s].ravel(), others[s].ravel()).statistic, abs=1e-12)
    assert found[1] == pytest.approx(1)
    assert np.isnan(found[3])


class Even(Seeker):
    """Its tensors hold one number each, so that shuffling changes nothing: a map that learning has no part in."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            for number, tensor in enumerate(self.state_dict().values(), start=1):
                tensor.fill_(number / 10)


def test_maps_of_given_weights_are_held_against_shuffled_weights(look):
    image, label, _ = spots()
    lens = HeatMaps(["conv1"], score="logit", steps=8)
    even = look(lens, replica_of_network(Even, image, label))
    for name in ("grad_cam_conv1", "occlusion", "integrated_gradients"):
        assert even.summary[f"{name}_like_randomised"] == pytest.approx(1)
        assert even.summary[f"{name}_like_another_picture"] < 0.6
    assert even.summary["compared_pictures"] == 4
    learned = look(lens, replica_of_network(Seeker, image, label))
    assert learned.summary["grad_cam_conv1_like_randomised"] < 0.6
    assert "Mean over 4 pictures" in learned.drawings["randomised"].description
    table = learned.drawings["randomised"].table
    assert len(table) == 2 * 3 * 4
    mean = table[(table["map"] == "occlusion") & (table["other"] == "randomised")].rank_correlation.mean()
    assert mean == pytest.approx(learned.summary["occlusion_like_randomised"])


def test_one_picture_of_given_weights_has_no_other_to_be_compared_with(look):
    seen = look(HeatMaps(["conv1"], steps=4), replica_of_network(Seeker, spots()[0][:1], [-1]))
    assert np.isnan(seen.summary["occlusion_like_another_picture"])
    assert np.isfinite(seen.summary["occlusion_like_randomised"])


def test_a_trained_network_is_compared_with_its_own_step_0_instead(look, seeker):
    assert "similarity" not in look(SEEK, seeker, draw=None).measured


def test_a_fine_map_is_added_up_and_a_coarse_one_stays():
    maps = np.random.default_rng(0).normal(size=(2, 96, 64))
    coarse = added_up(maps)
    np.testing.assert_allclose(coarse, maps.reshape(2, 32, 3, 32, 2).sum((2, 4)), atol=1e-12)
    assert added_up(np.ones((1, 227, 227))).sum() == pytest.approx(227**2)
    assert added_up(maps[:, :32, :20]).shape == (2, 32, 20)


def test_the_same_replica_gives_the_same_numbers(seeker):
    first, second = SEEK.measure(seeker), SEEK.measure(seeker)
    assert first.identical(second)


def test_seeds_are_put_together_with_their_nulls(readable, seeker):
    measured = {seed: SEEK.measure(seeker).assign_attrs(seed=seed) for seed in (0, 1, 2)}
    comparison = SEEK.compare(measured)
    assert readable(lambda: comparison.drawings) == ["localization"]
    assert comparison.metrics["occlusion_mass_untrained"]["n"] == 3
    assert comparison.metrics["occlusion_mass_above_untrained"]["low"] > 0.2
    table = comparison.tables["localization"].set_index(["map", "source", "measure"])
    assert table.loc[("grad_cam_conv1", "trained", "pointing"), "mean"] == 1
    for source in ("trained", "same_class", "chance", "ceiling"):
        assert set(table.xs(source, level="source").reset_index().measure) == set(MEASURES)
    without = dataclasses.replace(SEEK, truth=None)
    assert without.compare({0: without.measure(seeker)}).drawings == ()


NETWORK = Network({"conv1": (4, 8, 8), "fc1": (64,), "logit": (3,)}, {}, {}, 3)


@pytest.mark.parametrize(
    ("options", "network", "key", "words"),
    [
        ({"layers": ["conv2"]}, NETWORK, "layers", "no layer 'conv2'; did you mean 'conv1'"),
        ({"layers": ["fc1"]}, NETWORK, "layers", "'fc1' has no maps"),
        ({"layers": ["conv1"]}, Network({"fc1": (64,), "logit": (3,)}, {}, {}, 3), "layers", "no layer with maps"),
        ({"target": 3}, NETWORK, "target", "no class 3"),
        ({"ranks": 4}, NETWORK, "ranks", "3 classes"),
        ({"ranks": 2, "target": "label"}, NETWORK, "ranks", "only `target: answer`"),
        ({"truth": {"top": "y"}}, NETWORK, "truth", "lacks 'left'"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_by_name(options, network, key, words):
    HeatMaps(["conv1"], truth=BOX).check(NETWORK)
    with pytest.raises(SettingError, match=words) as refused:
        HeatMaps(**{"layers": ["conv1"], **options}).check(network)
    assert refused.value.key == key


def test_a_network_without_logits_and_pictures_without_classes_are_refused():
    with pytest.raises(
        SeedscopeError, match="the network gives no logits, which this lens needs: it ends with 'conv1'"
    ):
        HeatMaps(["conv1"]).check(Network({"conv1": (4, 8, 8)}, {}, {}, 3))
    unlabelled = dataclasses.replace(NETWORK, labelled=False)
    HeatMaps(["conv1"]).check(unlabelled)
    with pytest.raises(SettingError, match="does not say of which class") as refused:
        HeatMaps(["conv1"], target="label").check(unlabelled)
    assert refused.value.key == "target"
