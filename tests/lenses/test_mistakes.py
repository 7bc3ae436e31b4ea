import numpy as np
import pytest

from seedscope.data.squares import Squares
from seedscope.formulas.votes import Votes
from seedscope.lenses.mistakes import (
    Mistakes,
    _borders,
    _filled,
    border_distance,
    pull_and_shortfall,
)

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
    filled = _filled(np.where(seen, whole, -1))
    np.testing.assert_array_equal(filled, whole)
    unfilled = border_distance(np.where(seen, whole, -1))
    assert (unfilled[seen] > border_distance(whole)[seen]).mean() > 0.05  # what it is for
    np.testing.assert_array_equal(border_distance(filled)[seen], border_distance(whole)[seen])


def test_borders_are_drawn_between_cells_only_also_where_places_are_missing():
    label = squares_labels()
    label[17:, 3] = -1
    label[:, 20] = -1
    for axis in (0, 1):
        assert set(np.flatnonzero(_borders(label, axis)).tolist()) == {7, 18}


def test_labels_without_straight_borders_are_left_as_they_are():
    label = np.array([[0, 0, 1], [0, -1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(_filled(label)[label >= 0], label[label >= 0])
    gap = np.array([[0, -1, 1], [0, -1, 1]])  # nobody knows where between them the border is
    np.testing.assert_array_equal(_filled(gap), gap)


@pytest.fixture
def places_of():
    def places(n, seed=0):
        rng = np.random.default_rng(seed)
        return rng.integers(0, 9, n), rng.integers(0, 9, n)

    return places


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
    np.testing.assert_array_equal(measured.shown, worst)
    np.testing.assert_array_equal(measured.shown_image, replica.probe.image.values[worst])
    np.testing.assert_array_equal(measured.wrong, np.flatnonzero(lead > 0))
    np.testing.assert_allclose(measured.margin, lead[lead > 0])


def test_the_lead_of_one_logit_is_its_size(look, random_replica):
    replica = random_replica(classes=2, targets=1)
    measured = look(LENS, replica, draw=None).measured
    assert measured.sizes["mistake"] > 5
    z = replica.activations["logit"].values[measured.wrong, 0]
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
    seen = look(LENS, nearly_perfect(mistakes), draw="misclassified")
    assert seen.summary["mistakes"] == mistakes
    assert len(seen.drawings["misclassified_votes"].figure.axes) == 3 * mistakes


def test_without_a_mistake_the_figure_says_so(look, nearly_perfect):
    seen = look(LENS, nearly_perfect(0))
    assert seen.summary["accuracy"] == 1
    assert seen.summary["mistakes"] == 0
    assert np.isnan(seen.summary["shortfall_in_top5_units"])
    assert seen.measured.sizes["mistake"] == 0
    words = [text.get_text() for text in seen.drawings["misclassified_votes"].figure.texts]
    assert any("No probe picture was misclassified" in text for text in words)


def test_where_no_picture_of_a_class_was_right_the_figure_says_so(look, replica_of):
    rng = np.random.default_rng(0)
    activation, weight = rng.random((40, 6)), rng.normal(0, 1, (3, 6))
    label = ((activation @ weight.T).argmax(1) + 1) % 3
    seen = look(LENS, replica_of(activation, weight, np.zeros(3), label))
    assert seen.summary["accuracy"] == 0
    words = [text.get_text() for ax in seen.drawings["misclassified_votes"].figure.axes for text in ax.texts]
    assert len(words) == 6
    assert all("decided correctly" in text for text in words)


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
    seen = look(LENS, replica)
    assert set(seen.drawings) == {"confusion_matrix", "accuracy_by_place", "misclassified_votes"}
    assert seen.measured.confusion.sum() == len(replica.probe.label)


def test_without_known_places_there_is_no_figure_by_place(look, random_replica):
    assert set(look(LENS, random_replica()).drawings) == {"confusion_matrix", "misclassified_votes"}


def test_the_curve_by_distance_holds_every_picture_once(look, random_replica, places_of):
    seen = look(LENS, random_replica(places=places_of(60)), draw="accuracy_by_place")
    table = seen.drawings["accuracy_by_place"].table
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
    table = look(LENS, replica, draw="accuracy_by_place").drawings["accuracy_by_place"].table
    steps, n = np.unique(distance[seen], return_counts=True)
    assert table["pixels_to_border"].tolist() == steps.tolist()
    assert table["n"].tolist() == n.tolist()
