import numpy as np
import pytest

from seedscope.data.squares import Squares
from seedscope.figures import Bars, Words, panels_of
from seedscope.lenses.mistakes import Mistakes
from seedscope.lenses.mistakes.borders import border_distance
from tests.lenses.sheets import marks, words

LENS = Mistakes("fc1", "fc2", shown=6)


@pytest.fixture
def nearly_perfect(replica_of, places_of):
    """Return a replica that decides all but the first few pictures correctly."""

    def replica(mistakes):
        rng = np.random.default_rng(0)
        activation, weight = rng.random((40, 6)), rng.normal(0, 1, (3, 6))
        label = (activation @ weight.T).argmax(1)
        label[:mistakes] = (label[:mistakes] + 1) % 3
        return replica_of(activation, weight, np.zeros(3), label, places=places_of(40))

    return replica


@pytest.mark.parametrize("mistakes", [1, 2, 4])
def test_few_mistakes_are_drawn_readably(look, nearly_perfect, mistakes):
    seen = look(LENS, nearly_perfect(mistakes), draw="misclassified", rendered=mistakes == 4)
    assert seen.summary["mistakes"] == mistakes
    assert len(list(panels_of(seen.sheets["misclassified_votes"].body))) == 3 * mistakes


def test_each_mistake_names_who_pulled_most_and_who_objected_least(look, random_replica):
    seen = look(LENS, random_replica(), draw="misclassified")
    pictures = list(panels_of(seen.sheets["misclassified_votes"].body))
    for index, position in enumerate(seen.measured.shown_position.values):
        (mistake,) = np.flatnonzero(seen.measured.wrong_position.values == position)
        image, pulled, missing = pictures[3 * index : 3 * index + 3]
        assert image.title.startswith(f"sample {int(seen.measured.sample[position])}\n")
        for panel, values in ((pulled, seen.measured.pull), (missing, seen.measured.shortfall)):
            of_mistake = values.values[mistake]
            if np.isnan(of_mistake).all():
                assert panel.empty
                continue
            largest = np.argsort(-of_mistake, kind="stable")[:5]
            assert panel.x.names == [str(unit) for unit in largest]
            np.testing.assert_array_equal(marks(panel, Bars)[0].height, of_mistake[largest])


def test_without_a_mistake_the_figure_says_so(look, nearly_perfect):
    seen = look(LENS, nearly_perfect(0), rendered=True)
    assert seen.summary["accuracy"] == 1
    assert seen.summary["mistakes"] == 0
    assert np.isnan(seen.summary["shortfall_in_top5_units"])
    assert seen.measured.sizes["mistake"] == 0
    assert "No probe picture was misclassified" in words(seen.sheets["misclassified_votes"])


def test_where_no_picture_of_a_class_was_right_the_figure_says_so(look, replica_of):
    rng = np.random.default_rng(0)
    activation, weight = rng.random((40, 6)), rng.normal(0, 1, (3, 6))
    label = ((activation @ weight.T).argmax(1) + 1) % 3
    seen = look(LENS, replica_of(activation, weight, np.zeros(3), label))
    assert seen.summary["accuracy"] == 0
    said = [panel.empty for panel in panels_of(seen.sheets["misclassified_votes"].body) if panel.empty]
    assert len(said) == 6
    assert all("decided correctly" in words for words in said)


ODD = {
    "all units dead": {"dead": range(12)},
    "one class only": {"unseen": (0, 2)},
    "one logit": {"classes": 2, "targets": 1, "names": ("no", "yes")},
    "ten classes": {"classes": 10, "n": 200},
    "units with long numbers": {"units": 800},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, random_replica, places_of, case):
    replica = random_replica(**ODD[case], places=places_of(ODD[case].get("n", 60)))
    seen = look(LENS, replica, rendered=case in ("all units dead", "ten classes"))
    assert set(seen.sheets) == {"confusion_matrix", "accuracy_by_place", "misclassified_votes"}
    assert seen.measured.confusion.sum() == len(replica.probe.label)


def test_without_known_places_there_is_no_figure_by_place(look, random_replica):
    assert set(look(LENS, random_replica()).sheets) == {"confusion_matrix", "misclassified_votes"}


def test_the_confusion_is_written_into_its_cells(look, random_replica):
    seen = look(LENS, random_replica(names=("a", "b", "c")), draw="confusion")
    sheet, counts = seen.sheets["confusion_matrix"], seen.measured.confusion.values
    written = {(int(cell.y), int(cell.x)): int(cell.text) for cell in marks(sheet, Words)}
    assert written == {place: count for place, count in np.ndenumerate(counts) if count}
    assert sheet.body.y.names == ["0 (a)", "1 (b)", "2 (c)"]
    assert sheet.table.drop(columns="true").to_numpy().tolist() == counts.tolist()


def test_the_curve_by_distance_holds_every_picture_once(look, random_replica, places_of):
    seen = look(LENS, random_replica(places=places_of(60)), draw="accuracy_by_place")
    table = seen.sheets["accuracy_by_place"].table
    assert table["n"].sum() == 60
    assert table["correct"].sum() == 60 - seen.summary["mistakes"]
    np.testing.assert_allclose(table["accuracy"], table["correct"] / table["n"])
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()


def test_the_curve_by_distance_is_that_of_the_whole_geometry_where_places_are_missing(look, replica_of):
    source, rng = Squares(size=18, side=3), np.random.default_rng(0)
    y, x = np.mgrid[:16, :16].reshape(2, -1)
    distance = border_distance(source.label(y, x).reshape(16, 16)).ravel()
    seen = (rng.random(256) < 0.7) | (y == 15) | (x == 15)
    label = source.label(y, x)[seen]
    activation, weight = rng.random((seen.sum(), 4)), rng.normal(0, 1, (9, 4))
    replica = replica_of(activation, weight, np.zeros(9), label, places=(y[seen], x[seen]))
    table = look(LENS, replica, draw="accuracy_by_place").sheets["accuracy_by_place"].table
    steps, n = np.unique(distance[seen], return_counts=True)
    assert table["pixels_to_border"].tolist() == steps.tolist()
    assert table["n"].tolist() == n.tolist()
