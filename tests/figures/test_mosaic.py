import numpy as np
import pytest

from seedscope.figures import DIVERGING, SILENT
from seedscope.figures.mosaic import MapGrid, maps_beside


@pytest.mark.parametrize("per_row", [None, 8, 16])
@pytest.mark.parametrize("channels", [1, 5, 8, 9, 16, 128, 129, 512])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (32, 20), (150, 150)])
def test_every_map_is_seen_whole_and_apart_from_its_neighbours(channels, height, width, per_row):
    grid = MapGrid(channels, height, width, per_row)
    maps = np.broadcast_to(np.arange(1.0, channels + 1)[:, None, None], (channels, height, width))
    tiled = grid.tile(maps)
    x, y = grid.ticks()
    for channel in range(channels):
        row, column = divmod(channel, grid.columns)
        assert tiled[int(y[row]), int(x[column])] == channel + 1
    cells = -(-height // grid.shared) * -(-width // grid.shared)
    assert np.unique(tiled[~np.isnan(tiled)], return_counts=True)[1].tolist() == [cells] * channels
    touching = [(tiled[1:], tiled[:-1]), (tiled[:, 1:], tiled[:, :-1])]
    assert not any(((a != b) & ~np.isnan(a) & ~np.isnan(b)).any() for a, b in touching)
    assert grid.columns == min(channels, per_row or 8) or (per_row is None and channels > 128)


def test_pixels_that_share_a_cell_show_the_largest_by_size():
    grid = MapGrid(512, 150, 150)
    maps = np.zeros((512, 150, 150))
    maps[7, 149, 0], maps[7, 148, 1] = -5, 3
    assert grid.shared > 1
    assert np.nanmin(grid.tile(maps)) == -5
    assert (np.nan_to_num(grid.tile(maps)) != 0).sum() == 1
    assert f"{grid.shared} × {grid.shared}" in grid.shared_words()
    assert MapGrid(16, 32, 32).shared_words() == ""


def beside(maps, low, high, **options):
    """Return the panel of some maps beside a picture."""
    grid = MapGrid(*maps.shape)
    return maps_beside(np.zeros((1, 4, 4)), "a picture", grid, maps, low, high, **options).parts[1]


def test_negative_values_put_0_at_the_centre_of_a_diverging_map():
    maps = np.linspace(-3, 2, 5 * 36).reshape(5, 6, 6)
    panel = beside(maps, -3.0, 2.0)
    scale = panel.marks[0].scale
    assert (scale.low, scale.high, scale.colours) == (-3, 3, DIVERGING)
    assert panel.bar.scale is scale


def test_a_silent_map_is_grey_and_not_the_colour_of_0():
    panel = beside(np.ones((5, 6, 6)), 0.0, 4.0, silent=np.arange(5) == 2)
    (image,) = panel.marks
    cells = image.values[2, np.round(panel.x.ticks).astype(int)]
    assert (cells < image.scale.low).tolist() == [False, False, True, False, False]
    assert image.scale.below == SILENT


def test_where_all_is_0_there_is_no_scale_to_read():
    assert beside(np.zeros((5, 6, 6)), 0.0, 0.0).bar is None


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(1, 3, 3), (1, 150, 150), (3, 1, 1), (128, 3, 3), (512, 150, 150), (4, 2, 150), (4, 90, 2)],
)
def test_a_grid_of_any_number_and_size_of_maps_fits_a_page(channels, height, width):
    wide, high = MapGrid(channels, height, width).size
    assert 0.2 < wide <= 8.6
    assert 0.2 < high <= 14
