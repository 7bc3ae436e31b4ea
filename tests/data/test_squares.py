from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from seedscope.data import assemble, exhibits, squares
from seedscope.data.squares import Places, Squares
from seedscope.errors import SettingError

POLARITIES = ("bright", "dark", "both")


def cell_of(pixel, grid, size):
    """Count the borders between cells that lie at or before a pixel, as rational numbers."""
    return sum(Fraction(border * size, grid) <= pixel for border in range(1, grid))


def test_every_place_of_the_square_has_the_class_of_the_cell_that_holds_its_centre():
    y, x = np.divmod(np.arange(27 * 27), 27)
    expected = [3 * cell_of(top + 3, 3, 32) + cell_of(left + 3, 3, 32) for top, left in zip(y, x, strict=True)]
    np.testing.assert_array_equal(Squares().label(y, x), expected)


def test_an_axis_has_8_11_and_8_places_for_its_three_cells():
    label = Squares().label(np.arange(27), np.zeros(27, dtype=int))
    np.testing.assert_array_equal(np.bincount(label // 3), [8, 11, 8])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(size=st.integers(4, 40), side=st.integers(1, 12), grid=st.integers(1, 6))
def test_labels_follow_the_geometry_for_any_picture_square_and_grid(size, side, grid):
    tops = range(size - side + 1)
    cells = [cell_of(top + side // 2, grid, size) for top in tops]
    if set(cells) != set(range(grid)):
        with pytest.raises(SettingError):
            Squares(size=size, side=side, grid=grid)
        return
    source = Squares(size=size, side=side, grid=grid)
    np.testing.assert_array_equal(source.label(np.array(tops), np.array(tops)), [(grid + 1) * cell for cell in cells])
    places = source.places(3 * grid**2, np.random.default_rng(0))
    assert places.y.min() >= 0
    assert places.y.max() <= size - side
    np.testing.assert_array_equal(np.bincount(source.label(places.y, places.x)), 3)


@pytest.mark.parametrize("n", [9, 900, 1000, 1003, 4])
def test_classes_are_balanced_to_one_picture(n):
    places = Squares().places(n, np.random.default_rng(5))
    counts = np.bincount(Squares().label(places.y, places.x), minlength=9)
    assert counts.sum() == n
    assert np.ptp(counts) == (n % 9 > 0)


def test_classes_come_in_random_order():
    places = Squares().places(9000, np.random.default_rng(0))
    label = Squares().label(places.y, places.x)
    pairs = np.bincount(9 * label[:-1] + label[1:], minlength=81)
    assert chisquare(pairs).pvalue > 1e-3


def test_places_are_uniform_within_their_class():
    source = Squares()
    places = source.places(90_000, np.random.default_rng(1))
    label = source.label(places.y, places.x)
    sizes = [64, 88, 64, 88, 121, 88, 64, 88, 64]
    for k, size in enumerate(sizes):
        counts = np.bincount(27 * places.y[label == k] + places.x[label == k], minlength=729)
        assert (counts > 0).sum() == size
        assert chisquare(counts[counts > 0]).pvalue > 1e-3, k


def test_pictures_are_float32_between_0_and_1():
    image = Squares(n_train=200, n_probe=1, noise=0.5).training(0).image.values
    assert image.dtype == np.float32
    assert image.shape == (200, 1, 32, 32)
    assert image.min() == 0
    assert image.max() == 1


def test_the_background_has_the_noise_that_was_asked_for():
    source = Squares(n_train=400, background=0.45, noise=0.1, contrast=0.1)
    part = source.training(0)
    outside = np.ones((400, 32, 32), dtype=bool)
    for inside, y, x in zip(outside, part.square_y.values, part.square_x.values, strict=True):
        inside[y : y + 6, x : x + 6] = False
    noise = part.image.values[:, 0][outside].astype(np.float64) - 0.45
    n = noise.size
    assert abs(noise.mean()) < 4 * 0.1 / np.sqrt(n)
    assert abs(noise.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * n)
    neighbours = noise[:-1] * noise[1:] / 0.01
    assert abs(neighbours.mean()) < 4 / np.sqrt(n)


@pytest.mark.parametrize("polarity", POLARITIES)
def test_without_noise_the_picture_is_exactly_its_square(polarity):
    part = Squares(n_train=60, noise=0, background=0.5, contrast=0.25, polarity=polarity).training(3)
    for image, y, x, sign in zip(
        part.image.values[:, 0], part.square_y.values, part.square_x.values, part.square_sign.values, strict=True
    ):
        expected = np.full((32, 32), 0.5, dtype=np.float32)
        expected[y : y + 6, x : x + 6] += 0.25 * sign
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("polarity", POLARITIES)
def test_the_square_differs_from_its_surroundings_by_the_contrast(polarity):
    part = Squares(n_train=100, noise=0.05, contrast=0.3, polarity=polarity).training(0)
    signs = part.square_sign.values
    assert set(signs.tolist()) == {"bright": {1}, "dark": {-1}, "both": {-1, 1}}[polarity]
    for image, y, x, sign in zip(
        part.image.values[:, 0].astype(np.float64), part.square_y.values, part.square_x.values, signs, strict=True
    ):
        inside = np.zeros((32, 32), dtype=bool)
        inside[y : y + 6, x : x + 6] = True
        assert image[inside].mean() - image[~inside].mean() == pytest.approx(0.3 * sign, abs=5 * 0.05 / 6)


def test_either_polarity_is_a_fair_coin_that_tells_nothing_of_the_class():
    source = Squares(polarity="both")
    places = source.places(9000, np.random.default_rng(2))
    bright = np.bincount(source.label(places.y, places.x), weights=places.sign > 0)
    assert chi2.sf(((bright - 500) ** 2 / 250).sum(), 9) > 1e-3


def test_the_same_draw_is_the_same_bits_and_another_draw_is_another():
    source = Squares(n_train=50, n_probe=20)
    first, again, other = source.training(0), source.training(0), source.training(1)
    assert first.identical(again)
    assert (first.image.values != other.image.values).mean() > 0.9
    assert (first.square_y.values != other.square_y.values).any()


def test_the_probe_set_stays_whatever_the_training_draw_and_its_size():
    probe = Squares(n_train=50, n_probe=20).probe()
    assert probe.identical(Squares(n_train=70, n_probe=20).probe())
    for draw in (0, 1):
        training = Squares(n_train=50, n_probe=20).training(draw)
        seen = {image.tobytes() for image in training.image.values}
        assert not seen & {image.tobytes() for image in probe.image.values}


def test_the_seed_of_the_data_changes_all_pictures():
    a, b = Squares(n_train=5, n_probe=5), Squares(n_train=5, n_probe=5, seed=1)
    assert (a.probe().image.values != b.probe().image.values).mean() > 0.9
    assert (a.training(0).image.values != b.training(0).image.values).mean() > 0.9


def test_contrast_and_noise_leave_the_places_where_they_are():
    a, b = (Squares(n_train=40, contrast=c, noise=n).training(0) for c, n in ((0.4, 0.2), (0.1, 0.3)))
    np.testing.assert_array_equal(a.square_y, b.square_y)
    np.testing.assert_array_equal(a.square_x, b.square_x)


def test_working_in_chunks_does_not_change_a_bit(monkeypatch):
    source = Squares(n_train=100, polarity="both")
    drawn = [source.training(0).image.values]
    for chunk in (1, 7, 64, 1000):
        monkeypatch.setattr(squares, "_CHUNK", chunk)
        drawn.append(source.training(0).image.values)  # all kept: none is written over the memory of another
    for image in drawn[1:]:
        np.testing.assert_array_equal(image, drawn[0])


def test_brightness_is_clipped_after_the_square_is_added():
    source = Squares(noise=0, background=0.9, contrast=0.3)
    places = Places(np.array([4]), np.array([5]), np.array([1], dtype=np.int8))
    image = source.render(places, np.random.default_rng(0))
    assert image[0, 4, 5] == 1
    assert image[0, 0, 0] == np.float32(0.9)


def test_the_whole_data_set_is_training_then_probe_numbered_through():
    source = Squares(n_train=30, n_probe=12)
    whole = assemble(source)
    np.testing.assert_array_equal(whole.sample, np.arange(42))
    assert whole.split.values.tolist() == ["train"] * 30 + ["probe"] * 12
    np.testing.assert_array_equal(whole.image[30:], source.probe().image)
    np.testing.assert_array_equal(whole.label, source.label(whole.square_y.values, whole.square_x.values))
    assert whole.attrs["class_names"] == list(source.class_names)


def test_there_is_one_name_per_class():
    assert Squares().class_names[5] == "middle right"
    assert len(set(Squares(size=40, grid=4).class_names)) == 16


@pytest.mark.parametrize(("setting", "key"), [({"side": 33}, "side"), ({"size": 8, "side": 7}, "grid")])
def test_a_geometry_in_which_a_class_cannot_occur_is_refused(setting, key):
    with pytest.raises(SettingError) as refused:
        Squares(**setting)
    assert refused.value.key == key


def test_exhibits_are_the_first_pictures_of_each_class():
    label = np.array([2, 0, 2, 2, 0, 4])
    np.testing.assert_array_equal(exhibits(label, 2), [1, 4, 0, 2, 5])
