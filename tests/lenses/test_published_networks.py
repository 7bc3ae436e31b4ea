"""What the lenses see of networks whose weights others published, on two photographs: as anyone can see it."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from seedscope.data.folders import Album
from seedscope.files.weights import shapes_of
from seedscope.formulas.localization import MEASURES
from seedscope.lenses.filters import Filters
from seedscope.lenses.heat_maps import HeatMaps
from seedscope.lenses.heat_maps.localization import localization
from seedscope.lenses.top_classes import TopClasses
from seedscope.models.squeezenet import SqueezeNet
from seedscope.models.vgg16 import Vgg16
from seedscope.replicas.given import GivenWeights

from .networks import cam, replica_of_network

DATA = Path(os.environ.get("SEEDSCOPE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
# Drawn by hand on the pictures as the network sees them, 227 × 227: top, left, height, width.
OBJECTS = {
    "cat.png": [(12, 58, 140, 134)],  # its head
    "elephant.jpg": [
        (82, 0, 76, 134),
        (21, 96, 49, 44),
        (26, 120, 60, 107),
        (60, 172, 92, 55),
    ],  # the small one; trunk,
}  # head and legs of the large one

pytestmark = pytest.mark.skipif(not (DATA / "weights").is_dir(), reason="neither SEEDSCOPE_DATA nor ../shared/data")


@pytest.fixture(scope="module")
def squeezenet():
    """Return a replica of SqueezeNet that has seen the cat and the elephant."""
    model = SqueezeNet(mean=(123.0, 117.0, 104.0), std=(1.0, 1.0, 1.0)).eval()
    model.load_state_dict(GivenWeights(str(DATA / "weights/squeezenet1_1.safetensors")).tensors(shapes_of(model)))
    album = Album(str(DATA / "images"), size=227, classes=str(DATA / "labels/imagenet_synset_words.txt"))
    seen = album.probe()
    return replica_of_network(
        lambda: model, seen.image.values, seen.label.values, names=album.class_names, file=seen.file.values
    )


def test_the_likeliest_class_is_the_elephant_and_the_cat_with_its_wordnet_id(look, squeezenet):
    table = look(TopClasses(), squeezenet).sheets["top_classes"].table
    first = table[table["rank"] == 1].set_index("file")
    assert first.loc["elephant.jpg", ["wordnet_id", "name"]].tolist() == ["n02504458", "African elephant"]
    assert first.loc["cat.png", ["wordnet_id", "name"]].tolist() == ["n02124075", "Egyptian cat"]
    assert (first.probability > 0.5).all()


def test_the_heat_lies_on_the_elephant_and_the_cat(squeezenet):
    methods = {"grad_cam_features.12": 1.5, "occlusion": 1.2, "integrated_gradients": 1.4}
    lens = HeatMaps(["features.12"], batch_size=16, steps=16)
    measured = lens.measure(squeezenet)
    for exhibit, file in enumerate(measured.file.values):
        mask = np.zeros((1, 227, 227), dtype=bool)
        for top, left, height, width in OBJECTS[str(file)]:
            mask[0, top : top + height, left : left + width] = True
        for one in lens.maps:
            heat = np.maximum(one.of(measured, "attribution").values[exhibit, :1], 0)
            found = dict(zip(MEASURES, localization(heat, mask)[:, 0], strict=True))
            assert found["pointing"] == 1, (file, one.name)
            assert found["mass"] > methods[one.name] * mask.mean(), (file, one.name)
            assert found["rank"] > mask.mean(), (file, one.name)
        # Shuffled weights know no elephant.
        shuffled = measured["picture"].attribution_randomised.sel(by="occlusion")
        heat = np.maximum(shuffled.values[exhibit : exhibit + 1], 0)
        assert localization(heat, mask)[1, 0] < 1.1 * mask.mean(), file


def test_the_first_filter_of_block3_conv1_shows_polka_dots():
    weights = GivenWeights(str(DATA / "weights/vgg16_features_blocks1-3.safetensors"))
    model = Vgg16(last="features.16", mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0)).eval()
    model.requires_grad_(False).load_state_dict(weights.tensors(shapes_of(model)))
    lens = Filters(["features.10"], size=96)
    climbed = lens.ascent.climb(model, "features.10", True, [0, 4], lens.ascent.start((3, 96, 96)))
    spots, stripes = (spots_of(picture) for picture in climbed.picture.mean(1).numpy())
    assert len(spots) > 100
    assert np.median(spots.min(1) / spots.max(1)) > 0.7  # about as high as broad
    assert spots.max() <= 6
    assert len(stripes) < 100  # of the channel of stripes so few stand alone
    assert (climbed.activation[:, -1] > 50 * climbed.activation[:, 0]).all()


def spots_of(picture: np.ndarray) -> np.ndarray:
    """Return (height, width) of the bright spots of 4 pixels or more in a picture (y, x)."""
    labels, count = ndimage.label(picture > picture.mean() + 1.5 * picture.std())
    area = ndimage.sum(labels > 0, labels, range(1, count + 1))
    boxes = [box for box, pixels in zip(ndimage.find_objects(labels), area, strict=True) if pixels >= 4]
    return np.array([[side.stop - side.start for side in box] for box in boxes])


def test_gradients_of_squeezenet_as_published_are_captums():
    from captum.attr import LayerGradCam

    from seedscope.lenses.attribution.scores import Scores

    model = SqueezeNet(mean=(123.0, 117.0, 104.0), std=(1.0, 1.0, 1.0))
    model.load_state_dict(GivenWeights(str(DATA / "weights/squeezenet1_1.safetensors")).tensors(shapes_of(model)))
    model = model.double().eval()
    pictures = Album(str(DATA / "images"), size=227).probe().image.values.astype(np.float64)
    target = np.array([285, 386])
    for layer in ("features.7", "features.12"):
        method = LayerGradCam(model, model.get_submodule(layer))
        wanted = method.attribute(torch.from_numpy(pictures), torch.from_numpy(target)).detach().numpy()[:, 0]
        got = cam(Scores(model), layer, pictures, target, 2)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
