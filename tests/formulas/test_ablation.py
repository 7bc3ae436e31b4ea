import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import spearmanr

from seedscope.formulas.ablation import (
    KEPT,
    LOST,
    descending,
    judged,
    of_classes,
    random_orders,
    ranked,
    reference,
    removal_area,
    removal_steps,
    shuffled_agreement,
    single_losses,
    under_removal,
    units_to_halve,
)
from seedscope.formulas.decisions import predicted_class, probabilities, true_margin
from seedscope.formulas.halves import halves
from seedscope.formulas.votes import Votes


def random_votes(samples=40, units=7, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    activation = np.clip(rng.normal(0.3, 1, (samples, units)), 0, None)
    return Votes(activation, rng.normal(0, 1, (classes, units)), rng.normal(0, 0.3, classes)), np.arange(
        samples
    ) % classes


def overwritten(votes, without, units):
    """Return the logits of a forward pass in which these units really have other values."""
    activation = votes.activation.copy()
    activation[:, units] = without[:, units]
    return activation @ votes.weight.T + votes.bias


def test_halves_share_every_class_evenly_and_are_the_same_each_time():
    label = np.repeat([0, 1, 2, 5], [10, 7, 4, 1])
    half = halves(label)
    assert np.array_equal(half, halves(label))
    for k in (0, 1, 2):
        own = half[label == k]
        assert abs(int((own == 0).sum()) - int((own == 1).sum())) <= 1
    assert abs(half.mean() - 0.5) < 0.1
    assert not np.array_equal(half[:10], np.arange(10) % 2)  # a data set may have an order of its own


def test_log_probability_is_that_of_scipy_and_the_first_of_equal_logits_decides():
    rng = np.random.default_rng(0)
    logit, label = 30 * rng.normal(0, 1, (3, 5, 20)), rng.integers(0, 5, 20)
    found, decided = judged(logit, label)
    expected = log_softmax(logit, axis=1)
    np.testing.assert_allclose(found, expected[:, label, np.arange(20)], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(decided, logit.argmax(1))
    assert judged(np.array([[1.0, 0], [1, 2], [1, 2]]), np.array([2, 2]))[1].tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["mean", "zero", "another"])
def test_a_single_loss_is_that_of_a_forward_pass_with_the_unit_overwritten(kind):
    votes, label = random_votes()
    without = reference(votes.activation, kind)
    group = label + 4 * halves(label)
    lost = single_losses(votes, votes.activation - without, label, group, 9)
    before = votes.logit()
    for unit in range(7):
        after = overwritten(votes, without, [unit])
        p = [np.log(probabilities(logit)[np.arange(40), label]) for logit in (before, after)]
        right = [(predicted_class(logit) == label).astype(float) for logit in (before, after)]
        expected = {
            "log_probability": p[0] - p[1],
            "margin": true_margin(before, label) - true_margin(after, label),
            "accuracy": right[0] - right[1],
            "flips": predicted_class(before) != predicted_class(after),
        }
        for at, name in enumerate(LOST):
            by_group = [expected[name][group == g].mean() for g in range(8)]
            np.testing.assert_allclose(lost[at, :8, unit], by_group, atol=1e-12)
    assert np.isnan(lost[:, 8]).all()


def test_many_units_at_a_time_or_few_give_the_same_losses(monkeypatch):
    votes, label = random_votes()
    gone = votes.activation - reference(votes.activation, "mean")
    once = single_losses(votes, gone, label, label, 4)
    monkeypatch.setattr("seedscope.formulas.ablation._CHUNK", 400)
    np.testing.assert_allclose(single_losses(votes, gone, label, label, 4), once, atol=1e-12)


def test_another_picture_is_one_picture_for_all_units():
    values = np.arange(30.0).reshape(10, 3)
    moved = reference(values, "another")
    assert sorted(moved[:, 0]) == values[:, 0].tolist()
    np.testing.assert_array_equal(moved[:, 1:] - moved[:, :1], [[1, 2]] * 10)
    assert not np.array_equal(moved, values)


def test_the_margin_of_two_classes_moves_by_a_difference_of_votes_which_is_an_identity():
    votes, label = random_votes(classes=2)
    lost = single_losses(votes, votes.activation, label, label, 2)[LOST.index("margin")]
    for k in (0, 1):
        vote = votes.activation[label == k].mean(0) * (votes.weight[k] - votes.weight[1 - k])
        np.testing.assert_allclose(lost[k], vote, atol=1e-12)


def test_one_logit_loses_what_its_two_logit_head_loses():
    votes, label = random_votes(classes=2)
    one = Votes(votes.activation, votes.weight[1:] - votes.weight[:1], votes.bias[1:] - votes.bias[:1])
    losses = [single_losses(of_classes(head), votes.activation, label, label, 2) for head in (one, votes)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-12)
    np.testing.assert_allclose(probabilities(of_classes(one).logit()), probabilities(one.logit()), atol=1e-12)


def test_joint_removals_are_forward_passes_with_all_these_units_overwritten():
    votes, label = random_votes(samples=30, units=9)
    without = reference(votes.activation, "mean")
    live, steps = np.array([0, 2, 3, 5, 6, 8]), np.array([0, 1, 3, 5, 9])
    order = random_orders(4, live, np.random.default_rng(1), 3)
    assert sorted(order[2, 3]) == live.tolist()
    total = under_removal(votes, votes.activation - without, label, order, steps)
    decided = predicted_class(votes.logit())
    for draw in range(3):
        for at, m in enumerate(steps):
            expected = np.zeros(3)
            for k in range(4):
                own = label == k
                logit = overwritten(votes, without, order[draw, k, :m])[own]
                now = predicted_class(logit)
                expected += [log_softmax(logit, 1)[:, k].sum(), (now == k).sum(), (now != decided[own]).sum()]
            np.testing.assert_allclose(total[draw, :, at], expected, atol=1e-9)
    assert KEPT == ("log_probability", "accuracy", "flips")


def test_a_unit_that_alone_decides_a_class_costs_that_class_and_no_other():
    label = np.repeat([0, 1, 2], 20)
    activation = 0.1 * np.random.default_rng(0).random((60, 6))
    activation[np.arange(60), label] += 4
    votes = Votes(activation, np.eye(3, 6), np.zeros(3))
    votes.weight[:, 3:] = 0.01
    lost = single_losses(votes, activation - reference(activation, "mean"), label, label, 3)
    accuracy, log_probability = lost[LOST.index("accuracy")], lost[LOST.index("log_probability")]
    zero = single_losses(votes, activation, label, label, 3)[LOST.index("accuracy")]
    np.testing.assert_array_equal(zero[:, :3], np.eye(3))
    assert (zero[:, 3:] == 0).all()
    assert (np.argmax(log_probability, 1) == [0, 1, 2]).all()
    assert (accuracy[:, 3:] == 0).all()


def test_the_order_is_that_of_live_units_alone_and_equal_ones_go_by_number():
    live = np.array([True, False, True, True])
    assert descending(np.array([[1.0, 9, 3, 3], [0, 9, -1, 5]]), live).tolist() == [[2, 3, 0], [3, 0, 2]]


def test_steps_are_fibonacci_numbers_and_end_with_all():
    assert removal_steps(64).tolist() == [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 64]
    assert removal_steps(5).tolist() == [0, 1, 2, 3, 5]
    assert removal_steps(1).tolist() == [0, 1]


def test_area_and_half_of_a_curve_by_hand():
    steps = np.array([0, 1, 2, 4, 8])
    curve = np.array([1.0, 0.9, 0.5, 0.2, 0.2])
    log2 = np.log([2.0])[0]
    by_hand = log2 * ((0.1 + 0.5) / 2 + (0.5 + 0.8) / 2) / (2 * log2)
    assert removal_area(curve, steps, 4) == pytest.approx(by_hand)
    assert units_to_halve(curve, steps, 4) == pytest.approx(1 + (0.9 - 0.6) / 0.4)
    assert removal_area(curve, steps, 3) == pytest.approx(
        (log2 * 0.3 + np.log(1.5) * 0.65) / np.log(3)
    )  # after three of three nothing more can go
    assert np.isnan(removal_area(curve, steps, 1))
    assert np.isnan(units_to_halve(np.array([0.5, 0.4, 0.5]), np.array([0, 1, 2]), 2))
    assert units_to_halve(np.array([1.0, 0.4, 0.0]), np.array([0, 1, 2]), 2) == pytest.approx(0.5 / 0.6)


def test_products_of_ranks_are_spearmans_rho_and_no_variation_is_no_value():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (3, 12)).astype(float), rng.normal(0, 1, (3, 12))
    b[2] = 1
    rho = (ranked(a) * ranked(b)).sum(1)
    for k in (0, 1):
        assert rho[k] == pytest.approx(spearmanr(a[k], b[k]).statistic)
    assert np.isnan(rho[2])
    a[0, 3] = np.nan
    assert np.isnan(ranked(a)[0]).all()
    assert ranked(np.zeros((2, 0))).shape == (2, 0)


def test_shuffled_units_agree_as_often_as_a_loop_of_scipys_finds():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (3, 9)), rng.normal(0, 1, (3, 9))
    a[1, 0] = np.nan
    order = rng.permuted(np.tile(np.arange(9), (150, 1)), axis=1)
    found = shuffled_agreement(ranked(a), ranked(b), order)
    for value, shuffle in zip(found[:20], order, strict=False):
        expected = np.mean([spearmanr(a[k], b[k, shuffle]).statistic for k in (0, 2)])
        assert value == pytest.approx(expected)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(150)
    assert np.isnan(shuffled_agreement(np.full((1, 4), np.nan), np.ones((1, 4)), order[:5, :4])).all()
