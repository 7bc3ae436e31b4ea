"""The words of which figures are made: scales, heat maps, pictures, seeds and steps, without any drawing."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

from seedscope.figures import (
    AGAINST,
    FOR,
    PALETTE,
    Facts,
    Panel,
    Sheet,
    blended,
    centred,
    class_names,
    grid_shape,
    heat_cells,
    heat_map,
    no_drawing,
    picture,
    scale_of,
    shared_cells,
    sign_colours,
)
from seedscope.figures.marks import Dots, Line, Spans
from seedscope.figures.over import (
    before_and_after,
    curves_over_seeds,
    frame_axis,
    in_words,
    line_per_seed,
    over_seeds,
    step_axis,
)
from seedscope.files.errors import SeedscopeError
from seedscope.formulas.intervals import mean_interval, share_interval


def test_the_vocabulary_is_spoken_without_matplotlib():
    code = "import sys, seedscope.figures, seedscope.figures.over; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("values", [[-3.0, 1, 2], [0.5], [-0.1], [np.nan, 4, -1], [np.inf, 2]])
def test_diverging_colours_have_0_at_their_centre_and_hold_all_values(values):
    scale = centred(np.array(values))
    assert scale.low == -scale.high
    assert scale.high == np.abs(np.array(values)[np.isfinite(values)]).max()


@pytest.mark.parametrize("values", [np.zeros(3), np.array([np.nan]), np.zeros(0)])
def test_nothing_to_show_still_has_a_scale(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = centred(values)
    assert (scale.low, scale.high) == (-1, 1)


def test_a_scale_has_0_at_its_centre_only_where_there_are_negatives():
    assert (scale_of(-1, 3).low, scale_of(-1, 3).high) == (-3, 3)
    assert (scale_of(0, 3).low, scale_of(0, 3).high) == (0, 3)
    assert scale_of(0, 0).high == 1


def test_colours_tell_for_from_against():
    assert sign_colours(np.array([2.0, -1.0, 0.0])) == [FOR, AGAINST, FOR]
    assert len(set(PALETTE)) == 10


def test_places_between_corners_have_colours_between_theirs():
    corners = ("#ff0000", "#00ff00", "#0000ff", "#ffffff")
    np.testing.assert_allclose(blended(corners, np.array([0.0, 1.0]), np.array([0.0, 1.0])), [[1, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(blended(corners, np.array(0.5), np.array(0.0)), [0.5, 0, 0.5])


@pytest.mark.parametrize("count", range(1, 27))
def test_a_grid_holds_its_panels_without_an_empty_row_or_column(count):
    rows, columns = grid_shape(count)
    assert rows * columns >= count
    assert (rows - 1) * columns < count
    assert columns - rows in (0, 1)
    assert count not in (4, 9, 16, 25) or rows == columns


def test_cells_that_units_share_show_the_largest_and_the_text_says_so():
    values = np.array([np.arange(640.0), -np.arange(640.0)])
    values[:, :2] = np.nan
    values[0, 5] = -50
    cells = heat_cells(values, 3.2)
    assert cells.shape == (2, 320)
    assert np.isnan(cells).sum() == 2
    assert cells[0, 1:4].tolist() == [3, -50, 7]
    assert cells[1, 1:4].tolist() == [-3, -5, -7]
    assert "2 neighbours" in shared_cells(640, 3.2)
    assert shared_cells(320, 3.2) == ""


def test_a_heat_map_covers_its_columns_with_its_first_row_on_top():
    left, right, bottom, top = heat_map(np.zeros((2, 3)), 4.0).extent
    assert (left, right) == (-0.5, 2.5)
    assert bottom > top


def test_pictures_keep_their_brightness_and_their_colours():
    grey = picture(np.full((1, 4, 5), 0.25))
    np.testing.assert_array_equal(grey.marks[0].values, np.full((4, 5, 3), 0.25))
    assert grey.width > grey.height
    colour = np.zeros((3, 4, 5))
    colour[0] = 1
    assert picture(colour).marks[0].values[2, 2].tolist() == [1, 0, 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_of_any_number_of_channels_are_shown(channels):
    image = np.random.default_rng(0).random((channels, 4, 4))
    shown = picture(image).marks[0].values
    told = np.moveaxis(image, 0, -1) if channels == 3 else np.stack([image.mean(0)] * 3, -1)
    np.testing.assert_allclose(shown, told)


def test_facts_come_from_what_was_measured():
    one = xr.Dataset(attrs={"experiment": "toy", "seed": np.int64(3)})
    given = xr.Dataset(attrs={"experiment": "toy", "seed": "given"})
    several = xr.Dataset(coords={"seed": [1, 4]}, attrs={"experiment": "toy"})
    assert str(Facts.of(one)) == "toy, seed 3"
    assert "given" in str(Facts.of(given))
    assert (str(Facts.of(several)), Facts.of(several).seeds) == ("toy, n = 2 seeds", (1, 4))
    assert str(Facts.of(several.isel(seed=[0]))) == "toy, n = 1 seed"


def test_classes_are_called_by_number_and_name():
    assert class_names(xr.Dataset(attrs={"class_names": ["0", "top left"]})) == ["0", "1 (top left)"]


def test_where_nothing_may_be_drawn_no_sheet_is_made():
    with no_drawing("not now"), pytest.raises(SeedscopeError, match=r"^not now$"):
        Sheet("a", Facts("toy"), "A", "A.", Panel())
    Sheet("a", Facts("toy"), "A", "A.", Panel())


def test_seeds_are_dots_around_their_mean_with_its_interval():
    values = np.array([1.0, 2.0, 4.0])
    dots, mean, span = over_seeds(5, values)
    assert isinstance(dots, Dots)
    assert isinstance(mean, Line)
    assert isinstance(span, Spans)
    assert np.mean(dots.x) == 5
    interval = mean_interval(values)
    assert mean.y == [interval.mean] * 2
    assert (span.low[0], span.high[0]) == (interval.low, interval.high)
    assert len(over_seeds(0, values[:1])) == 2  # one seed has no interval
    assert len(over_seeds(0, np.array([np.nan]))) == 1
    assert len(over_seeds(0, np.ones(3))) == 2  # what is the same in every seed has none either
    assert in_words(np.ones(3)) == "+1.00"


def test_the_interval_of_a_share_stays_between_0_and_1():
    values = np.array([1.0, 1.0, 0.9])
    shown = [over_seeds(5, values, share=True)[-1], curves_over_seeds(np.zeros(1), values[:, None], share=True)[-1]]
    shown.append(before_and_after(["a"], None, values[None], share=True)[-1])
    for span in shown:
        assert (span.low[0], span.high[0]) == share_interval(values).ends


def test_curves_have_their_mean_and_an_interval_where_there_is_one():
    values = np.array([[1.0, 2.0, np.nan], [3.0, 2.5, 1.0]])
    *seeds, mean, spans = curves_over_seeds(np.arange(3), values)
    assert len(seeds) == 2
    np.testing.assert_allclose(mean.y, [2, 2.25, 1])
    assert spans.at.tolist() == [0, 1]


def test_beyond_twelve_seeds_lines_are_not_named():
    few, many = (line_per_seed(range(n), np.arange(2), np.zeros((n, 2))) for n in (12, 13))
    assert [line.label for line in few] == [str(seed) for seed in range(12)]
    assert {line.label for line in many} == {""}


def test_steps_are_named_where_they_fit():
    axis = frame_axis(np.arange(0, 61))
    assert len(axis.ticks) == len(axis.names) <= 31
    assert axis.names[1] == "3"
    assert step_axis(np.array([0, 1, 2400])).names == ["0", "1", "10", "100", "1,000"]
