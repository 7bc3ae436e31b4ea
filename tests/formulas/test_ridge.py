import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeCV

from seedscope.formulas.ridge import _PENALTIES, explained, readout, ridge_prediction


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(8, 60), units=st.integers(1, 20), seed=st.integers(0, 99))
def test_ridge_predictions_are_those_of_scikit_learn_with_its_choice_of_penalty(n, units, seed):
    rng = np.random.default_rng(seed)
    values, new = rng.normal(2, 3, (n, units)), rng.normal(2, 3, (5, units))
    wanted = values[:, :1] @ np.array([[1.0, 0.0]]) + rng.normal(0, 2, (n, 2))
    scale = (np.linalg.svd(values - values.mean(0), compute_uv=False) ** 2).mean()
    for target in range(2):
        oracle = RidgeCV(alphas=_PENALTIES * scale).fit(values, wanted[:, target])
        found = ridge_prediction(values, wanted, new)[:, target]
        np.testing.assert_allclose(found, oracle.predict(new), rtol=1e-5, atol=1e-5)


def test_ridge_predicts_the_mean_where_nothing_varies():
    np.testing.assert_allclose(ridge_prediction(np.full((4, 3), 0.1), np.arange(4.0)[:, None], np.ones((2, 3))), 1.5)
    np.testing.assert_allclose(ridge_prediction(np.zeros((4, 0)), np.arange(4.0)[:, None], np.ones((2, 0))), 1.5)


def test_a_place_written_into_the_units_is_read_and_one_that_is_not_is_not():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=600)
    within = rng.uniform(-1, 1, 600)
    place = np.stack([10 * label + within, 10 * label + rng.uniform(-1, 1, 600)], 1)
    values = np.stack([label == k for k in range(3)] + [within], 1) + 0.05 * rng.normal(size=(600, 4))
    left, total, by_class = readout(values, place, label)
    r2, inside = explained(left, total), explained(*by_class.sum(0))
    assert (r2 > 0.98).all()  # the class alone tells nearly all of the place …
    assert inside[0] > 0.95  # … and the units tell the first coordinate within it,
    assert abs(inside[1]) < 0.05  # but not the second
    assert (explained(by_class[:, 0, 0], by_class[:, 1, 0]) > 0.9).all()


def test_r2_is_cross_validated():
    rng = np.random.default_rng(0)
    label = np.zeros(30, dtype=int)
    left, total, _ = readout(rng.normal(size=(30, 25)), rng.normal(size=(30, 4)), label)
    assert (explained(left, total) < 0.2).all()  # 25 units fit 30 pictures of noise nearly perfectly
