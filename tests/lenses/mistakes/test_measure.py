import numpy as np
import pytest

from seedscope.formulas.votes import Votes
from seedscope.lenses.mistakes import Mistakes
from seedscope.lenses.mistakes.measure import pull_and_shortfall

LENS = Mistakes("fc1", "fc2", shown=6)


@pytest.fixture(params=[1, 2, 4], ids=["one logit", "two logits", "four logits"])
def head(request):
    """Votes, labels and decisions; with an offset, so that a common part of the weights would show."""
    rng = np.random.default_rng(request.param)
    targets = request.param
    activation = np.clip(rng.normal(0, 1, (80, 7)), 0, None)
    votes = Votes(activation, rng.normal(2, 1, (targets, 7)), rng.normal(0, 1, targets))
    logit = votes.logit()
    predicted = (logit[:, 0] > 0).astype(int) if targets == 1 else logit.argmax(1)
    label = np.where(rng.random(80) < 0.5, predicted, rng.integers(0, max(2, targets), 80))
    return votes, label, predicted


def test_pulls_and_bias_add_up_to_the_lead_of_the_wrong_class(head):
    votes, label, predicted = head
    wrong = np.flatnonzero(label != predicted)
    pull, _ = pull_and_shortfall(votes, label, predicted, wrong)
    logit, bias = votes.logit(), votes.bias
    if len(bias) == 1:
        logit, bias = logit * [-0.5, 0.5], bias * [-0.5, 0.5]  # classes of one logit z stand for -z/2 and z/2
    assert len(wrong) > 10
    lead = logit[wrong, predicted[wrong]] - logit[wrong, label[wrong]]
    assert (lead > 0).all()
    np.testing.assert_allclose(pull.sum(1) + bias[predicted[wrong]] - bias[label[wrong]], lead, rtol=0, atol=1e-9)


def test_the_shortfall_is_what_a_slow_loop_over_its_formula_gives(head):
    votes, label, predicted = head
    label = np.where((label == 0) & (predicted == 0), 1, label)  # no picture of class 0 is decided correctly
    wrong = np.flatnonzero(label != predicted)
    weight = votes.weight if len(votes.weight) > 1 else np.concatenate([-votes.weight, votes.weight]) / 2
    _, shortfall = pull_and_shortfall(votes, label, predicted, wrong)
    for row, s in zip(shortfall, wrong, strict=True):
        t, w = label[s], predicted[s]
        right = [r for r in range(len(label)) if label[r] == t == predicted[r]]
        for i in range(votes.activation.shape[1]):
            if not right:
                assert t == 0
                assert np.isnan(row[i])
                continue
            typical = sum(votes.activation[r, i] * (weight[t, i] - weight[w, i]) for r in right) / len(right)
            assert row[i] == pytest.approx(typical + votes.activation[s, i] * (weight[w, i] - weight[t, i]), abs=1e-9)


def test_what_a_unit_gives_to_all_classes_alike_takes_no_part_in_a_mistake():
    rng = np.random.default_rng(0)
    votes = Votes(rng.random((30, 5)), rng.normal(0, 1, (3, 5)), np.zeros(3))
    moved = Votes(votes.activation, votes.weight + rng.normal(5, 1, 5), votes.bias)
    label, predicted = rng.integers(0, 3, 30), rng.integers(0, 3, 30)
    wrong = np.flatnonzero(label != predicted)
    before, after = (pull_and_shortfall(v, label, predicted, wrong) for v in (votes, moved))
    for a, b in zip(before, after, strict=True):
        assert np.abs(a).max() > 0.1
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_accuracy_is_counted_where_the_square_was(look, random_replica, places_of):
    y, x = places_of(60)
    measured = look(LENS, random_replica(places=(y, x)), draw=None).measured
    right = (measured.predicted == measured.label).values
    assert 0 < right.sum() < 60
    for row in range(9):
        for column in range(9):
            here = (y == row) & (x == column)
            assert measured.place_n[row, column] == here.sum()
            assert measured.place_hits[row, column] == right[here].sum()


def test_the_most_confident_mistakes_are_shown_with_their_own_pictures(look, random_replica):
    replica = random_replica()
    measured = look(LENS, replica, draw=None).measured
    logit = replica.activations["logit"].values
    rows, label = np.arange(60), replica.probe.label.values
    lead = logit.max(1) - logit[rows, label]
    worst = np.argsort(-lead)[:6]
    np.testing.assert_array_equal(measured.shown_position, worst)
    np.testing.assert_array_equal(measured.shown_image, replica.probe.image.values[worst])
    np.testing.assert_array_equal(measured.wrong_position, np.flatnonzero(lead > 0))
    np.testing.assert_allclose(measured.margin, lead[lead > 0])


def test_the_lead_of_one_logit_is_its_size(look, random_replica):
    replica = random_replica(classes=2, targets=1)
    measured = look(LENS, replica, draw=None).measured
    assert measured.sizes["mistake"] > 5
    z = replica.activations["logit"].values[measured.wrong_position, 0]
    np.testing.assert_allclose(measured.margin, np.abs(z))


def test_the_summary_is_what_the_confusion_says(look, random_replica):
    seen = look(LENS, random_replica(), draw=None)
    counts = seen.measured.confusion.values
    assert seen.summary["accuracy"] == pytest.approx(np.trace(counts) / 60)
    assert seen.summary["mistakes"] == 60 - np.trace(counts)
    assert seen.summary["worst_class_accuracy"] == pytest.approx((np.diag(counts) / counts.sum(1)).min())
    shares = []
    for row in seen.measured.shortfall.values[:, seen.measured.live.values]:
        more = sorted((value for value in row if value > 0), reverse=True)
        shares += [sum(more[:5]) / sum(more)] if more else []  # NaN rows have nothing to compare with
    assert 0.5 < np.mean(shares) < 0.99
    assert seen.summary["shortfall_in_top5_units"] == pytest.approx(np.mean(shares))


def test_the_share_of_five_units_is_1_where_five_units_are_all_there_are(look, random_replica):
    seen = look(LENS, random_replica(units=9, dead=(0, 3, 4, 8)), draw=None)
    assert seen.summary["shortfall_in_top5_units"] == pytest.approx(1)
