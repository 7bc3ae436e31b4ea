"""Sheets as files: their words and facts, their bytes, and where things stand on the page."""

from __future__ import annotations

import json
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from seedscope.figures import (
    ABSENT,
    DPI,
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
    Scale,
    Sheet,
    Spans,
    Words,
    centred,
    heat_map,
    named,
    picture,
)
from seedscope.figures.renderer import FACTS, save, save_all
from seedscope.figures.renderer.area import Area, Side
from seedscope.figures.renderer.canvas import Canvas
from seedscope.figures.renderer.images import coloured
from seedscope.figures.renderer.layout import laid_out
from seedscope.figures.renderer.text import width, written
from seedscope.files.errors import SeedscopeError

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


@pytest.mark.parametrize("only", [0.6778353158385164, -3.0, 0.0])
def test_a_scale_of_a_single_number_has_a_bar_that_says_it(tmp_path, only):
    """Two seeds have one pair, and all its cells one number."""
    scale = Scale(only, only)
    low, high = scale.ends
    assert low < only < high
    assert len(Side(Axis(), low, high, 5).ticks()[1]) >= 2
    values = np.full((2, 2), only)
    middle = coloured(np.full((2, 2), 0.5), Scale(0, 1)).astype(int)
    np.testing.assert_allclose(coloured(values, scale).astype(int), middle, atol=3)  # the next colour, by rounding
    save(sheet(Panel([Image(values, scale)], bar=Bar(scale))), tmp_path)
    assert (tmp_path / "votes.png").stat().st_size > 1000


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
    """Return where the panels are, (left, top, width, height) in inches, and the page."""
    page, _ = laid_out("A title", "", body)
    boxes = [(a.box.left, a.box.top, a.box.right - a.box.left, a.box.bottom - a.box.top) for a in page.areas]
    return np.array(boxes) / DPI, page


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
    _, page = axes_of(Grid(panels, 3, share_y=True))
    assert len({(area.y.start, area.y.end) for area in page.areas}) == 1
    assert [said.words for said in page.around].count("votes") == 1


def test_panels_name_a_shared_x_axis_below_the_last_of_each_column_alone():
    panels = [Panel([Dots([0, 1], [0, 1])], x=Axis("time", low=0, high=50)) for _ in range(5)]
    boxes, page = axes_of(Grid(panels, 3, share_x=True))
    assert all((area.x.start, area.x.end) == (0, 50) for area in page.areas)
    tops = [said.box.top / DPI for said in page.around if said.words == "time"]
    assert len(tops) == 3
    bottom = boxes[2, 1] + boxes[2, 3]  # the third column ends in the first row
    assert sorted(top > bottom + boxes[0, 3] for top in tops) == [False, True, True]


def test_numbers_above_a_panel_stand_over_their_places_and_below_its_title():
    top = Axis(ticks=[0, 4, 9], names=["first", "second", "out of view"], coloured={1: "#0072B2"})
    panel = Panel([Line([0, 4], [0, 1])], "title", Axis(low=0, high=4), Axis(low=0, high=1), top=top)
    boxes, page = axes_of(panel)
    said = {one.words: one for one in page.around}
    (left, top_edge, width, _), *_ = boxes * DPI
    assert "out of view" not in said
    middles = [(said[words].box.left + said[words].box.right) / 2 for words in ("first", "second")]
    assert middles == pytest.approx([left, left + width], abs=1.5)
    assert top_edge > said["first"].box.bottom > said["first"].box.top > said["title"].box.bottom
    assert (said["first"].color, said["second"].color) == ("black", "#0072B2")


def test_words_are_written_as_they_are_and_none_is_cut():
    said = "a_b $x^2$ {c} 100 %"
    body = Panel([Words(0.5, 0.5, said)], said, Axis(said, [0, 1], [said, said]), Axis(said), key=Key("right"))
    _, page = axes_of(body)
    tall, wide, _ = page.canvas.pixels.shape
    assert [one.words for one in page.canvas.said].count(said) == 6
    for one in page.canvas.said:
        assert 0 <= one.box.left < one.box.right <= wide
        assert 0 <= one.box.top < one.box.bottom <= tall


@pytest.mark.parametrize("size", [7, 12])
def test_the_width_of_words_is_that_which_they_take_in_matplotlibs_text_too(size):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=DPI)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for words in ("Who votes for each class?", "−0.25", "WWWWWWWW", "iiiiiiii", "ünï – ‖ΔW‖²"):
        theirs = figure.text(0, 0, words, fontsize=size, parse_math=False).get_window_extent(renderer).width / DPI
        own = written(words, size, "left", "top").image.shape[1] / DPI
        assert width(words, size) == pytest.approx(own, abs=0.04)
        assert width(words, size) == pytest.approx(theirs, rel=0.1, abs=0.03)


@pytest.mark.parametrize("turned", [0, 90, 30])
@pytest.mark.parametrize(("align", "stand"), [("left", "top"), ("center", "center"), ("right", "bottom")])
def test_words_are_where_they_are_put_however_they_are_turned(align, stand, turned):
    canvas = Canvas(300, 300)
    words, x, y = "HHHHHHHH\nHHHHHHHH", 150, 160
    box = canvas.words(x, y, words, 12, align=align, stand=stand, turned=turned).box
    ink = np.argwhere(canvas.pixels[..., 0] < 255)
    assert ink.min(0).tolist() == [box.top, box.left]
    assert (ink.max(0) + 1).tolist() == [box.bottom, box.right]
    wide, tall = width(words, 12) * DPI, 12 * DPI / 72 * 2.2
    right = wide * {"left": 0.5, "center": 0.0, "right": -0.5}[align]
    up = tall * {"top": -0.5, "center": 0.0, "bottom": 0.5}[stand]
    angle = np.deg2rad(turned)
    middle = x + right * np.cos(angle) - up * np.sin(angle), y - right * np.sin(angle) - up * np.cos(angle)
    assert (box.left + box.right) / 2 == pytest.approx(middle[0], abs=3)
    assert (box.top + box.bottom) / 2 == pytest.approx(middle[1], abs=3)


def test_equal_words_are_written_once_and_a_colour_is_not_another():
    assert written("1.25", 8, "left", "top") is written("1.25", 8, "left", "top")
    red, black = written("1.25", 8, "left", "top", "red"), written("1.25", 8, "left", "top")
    np.testing.assert_array_equal(red.image[..., 3], black.image[..., 3])
    assert (red.image[..., :3] == [255, 0, 0]).all()


def test_marks_without_a_finite_number_are_drawn_as_nothing(tmp_path):
    nothing = np.full(3, np.nan)
    marks = [Dots(range(3), nothing), Line(range(3), nothing), Spans(range(3), nothing, nothing), Rule(0.0)]
    shown = []
    for some in (marks, marks[3:]):
        save(sheet(Panel(some, x=Axis(low=0, high=2), y=Axis(low=0, high=1))), tmp_path)
        shown.append(pixels(tmp_path / "votes.png"))
    np.testing.assert_array_equal(*shown)


def extent(colour, mark, **limits):
    """Return (left, right, bottom, top) of what is drawn in a colour, in units of the panel's axes."""
    page, _ = laid_out("A title", "", Panel([mark], **limits))
    (area,) = page.areas
    down, across = np.nonzero((page.canvas.pixels[..., :3] == colour).all(-1))
    x = np.interp([across.min(), across.max() + 1], [area.box.left, area.box.right], [area.x.start, area.x.end])
    y = np.interp([down.min(), down.max() + 1], [area.box.top, area.box.bottom], [area.y.end, area.y.start])
    return x[0], x[1], y[1], y[0]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("told", [(-0.25, 0.25, 0, 2), (0.75, 1.25, 0, 1), (4.75, 5.25, 1, 1.5)])
def test_bars_stand_where_they_are_told(across, told):
    colors = np.zeros((3, 3))
    colors[[0.0, 1.0, 5.0].index((told[0] + told[1]) / 2)] = [1, 0, 0]
    bars = Bars([0, 1, 5], [2.0, -1.0, 0.5], colors, base=[0, 1, 1], width=0.5, across=across)
    seen = extent((255, 0, 0), bars)
    assert seen == pytest.approx(told[2:] + told[:2] if across else told, abs=0.03)


@pytest.mark.parametrize("across", [False, True])
def test_spans_run_from_low_to_high(across):
    colors = [(0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)]
    spans = Spans([1.0, 4.0, 5.0], [-2.0, 0.0, np.nan], [1.0, 3.0, 2.0], colors, width=3, across=across)
    left, right, bottom, top = extent((0, 0, 255), spans)
    along, ends = ((bottom, top), (left, right)) if across else ((left, right), (bottom, top))
    assert np.mean(along) == pytest.approx(4, abs=0.03)
    assert ends == pytest.approx((0, 3), abs=0.04)


def limits(*marks, **more):
    area = Area(Panel(marks, **more))
    return area.x.start, area.x.end, area.y.start, area.y.end


@pytest.mark.parametrize("kind", ["linear", "log", "symlog"])
def test_limits_are_those_of_matplotlibs_own_axes(kind):
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), np.exp(3 * rng.normal(size=9))
    ax = Figure().add_subplot()
    ax.plot(x, y)
    ax.bar(x[:3], y[:3] * 2, width=0.5)
    ax.set_yscale(kind, **({"linthresh": 1, "linscale": 0.35} if kind == "symlog" else {}))
    if kind == "log":  # there a bar has no foot: matplotlib's axes let it end where it can still be seen
        marks = [Line(x, y), Spans(x[:3], y[:3], y[:3] * 2), Bars(x[:3], [1, 1, 1], base=y[:3], width=0.5)]
        ax = Figure().add_subplot()
        ax.plot(np.append(x, [x[:3] - 0.25, x[:3] + 0.25]), np.append(y, [y[:3] * 2, y[:3] + 1]))
        ax.set_yscale(kind)
    else:
        marks = [Line(x, y), Bars(x[:3], y[:3] * 2, width=0.5)]
        ax.use_sticky_edges = False
    assert limits(*marks, y=Axis(kind=kind)) == pytest.approx((*ax.get_xlim(), *ax.get_ylim()))


def test_images_end_at_the_edge_and_run_down():
    assert limits(Image(np.zeros((3, 4)), centred(np.ones(1)))) == (-0.5, 3.5, 2.5, -0.5)


def test_rules_and_words_widen_nothing_that_holds_them():
    dots = Dots([0, 1], [0, 1])
    assert limits(dots, Rule(0.5), Words(9, 9, "far")) == limits(dots)
    assert limits(dots, Rule(3.0))[3] > 3


def test_bars_and_spans_are_all_in_view_lying_or_standing():
    left, right, bottom, top = limits(
        Bars([0, 1, 5], [2.0, -1.0, 0.5], base=[0, 1, 1], width=0.5), Spans([1.0, 4.0], [-2.0, 0.0], [1.0, 3.0])
    )
    assert left < -0.25
    assert right > 5.25
    assert bottom < -2
    assert top > 3
    assert limits(Bars([0, 1, 5], [2.0, -1.0, 0.5], across=True))[3] >= 5.4


@pytest.mark.parametrize(
    ("axis", "low", "high", "said"),
    [
        (Axis(), -0.25, 0.5, ["−0.2", "0.0", "0.2", "0.4"]),
        (Axis(whole=True), -0.5, 4.5, ["0", "1", "2", "3", "4"]),
        (Axis(), 0.0, 3.1e-9, ["0", "1e−09", "2e−09", "3e−09"]),
        (Axis(kind="log"), 0.5, 2000, ["1", "10", "100", "1000"]),
        (Axis(ticks=[-1, 0, 7]), -2, 2, ["−1", "0"]),
    ],
)
def test_ticks_are_round_numbers_within_the_limits(axis, low, high, said):
    area = Area(Panel([Dots([0, 1], [0, 1])], x=replace(axis, low=low, high=high), width=2.0))
    places, words = area.x.ticks()
    assert words == said
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()


@pytest.mark.parametrize("place", ["right", "below", "upper left", "lower right"])
def test_a_key_explains_each_label_once_in_the_colour_of_its_mark(place):
    marks = [
        Line([0, 1], [0, 1], "#ff0000", width=3, label="a line"),
        Bars([0], [1], "#00ff00", label="bars"),
        Dots([0], [0], "#0000ff", label="dots"),
        Line([0, 1], [1, 0], "#ff00ff", label="a line"),
    ]
    panel = Panel(marks, x=Axis(low=10, high=11), y=Axis(low=10, high=11), key=Key(place, "title", 2))
    boxes, page = axes_of(panel)
    said = {one.words: one.box for one in page.canvas.said}
    for words, colour in (("a line", (255, 0, 0)), ("bars", (0, 255, 0)), ("dots", (0, 0, 255))):
        down, across = np.nonzero((page.canvas.pixels[..., :3] == colour).all(-1))
        box = said[words]
        assert box.left - 40 < across.min() <= across.max() < box.left
        assert box.top - 6 < down.mean() < box.bottom + 6
    assert [one.words for one in page.canvas.said].count("a line") == 1
    left, top, wide, tall = boxes[0] * DPI
    inside = left < said["bars"].left < left + wide and top < said["bars"].top < top + tall
    assert inside == (place not in ("right", "below"))


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


@pytest.mark.parametrize("extent", [None, (3.0, 9.0, 2.0, 0.0), (9.0, 3.0, 0.0, 2.0)])
@pytest.mark.parametrize("down", [False, True])
def test_each_cell_of_an_image_has_its_colour_whichever_way_the_axes_run(extent, down):
    values = np.array([[0.0, 0.5, 1.0], [1.0, np.nan, 0.0]])
    scale = Scale(0, 1, absent="#ff00ff")
    left, right, bottom, top = extent or (-0.5, 2.5, 1.5, -0.5)
    ends = sorted((bottom, top), reverse=down)
    y = Axis(low=ends[0], high=ends[1])
    page, _ = laid_out("A title", "", Panel([Image(values, scale, extent)], y=y, lines=False))
    (area,) = page.areas
    expected = np.round(255 * mpl.colormaps["viridis"](values)).astype(int)
    expected[1, 1] = [255, 0, 255, 255]
    for (row, column), _ in np.ndenumerate(values):
        x = left + (column + 0.5) / 3 * (right - left)
        at = int(area.down(top + (row + 0.5) / 2 * (bottom - top))), int(area.across(x))
        assert page.canvas.pixels[at] == pytest.approx(expected[row, column], abs=1)


def test_a_picture_with_more_pixels_than_it_gets_is_smoothed_and_a_small_one_keeps_its_pixels():
    fine = np.indices((300, 300)).sum(0) % 2.0  # a chessboard, which from afar is grey
    page, _ = laid_out("A title", "", picture(fine[None], side=1.0))
    (area,) = page.areas
    middle = page.canvas.pixels[int(area.down(150)), int(area.across(150))]
    assert middle[:3] == pytest.approx([127] * 3, abs=12)
    page, _ = laid_out("A title", "", picture(fine[None, :4, :4], side=1.0))
    shown = page.canvas.pixels[round(page.areas[0].box.top) :, round(page.areas[0].box.left) :][:100, :100, 0]
    assert set(np.unique(shown)) == {0, 255}
    assert shown[12, 12] == 0
    assert shown[12, 37] == 255


def test_a_file_holds_the_pixels_of_the_page_and_equal_sheets_have_equal_bytes(tmp_path):
    body = Panel([Dots(np.arange(50), np.arange(50), "#123456")], "title")
    for folder in "ab":
        save(sheet(body), tmp_path / folder)
    assert (tmp_path / "a/votes.png").read_bytes() == (tmp_path / "b/votes.png").read_bytes()
    page, _ = laid_out("Votes ± 1 (toy $x$, seed 3)", "", body)
    np.testing.assert_array_equal(pixels(tmp_path / "a/votes.png"), page.canvas.pixels[..., :3])
    with Pillow.open(tmp_path / "a/votes.png") as image:
        image.verify()
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)


def test_a_place_for_a_key_that_there_is_not_is_refused():
    with pytest.raises(SeedscopeError, match="not at 'best'"):
        Key("best")
