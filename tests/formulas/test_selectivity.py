import numpy as np
import pytest

from seedscope.formulas.selectivity import class_selectivity, extent, orientation_selectivity


def test_orientation_selectivity_by_hand():
    one = np.zeros(12)
    one[5] = 7.0
    pair = np.zeros(12)
    pair[[0, 6]] = 1  # at right angles to each other
    responses = np.stack([one, np.ones(12), pair, np.zeros(12)])
    index, preferred = orientation_selectivity(responses, np.arange(12) * 15.0)
    np.testing.assert_allclose(index[:3], [1, 0, 0], atol=1e-12)
    assert preferred[0] == pytest.approx(75)
    assert np.isnan(preferred[1:]).all()
    assert np.isnan(index[3])


def test_extent_by_hand():
    maps = np.zeros((3, 2, 4))
    maps[0, 0, 0], maps[1] = 5, 2
    ratio, active = extent(maps)
    np.testing.assert_allclose(ratio[:2], [1 / 8, 1])
    assert np.isnan(ratio[2])
    np.testing.assert_allclose(active, [1 / 8, 1, 0])
    assert extent(np.array([[3.0, 1], [0, 0]]))[0] == pytest.approx(16 / (4 * 10))


def test_class_selectivity_by_hand():
    means = np.array([[3.0, 1, 0], [1, 1, 0], [np.nan] * 3, [0, 1, 0]])
    np.testing.assert_allclose(class_selectivity(means), [(3 - 0.5) / 3.5, 0, np.nan])
    assert np.isnan(class_selectivity(means[:1])).all()  # a single class
