from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from seedscope.data import assemble, exhibits, squares, vary
from seedscope.data.squares import Corners, Squares
from seedscope.files.errors import SettingError

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
    corners = source.corners(3 * grid**2, np.random.default_rng(0))
    assert corners.y.min() >= 0
    assert corners.y.max() <= size - side
    np.testing.assert_array_equal(np.bincount(source.label(corners.y, corners.x)), 3)


@pytest.mark.parametrize("n", [9, 900, 1000, 1003, 4])
def test_classes_are_balanced_to_one_picture(n):
    corners = Squares().corners(n, np.random.default_rng(5))
    counts = np.bincount(Squares().label(corners.y, corners.x), minlength=9)
    assert counts.sum() == n
    assert np.ptp(counts) == (n % 9 > 0)


def test_classes_come_in_random_order():
    corners = Squares().corners(9000, np.random.default_rng(0))
    label = Squares().label(corners.y, corners.x)
    pairs = np.bincount(9 * label[:-1] + label[1:], minlength=81)
    assert chisquare(pairs).pvalue > 1e-3


def test_places_are_uniform_within_their_class():
    source = Squares()
    corners = source.corners(90_000, np.random.default_rng(1))
    label = source.label(corners.y, corners.x)
    sizes = [64, 88, 64, 88, 121, 88, 64, 88, 64]
    for k, size in enumerate(sizes):
        counts = np.bincount(27 * corners.y[label == k] + corners.x[label == k], minlength=729)
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
    corners = source.corners(9000, np.random.default_rng(2))
    bright = np.bincount(source.label(corners.y, corners.x), weights=corners.sign > 0)
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
    corners = Corners(np.array([4]), np.array([5]), np.array([1], dtype=np.int8))
    image = source.render(corners, np.random.default_rng(0))
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


def design(varied, name):
    return varied.isel(sample=np.flatnonzero(varied.design.values == name))


def inside(part):
    """Return which pixels the square covers, (sample, y, x)."""
    y, x = part.square_y.values[:, None, None], part.square_x.values[:, None, None]
    rows, columns = np.arange(32)[:, None], np.arange(32)
    return (rows >= y) & (rows < y + 6) & (columns >= x) & (columns < x + 6)


@pytest.mark.parametrize("polarity", POLARITIES)
def test_the_crossed_pictures_are_ten_places_of_each_class_under_the_same_eight_fields_of_noise(polarity):
    crossed = design(Squares(noise=0.05, contrast=0.1, polarity=polarity).variations(), "crossed")
    square = 0.1 * inside(crossed) * crossed.square_sign.values[:, None, None]
    field = (crossed.image.values[:, 0] - square).reshape(90, 8, 32, 32)  # nothing is clipped at this noise
    np.testing.assert_array_equal(crossed.place.values.reshape(90, 8), np.repeat(np.arange(90), 8).reshape(90, 8))
    np.testing.assert_array_equal(crossed.noise_draw.values.reshape(90, 8), np.tile(np.arange(8), (90, 1)))
    np.testing.assert_allclose(field, np.broadcast_to(field[0], field.shape), atol=1e-6)
    assert field[0].std(0).mean() == pytest.approx(0.05, rel=0.1)  # and the eight are eight
    for name in ("square_y", "square_x", "square_sign"):
        of_place = crossed[name].values.reshape(90, 8)
        assert (of_place == of_place[:, :1]).all()
    np.testing.assert_array_equal(np.bincount(crossed.label), 80)


def test_where_no_square_is_the_same_noise_is_the_same_pixel_also_when_clipped():
    crossed = design(Squares(noise=0.4).variations(), "crossed")
    one = crossed.isel(sample=np.flatnonzero(crossed.noise_draw.values == 3))
    covered = inside(one)
    for other in range(1, 90):
        outside = ~(covered[0] | covered[other])
        np.testing.assert_array_equal(one.image.values[0, 0][outside], one.image.values[other, 0][outside])


def test_noise_grows_by_shares_of_the_contrast_in_the_same_fields():
    grown = design(Squares(noise=0.02, contrast=0.08).variations(), "noise")
    square = 0.08 * inside(grown)
    field = (grown.image.values[:, 0] - 0.5 - square) / grown.level.values[:, None, None]
    field = field.reshape(6, 207, 32, 32)
    np.testing.assert_allclose(grown.level.values.reshape(6, 207)[:, 0], [0.02, 0.03, 0.04, 0.06, 0.08, 0.1])
    np.testing.assert_allclose(field, np.broadcast_to(field[0], field.shape), atol=1e-4)
    assert field.std() == pytest.approx(1, rel=0.01)


def test_contrast_changes_the_square_and_nothing_else():
    changed = design(Squares(noise=0.02, contrast=0.1, polarity="dark").variations(), "contrast")
    np.testing.assert_allclose(changed.level.values.reshape(6, 207)[:, 0], [0.025, 0.05, 0.075, 0.1, 0.15, 0.2])
    image, covered = (values.reshape(6, 207, 32, 32) for values in (changed.image.values[:, 0], inside(changed)))
    for level, here in zip((0.025, 0.05, 0.075, 0.1, 0.15, 0.2), image, strict=True):
        np.testing.assert_allclose(here - image[0], -(level - 0.025) * covered[0], atol=1e-6)


def test_the_base_level_is_the_data_sets_own():
    source = Squares()
    varied = source.variations()
    base = varied.isel(sample=np.flatnonzero(varied.base.values))
    assert set(design(base, "noise").level.values.tolist()) == {source.noise}
    assert set(design(base, "contrast").level.values.tolist()) == {source.contrast}
    assert set(design(base, "shift").level.values.tolist()) == {0}
    np.testing.assert_array_equal(design(base, "noise").image, design(base, "contrast").image)


@pytest.mark.parametrize("setting", [{}, {"grid": 2}, {"grid": 5}, {"side": 19}, {"polarity": "both"}])
def test_a_shifted_square_walks_straight_over_a_border_while_the_noise_stands_still(setting):
    source = Squares(noise=0.02, contrast=0.1, **setting)
    shifted = design(source.variations(), "shift")
    side, reach = source.side, min(4, min(np.bincount(source.label(np.arange(33 - source.side), 0) // source.grid)))
    y, x, sign, label, image = (
        values.reshape(2 * reach, -1, *values.shape[1:])
        for values in (
            shifted.square_y.values.astype(int),
            shifted.square_x.values.astype(int),
            shifted.square_sign.values,
            shifted.label.values,
            shifted.image.values[:, 0],
        )
    )
    np.testing.assert_array_equal(shifted.level.values.reshape(2 * reach, -1)[:, 0], np.arange(2 * reach))
    assert min(y.min(), x.min()) >= 0
    assert max(y.max(), x.max()) <= 32 - side
    moved = np.abs(np.diff(y, axis=0)) + np.abs(np.diff(x, axis=0))
    assert (moved == 1).all()  # a pixel at a time …
    assert ((y[-1] == y[0]) | (x[-1] == x[0])).all()  # … and straight
    assert (np.abs(y[-1] - y[0]) + np.abs(x[-1] - x[0]) == 2 * reach - 1).all()
    np.testing.assert_array_equal(label, source.label(y, x))
    np.testing.assert_array_equal(np.bincount(label[0]), 23)
    assert (label[:reach] == label[0]).all()
    assert (label[reach:] == label[-1]).all()
    assert (label[0] != label[-1]).all()
    rows, columns = np.arange(32)[:, None], np.arange(32)
    square = (
        (rows >= y[..., None, None])
        & (rows < y[..., None, None] + side)
        & (columns >= x[..., None, None])
        & (columns < x[..., None, None] + side)
    )
    field = image - 0.1 * square * sign[..., None, None]
    np.testing.assert_allclose(field, np.broadcast_to(field[0], field.shape), atol=1e-6)


def test_the_walks_of_a_class_take_every_direction_that_has_a_neighbour():
    shifted = design(Squares().variations(), "shift")
    label = shifted.label.values.reshape(8, -1)
    ways = {tuple(pair) for pair in label[[0, -1]].T.tolist()}
    assert ways == {(a, b) for a in range(9) for b in range(9) if abs(a // 3 - b // 3) + abs(a % 3 - b % 3) == 1}


def test_the_varied_pictures_are_the_same_bits_each_time_and_none_of_the_others():
    varied = Squares(n_train=50, n_probe=20).variations()
    assert varied.identical(Squares(n_train=9, n_probe=9).variations())
    assert (varied.image.values != Squares(seed=1).variations().image.values).mean() > 0.8
    seen = {image.tobytes() for image in varied.image.values}
    for part in (Squares(n_probe=100).probe(), Squares(n_train=100).training(0)):
        assert not seen & {image.tobytes() for image in part.image.values}


def test_the_varied_pictures_say_what_was_varied_and_in_which_unit():
    varied = vary(Squares())
    np.testing.assert_array_equal(varied.sample, np.arange(4860 + 6 * 720))
    assert set(varied.split.values) == {"probe"}
    designs = ["crossed", "noise", "contrast", "shift", "crossed_noise", "crossed_range"]
    assert list(dict.fromkeys(varied.design.values)) == designs
    assert set(varied.level.attrs) == {*designs[1:], "crossed_noise_base", "crossed_range_base"}
    assert np.isnan(varied.level.values).sum() == 720
    assert varied.image.values.dtype == np.float32
    assert (varied.image.values.min(), varied.image.values.max()) == (0, 1)


def test_a_grid_of_one_cell_has_no_border_to_walk_over():
    varied = Squares(size=12, grid=1, noise=0).variations()
    assert set(varied.design.values) == {"crossed", "noise", "contrast", "crossed_noise", "crossed_range"}


def test_pictures_are_crossed_again_at_other_noise_with_the_same_places_and_fields():
    varied = Squares(noise=0.02, contrast=0.08).variations()
    crossed, again = design(varied, "crossed"), design(varied, "crossed_noise")
    assert varied.level.attrs["crossed_noise_base"] == 0.02
    levels = again.level.values.reshape(-1, 720)
    np.testing.assert_allclose(levels[:, 0], [0.01, 0.04, 0.06, 0.08])  # its own 0.02 is there already
    field = (crossed.image.values[:, 0] - 0.5 - 0.08 * inside(crossed)) / 0.02
    for level, part in zip(levels[:, 0], again.image.values.reshape(-1, 720, 32, 32), strict=True):
        np.testing.assert_allclose((part - 0.5 - 0.08 * inside(crossed)) / level, field, atol=1e-4)
    for name in ("label", "place", "noise_draw", "square_y", "square_x", "square_sign"):
        np.testing.assert_array_equal(again[name].values.reshape(-1, 720), np.tile(crossed[name].values, (4, 1)))


@pytest.mark.parametrize("setting", [{}, {"grid": 5}, {"side": 19}, {"grid": 1}])
def test_places_are_drawn_together_to_the_middle_of_their_cell(setting):
    source = Squares(noise=0.02, contrast=0.1, **setting)
    varied = source.variations()
    crossed, again = design(varied, "crossed"), design(varied, "crossed_range")
    count = len(crossed.label)
    assert again.level.values.reshape(2, count)[:, 0].tolist() == [0.25, 0.5]
    for name in ("label", "place", "noise_draw", "square_sign"):
        np.testing.assert_array_equal(again[name].values.reshape(2, count), np.tile(crossed[name].values, (2, 1)))
    np.testing.assert_array_equal(source.label(again.square_y.values, again.square_x.values), again.label)
    tops = np.arange(33 - source.side)
    cell = source.label(tops, 0) // source.grid
    middle = np.array([tops[cell == one].mean() for one in range(source.grid)])
    for name, at in (
        ("square_y", crossed.label.values // source.grid),
        ("square_x", crossed.label.values % source.grid),
    ):
        away = crossed[name].values - middle[at]
        for share, moved in zip((0.25, 0.5), again[name].values.reshape(2, count), strict=True):
            assert np.abs(moved - middle[at] - share * away).max() <= 0.5  # to the nearest pixel
