import numpy as np
from sklearn.metrics import confusion_matrix

from seedscope.formulas.decisions import confusion, predicted_class, probabilities, strongest_other, true_margin


def test_the_runner_up_is_the_strongest_class_that_is_not_the_label():
    logit = np.array([[5.0, 1, 3], [5, 1, 3], [2, 2, 2]])
    np.testing.assert_array_equal(strongest_other(logit, np.array([0, 2, 0])), [2, 0, 1])
    np.testing.assert_array_equal(strongest_other(np.array([[-4.0], [4.0]]), np.array([0, 1])), [1, 0])


def test_the_first_of_equal_logits_wins_and_one_logit_must_be_positive():
    np.testing.assert_array_equal(predicted_class(np.array([[1.0, 3, 3], [0, 0, 0]])), [1, 0])
    np.testing.assert_array_equal(predicted_class(np.array([[-1.0], [0], [1e-9]])), [0, 0, 1])


def test_the_margin_of_the_true_class():
    logit, label = np.array([[3.0, 1, 2], [0, 4, 9]]), np.array([0, 1])
    assert true_margin(logit, label).tolist() == [1, -5]
    assert true_margin(np.array([[2.0], [2.0]]), np.array([1, 0])).tolist() == [2, -2]


def test_the_confusion_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    label, predicted = rng.integers(0, 5, 300), rng.integers(0, 4, 300)
    np.testing.assert_array_equal(confusion(label, predicted, 6), confusion_matrix(label, predicted, labels=range(6)))


def test_probabilities_add_up_to_1_and_one_logit_has_those_of_the_sigmoid():
    z = np.array([[-800.0], [-1], [0], [3], [800]])
    found = probabilities(z)
    np.testing.assert_allclose(found[1:4, 1], 1 / (1 + np.exp(-z[1:4, 0])))
    np.testing.assert_array_equal(found[[0, 4]], [[1, 0], [0, 1]])
    logit = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_allclose(probabilities(logit).sum(1), 1, atol=1e-15)
    np.testing.assert_allclose(probabilities(logit), probabilities(logit + 4), rtol=1e-6)  # what all share
