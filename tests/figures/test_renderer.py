"""Sheets as files: their words and facts, their bytes, and where things stand on the page."""

from __future__ import annotations

import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from PIL import Image as Pillow

from seedscope.figures import (
    ABSENT,
    Above,
    Axis,
    Bar,
    Bars,
    Beside,
    Dots,
    Facts,
    Film,
    Grid,
    Image,
    Key,
    Line,
    Panel,
    Rule,
    Sheet,
    Spans,
    Words,
    centred,
    heat_map,
    named,
)
from seedscope.figures.renderer import FACTS, save, save_all
from seedscope.figures.renderer.layout import laid_out
from seedscope.figures.renderer.text import width

ABOUT = Facts("toy $x$", 3)


def sheet(body, name="votes", **more):
    return Sheet(name, ABOUT, "Votes ± 1", "Grüße → and −.", body, **more)


def pixels(path):
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_sheet_is_saved_with_its_table_and_leaves_nothing_else(tmp_path):
    table = pd.DataFrame({"unit": [1, 2], "vote": [1 / 3, -2.0]})
    save(sheet(Panel([Bars([0], [1])]), table=table, family="Votes", mark="class 1"), tmp_path, "contribution")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["votes.csv", "votes.png"]
    assert (tmp_path / "votes.csv").read_text() == "unit,vote\n1,0.333333\n2,-2\n"
    with Pillow.open(tmp_path / "votes.png") as image:
        assert image.text["Title"] == "Votes ± 1 (toy $x$, seed 3)"
        assert json.loads(image.text[FACTS]) == {
            "experiment": "toy $x$",
            "replica": 3,
            "seeds": [],
            "lens": "contribution",
            "title": "Votes ± 1",
            "description": "Grüße → and −.",
            "family": "Votes",
            "mark": "class 1",
        }


def test_saving_all_removes_what_was_there_before(tmp_path):
    (tmp_path / "old.png").write_text("old")
    save_all([("contribution", sheet(Panel()))], tmp_path, {"words.txt": "words\n"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["votes.png", "words.txt"]


def test_a_users_own_settings_of_matplotlib_change_nothing(tmp_path):
    body = Panel([Line([0, 1], [0, 1], label="a")], "b", Axis("c"), key=Key("right"))
    save(sheet(body), tmp_path / "plain")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "lines.linewidth": 9, "savefig.dpi": 30}):
        save(sheet(body), tmp_path / "own")
    assert (tmp_path / "plain/votes.png").read_bytes() == (tmp_path / "own/votes.png").read_bytes()


@pytest.mark.parametrize(("units", "place"), [(20, 12), (999, 12), (999, 333), (999, 500), (999, 985)])
def test_a_single_unit_is_seen_in_a_heat_map_however_many_there_are(tmp_path, units, place):
    values = np.zeros((3, units))
    values[:, place] = 1
    save(sheet(Panel([heat_map(values, 4.0)], width=4.0)), tmp_path)
    colours = pixels(tmp_path / "votes.png")
    assert (colours[..., 2] - colours[..., 0] > 60).sum() > 100


def test_what_is_absent_has_a_colour_of_its_own(tmp_path):
    values = np.array([[1.0, np.nan], [-1.0, 0.0]])
    save(sheet(Panel([heat_map(values, 4.0)], width=4.0)), tmp_path)
    grey = np.array([int(ABSENT[at : at + 2], 16) for at in (1, 3, 5)])
    share = (pixels(tmp_path / "votes.png") == grey).all(-1).mean()
    assert 0.1 < share < 0.25


def axes_of(body):
    page, _ = laid_out("A title", "", body)
    size = page.figure.get_size_inches()
    found = []
    for ax in page.figure.axes:
        box = ax.get_position()
        found.append((box.x0 * size[0], (1 - box.y1) * size[1], box.width * size[0], box.height * size[1]))
    return np.array(found), page.figure


def test_panels_have_the_size_asked_for_their_edges_are_level_and_none_overlap():
    long, short = named(["a very long name", "b"]), Axis()
    panels = [Panel([Bars([0, 1], [1, 2])], x=long if k == 1 else short, width=2, height=1.5) for k in range(5)]
    boxes, _ = axes_of(Grid(panels, 3))
    np.testing.assert_allclose(boxes[:, 2:], [[2, 1.5]] * 5, atol=0.02)
    np.testing.assert_allclose(boxes[:3, 1], boxes[0, 1], atol=1e-6)
    np.testing.assert_allclose(boxes[[0, 3], 0], boxes[0, 0], atol=1e-6)
    for index, (x, y, wide, tall) in enumerate(boxes):
        for u, v, *_ in boxes[index + 1 :]:
            assert u >= x + wide or v >= y + tall or u + 2 <= x


def test_parts_beside_each_other_are_level_at_their_tops_and_parts_above_at_their_sides():
    plain = Panel([Dots([0, 1], [1, 2])], width=1, height=1)
    titled = Panel([Dots([0, 1], [100000, 2])], "a title\nof two lines", y=Axis("y"), width=2, height=2)
    beside, _ = axes_of(Beside([plain, titled]))
    assert beside[0, 1] == pytest.approx(beside[1, 1])
    above, _ = axes_of(Above([plain, titled]))
    assert above[0, 0] == pytest.approx(above[1, 0])


def test_panels_that_share_an_axis_have_the_same_limits_and_name_it_at_the_border_only():
    panels = [Panel([Dots([0, 1], [0, 10**k])], y=Axis("votes", size=7)) for k in range(3)]
    _, figure = axes_of(Grid(panels, 3, share_y=True))
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert [text.get_text() for text in figure.texts].count("votes") == 1


def test_panels_name_a_shared_x_axis_below_the_last_of_each_column_alone():
    panels = [Panel([Dots([0, 1], [0, 1])], x=Axis("time", low=0, high=50)) for _ in range(5)]
    boxes, figure = axes_of(Grid(panels, 3, share_x=True))
    assert all(ax.get_xlim() == (0, 50) for ax in figure.axes)
    tall = figure.get_size_inches()[1]
    named = [tuple(np.array(text.get_position()) * (1, tall)) for text in figure.texts if text.get_text() == "time"]
    assert len(named) == 3
    bottom = boxes[2, 1] + boxes[2, 3]  # the third column ends in the first row
    assert sorted(tall - y > bottom + boxes[0, 3] for _, y in named) == [False, True, True]


def test_numbers_above_a_panel_stand_over_their_places_and_below_its_title():
    top = Axis(ticks=[0, 4, 9], names=["first", "second", "out of view"], coloured={1: "#0072B2"})
    panel = Panel([Line([0, 4], [0, 1])], "title", Axis(low=0, high=4), Axis(low=0, high=1), top=top)
    _, figure = axes_of(panel)
    said = {text.get_text(): text for text in figure.texts}
    where = figure.axes[0].get_position()
    assert "out of view" not in said
    assert [said[words].get_position()[0] for words in ("first", "second")] == pytest.approx([where.x0, where.x1])
    assert where.y1 < said["first"].get_position()[1] < said["title"].get_position()[1]
    assert (said["first"].get_color(), said["second"].get_color()) == ("black", "#0072B2")


def test_words_are_written_as_they_are_and_none_is_cut(tmp_path):
    said = "a_b $x^2$ {c} 100 %"
    body = Panel([Words(0.5, 0.5, said)], said, Axis(said, [0, 1], [said, said]), Axis(said), key=Key("right"))
    _, figure = axes_of(body)
    save(sheet(body), tmp_path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        assert not text.get_parse_math()


@pytest.mark.parametrize("size", [7, 12])
def test_the_width_of_words_is_that_which_they_take(size):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=100)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for words in ("Who votes for each class?", "−0.25", "WWWWWWWW", "iiiiiiii", "ünï – ‖ΔW‖²"):
        taken = figure.text(0, 0, words, fontsize=size, parse_math=False).get_window_extent(renderer).width / 100
        assert width(words, size) == pytest.approx(taken, rel=0.06, abs=0.03)


def test_marks_without_a_finite_number_are_drawn_as_nothing(tmp_path):
    nothing = np.full(3, np.nan)
    marks = [Dots(range(3), nothing), Line(range(3), nothing), Spans(range(3), nothing, nothing), Rule(0.0)]
    shown = []
    for some in (marks, marks[3:]):
        save(sheet(Panel(some, x=Axis(low=0, high=2), y=Axis(low=0, high=1))), tmp_path)
        shown.append(pixels(tmp_path / "votes.png"))
    np.testing.assert_array_equal(*shown)


def drawn(mark, kind):
    """Return the paths of the one collection of this kind, in units of the axes: ticks are in others."""
    _, figure = axes_of(Panel([mark]))
    (ax,) = figure.axes
    kinds = [part for part in ax.collections if isinstance(part, kind)]
    (found,) = [part for part in kinds if part.get_transform() == ax.transData]
    return found.get_paths()


@pytest.mark.parametrize("across", [False, True])
def test_bars_stand_where_they_are_told(across):
    bars = Bars([0, 1, 5], [2.0, -1.0, 0.5], base=[0, 1, 1], width=0.5, across=across)
    boxes = [path.get_extents().extents.reshape(2, 2) for path in drawn(bars, PolyCollection)]
    told = np.array([[[-0.25, 0], [0.25, 2]], [[0.75, 0], [1.25, 1]], [[4.75, 1], [5.25, 1.5]]])
    np.testing.assert_allclose(boxes, told[..., ::-1] if across else told)


@pytest.mark.parametrize("across", [False, True])
def test_spans_run_from_low_to_high(across):
    spans = Spans([1.0, 4.0], [-2.0, 0.0], [1.0, 3.0], across=across)
    ends = [path.vertices for path in drawn(spans, LineCollection)]
    told = np.array([[[1, -2], [1, 1]], [[4, 0], [4, 3]]])
    np.testing.assert_allclose(ends, told[..., ::-1] if across else told)


def test_bars_and_spans_are_all_in_view_lying_or_standing():
    bars = Bars([0, 1, 5], [2.0, -1.0, 0.5], base=[0, 1, 1], width=0.5)
    spans = Spans([1.0, 4.0], [-2.0, 0.0], [1.0, 3.0])
    _, figure = axes_of(Panel([bars, spans]))
    (ax,) = figure.axes
    assert ax.get_xlim()[1] >= 5.25
    assert ax.get_ylim()[0] <= -2
    assert ax.get_ylim()[1] >= 3
    across = Bars([0, 1, 5], [2.0, -1.0, 0.5], across=True)
    _, figure = axes_of(Panel([across]))
    assert figure.axes[0].get_ylim()[1] >= 5.4


def test_a_film_moves_its_image_and_its_caption_on_one_scale(tmp_path):
    frames = np.stack([np.full((2, 3), value) for value in (-1.0, 0.0, 1.0)])
    body = Panel([Image(frames[0], centred(frames), filmed=True), Dots([1], [1], "black")], bar=Bar(centred(frames)))
    film = Film("film", ABOUT, "Film", "A film.", body, frames=frames, captions=["one", "two", "three and more"])
    save(film, tmp_path)
    with Pillow.open(tmp_path / "film.gif") as image:
        assert image.n_frames == 3
        shades = []
        for frame in range(3):
            image.seek(frame)
            shown = np.asarray(image.convert("RGB")).astype(int)
            shades.append(shown[shown.shape[0] // 2, shown.shape[1] // 4])
    assert shades[0][0] > shades[0][2]  # red
    assert np.ptp(shades[1]) < 10  # nearly white
    assert shades[2][2] > shades[2][0]  # blue
