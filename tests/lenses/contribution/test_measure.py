import numpy as np
import pytest
import torch

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.votes import VERSIONS
from seedscope.lenses import Network
from seedscope.lenses.contribution import Contribution

LENS = Contribution("fc1", "fc2", top=3)


def test_a_dead_unit_is_never_named_however_large_its_weights(look, replica_of):
    rng = np.random.default_rng(0)
    activation = rng.random((40, 6))
    activation[:, 2] = 0
    weight = rng.normal(0, 1, (3, 6))
    weight[:, 2] = [1e3, -1e3, 5e2]
    replica = replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 40))
    seen = look(LENS, replica, draw="contribution_ranking_all")
    assert not seen.measured.live[2]
    assert 2 not in seen.measured.top
    assert 2 not in seen.sheets["contribution_ranking_all_classes"].table["unit"].to_numpy()


def test_a_planted_dominant_unit_is_found_in_every_version(look, replica_of):
    rng = np.random.default_rng(1)
    label = np.arange(90) % 3
    activation = 0.3 * rng.random((90, 12))
    weight = 0.3 * rng.normal(0, 1, (3, 12))
    planted = [7, 0, 10]
    for k, unit in enumerate(planted):
        activation[label == k, unit] += 2
        weight[k, unit] += 2
    seen = look(LENS, replica_of(activation, weight, np.zeros(3), label), draw="contribution_ranking_all")
    for version in VERSIONS:
        assert seen.measured.top.sel(version=version).values[:, 0].tolist() == planted
    table = seen.sheets["contribution_ranking_all_classes"].table
    assert table.groupby("class")["unit"].first().tolist() == planted


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_unit_that_stands_at_the_top_of_every_class_is_above_chance_and_one_for_each_class_is_not(
    look, replica_of, everywhere
):
    rng = np.random.default_rng(2)
    label = np.arange(120) % 6
    activation = np.abs(rng.normal(0, 0.1, (120, 30))) + 0.01
    weight = rng.normal(0, 0.01, (6, 30))
    for k in range(6):
        own = [0, 5 * k + 1, 5 * k + 2, 5 * k + 3, 5 * k + 4] if everywhere else range(5 * k, 5 * k + 5)
        for rank, unit in enumerate(own):
            activation[label == k, unit] += 3
            weight[k, unit] += 2 - 0.1 * rank if unit else 0
    if everywhere:
        weight[:, 0] = np.repeat([3, 2], 3)
    summary = look(LENS, replica_of(activation, weight, np.zeros(6), label), draw=None).summary
    gain = summary["busiest_unit_share_raw_gain_chance"]
    assert gain == pytest.approx(summary["busiest_unit_share_raw"] - summary["busiest_unit_share_null_chance"])
    assert (summary["busiest_unit_share_raw"] == 1, gain > 0.3) == (everywhere, everywhere)
    assert everywhere or gain < 0


def test_another_order_of_the_units_is_the_same_result_in_that_order(random_replica, replica_of):
    replica = random_replica(dead=(4,))
    order = np.random.default_rng(3).permutation(12)
    moved = replica_of(
        replica.activations["fc1"].values[:, order],
        replica.weights["fc2.weight"][:, order],
        replica.weights["fc2.bias"],
        replica.probe.label.values,
    )
    before, after = LENS.measure(replica), LENS.measure(moved)
    for name in before.data_vars:
        if name == "top":
            np.testing.assert_array_equal(order[after.top], before.top)
        elif "unit" in before[name].dims:
            expected = before[name].isel(unit=order).values
            np.testing.assert_allclose(after[name].values, expected, rtol=1e-9, atol=1e-12, err_msg=name)
        elif name != "completeness_error":
            np.testing.assert_allclose(after[name].values, before[name].values, rtol=1e-9, err_msg=name)


def test_measured_factors_are_the_networks_own_and_add_up(random_replica):
    replica = random_replica()
    measured = LENS.measure(replica)
    votes = measured.activation * measured.weight
    logit = votes.sum("unit") + measured.bias
    np.testing.assert_allclose(logit, replica.activations["logit"], atol=1e-5)
    np.testing.assert_allclose(measured.logit, replica.activations["logit"], atol=1e-6)
    own = votes.sel(sample=measured.label.values == 1).mean("sample")
    np.testing.assert_allclose(measured.mean_vote[1], own.transpose("target", "unit"), atol=1e-5)
    assert measured.sample.values[0] == 100


def test_votes_that_do_not_add_up_to_the_logits_are_refused(replica_of):
    """A GELU stands between the layer and the head, say: the numbers would be about another network."""
    rng = np.random.default_rng(0)
    activation, weight = rng.normal(0, 1, (20, 5)), rng.normal(0, 1, (3, 5))
    gelu = torch.nn.functional.gelu(torch.from_numpy(activation)).numpy()
    replica = replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 20), logit=gelu @ weight.T)
    with pytest.raises(SeedscopeError, match=r"'fc1' and the bias of 'fc2' do not add up to the logits"):
        LENS.measure(replica)


def test_rounding_of_a_float32_network_is_not_refused(replica_of):
    rng = np.random.default_rng(0)
    activation, weight = np.clip(rng.normal(0, 30, (20, 800)), 0, None), rng.normal(0, 1, (3, 800))
    logit = activation.astype(np.float32) @ weight.T.astype(np.float32)
    measured = LENS.measure(replica_of(activation, weight, np.zeros(3), rng.integers(0, 3, 20), logit=logit))
    assert 0 < measured.completeness_error.max() < 1


def test_a_unit_that_is_always_negative_votes_and_is_not_dead(look, replica_of):
    rng = np.random.default_rng(0)
    activation = rng.random((30, 4))
    activation[:, 1] = -2
    activation[:, 3] = 0
    weight = np.array([[0.1, -3, 0.1, 1], [0.1, 3, 0.1, 1]])
    replica = replica_of(activation, weight, np.zeros(2), np.arange(30) % 2)
    seen = look(Contribution("fc1", "fc2", top=2), replica, draw=None)
    assert seen.measured.live.values.tolist() == [True, True, True, False]
    assert seen.measured.top.sel(version="centred").values[0, 0] == 1


def test_exhibits_show_their_own_pictures_and_samples(look, random_replica):
    replica = random_replica(n=30)
    seen = look(LENS, replica, draw=None).measured
    for k in range(3):
        for column, position in enumerate(seen.exhibit_position.values[k]):
            sample = int(seen.sample[position])
            assert sample in replica.exhibits
            assert int(seen.label[position]) == k
            shown = replica.probe.image.sel(sample=sample)
            np.testing.assert_array_equal(seen.exhibit_image.values[k, column], shown)


def test_constant_activations_make_no_unit_special_to_a_class(random_replica, replica_of):
    weight = random_replica().weights["fc2.weight"]
    measured = LENS.measure(replica_of(np.ones((60, 12)), weight, np.zeros(3), np.arange(60) % 3))
    np.testing.assert_allclose(measured.dominance.sel(version="mean_subtracted"), 0, atol=1e-12)
    np.testing.assert_allclose(measured.dominance.sel(version="raw"), weight)


def test_a_feature_map_is_its_flattened_units(random_replica):
    flat, folded = (LENS.measure(random_replica(feature_map=shape)) for shape in (None, (3, 2, 2)))
    assert folded.equals(flat)


def test_a_class_without_pictures_does_not_dilute_the_summary(look, random_replica):
    seen = look(LENS, random_replica(unseen=(0, 2)), draw=None)
    assert np.isnan(seen.measured.dominance.values[:, [0, 2]]).all()
    top = seen.measured.top
    for version in ("raw", "margin", "mean_subtracted"):
        shared = set(top.sel(version=version).values[1]) & set(top.sel(version="centred").values[1])
        assert seen.summary[f"top3_shared_with_{version}"] == len(shared)


def test_versions_that_agree_by_chance_only_share_what_the_summary_says(look, random_replica):
    replica = random_replica(dead=(0, 5, 6, 9))
    seen = look(LENS, replica, draw=None)
    live = np.flatnonzero(seen.measured.live)
    rng = np.random.default_rng(0)
    drawn = [len(set(rng.permutation(live)[:3]) & set(rng.permutation(live)[:3])) for _ in range(4000)]
    assert seen.summary["top3_shared_null_chance"] == pytest.approx(np.mean(drawn), abs=0.05)
    few = look(LENS, random_replica(dead=range(10)), draw=None)
    assert few.summary["top3_shared_null_chance"] == 2 == few.summary["top3_shared_with_raw"]


def test_pictures_that_no_unit_votes_on_do_not_count_as_outvoted(look, replica_of):
    activation = np.array([[0.0, 0], [0, 0], [1, 0], [0, 1]])
    weight, bias = np.array([[2.0, -1], [-1, 2]]), np.array([0.0, 0.1])
    seen = look(Contribution("fc1", "fc2", top=1), replica_of(activation, weight, bias, [0, 1, 0, 1]), draw=None)
    assert seen.summary["largest_vote_loses_raw"] == 0
    assert seen.summary["positive_share_raw"] == 1


def test_the_summary_averages_the_measured_shares(look, random_replica):
    seen = look(LENS, random_replica(), draw=None)
    for gauge in ("raw", "centred"):
        part = seen.measured.sel(gauge=gauge)
        assert seen.summary[f"positive_share_{gauge}"] == pytest.approx(float(part.positive_share.mean()))
        loses = (part.largest_vote_class != part.predicted).mean()
        assert 0 < loses < 1
        assert seen.summary[f"largest_vote_loses_{gauge}"] == pytest.approx(float(loses))


NETWORK = Network(
    layers={"conv1": (2, 2, 2), "fc1": (8,), "fc2": (3,), "logit": (3,)},
    weights={"conv1.weight": (2, 1, 3, 3), "fc1.weight": (8, 8), "fc2.weight": (3, 8)},
    dumped={"fc1": "probe", "conv1": "exhibits"},
    n_classes=3,
)


def test_a_head_on_its_features_is_accepted():
    Contribution("fc1", "fc2", top=8, watch=(0, 7)).check(NETWORK)


@pytest.mark.parametrize(
    ("lens", "key", "words"),
    [
        (Contribution("fc1", "fc3"), "head", "no layer 'fc3'"),
        (Contribution("fc1", "fc1"), "head", "does not give|gives the logits"),
        (Contribution("fc1", "conv1"), "head", "not a dense layer"),
        (Contribution("fc9", "fc2"), "features", "no layer 'fc9'"),
        (Contribution("fc2", "fc2"), "features", "3 outputs and 'fc2' takes 8"),
        (Contribution("conv1", "fc2"), "features", "not dumped for all probe pictures"),
        (Contribution("fc1", "fc2", top=9), "top", "8 units"),
        (Contribution("fc1", "fc2", watch=(8,)), "watch", "units 0 to 7"),
    ],
)
def test_a_network_that_cannot_be_looked_at_so_is_refused(lens, key, words):
    with pytest.raises(SettingError, match=words) as refused:
        lens.check(NETWORK)
    assert refused.value.key == key


def test_one_class_is_nothing_to_decide():
    with pytest.raises(SeedscopeError, match="one class"):
        LENS.check(Network(NETWORK.layers, NETWORK.weights, NETWORK.dumped, 1))
