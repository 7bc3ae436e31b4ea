import numpy as np
import pytest

from seedscope.data.squares import Squares
from seedscope.lenses.mistakes.borders import border_distance, borders, filled


def slow_border_distance(label):
    rows, columns = label.shape
    result = np.full(label.shape, max(rows, columns))
    for y in range(rows):
        for x in range(columns):
            for v in range(rows):
                for u in range(columns):
                    if (v == y or u == x) and label[v, u] >= 0 and label[v, u] != label[y, x]:
                        result[y, x] = min(result[y, x], abs(v - y) + abs(u - x))
    return result


@pytest.mark.parametrize("shape", [(5, 5), (1, 6), (6, 1), (4, 7), (1, 1)])
def test_the_distance_to_another_class_is_that_of_a_brute_force_search(shape):
    rng = np.random.default_rng(0)
    for classes in (1, 2, 5):
        for unknown in (0, 0.4):
            label = np.where(rng.random(shape) < unknown, -1, rng.integers(0, classes, shape))
            known = label >= 0
            np.testing.assert_array_equal(border_distance(label)[known], slow_border_distance(label)[known])


def squares_labels():
    y, x = np.mgrid[:27, :27]
    return Squares().label(y, x)


def test_places_that_no_picture_shows_do_not_push_the_border_away():
    whole = squares_labels()
    seen = np.random.default_rng(0).random(whole.shape) < 0.7
    whole_again = filled(np.where(seen, whole, -1))
    np.testing.assert_array_equal(whole_again, whole)
    unfilled = border_distance(np.where(seen, whole, -1))
    assert (unfilled[seen] > border_distance(whole)[seen]).mean() > 0.05  # what it is for
    np.testing.assert_array_equal(border_distance(whole_again)[seen], border_distance(whole)[seen])


def test_borders_are_drawn_between_cells_only_also_where_places_are_missing():
    label = squares_labels()
    label[17:, 3] = -1
    label[:, 20] = -1
    for axis in (0, 1):
        assert set(np.flatnonzero(borders(label, axis)).tolist()) == {7, 18}


def test_labels_without_straight_borders_are_left_as_they_are():
    label = np.array([[0, 0, 1], [0, -1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(filled(label)[label >= 0], label[label >= 0])
    gap = np.array([[0, -1, 1], [0, -1, 1]])  # nobody knows where between them the border is
    np.testing.assert_array_equal(filled(gap), gap)
