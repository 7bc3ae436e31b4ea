import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.ranks import auc, comeback, settled, shuffled_auc, top_units


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=9),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.integers(1, 12),
)
def test_top_units_are_live_go_by_value_then_number_and_are_padded(values, alive, k):
    live = np.array(alive[: len(values)])
    order = sorted((i for i in range(len(values)) if live[i]), key=lambda i: (-values[i], i))
    expected = (order + [-1] * k)[:k]
    result = top_units(np.array([values, values], dtype=float), live, k)
    assert result.tolist() == [expected, expected]


def test_a_class_without_values_has_no_top_units():
    values = np.array([[1.0, 2.0], [np.nan, np.nan]])
    assert top_units(values, np.array([True, True]), 2).tolist() == [[1, 0], [-1, -1]]


def test_the_auc_and_the_overlap_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (4, 3, 11)).round(1)  # rounded: with ties
    back = comeback(values, 4, rng, times=10)
    for f in range(4):
        for k in range(3):
            final = set(np.argsort(-values[-1, k], kind="stable")[:4])
            here = set(np.argsort(-values[f, k], kind="stable")[:4])
            assert back.overlap[f, k] == len(final & here)
            member = np.isin(np.arange(11), list(final))
            assert back.auc[f, k] == pytest.approx(roc_auc_score(member, values[f, k]))
            u = mannwhitneyu(values[f, k][member], values[f, k][~member]).statistic
            assert back.auc[f, k] == pytest.approx(u / (4 * 7))
            better = [1 + sum(values[f, k] > v) + (sum(values[f, k] == v) - 1) / 2 for v in values[f, k]]
            np.testing.assert_allclose(back.rank[f, k], better)


def test_the_null_has_the_chance_level_and_repeats_the_choice():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (3, 2, 20))
    back = comeback(values, 5, np.random.default_rng(0), times=4000)
    assert back.null["overlap"].mean() == pytest.approx(25 / 20, abs=0.02)
    assert back.null["auc"].mean() == pytest.approx(0.5, abs=0.005)
    slow, rng = np.empty((2, 50)), np.random.default_rng(0)
    for time in range(50):
        order = rng.permutation(20)
        again = comeback(np.concatenate([values[:-1], values[-1:, :, order]]), 5, np.random.default_rng(9), times=1)
        slow[:, time] = again.overlap[0].mean(), again.auc[0].mean()
    np.testing.assert_allclose(back.null["overlap"][0, :50], slow[0])
    np.testing.assert_allclose(back.null["auc"][0, :50], slow[1])


def test_unrelated_orders_have_p_values_that_are_uniform():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        back = comeback(rng.normal(0, 1, (2, 3, 16)), 4, rng, times=100)
        p.append(permutation_p(back.auc[0].mean(), back.null["auc"][0]))
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.array(p) <= 0.05) < 0.11


def test_a_top_set_settles_where_it_stays():
    overlap = np.array([[5, 5, 2, 4], [5, 4, 5, 4], [5, 5, 4, 4], [5, 5, 5, 5], [5, 5, 5, 5]])
    assert settled(overlap).tolist() == [0, 2, 3, 3]
    assert settled(overlap[-1:]).tolist() == [0, 0, 0, 0]


def test_the_auc_of_any_scores_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    scores, member = rng.normal(0, 1, (6, 15)).round(1), rng.random((6, 15)) < 0.4
    expected = [roc_auc_score(*row) for row in zip(member, scores, strict=True)]
    np.testing.assert_allclose(auc(scores, member), expected)
    np.testing.assert_allclose(auc(np.exp(3 * scores), member), expected)
    assert auc(np.zeros(5), np.arange(5) < 2) == 0.5


def test_without_members_or_others_there_is_no_auc():
    member = np.array([[True, True], [False, False], [True, False]])
    np.testing.assert_array_equal(auc(np.array([[1.0, 2], [1, 2], [2, 1]]), member), [np.nan, np.nan, 1])
    assert np.isnan(auc(np.zeros((2, 0)), np.zeros((2, 0), dtype=bool))).all()


def test_shuffled_members_give_the_auc_of_the_members_dealt_out_anew():
    rng = np.random.default_rng(4)
    scores, member = rng.normal(0, 1, (3, 14)), rng.random((3, 14)) < 0.3
    drawn = shuffled_auc(scores, member, np.random.default_rng(0), times=250)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(14), (250, 1)), axis=1)
    for one, order in list(zip(drawn, orders, strict=True))[:30]:
        assert one == pytest.approx(np.mean([roc_auc_score(m, s[order]) for m, s in zip(member, scores, strict=True)]))
    assert len(drawn) == 250


def test_scores_that_say_nothing_reject_at_the_nominal_rate():
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(200):
        scores, member = rng.normal(0, 1, (4, 18)), np.tile(np.arange(18) < 5, (4, 1))
        drawn = shuffled_auc(scores, member, rng, times=99)
        rejected += permutation_p(auc(scores, member).mean(), drawn) <= 0.05
    assert rejected <= 18
