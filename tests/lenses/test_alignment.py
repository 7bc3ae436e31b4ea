"""Likes across seeds: what one replica brings, planted copies, one seed, dead layers, and the nulls that there are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.alignment import Layer, align
from seedscope.formulas.halves import halves
from seedscope.formulas.subcells import subcells
from seedscope.lenses import Network
from seedscope.lenses.alignment import Alignment
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.training import Training, train
from seedscope.seeds.together import stacked

from .trained import data_of, network_of, trained_replica

LENS = Alignment("fc1", "fc2", top=3, draws=39)


def as_dumped(replica):
    """Return the replica with what its network answers, as the dump would have it."""
    images = torch.from_numpy(replica.probe.image.values)

    def answers(frame=None):
        with replica.network(frame) as network:
            hidden = torch.relu(network.fc1(images.flatten(1)))
            return hidden.numpy(), network(images).numpy()

    hidden, logit = answers()
    followed = np.stack([answers(frame)[0] for frame in range(replica.frames.sizes["frame"])])
    sample = {"sample": replica.probe.sample.values}
    return replace(
        replica,
        activations={
            "fc1": xr.DataArray(hidden, dims=("sample", "unit"), coords=sample),
            "logit": xr.DataArray(logit, dims=("sample", "target"), coords=sample),
            "fc1_frames": xr.DataArray(followed, dims=("frame", "sample", "unit"), coords=sample),
        },
    )


@pytest.fixture(scope="module")
def replica():
    return as_dumped(trained_replica(hidden=(10,), probe=48))


def test_it_brings_the_answers_before_and_after_the_relu_and_before_training(replica):
    measured = LENS.measure(replica)
    trained, untrained = measured["trained"], measured["untrained"]
    units = trained.channel.values
    np.testing.assert_array_equal(trained.answer.values[:, 0], replica.activations["fc1"].values[:, units])
    np.testing.assert_array_equal(np.maximum(trained.before.values, 0), trained.answer.values)
    assert (trained.before.values < 0).any()
    first = replica.activations["fc1_frames"].values[0][:, untrained.channel.values]
    np.testing.assert_allclose(untrained.answer.values[:, 0], first, atol=1e-6)
    weight = replica.weights["fc2.weight"]
    np.testing.assert_allclose(trained.weight.values[:, 0], (weight - weight.mean(0))[:, units], atol=1e-7)
    half, label = measured.half.values, measured.label.values
    for k in range(3):
        assert (half[label == k] == 0).sum() == (label == k).sum() / 2


def test_where_places_are_known_the_halves_are_balanced_over_parts_of_them_and_a_null_keeps_them(replica):
    rng = np.random.default_rng(0)
    y, x = rng.integers(0, 6, (2, 48))
    placed = replica.probe.assign(square_y=("sample", y), square_x=("sample", x))
    measured = LENS.measure(replace(replica, probe=placed))
    np.testing.assert_array_equal(measured.part, subcells(y, x, replica.probe.label.values))
    for part in np.unique(measured.part):
        assert np.ptp(np.bincount(measured.half.values[measured.part.values == part], minlength=2)) <= 1
    metrics = LENS.compare(stacked(dict.fromkeys(range(2), measured))).metrics
    assert metrics["matched_r_gain_within_place"]["p"] is not None


def permuted(measured, seed):
    """Return what another seed would have brought whose units are the same in another order, rescaled."""
    rng = np.random.default_rng(seed)
    trained = measured["trained"].to_dataset(inherit=False)
    order, scale = rng.permutation(trained.sizes["channel"]), rng.uniform(0.5, 2, trained.sizes["channel"])
    moved = trained.copy()
    for name, factor in (("answer", scale), ("before", scale), ("weight", 1 / scale)):
        moved[name] = (trained[name].dims, (trained[name].values * factor)[..., order].astype(trained[name].dtype))
    result = measured.copy()
    result["trained"] = xr.DataTree(moved)
    into, out = (measured[f"chain/{layer}"].to_dataset() for layer in ("00", "01"))
    into["weight"], into["bias"] = into.weight[order], into.bias[order]
    out["weight"] = out.weight[:, order]
    result["chain/00"], result["chain/01"] = xr.DataTree(into), xr.DataTree(out)
    return result


def test_permuted_and_rescaled_copies_are_the_same_units_in_every_seed(replica):
    measured = LENS.measure(replica)
    found = LENS.compare(stacked({seed: permuted(measured, seed) for seed in range(4)}))
    metrics, units = found.metrics, measured["trained"].sizes["channel"]
    for name in ("matched_r", "soft_r", "partial_r", "top3_stability_matched", "profile_matched"):
        assert metrics[name]["mean"] == pytest.approx(1, abs=1e-5)
    assert metrics["top3_shared_matched"]["mean"] == pytest.approx(3)
    assert metrics["r_by_number"]["mean"] < 0.6
    assert metrics["universal_units"]["mean"] == metrics["cliques"]["mean"] == units
    for null in ("shuffled", "within_class", "rotated", "rectified"):
        assert metrics[f"matched_r_gain_{null}"]["p"] == 1 / 40
        assert metrics[f"matched_r_gain_{null}"]["null"] < 0.95
    assert 0.7 < metrics["matched_r_null_untrained"]["mean"] < 1  # the very same network, of which a part is chosen
    assert metrics["universal_units"]["null"] == pytest.approx(0.05 * units)
    assert metrics["fc1_cka"]["mean"] == pytest.approx(1)
    json.dumps(metrics, allow_nan=False)
    assert metrics["matched_by_weights_agreement_gain_random_partners"]["p"] == 1 / 40
    assert metrics["matched_by_weights_agreement"]["mean"] == pytest.approx(1)
    assert metrics["matched_by_weights_r"]["mean"] == pytest.approx(1, abs=1e-5)
    assert [sheet.name for sheet in found.sheets][-1] == "cka_through_training"
    assert len(found.tables["alignment"]) == 6


def test_by_weights_copies_are_matched_exactly_also_where_other_numbers_live_in_each_seed(replica):
    """Beside each other seeds' units stand in the order in which one first has them, not in that of their weights."""
    measured = LENS.measure(replica)
    units = measured["trained"].sizes["channel"]
    seeds = {}
    for seed, numbers in enumerate(([5, 6, 7], [0, 5, 9], [9, 3, 2])):
        one = permuted(measured, seed)
        own = np.sort(np.r_[numbers, 20 + 10 * seed + np.arange(units - 3)])
        trained = one["trained"].to_dataset(inherit=False).assign_coords(channel=own)
        one["trained"] = xr.DataTree(trained)
        seeds[seed] = one
    channels = stacked(seeds)["trained"].channel.values
    assert (np.diff(channels) < 0).any()
    metrics = LENS.compare(stacked(seeds)).metrics
    assert metrics["matched_by_weights_agreement"]["mean"] == pytest.approx(1)
    assert metrics["matched_by_weights_r"]["mean"] == pytest.approx(1, abs=1e-5)


def test_by_number_nothing_is_shared_above_chance_by_copies_in_another_order_and_all_by_equal_ones(replica):
    measured = LENS.measure(replica)
    name = "top3_shared_by_number_above_chance"
    assert measured.attrs["units"] == 10
    same = LENS.compare(stacked(dict.fromkeys(range(3), measured))).metrics[name]
    assert same["mean"] == pytest.approx(1)
    many = [LENS.compare(stacked({s: permuted(measured, 9 * t + s) for s in range(5)})).metrics for t in range(2)]
    units = measured["trained"].sizes["channel"]
    kept = (3 * 3 / units - 3 * 3 / 10) / (3 - 3 * 3 / 10)  # all live ones are the same, which is above chance
    assert np.mean([one[name]["mean"] for one in many]) == pytest.approx(kept, abs=0.2)


def test_equal_measurements_give_equal_numbers(replica):
    measured = LENS.measure(replica)
    twice = [LENS.compare(stacked({seed: permuted(measured, seed) for seed in range(2)})).metrics for _ in range(2)]
    assert twice[0] == twice[1]


def test_one_seed_has_no_pair_and_no_figure(replica):
    found = LENS.compare(stacked({3: LENS.measure(replica)}))
    assert found.metrics["matched_r"] == {"mean": None, "low": None, "high": None, "n": 1}
    assert not found.sheets
    json.dumps(found.metrics, allow_nan=False)


def test_a_seed_in_which_nothing_lives_has_no_likes(replica):
    measured = LENS.measure(replica)
    dead = measured.copy()
    for group in ("trained", "untrained"):
        dead[group] = xr.DataTree(measured[group].to_dataset(inherit=False).isel(channel=[]))
    found = LENS.compare(stacked({0: measured, 1: dead, 2: measured}))
    assert found.metrics["universal_units"]["mean"] == 0
    r = found.metrics["matched_r_gain_within_class"]
    assert (r["n"], r["left_out"], r["p"]) == (2, 2, 1 / 40)
    assert found.metrics["matched_r"]["mean"] == pytest.approx(1)
    assert np.isnan(found.pairs["matched_r"].value[0, 1])


def test_a_sample_of_pairs_has_numbers_of_these_only(replica, monkeypatch):
    monkeypatch.setattr("seedscope.formulas.pairs.MOST", 5)
    measured = LENS.measure(replica)
    found = LENS.compare(stacked({seed: permuted(measured, seed) for seed in range(5)}))
    value = found.pairs["matched_r"].value
    assert np.isfinite(value).sum() == 2 * 5
    assert found.metrics["matched_r_gain_rotated"]["p"] == 1 / 40
    assert found.metrics["matched_r"]["n"] == 5
    assert "left_out" not in found.metrics["matched_r"]
    json.dumps(found.metrics, allow_nan=False)


def test_a_layer_without_a_relu_has_no_rectified_rotation(replica):
    measured = LENS.measure(replica)
    without = measured.copy()
    without["trained"] = xr.DataTree(measured["trained"].to_dataset(inherit=False).drop_vars("before"))
    metrics = LENS.compare(stacked(dict.fromkeys(range(2), without))).metrics
    assert "matched_r_gain_rotated" in metrics
    assert "matched_r_gain_rectified" not in metrics
    assert "matched_r_gain_within_place" not in metrics  # nor are places known


def test_it_refuses_features_that_no_seed_numbers_and_networks_that_were_not_trained_here():
    single = Network({"input": (16,), "fc1": (3,), "logit": (3,)}, {"fc1.weight": (3, 16)}, {"input": "probe"}, 3)
    with pytest.raises(SettingError, match="which is the same in every seed"):
        Alignment("input", "fc1").check(single)
    hidden = replace(network_of([16, 8, 3]), dumped={"fc1": "probe"})
    LENS.check(hidden)
    with pytest.raises(SettingError, match="top: 9 is out of range"):
        Alignment("fc1", "fc2", top=9).check(hidden)
    with pytest.raises(SeedscopeError, match="not trained here"):
        LENS.check(replace(hidden, trained=False))


def trained_layer(seed: int, vary: tuple[str, ...], folder: Path) -> Layer:
    """Return the hidden layer of a network that was trained from a seed, of which only some streams follow the seed."""
    data = data_of(n=240, probe=120, classes=4, shape=(1, 5, 5))
    training = Training(device="cpu", epochs=6, batch_size=16, learning_rate=0.01, early_frames=1, vary=vary)
    model = train(lambda: Perceptron([1, 5, 5], 4, [16]), training, data, seed, frames=folder / "frames.nc").model
    probe = data.isel(sample=np.flatnonzero(data.split.values == "probe"))
    with torch.no_grad():
        hidden = torch.relu(model.fc1(torch.from_numpy(probe.image.values).float().flatten(1))).numpy()
    label = probe.label.values
    return Layer(hidden[:, None].astype(np.float64), halves(label), label).alive()


def test_seeds_that_only_order_their_batches_anew_are_more_alike_than_seeds_that_share_nothing(tmp_path):
    """A grounding: where initial weights are the same, likes must be found, and more alike than anywhere else."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = {}
    for vary in (("order",), ("weights", "order")):
        layers = [trained_layer(seed, vary, tmp_path) for seed in range(3)]
        found[vary] = [align(layers[a].prepared, layers[b].prepared).statistic["r"] for a, b in pairs]
    assert min(found["order",]) > max(found["weights", "order"])
