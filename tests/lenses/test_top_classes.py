import numpy as np
import pytest
import xarray as xr
from scipy.special import expit, softmax

from seedscope.figures import Bars, Image, Words
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.top_classes import TopClasses

from .sheets import marks

NAMES = ["n01440764 tench, Tinca tinca", "n02504458 African elephant, Loxodonta africana", "n02124075 Egyptian cat"]
LOGIT = np.array([[0.0, 2.0, 1.0], [3.0, 3.0, 0.0], [-1.0, 0.0, 5.0]])


@pytest.fixture
def album(replica_of):
    """Three pictures without labels, each with the name of its file."""

    def build(logit=LOGIT, label=(-1, -1, -1), names=NAMES, **options):
        replica = replica_of(
            np.ones((len(logit), 2)), np.ones((len(logit[0]), 2)), np.zeros(len(logit[0])), label, names=names,
            logit=np.asarray(logit), **options,
        )  # fmt: skip
        replica.probe["file"] = ("sample", np.array([f"{s}.jpg" for s in range(len(logit))], dtype=object))
        return replica

    return build


def test_the_classes_are_those_with_the_largest_softmax_in_order(look, album):
    seen = look(TopClasses(top=2, shown=2), album(), rendered=True)
    assert seen.measured.target.values.tolist() == [[1, 2], [0, 1], [2, 1]]  # of equal ones the first
    wanted = -np.sort(-softmax(LOGIT, axis=1), axis=1)[:, :2]
    np.testing.assert_allclose(seen.measured.probability, wanted, rtol=1e-6)
    assert seen.summary == pytest.approx(
        {"pictures": 3, "p_of_first": wanted[:, 0].mean(), "p_of_first_2": wanted.sum(1).mean()}
    )
    sheet = seen.sheets["top_classes"]
    table = sheet.table
    assert table.columns.tolist() == ["sample", "file", "rank", "wordnet_id", "name", "target", "probability"]
    assert table.iloc[0].tolist()[:6] == [100, "0.jpg", 1, "n02504458", "African elephant", 1]
    assert len(table) == 6  # all pictures, though two are shown
    assert "The first 2 of 3 pictures are shown" in sheet.description
    said = [mark.text for mark in marks(sheet, Words)]
    assert said[:2] == ["n02504458 African elephant", "n02124075 Egyptian cat"]
    assert len(marks(sheet, Image)) == seen.measured.sizes["shown_sample"] == 2
    first, second = marks(sheet, Bars)
    np.testing.assert_allclose(np.stack([first.height, second.height], 1), wanted[:2], rtol=1e-6)
    assert [f"{p:.3f}" for p in wanted[:2, 0]] == said[4:6]


def test_pictures_read_in_parts_are_those_read_together(look, album, monkeypatch):
    logit = np.random.default_rng(0).normal(size=(7, 3))
    together = look(TopClasses(), album(logit, [-1] * 7), draw=None).measured
    monkeypatch.setattr("seedscope.lenses.top_classes._TOGETHER", 3)
    xr.testing.assert_identical(look(TopClasses(), album(logit, [-1] * 7), draw=None).measured, together)


def test_where_the_classes_are_known_it_says_how_often_they_are_right(look, album):
    seen = look(TopClasses(top=2), album(label=[2, 0, 0]))
    assert seen.summary["first_is_right"] == pytest.approx(1 / 3)
    assert seen.summary["right_among_first_2"] == pytest.approx(2 / 3)
    sheet = seen.sheets["top_classes"]
    assert "true class is bold" in sheet.description
    assert [mark.bold for mark in marks(sheet, Words)[:6]] == [False, True, True, False, False, False]


def test_one_logit_is_the_positive_class_against_the_other(look, album):
    seen = look(TopClasses(top=2), album([[2.0], [-1.0]], [1, 1], names=["dots", "stripes"]))
    assert seen.measured.target.values.tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(seen.measured.probability[:, 0], [expit(2), expit(1)], rtol=1e-6)
    assert "wordnet_id" not in seen.sheets["top_classes"].table


def test_pictures_of_any_shape_and_long_names_are_drawn_readably(look, album):
    names = [f"n0000000{k} " + "a very long name indeed that does not end soon" for k in range(3)]
    wide = look(TopClasses(top=1), album(names=names, shape=(3, 20, 60))).sheets["top_classes"]
    high = look(TopClasses(top=3), album(names=names, shape=(1, 60, 8)), rendered=True).sheets["top_classes"]
    for sheet, shape in ((wide, 20 / 60), (high, 60 / 8)):
        left, right, bottom, top = marks(sheet, Image)[0].extent
        assert (bottom - top) / (right - left) == pytest.approx(shape)
        assert max(len(mark.text) for mark in marks(sheet, Words)) == 42


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Network({"conv1": (4, 8, 8)}, {}, {}, 0), "ends before it decides"),
        (Network({"logit": (2,)}, {}, {}, 2), "2 c"),
    ],
)
def test_networks_without_so_many_classes_are_refused(network, words):
    with pytest.raises((SeedscopeError, SettingError), match=words):
        TopClasses().check(network)
