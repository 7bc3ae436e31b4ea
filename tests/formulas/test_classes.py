import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from seedscope.formulas.classes import class_means, class_separation, class_variance, nearest_centroid_accuracy


def test_separation_by_hand():
    values = np.array([[0.0], [2.0], [10.0], [12.0]])  # means 1 and 11 around 6: 4 · 25 of 100 + 4 · 1
    label = np.array([0, 0, 1, 1])
    assert class_separation(values, label) == pytest.approx(100 / 104)
    assert nearest_centroid_accuracy(values, label) == 1
    assert nearest_centroid_accuracy(values, np.array([0, 1, 0, 1])) == 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(n=st.integers(4, 30), units=st.integers(1, 5), classes=st.integers(2, 4), seed=st.integers(0, 99))
def test_the_nearest_centroid_is_found_as_if_each_sample_were_taken_out(n, units, classes, seed):
    rng = np.random.default_rng(seed)
    values, label = rng.normal(size=(n, units)), rng.integers(classes, size=n)
    if len(np.unique(label)) < 2:
        assert np.isnan(nearest_centroid_accuracy(values, label))
        return
    right = []
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        means = {k: values[rest][label[rest] == k].mean(0) for k in np.unique(label[rest])}
        right.append(min(means, key=lambda k: ((values[i] - means[k]) ** 2).sum()) == label[i])
    assert nearest_centroid_accuracy(values, label) == pytest.approx(np.mean(right))


def test_planted_clusters_part_and_random_labels_do_not():
    rng = np.random.default_rng(0)
    label = rng.integers(4, size=400)
    values = rng.normal(0, 1, (400, 8)) + 5 * np.eye(4, 8)[label]
    # between: 25 · (1 − 1/4) per picture; within: 8
    assert class_separation(values, label) == pytest.approx(18.75 / 26.75, abs=0.02)
    assert nearest_centroid_accuracy(values, label) > 0.99
    shuffled = [rng.permutation(label) for _ in range(300)]
    assert ttest_1samp([class_separation(values, one) for one in shuffled], 3 / 399).pvalue > 1e-3
    assert np.mean([nearest_centroid_accuracy(values, one) for one in shuffled]) == pytest.approx(0.25, abs=0.02)


def test_where_nothing_varies_or_one_class_is_there_is_no_separation():
    label = np.array([0, 1, 1])
    for measure in (class_separation, nearest_centroid_accuracy):
        assert np.isnan(measure(np.full((3, 2), 0.1), label))
        assert np.isnan(measure(np.zeros((3, 0)), label))
        assert np.isnan(measure(np.eye(3), np.zeros(3, dtype=int)))


def test_the_variance_between_classes_by_hand():
    values = np.array([[4.0, 1, 0, 2], [2, 1, 0, 2], [1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]])
    label = np.array([0, 0, 1, 1, 3])
    means = class_means(values, label, 4)
    assert np.isnan(means[2]).all()
    np.testing.assert_allclose(means[[0, 1, 3], 0], [3, 1, 0])
    variance = class_variance(means, values, label)
    centre = values[:, 0].mean()
    between = 2 * (3 - centre) ** 2 + 2 * (1 - centre) ** 2 + centre**2
    assert variance[0] == pytest.approx(between / ((values[:, 0] - centre) ** 2).sum())
    assert variance[3] == pytest.approx(1)
    assert np.isnan(variance[1:3]).all()
    assert class_separation(values[:, :1], label) == pytest.approx(variance[0])
    alone = np.zeros(5, dtype=int)
    assert np.isnan(class_variance(class_means(values, alone, 3), values, alone)).all()
