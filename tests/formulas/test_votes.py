import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seedscope.activations.capture import activations
from seedscope.formulas import votes as formula
from seedscope.formulas.decisions import predicted_class, strongest_other
from seedscope.formulas.votes import VERSIONS, Votes, dominance, largest_vote_class, positive_share
from seedscope.models.convnet import ConvNet

# A head of three classes on two units, and four pictures, small enough to do by hand.
TOY = Votes(
    activation=np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0], [0.0, 1.0]]),
    weight=np.array([[3.0, -1.0], [0.0, 3.0], [0.0, 1.0]]),
    bias=np.array([0.0, 0.0, 1.0]),
)
TOY_LABEL = np.array([0, 0, 1, 2])


@st.composite
def heads(draw):
    """Votes of random shape with labels: dead units, inactive pictures, one logit or several."""
    n, units, targets = draw(st.integers(1, 12)), draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    activation = np.clip(rng.normal(0, 1, (n, units)), 0, None)
    activation[:, rng.random(units) < draw(st.sampled_from([0, 0.5, 1]))] = 0
    weight = rng.normal(0, draw(st.sampled_from([0.01, 1, 100])), (targets, units))
    votes = Votes(activation, weight, rng.normal(0, 1, targets))
    n_classes = max(2, targets)
    return votes, rng.integers(0, n_classes, n), n_classes


@settings(max_examples=80, deadline=None, derandomize=True)
@given(heads())
def test_contributions_and_bias_add_up_to_the_logit(head):
    votes, _, _ = head
    total = votes.contribution().sum(-1) + votes.bias
    for s, row in enumerate(votes.logit()):
        for k, logit in enumerate(row):
            by_hand = votes.bias[k] + sum(a * w for a, w in zip(votes.activation[s], votes.weight[k], strict=True))
            assert abs(total[s, k] - by_hand) < 1e-9
            assert abs(logit - by_hand) < 1e-9


@pytest.fixture(scope="module")
def convnet():
    """A ConvNet in float64, pictures, and its votes as the pipeline captures them."""
    torch.manual_seed(0)
    model = ConvNet((1, 12, 12), 5, channels=(4,), hidden=(24,)).double()
    pictures = torch.rand(10, 1, 12, 12, dtype=torch.float64)
    (outputs,) = activations(model, ["fc1"], [pictures])
    head = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return model, pictures, outputs, Votes(outputs["fc1"].numpy(), head["fc2.weight"], head["fc2.bias"])


def test_contributions_of_a_real_network_add_up_to_its_own_logits(convnet):
    model, pictures, _, votes = convnet
    with torch.no_grad():
        logit = model(pictures).numpy()
    np.testing.assert_allclose(votes.contribution().sum(-1) + votes.bias, logit, rtol=0, atol=1e-9)
    assert (votes.activation == 0).any()
    assert votes.live.any()


def test_contributions_are_what_captum_attributes_to_the_layer(convnet):
    from captum.attr import LayerGradientXActivation

    model, pictures, _, votes = convnet
    method = LayerGradientXActivation(model, model.fc1)
    for k in range(5):
        attributed = method.attribute(pictures, target=k).detach().numpy()
        assert np.abs(attributed).max() > 1e-3
        np.testing.assert_allclose(votes.contribution()[:, k], attributed, rtol=0, atol=1e-9)


def test_the_four_versions_of_dominance_by_hand():
    expected = {
        "raw": [[4.5, -0.5], [0, 9], [0, 1]],
        "centred": [[3, -1], [0, 6], [0, 0]],
        "margin": [[4.5, -2], [0, 6], [0, -2]],
        "mean_subtracted": [[1.5, 1.5], [0.75, 3.5], [0.75, 0]],
    }
    np.testing.assert_allclose(TOY.logit(), [[6, 0, 1], [2, 3, 2], [-3, 9, 4], [-1, 3, 2]])
    np.testing.assert_array_equal(strongest_other(TOY.logit(), TOY_LABEL), [2, 1, 2, 1])
    result = dominance(TOY, TOY_LABEL, 3)
    for version, values in expected.items():
        np.testing.assert_allclose(result[VERSIONS.index(version)], values, atol=1e-12, err_msg=version)


def test_the_four_versions_of_dominance_of_one_logit_by_hand():
    votes = Votes(np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[2.0, -1.0]]), np.array([0.5]))
    expected = {
        "raw": [[-2, 2], [6, -1]],
        "centred": [[-1, 1], [3, -0.5]],
        "margin": [[-2, 2], [6, -1]],
        "mean_subtracted": [[1, 0.25], [1, 0.25]],
    }
    result = dominance(votes, np.array([0, 1]), 2)
    for version, values in expected.items():
        np.testing.assert_allclose(result[VERSIONS.index(version)], values, atol=1e-12, err_msg=version)


def test_one_logit_decides_and_is_measured_as_the_two_logits_of_the_same_probabilities():
    rng = np.random.default_rng(0)
    activation, weight, bias = np.clip(rng.normal(0, 1, (30, 6)), 0, None), rng.normal(0, 1, (1, 6)), np.array([0.2])
    label = rng.integers(0, 2, 30)
    one = Votes(activation, weight, bias)
    two = Votes(activation, np.concatenate([-weight / 2, weight / 2]), np.array([-0.1, 0.1]))
    z = one.logit()[:, 0]
    softmax = np.exp(two.logit()) / np.exp(two.logit()).sum(1, keepdims=True)
    np.testing.assert_allclose(softmax[:, 1], 1 / (1 + np.exp(-z)))
    np.testing.assert_array_equal(predicted_class(one.logit()), predicted_class(two.logit()))
    a, b = dominance(one, label, 2), dominance(two, label, 2)
    for version in ("centred", "margin", "mean_subtracted"):
        np.testing.assert_allclose(a[VERSIONS.index(version)], b[VERSIONS.index(version)], err_msg=version)
    for centred in (False, True):
        np.testing.assert_array_equal(
            largest_vote_class(one, centred=centred), largest_vote_class(two, centred=centred)
        )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads(), st.integers(0, 2**32 - 1))
def test_what_a_unit_gives_to_all_classes_alike_changes_raw_votes_and_nothing_else(head, seed):
    votes, label, n_classes = head
    assume(len(votes.weight) > 1)
    assume(votes.live.any())
    logits = np.sort(votes.logit(), axis=1)
    assume((logits[:, -1] - logits[:, -2]).min() > 1e-6)
    others = np.sort(np.where(np.arange(n_classes) == label[:, None], -np.inf, votes.logit()), axis=1)
    if n_classes > 2:
        assume((others[:, -1] - others[:, -2]).min() > 1e-6)  # else the runner-up is a matter of rounding
    gauge = np.random.default_rng(seed).normal(3, 1, votes.weight.shape[1])
    moved = Votes(votes.activation, votes.weight + gauge, votes.bias)
    before, after = dominance(votes, label, n_classes), dominance(moved, label, n_classes)
    scale = 1 + np.abs(votes.weight).max()
    for index, version in enumerate(VERSIONS):
        same = np.allclose(before[index], after[index], rtol=0, atol=1e-9 * scale, equal_nan=True)
        assert same == (version != "raw"), version
    np.testing.assert_array_equal(predicted_class(votes.logit()), predicted_class(moved.logit()))


def votes_by_class(votes):
    """Return each class's weights as lists, raw and centred, from the definition."""
    raw = [list(row) for row in votes.weight]
    if len(raw) == 1:
        raw = [[-w for w in raw[0]], raw[0]]
        return raw, [[w / 2 for w in row] for row in raw]
    means = [sum(column) / len(raw) for column in zip(*raw, strict=True)]
    return raw, [[w - mean for w, mean in zip(row, means, strict=True)] for row in raw]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_dominance_is_what_a_slow_loop_over_its_formula_gives(head):
    votes, label, n_classes = head
    raw, centred = votes_by_class(votes)
    a = votes.activation
    units = range(a.shape[1])
    factor = 0.5 if len(votes.weight) == 1 else 1  # classes of one logit z stand for -z/2 and z/2
    scores = [[sum(a[s, i] * w[i] for i in units) for w in raw] for s in range(len(a))]
    bias = votes.bias if len(votes.bias) > 1 else [-votes.bias[0], votes.bias[0]]
    expected = np.full((4, n_classes, len(units)), np.nan)
    for k in range(n_classes):
        own = [s for s in range(len(a)) if label[s] == k]
        if not own:
            continue
        for i in units:
            expected[:, k, i] = 0
            for s in own:
                rivals = [c for c in range(n_classes) if c != k]
                rival = max(rivals, key=lambda c: (scores[s][c] + bias[c], -c))
                expected[0, k, i] += a[s, i] * raw[k][i] / len(own)
                expected[1, k, i] += a[s, i] * centred[k][i] / len(own)
                expected[2, k, i] += a[s, i] * factor * (raw[k][i] - raw[rival][i]) / len(own)
                expected[3, k, i] += (a[s, i] - sum(a[:, i]) / len(a)) * centred[k][i] / len(own)
    scale = 1 + np.abs(votes.weight).max()
    np.testing.assert_allclose(dominance(votes, label, n_classes), expected, rtol=0, atol=1e-10 * scale)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(heads())
def test_shares_and_largest_votes_are_what_slow_loops_give(head):
    votes, label, _ = head
    for centred, weight in zip((False, True), votes_by_class(votes), strict=True):
        share = positive_share(votes, label, centred=centred)
        largest = largest_vote_class(votes, centred=centred)
        for s, row in enumerate(votes.activation):
            own = [a * w for a, w in zip(row, weight[label[s]], strict=True)]
            total = sum(abs(vote) for vote in own)
            if total == 0:
                assert np.isnan(share[s])
            else:
                assert share[s] == pytest.approx(sum(vote for vote in own if vote > 0) / total)
            best = [max(a * w for a, w in zip(row, weights, strict=True)) for weights in weight]
            assert largest[s] == best.index(max(best))


def test_looking_at_votes_in_chunks_does_not_change_the_largest(monkeypatch):
    rng = np.random.default_rng(0)
    votes = Votes(rng.random((50, 7)), rng.normal(0, 1, (4, 7)), np.zeros(4))
    whole = largest_vote_class(votes, centred=True)
    for chunk in (1, 60, 28 * 7):
        monkeypatch.setattr(formula, "_CHUNK", chunk)
        np.testing.assert_array_equal(largest_vote_class(votes, centred=True), whole)
