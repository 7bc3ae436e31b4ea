import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from matplotlib import colormaps
from matplotlib.collections import LineCollection, PolyCollection
from PIL import Image

from seedscope import drawing as figures
from seedscope.data import exhibits, pictures
from seedscope.drawing import Drawing
from seedscope.lenses import Replica
from seedscope.lenses.contribution import Contribution
from seedscope.lenses.dominance import Dominance
from seedscope.lenses.mistakes import Mistakes

LENSES = {
    "contribution": Contribution("fc1", "fc2", top=3, watch=(1,)),
    "mistakes": Mistakes("fc1", "fc2"),
    "dominance": Dominance("fc1", "fc2"),
}


@pytest.fixture(scope="module")
def replica():
    rng = np.random.default_rng(0)
    n, label = 40, np.arange(40) % 2
    activation, weight = np.clip(rng.normal(0, 1, (n, 10)), 0, None), rng.normal(0, 1, (2, 10))
    activation[:, 4] = 0
    places = {"square_y": rng.integers(0, 6, n), "square_x": rng.integers(0, 6, n)}
    probe = pictures(rng.random((n, 1, 8, 8)), label, "probe", **places).assign_coords(sample=np.arange(n))
    return Replica(
        experiment="toy",
        seed=3,
        probe=probe,
        training=probe,
        activations={
            "fc1": xr.DataArray(activation, dims=("sample", "unit")),
            "logit": xr.DataArray(activation @ weight.T, dims=("sample", "target")),
        },
        weights={"fc2.weight": weight},
        exhibits=exhibits(label, 2),
        class_names=("0", "one"),
        architecture=torch.nn.Identity,
    )


@pytest.mark.parametrize("name", LENSES)
def test_every_figure_of_every_lens_is_saved_with_its_words_and_with_equal_bytes(replica, tmp_path, name):
    lens = LENSES[name]
    for folder in ("first", "second"):
        for drawing in lens.draw(lens.measure(replica)):
            figures.save(drawing, tmp_path / folder)
            (words, title) = (drawing.description, drawing.figure.get_suptitle())
            with Image.open(tmp_path / folder / f"{drawing.name}.png") as image:
                assert image.text == {"Title": title, "Description": words}
                assert min(image.size) >= 150
                assert max(image.size) <= 2000
            assert "toy" in title
            assert "seed 3" in title
            assert len(words) > 20
    first, second = ({file.name: file.read_bytes() for file in (tmp_path / f).iterdir()} for f in ("first", "second"))
    assert len(first) >= 3
    assert first == second


def test_a_figure_is_saved_with_its_table_and_leaves_nothing_else(tmp_path):
    table = pd.DataFrame({"unit": [1, 2], "vote": [1 / 3, -2.0]})
    figures.save(Drawing("votes", figures.canvas("Votes ± 1", 4, 3), "Grüße → and −.", table), tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["votes.csv", "votes.png"]
    assert (tmp_path / "votes.csv").read_text() == "unit,vote\n1,0.333333\n2,-2\n"
    with Image.open(tmp_path / "votes.png") as image:
        assert image.text == {"Title": "Votes ± 1", "Description": "Grüße → and −."}
        assert image.size == (400, 300)


@pytest.mark.parametrize("values", [[-3.0, 1, 2], [0.5], [-0.1], [np.nan, 4, -1], [np.inf, 2]])
def test_diverging_colours_have_0_at_their_centre_and_hold_all_values(values):
    scale = figures.centred(np.array(values))
    finite = np.array(values)[np.isfinite(values)]
    assert scale.vmin == -scale.vmax
    assert scale.vmax == np.abs(finite).max()
    assert scale(0.0) == 0.5
    centre = colormaps[figures.DIVERGING](0.5)
    assert np.ptp(centre[:3]) < 0.03
    assert min(centre[:3]) > 0.9  # nearly white: no vote, no colour


@pytest.mark.parametrize("values", [np.zeros(3), np.array([np.nan]), np.zeros(0)])
def test_nothing_to_show_still_has_a_scale(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = figures.centred(values)
    assert (scale.vmin, scale.vmax) == (-1, 1)


def test_colours_tell_for_from_against():
    assert figures.sign_colors(np.array([2.0, -1.0, 0.0])) == [figures.FOR, figures.AGAINST, figures.FOR]
    low, high = (colormaps[figures.DIVERGING](x) for x in (0.1, 0.9))
    assert high[2] > high[0]  # blue: for
    assert low[0] > low[2]  # red: against
    assert len(set(figures.PALETTE)) == 10


def panel():
    (ax,) = figures.panels(figures.canvas("t", 5, 4), 1, 1)
    return ax


def test_bars_stand_where_they_are_told_and_are_all_in_view():
    ax = panel()
    figures.bars(ax, np.array([0, 1, 5]), np.array([2.0, -1.0, 0.5]), "black", base=np.array([0, 1, 1]), width=0.5)
    (drawn,) = [part for part in ax.collections if isinstance(part, PolyCollection)]
    boxes = [path.get_extents().extents.tolist() for path in drawn.get_paths()]
    assert boxes == [[-0.25, 0, 0.25, 2], [0.75, 0, 1.25, 1], [4.75, 1, 5.25, 1.5]]
    assert ax.get_ylim()[0] <= 0
    assert ax.get_ylim()[1] >= 2
    assert ax.get_xlim()[1] >= 5.25


def test_spans_run_from_low_to_high_and_are_all_in_view():
    ax = panel()
    figures.spans(ax, np.array([1.0, 4.0]), np.array([-2.0, 0.0]), np.array([1.0, 3.0]))
    (drawn,) = [part for part in ax.collections if isinstance(part, LineCollection)]
    assert [path.vertices.tolist() for path in drawn.get_paths()] == [[[1, -2], [1, 1]], [[4, 0], [4, 3]]]
    assert ax.get_ylim()[0] <= -2
    assert ax.get_ylim()[1] >= 3


@pytest.mark.parametrize("count", range(1, 27))
def test_a_grid_holds_its_panels_without_an_empty_row_or_column(count):
    rows, columns = figures.grid_shape(count)
    assert rows * columns >= count
    assert (rows - 1) * columns < count
    assert columns - rows in (0, 1)
    assert count not in (4, 9, 16, 25) or rows == columns


def test_panels_have_the_margins_asked_for_and_do_not_overlap():
    figure = figures.canvas("t", 8, 6)
    axes = figures.panels(figure, 2, 3, 5, top=1, bottom=0.6, left=0.8, right=0.4)
    assert len(axes) == 5
    boxes = [ax.get_position() for ax in axes]
    assert min(box.x0 for box in boxes) == pytest.approx(0.8 / 8)
    assert max(box.x1 for box in boxes) == pytest.approx(1 - 0.4 / 8)
    assert min(box.y0 for box in boxes) == pytest.approx(0.6 / 6)
    assert max(box.y1 for box in boxes) == pytest.approx(1 - 1 / 6)
    for index, a in enumerate(boxes):
        for b in boxes[index + 1 :]:
            assert a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0


def test_shared_panels_name_their_axes_at_the_border_only():
    axes = figures.panels(figures.canvas("t", 8, 6), 2, 3, 5, share_x=True, share_y=True)
    axes[4].set_xlim(0, 50)
    assert all(ax.get_xlim() == (0, 50) for ax in axes)
    below = [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes]
    beside = [ax.yaxis.get_tick_params()["labelleft"] for ax in axes]
    assert below == [False, False, True, True, True]
    assert beside == [True, False, False, True, False]


def test_pictures_keep_their_brightness_and_their_colours():
    ax = panel()
    figures.show_picture(ax, np.full((1, 4, 5), 0.25))
    grey = ax.images[0]
    assert grey.get_clim() == (0, 1)
    assert grey.get_array().shape == (4, 5)
    ax = panel()
    colour = np.zeros((3, 4, 5))
    colour[0] = 1
    figures.show_picture(ax, colour)
    assert ax.images[0].get_array()[2, 2].tolist() == [1, 0, 0]


@pytest.mark.parametrize("place", [12, 333, 500, 985])
@pytest.mark.parametrize("units", [20, 999])
def test_a_single_unit_is_seen_in_a_heat_map_however_many_there_are(tmp_path, units, place):
    values = np.zeros((3, units))
    values[:, place % units] = 1
    figure = figures.canvas("t", 4, 3)
    (ax,) = figures.panels(figure, 1, 1)
    figures.heat_map(ax, values, figures.centred(values))
    figures.save(Drawing("stripe", figure, "A stripe."), tmp_path)
    with Image.open(tmp_path / "stripe.png") as image:
        colours = np.asarray(image.convert("RGB")).astype(int)
    assert (colours[..., 2] - colours[..., 0] > 60).sum() > 100
    assert ax.get_xlim() == (-0.5, units - 0.5)


def test_cells_that_units_share_show_the_largest_and_the_text_says_so():
    values = np.array([np.arange(640.0), -np.arange(640.0)])
    values[:, :2] = np.nan
    values[0, 5] = -50
    ax = panel()
    cells = figures.heat_map(ax, values, figures.centred(values)).get_array()
    assert cells.shape == (2, 320)
    assert cells.mask.sum() == 2
    assert cells[0, 1:4].tolist() == [3, -50, 7]
    assert cells[1, 1:4].tolist() == [-3, -5, -7]
    assert "2 neighbours" in figures.shared_cells(ax, 640)
    assert figures.shared_cells(ax, 320) == ""


def test_a_matrix_has_its_first_row_on_top():
    ax = panel()
    figures.heat_map(ax, np.arange(6.0).reshape(2, 3), figures.centred(np.arange(6.0)))
    low, high = ax.get_ylim()
    assert low > high
