"""Textures: the truth that is stored is the truth that is drawn, and only shape tells the classes apart."""

import colorsys

import numpy as np
import pytest

from seedscope.data import assemble
from seedscope.data.textures import Textures, background, colour, offsets, texture
from seedscope.files.errors import SettingError

SMALL = {"n_train": 30, "n_probe": 21, "size": 64, "object_size": (30, 44)}


def by_hand(sample, size):
    """Return where the object is and where its texture is bright, pixel by pixel."""
    inside, bright = np.zeros((2, size, size), dtype=bool)
    side = int(sample.object_height)
    for y in range(size):
        for x in range(size):
            down = y + 0.5 - (int(sample.object_y) + side / 2)
            right = x + 0.5 - (int(sample.object_x) + side / 2)
            inside[y, x] = down**2 + right**2 < (side / 2) ** 2
            along = down * np.sin(float(sample.orientation)) + right * np.cos(float(sample.orientation))
            across = down * np.cos(float(sample.orientation)) - right * np.sin(float(sample.orientation))
            bright[y, x] = _bright(float(sample.frequency), along, across, int(sample.label))
    return inside, bright


def _bright(f, along, across, label):
    u, v = f * along % 1 - 0.5, f * across % 1 - 0.5
    return abs(u) < 0.14 if label else u * u + v * v < 0.28 / np.pi


def test_shape_and_truth_are_what_the_module_says():
    whole = assemble(Textures(**SMALL))
    assert whole.image.shape == (51, 3, 64, 64)
    assert whole.image.dtype == np.float32
    assert 0 <= float(whole.image.min()) <= float(whole.image.max()) <= 1
    assert np.bincount(whole.label.values[:30]).tolist() == [15, 15]
    for index in (0, 7, 40):
        sample = whole.isel(sample=index)
        inside, _ = by_hand(sample, 64)
        np.testing.assert_array_equal(sample.object.values, inside)
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert rows[0] >= int(sample.object_y)
        assert rows[-1] < int(sample.object_y + sample.object_height)
        assert columns[0] >= int(sample.object_x)
        assert columns[-1] < int(sample.object_x + sample.object_width)


@pytest.mark.parametrize("label", [0, 1])
def test_a_texture_is_the_formula_pixel_by_pixel(label):
    whole = Textures(**SMALL).probe()
    sample = whole.isel(sample=int(np.flatnonzero(whole.label.values == label)[0]))
    side = float(sample.object_height)
    down, right = offsets(64, np.array([sample.object_y + side / 2]), np.array([sample.object_x + side / 2]))
    one = [np.atleast_1d(sample[name].values) for name in ("label", "orientation", "frequency")]
    np.testing.assert_array_equal(texture(down, right, *one, np.zeros((1, 2)))[0], by_hand(sample, 64)[1])


def test_without_noise_the_object_has_two_colours_of_its_hue():
    whole = Textures(**SMALL, noise=0).probe()
    for index in range(4):
        sample = whole.isel(sample=index)
        seen = sample.image.values[:, sample.object.values == 1].T
        expected = {
            tuple(np.float32(colorsys.hsv_to_rgb(float(sample.hue), 0.7, value)).round(5)) for value in (0.95, 0.3)
        }
        assert {tuple(values.round(5)) for values in np.unique(seen, axis=0)} == expected


def test_neither_brightness_nor_colour_nor_place_tells_the_class():
    whole = Textures(n_train=1, n_probe=400, size=64, object_size=(30, 44)).probe()
    label = whole.label.values
    inside = whole.object.values[:, None] == 1
    mean = np.where(inside, whole.image.values, 0).sum((1, 2, 3)) / inside.sum((1, 2, 3))
    for values in (mean, whole.hue.values, whole.frequency.values, whole.object_y.values, whole.object_height.values):
        gap = values[label == 1].mean() - values[label == 0].mean()
        assert abs(gap) < 4 * values.std() * np.sqrt(1 / 200 + 1 / 200)


def test_hues_stay_within_their_range():
    some = Textures(n_train=1, n_probe=300, size=16, object_size=(8, 12), hues=(0.2, 0.5)).probe().hue.values
    assert 0.2 <= some.min() < 0.22
    assert 0.48 < some.max() <= 0.5
    every = Textures(n_train=1, n_probe=300, size=16, object_size=(8, 12), hues=(0, 1)).probe().hue.values
    np.testing.assert_allclose(some, 0.2 + 0.3 * every, atol=1e-12)  # the same draws, in another range
    assert 0 <= every.min() < 0.02
    assert 0.98 < every.max() < 1


def test_the_same_settings_give_the_same_bytes_and_draws_differ():
    source = Textures(**SMALL)
    assert source.training(0).image.values.tobytes() == Textures(**SMALL).training(0).image.values.tobytes()
    assert source.probe().image.values.tobytes() == Textures(**{**SMALL, "n_train": 9}).probe().image.values.tobytes()
    assert (source.training(0).hue.values != source.training(1).hue.values).all()
    assert (Textures(**SMALL, seed=1).probe().hue.values != source.probe().hue.values).all()


def test_colour_is_that_of_the_standard_library():
    hue = np.linspace(0, 1, 37, endpoint=False)
    for value in (0.95, 0.3):
        expected = [colorsys.hsv_to_rgb(h, 0.7, value) for h in hue]
        np.testing.assert_allclose(colour(hue, value)[:, :, 0, 0], expected, atol=1e-12)


def test_the_background_is_grey_without_clutter_and_never_leaves_the_range():
    rng = np.random.default_rng(0)
    grey = background(rng, 2, 9, 0.0)
    np.testing.assert_allclose(grey, grey[0, 0, 0, 0], atol=1e-6)
    field = background(rng, 5, 33, 1.0)
    assert field.shape == (5, 3, 33, 33)
    assert 0 <= field.min() < 0.1
    assert 0.5 < field.max() <= 1


@pytest.mark.parametrize("hues", [(0, 1), (0, 0.15)])
def test_objects_are_on_the_mean_as_bright_as_the_background(hues):
    whole = Textures(n_train=1, n_probe=200, size=64, object_size=(30, 44), periods=(5, 8), hues=hues).probe()
    brightness, inside = whole.image.values.mean(1), whole.object.values == 1
    within, without = (
        np.array([b[m].mean() for b, m in zip(brightness, part, strict=True)]) for part in (inside, ~inside)
    )
    assert abs(within.mean() - without.mean()) < 0.01


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"object_size": (50, 40)}, "object_size"),
        ({"object_size": (30, 65)}, "object_size"),
        ({"periods": (1.0, 8.0)}, "periods"),
        ({"hues": (0.5, 0.2)}, "hues"),
        ({"hues": (0.5, 1.2)}, "hues"),
        ({"validation": 0.001}, "validation"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, key):
    with pytest.raises(SettingError) as refused:
        Textures(**{**SMALL, **options})
    assert refused.value.key == key
