"""VGG16 and SqueezeNet: the published names and sizes, networks that end early, and what the given weights answer."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from seedscope.data.folders import Album
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.weights import shapes_of
from seedscope.models.chain import gives_logits
from seedscope.models.squeezenet import SqueezeNet
from seedscope.models.vgg16 import Vgg16
from seedscope.replicas.given import GivenWeights, fitted

DATA = Path(os.environ.get("SEEDSCOPE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
VGG = {"_target_": "seedscope.models.vgg16.Vgg16"}
SQUEEZENET = {"_target_": "seedscope.models.squeezenet.SqueezeNet"}
CONVOLUTIONS = {
    **{0: 1_792, 2: 36_928, 5: 73_856, 7: 147_584, 10: 295_168, 12: 590_080, 14: 590_080},
    **{17: 1_180_160, 19: 2_359_808, 21: 2_359_808, 24: 2_359_808, 26: 2_359_808, 28: 2_359_808},
}

needs_data = pytest.mark.skipif(not (DATA / "weights").is_dir(), reason="neither SEEDSCOPE_DATA nor ../shared/data")


def meta(network, **options):
    with torch.device("meta"):  # names and shapes alone
        return network(**options)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_vgg16_has_the_published_layers():
    model = meta(Vgg16)
    assert {
        int(name.split(".")[1]): count(module)
        for name, module in model.named_modules()
        if name.startswith("features") and isinstance(module, nn.Conv2d)
    } == CONVOLUTIONS
    dense = {name: count(module) for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert dense == {"classifier.0": 102_764_544, "classifier.3": 16_781_312, "classifier.6": 4_097_000}
    shapes = shapes_of(model)
    assert next(iter(shapes)) == "features.0.weight"
    assert list(shapes)[-1] == "classifier.6.bias"
    assert len(shapes) == 32


def test_squeezenet_has_the_published_layers():
    model = SqueezeNet()
    assert count(model) == 1_235_496
    assert shapes_of(model)["features.12.expand3x3.weight"] == (256, 64, 3, 3)
    assert shapes_of(model)["classifier.1.weight"] == (1000, 512, 1, 1)
    assert len(shapes_of(model)) == 52
    assert model(torch.zeros(2, 3, 40, 56)).shape == (2, 1000)


def test_a_network_that_ends_early_is_the_start_of_the_whole():
    torch.manual_seed(0)
    whole = SqueezeNet(classes=7).eval()
    start = SqueezeNet(classes=7, last="features.4").eval()
    own = shapes_of(start)
    start.load_state_dict({name: tensor for name, tensor in whole.state_dict().items() if name in own})
    seen = []
    handle = whole.get_submodule("features.4").register_forward_hook(lambda _m, _i, output: seen.append(output))
    pictures = torch.rand(2, 3, 48, 40)
    whole(pictures)
    handle.remove()
    torch.testing.assert_close(start(pictures), seen[0], rtol=0, atol=0)
    assert max(name for name in own if "." in name) < "features.5"


def test_the_picture_is_normalised_by_the_network_itself():
    torch.manual_seed(0)
    model = Vgg16(last="features.0", mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0))
    picture = torch.rand(1, 3, 6, 6)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in ((10.0, 20.0, 30.0), (1.0, 2.0, 4.0)))
    expected = nn.functional.conv2d(
        (255 * picture - mean) / std,
        model.get_submodule("features.0").weight,
        model.get_submodule("features.0").bias,
        padding=1,
    )
    torch.testing.assert_close(model(picture), expected)
    assert not any("mean" in name or "std" in name for name in shapes_of(model))


@pytest.mark.parametrize(
    ("options", "key"),
    [({"last": "features.99"}, "last"), ({"mean": (1.0,)}, "std"), ({"std": (1.0, 0.0, 1.0)}, "std")],
)
def test_parts_and_scales_that_cannot_be_are_refused(options, key):
    with pytest.raises(SettingError) as refused:
        SqueezeNet(**options)
    assert refused.value.key == key


def first(upto):
    """Return the shapes of a network's tensors up to a part."""
    return shapes_of(meta(Vgg16, last=upto))


@pytest.mark.parametrize(
    ("upto", "last"),
    [
        ("features.0", "features.1"),
        ("features.14", "features.16"),
        ("features.28", "flatten"),
        ("classifier.0", "classifier.2"),
    ],
)
def test_a_network_is_cut_before_the_first_part_without_weights(upto, last):
    assert fitted(VGG, first(upto))["last"] == last


def test_names_and_shapes_are_compared_without_weights_of_the_network(monkeypatch):
    made = []
    monkeypatch.setattr(nn.init, "kaiming_uniform_", lambda tensor, *_, **__: made.append(tensor))
    fitted(VGG, first("features.14"))
    assert sum(tensor.numel() for tensor in made) > 2 * 10**8
    assert all(tensor.is_meta for tensor in made)


def test_a_network_that_ends_early_gives_no_logits():
    assert gives_logits(SqueezeNet(), (1000,))
    assert not gives_logits(SqueezeNet(last="features.12"), (512, 13, 13))
    assert not gives_logits(meta(Vgg16, last="flatten"), (25088,))
    assert gives_logits(nn.Linear(4, 3), (3,))
    assert not gives_logits(nn.Conv2d(1, 2, 3), (2, 6, 6))


def test_with_all_its_weights_a_network_stays_whole():
    assert fitted(SQUEEZENET, shapes_of(SqueezeNet())) == SQUEEZENET


def test_a_network_may_end_before_its_weights_do():
    assert fitted({**VGG, "last": "features.4"}, first("features.16")) == {**VGG, "last": "features.4"}


def test_no_memory_is_taken_for_a_network_of_which_names_alone_are_asked(monkeypatch):
    devices, make = set(), Vgg16.__init__

    def watched(model, *args, **options):
        make(model, *args, **options)
        devices.update(parameter.device.type for parameter in model.parameters())

    monkeypatch.setattr(Vgg16, "__init__", watched)
    assert fitted(VGG, first("features.14"))["last"] == "features.16"
    assert devices == {"meta"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w: w.pop("features.5.bias"), "the weights file has no 'features.5.bias'"),
        (lambda w: w.pop("features.14.bias"), "the weights file has no 'features.14.bias'"),
        (
            lambda w: w.update({"features.5.weight": (128, 3, 3, 3)}),
            r"'features.5.weight' is \(128, 3, 3, 3\) in the file",
        ),
        (lambda w: w.update({"module.features.5.weight": (1,)}), "the network has no 'module.features.5.weight'"),
        (lambda w: (w.clear(), w.update({"foreign": (1,)})), "the weights file has no 'classifier.0.bias'"),
    ],
    ids=["missing in the middle", "missing at the end", "misshaped", "unknown", "of another network"],
)
def test_a_tensor_that_does_not_fit_is_named(change, named):
    given = dict(first("features.16"))
    change(given)
    with pytest.raises(SeedscopeError, match=named):
        fitted(VGG, given)


@needs_data
@pytest.mark.parametrize(("fit", "resize"), [("crop", 256), ("stretch", 256)])
def test_squeezenet_names_the_elephant_and_the_cat(fit, resize, monkeypatch):
    monkeypatch.setenv("SEEDSCOPE_DATA", str(DATA))
    weights = GivenWeights("squeezenet1_1.safetensors")
    model = SqueezeNet(mean=(123.0, 117.0, 104.0), std=(1.0, 1.0, 1.0)).eval()
    model.load_state_dict(weights.tensors(shapes_of(model)))
    album = Album(str(DATA / "images"), size=227, resize=resize, fit=fit, classes="imagenet_synset_words.txt")
    seen = album.probe()
    assert seen.file.values.tolist() == ["cat.png", "elephant.jpg"]
    with torch.inference_mode():
        likely = model(torch.from_numpy(seen.image.values)).softmax(1).max(1)
    named = [album.class_names[k] for k in likely.indices.tolist()]
    assert named[0].startswith("n02124075 Egyptian cat")
    assert named[1].startswith("n02504458 African elephant")
    assert likely.values.min() > 0.5


@needs_data
def test_the_first_blocks_of_vgg16_make_a_network_of_their_own(monkeypatch):
    monkeypatch.setenv("SEEDSCOPE_DATA", str(DATA))
    weights = GivenWeights("vgg16_features_blocks1-3.safetensors")
    spec = fitted(VGG, weights.shapes())
    assert spec["last"] == "features.16"
    model = Vgg16(last=spec["last"], mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0)).eval()
    model.load_state_dict(weights.tensors(shapes_of(model)))
    seen = Album(str(DATA / "images"), size=64, resize=64).probe()
    with torch.inference_mode():
        maps = model(torch.from_numpy(seen.image.values)).numpy()
    assert maps.shape == (2, 256, 8, 8)
    assert (maps > 0).any((2, 3)).mean() > 0.5
    assert np.isfinite(maps).all()
