import numpy as np

from seedscope.formulas.subcells import subcells


def test_the_region_of_a_class_is_cut_into_thirds_of_each_axis():
    y, x = (axis.ravel() for axis in np.mgrid[0:27, 0:27])
    cut = np.array([0] * 8 + [1] * 11 + [2] * 8)  # as the places of squares are
    label = 3 * cut[y] + cut[x]
    group = subcells(y, x, label)
    assert group.max() == 80
    for k, first, last in ((0, 0, 7), (4, 8, 18)):
        own = label == k
        thirds = 3 * (y[own] - first) // (last - first + 1), 3 * (x[own] - first) // (last - first + 1)
        wanted = 3 * thirds[0] + thirds[1]
        for part in range(9):
            assert len(np.unique(group[own][wanted == part])) == 1
        assert len(np.unique(group[own])) == 9
    assert all(len(np.unique(label[group == one])) == 1 for one in range(81))


def test_a_class_with_one_place_is_one_group():
    assert subcells(np.array([4, 4, 0, 9]), np.array([1, 1, 2, 2]), np.array([0, 0, 1, 1])).tolist() == [0, 0, 1, 2]
