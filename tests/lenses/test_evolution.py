import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from seedscope.figures import Dots, Film, Image, Line, Rule, heat_cells, panels_of
from seedscope.files.arrays import group_of, root_of
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.evolution import Evolution

from .followed import STEPS, follow
from .sheets import marks, panel_of, words

LENS = Evolution("fc1", "fc2", top=3)
FILMS = {"fc1_fmap_evolution", "logits_evolution", "contribution_evolution"}
STILLS = {"dominance_evolution", "from_step_0", "logit_margin_evolution"}


@pytest.fixture
def followed(random_replica):
    """A random replica whose frames are drawn anew at every step; ``dead`` units are so at the last frame only."""

    def build(*, steps=STEPS, dead=(), maps=None, **options):
        replica = random_replica(dead=dead, **options)
        rng = np.random.default_rng(5)
        a, w, b = (replica.activations["fc1"].values, *(replica.weights[f"fc2.{x}"] for x in ("weight", "bias")))
        early = [np.clip(rng.normal(0, 1, a.shape), 0, None) for _ in steps[1:]]
        weight = np.stack([*(rng.normal(0, 1, w.shape) for _ in steps[1:]), w])
        return follow(replica, np.stack([*early, a]), weight, np.stack([b] * len(steps)), steps, maps)

    return build


def test_every_frame_is_measured_as_if_it_were_the_network(look, followed):
    replica = followed()
    measured = look(LENS, replica, draw=None).measured
    label = replica.probe.label.values
    for f in range(len(STEPS)):
        a, w = replica.activations["fc1_frames"].values[f], replica.frames["fc2.weight"].values[f]
        logit = replica.activations["logit_frames"].values[f]
        assert measured.accuracy[f] == pytest.approx((logit.argmax(1) == label).mean())
        for k in range(3):
            own = a[label == k]
            np.testing.assert_allclose(measured.dominance[f, k], own.mean(0) * (w[k] - w.mean(0)), atol=1e-12)
            np.testing.assert_allclose(measured.mean_logit[f, k], logit[label == k].mean(0), atol=1e-12)
    assert measured.step.values.tolist() == list(STEPS)
    assert measured.epoch.values[-1] == 2


def test_units_that_end_dead_are_ranked_nowhere(look, followed):
    measured = look(LENS, followed(dead=(0, 4)), draw=None).measured
    assert measured.live.values[0].all()
    assert np.isnan(measured.unit_rank.values[..., [0, 4]]).all()
    assert not np.isin(measured.top, [0, 4]).any()
    assert np.nanmax(measured.unit_rank) == 10
    assert measured.overlap_null_chance == pytest.approx(9 / 10)


def test_an_order_that_is_there_from_the_start_is_found(look, random_replica):
    replica = random_replica(units=30, n=90)
    a, w, b = (replica.activations["fc1"].values, *(replica.weights[f"fc2.{x}"] for x in ("weight", "bias")))
    size = np.array([0.01, 0.1, 0.5, 1, 2])
    grown = follow(replica, size[:, None, None] * a, np.stack([w] * 5), np.stack([b] * 5))
    seen = look(LENS, grown, draw=None)
    summary = seen.summary
    assert summary["top3_overlap_at_start"] == 3
    assert summary["top3_auc_at_start"] == 1
    assert summary["top3_settled_epoch"] == 0
    assert seen.measured.auc_p[0] == seen.measured.overlap_p[0] == pytest.approx(1 / 2001)


def test_an_order_that_comes_at_the_end_was_not_to_be_foreseen(look, followed):
    seen = look(LENS, followed(units=30, n=300, seed=1), draw=None)
    summary = seen.summary
    assert summary["top3_settled_epoch"] == 2
    assert 0.3 < summary["top3_auc_at_start"] < 0.7
    assert seen.measured.auc_p[0] > 0.05
    assert summary["top3_overlap_at_start_null_chance"] == pytest.approx(9 / 30)


def test_what_the_initial_head_alone_foretells_is_read_from_its_centred_weights(look, followed):
    replica = followed(dead=(2,), unseen=(1,))
    measured = look(LENS, replica, draw=None).measured
    weight = replica.frames["fc2.weight"].values[0]
    live = np.flatnonzero(np.arange(12) != 2)
    for k in (0, 2):
        member = np.isin(live, measured.top[k])
        assert measured.head_auc[k] == pytest.approx(roc_auc_score(member, (weight[k] - weight.mean(0))[live]))
    assert np.isnan(measured.head_auc[1])
    assert measured.head_auc_mean == pytest.approx(float(measured.head_auc[[0, 2]].mean()))
    assert measured.head_auc_null_shuffled_at_start.mean() == pytest.approx(0.5, abs=0.01)


def test_votes_that_do_not_add_up_are_refused(followed):
    replica = followed()
    replica.activations["logit_frames"][2] += 1
    with pytest.raises(SeedscopeError, match="do not add up"):
        LENS.measure(replica)


def test_a_replica_without_frames_is_told(random_replica):
    with pytest.raises(SeedscopeError, match="no frames"):
        LENS.measure(random_replica())


ODD = {
    "some units end dead": {"dead": (2, 7)},
    "no unit is live in the end": {"dead": range(12)},
    "fewer live units than the top": {"dead": range(10)},
    "as many live units as the top": {"dead": range(9)},
    "one class without pictures": {"unseen": (1,)},
    "one logit": {"classes": 2, "targets": 1},
    "twenty classes": {"classes": 20, "n": 200},
    "800 units": {"units": 800, "dead": range(700)},
    "one unit": {"units": 1},
    "long names": {"names": ("the first of the classes", "b", "the last of them")},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_shown(look, followed, case):
    seen = look(LENS, followed(**ODD[case]))
    assert set(seen.sheets) == FILMS | STILLS
    live = seen.summary["live_units_at_end"]
    assert np.isfinite(seen.summary["top3_overlap_at_start"]) == (live > 0)
    assert np.isfinite(seen.summary["top3_auc_at_start"]) == (live > 3)
    empty = [panel.empty for panel in panels_of(seen.sheets["dominance_evolution"].body)]
    full = "the 3 live units are all in the top 3".replace("3", str(int(live)), 1) if live else "no live unit"
    assert empty == ["" if live else full, "" if live else full, "" if live > 3 else full]


@pytest.mark.parametrize("case", ["no unit is live in the end", "800 units", "one logit", "long names"])
def test_every_figure_can_be_read(look, followed, case):
    look(LENS, followed(**ODD[case], steps=(0, 20)), rendered=True)


def test_an_untrained_network_has_one_frame_and_no_start_to_compare_with(look, followed, compared):
    seen = look(LENS, followed(steps=(0,)))
    assert set(seen.sheets) == FILMS | STILLS - {"from_step_0"}
    ends = {"live_units_at_start", "live_units_at_end", "median_margin"}
    assert np.isnan([value for name, value in seen.summary.items() if name not in ends]).all()
    assert np.isfinite(seen.summary["median_margin"])
    comparison = compared(LENS, {1: seen.measured, 4: seen.measured})
    nothing = {"mean": None, "low": None, "high": None, "n": 0, "null": None, "p": None}
    assert {f"top3_{name}_at_start" for name in ("overlap", "auc", "head_auc")} < set(comparison.metrics)
    assert set(comparison.metrics) < {"top3_overlap_at_start"} | set(seen.summary)
    assert len(comparison.sheets) == 1
    assert all(metric == nothing for metric in comparison.metrics.values())
    assert comparison.sheets[0].table["seed"].tolist() == [1, 4]


def test_features_that_training_cannot_change_vote_with_the_weights_of_each_frame(look, followed):
    replica = followed(maps=np.zeros((5, 3, 4, 6, 6)))
    a, w = replica.activations["fc1"].values, replica.frames["fc2.weight"].values
    b, label = replica.frames["fc2.bias"].values, replica.probe.label.values
    always = {
        "logit": replica.activations["logit"],
        "fc1": replica.activations["fc1"].assign_coords(sample=replica.probe.sample.values),
        "logit_frames": replica.activations["logit_frames"].copy(data=np.einsum("si,fti->fst", a, w) + b[:, None]),
        "conv1": replica.activations["conv1_exhibit_frames"][0] + 2,
    }
    lens = Evolution("fc1", "fc2", layers=["conv1"], top=3)
    seen = look(lens, dataclasses.replace(replica, activations=always))
    measured = root_of(seen.measured)
    for f in range(len(STEPS)):
        votes = a[label == 1].mean(0) * (w[f, 1] - w[f].mean(0))
        np.testing.assert_allclose(measured.dominance[f, 1], votes, atol=1e-12)
    assert (measured.live == measured.live[0]).all()
    assert set(seen.sheets) == FILMS | STILLS | {"conv1_fmap_evolution"}
    assert (group_of(seen.measured, "conv1")["map"] == 2).all()


def test_the_maps_of_one_picture_are_filmed_on_one_scale(look, followed):
    maps = np.clip(np.random.default_rng(0).normal(0, 1, (5, 3, 10, 6, 6)), 0, None).astype(np.float32)
    maps[1, :, 4] = 0
    maps[3, :, 2, 1, 1] = 9
    replica = followed(maps=maps)
    seen = look(Evolution("fc1", "fc2", layers=["conv1"], top=3), replica, draw="conv1", rendered=True)
    film, measured = seen.sheets["conv1_fmap_evolution"], root_of(seen.measured)
    (image,) = [image for image in marks(film, Image) if image.filmed]
    assert (image.scale.low, image.scale.high) == (0, 9)
    sample = int(measured.exhibit_sample[0])
    filmed = replica.activations["conv1_exhibit_frames"].sel(sample=sample)
    np.testing.assert_array_equal(group_of(seen.measured, "conv1")["map"], filmed)
    np.testing.assert_array_equal(measured.image, replica.probe.image.sel(sample=sample))
    np.testing.assert_array_equal(film.frames[0], image.values)
    assert (film.frames[1] < 0).sum() == 36  # the silent channel, below the scale
    assert "step 1 (epoch 0.1)" in film.captions[1]
    assert "1 of 10 channels" in film.captions[1]


def test_maps_that_are_0_at_every_frame_are_filmed_without_a_scale(look, followed):
    lens, replica = Evolution("fc1", "fc2", ["conv1"]), followed(maps=np.zeros((5, 3, 4, 6, 6)))
    film = look(lens, replica, draw="conv1").sheets["conv1_fmap_evolution"]
    assert [panel.bar for panel in panels_of(film.body)] == [None, None]


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("fc1_fmap_evolution", "exhibit_activation"),
        ("logits_evolution", "mean_logit"),
        ("contribution_evolution", "dominance"),
    ],
)
def test_a_film_says_step_and_accuracy_in_every_frame_and_has_one_scale(look, followed, name, variable):
    seen = look(LENS, followed(dead=(2,)), draw=name)
    film, measured = seen.sheets[name], seen.measured
    assert isinstance(film, Film)
    assert len(set(film.captions)) == len(STEPS)
    for frame, step in enumerate(STEPS):
        assert film.captions[frame].startswith(f"step {step} ")
        assert f"accuracy {float(measured.accuracy[frame]):.3f}" in film.captions[frame]
    (image,) = marks(film, Image)
    shown = measured[variable].values
    if variable != "mean_logit":
        shown = np.where(measured.live.values[:, None], shown, np.nan)
        assert np.isnan(film.frames[-1][:, 2]).all()
    np.testing.assert_array_equal(film.frames, [heat_cells(of_frame, 9.0) for of_frame in shown])
    assert image.scale.high == pytest.approx(np.nanmax(np.abs(shown)))
    assert image.scale.low in (0, -image.scale.high)


def test_the_final_top_units_are_marked_in_the_film_of_votes(look, followed):
    seen = look(LENS, followed(dead=range(10)), draw="contribution")
    (dots,) = marks(seen.sheets["contribution_evolution"], Dots)
    assert sorted(zip(dots.y, dots.x, strict=True)) == [(k, unit) for k in range(3) for unit in (10, 11)]


def test_a_long_training_is_filmed_from_its_first_to_its_last_frame(look, followed):
    replica = followed(steps=tuple(range(200)))
    seen = look(LENS, replica, draw="logit")
    assert set(seen.sheets) == {"logits_evolution", "logit_margin_evolution"}
    captions = seen.sheets["logits_evolution"].captions
    assert len(captions) == len(seen.sheets["logits_evolution"].frames) == 60
    assert captions[0].startswith("step 0 ")
    assert captions[-1].startswith("step 199 ")
    (x,) = {len(line.x) for line in marks(seen.sheets["logit_margin_evolution"], Line)}
    assert x == 200


def test_ranks_and_what_they_are_held_against_are_shown_over_frames(look, followed):
    seen = look(LENS, followed(names=("the first", "b", "c")), draw="dominance")
    sheet, measured = seen.sheets["dominance_evolution"], seen.measured
    ranks = panel_of(sheet, "rank of each")
    members = [(k, int(unit)) for k, units in enumerate(measured.top.values) for unit in units]
    np.testing.assert_array_equal(ranks.marks[0].values, [measured.unit_rank[:, k, unit] for k, unit in members])
    assert ranks.y.names[0] == f"0 (the first) · {members[0][1]}"
    assert ranks.y.names[1] == str(members[1][1])
    (dots,) = marks(ranks, Dots)
    assert {(int(frame), int(row)) for frame, row in zip(dots.x, dots.y, strict=True)} >= {(4, row) for row in range(9)}
    for name, panel in zip(("overlap", "auc"), list(panels_of(sheet.body))[1:], strict=True):
        *of_classes, mean = marks(panel, Line)
        np.testing.assert_array_equal(np.transpose([line.y for line in of_classes]), measured[name])
        np.testing.assert_array_equal(mean.y, measured[f"{name}_mean"])
        assert float(measured[f"{name}_null_chance"]) in [rule.at for rule in marks(panel, Rule)]
    assert f"head alone: {float(measured.head_auc_mean):.2f}" in words(sheet)


def test_margins_are_shown_by_their_quartiles(look, followed):
    seen = look(LENS, followed(), draw="logit_margin")
    table = seen.sheets["logit_margin_evolution"].table
    margin = seen.measured.margin.values
    np.testing.assert_allclose(table["margin_median"], np.median(margin, axis=1))
    np.testing.assert_allclose(table["margin_low_quartile"], np.quantile(margin, 0.25, axis=1))
    assert table["accuracy"].tolist() == seen.measured.accuracy.values.tolist()


@pytest.mark.parametrize("dead", [(), range(12)])
def test_seeds_are_compared_in_one_figure(look, followed, compared, dead):
    measured = {seed: look(LENS, followed(seed=seed, dead=dead), draw=None).measured for seed in (2, 4, 9)}
    comparison = compared(LENS, measured, rendered=True)
    sheet, foretold = comparison.sheets
    assert "n = 3 seeds" in sheet.heading
    assert foretold.name == "evolution_from_step_0"
    assert sheet.table["seed"].drop_duplicates().tolist() == [2, 4, 9]
    start = [float(of_seed.overlap_mean[0]) for of_seed in measured.values()]
    of_overlap = comparison.metrics["top3_overlap_at_start"]
    if not dead:
        drawn = np.mean([of_seed.overlap_null_shuffled_at_start for of_seed in measured.values()], axis=0)
        assert of_overlap["p"] == pytest.approx((1 + (drawn >= np.mean(start) - 1e-12).sum()) / 2001)
        assert of_overlap["mean"] == pytest.approx(np.mean(start))
        assert of_overlap["null"] == pytest.approx(9 / 12)
        assert comparison.metrics["top3_auc_at_start"]["null"] == 0.5
        assert of_overlap["n"] == 3
        lines = [line.y for line in marks(sheet, Line)]
        np.testing.assert_array_equal(lines[:3], [of_seed.overlap_mean for of_seed in measured.values()])
    else:
        assert of_overlap == {"mean": None, "low": None, "high": None, "n": 0, "null": None, "p": None}
        assert all(panel.empty for panel in panels_of(sheet.body))
        assert all(panel.empty for panel in panels_of(foretold.body))


def test_a_seed_that_was_trained_for_less_long_has_its_own_frames_in_the_table(look, followed, compared):
    short, long = (look(LENS, followed(seed=3, steps=steps), draw=None).measured for steps in (STEPS[:3], STEPS))
    table = compared(LENS, {1: short, 2: long}).sheets[0].table
    assert table.groupby("seed").size().tolist() == [3, 5]
    assert table["step"].tolist() == [*STEPS[:3], *STEPS]
    np.testing.assert_array_equal(table["overlap_mean"], [*short.overlap_mean, *long.overlap_mean])


NETWORK = Network(
    layers={"conv1": (2, 4, 4), "pool": (2, 2, 2), "fc1": (8,), "fc2": (3,), "logit": (3,)},
    weights={"fc1.weight": (8, 8), "fc2.weight": (3, 8)},
    dumped={"fc1": "probe", "conv1": "exhibits", "pool": "probe"},
    n_classes=3,
)


def test_a_network_with_and_without_filmed_layers_is_accepted():
    Evolution("fc1", "fc2").check(NETWORK)
    Evolution("fc1", "fc2", ["conv1", "pool"], top=8).check(NETWORK)


@pytest.mark.parametrize(
    ("lens", "key", "words"),
    [
        (Evolution("fc1", "fc3"), "head", "no layer 'fc3'"),
        (Evolution("fc1", "fc2", ["fc1"]), "layers", "no maps"),
        (Evolution("fc1", "fc2", ["conv2"]), "layers", "did you mean 'conv1'"),
        (Evolution("fc1", "fc2", top=9), "top", "8 units"),
        (Evolution("pool", "fc1"), "features", "has maps"),
    ],
)
def test_a_network_that_cannot_be_followed_so_is_refused(lens, key, words):
    network = NETWORK
    if lens.head == "fc1":
        network = dataclasses.replace(NETWORK, layers={**NETWORK.layers, "logit": (8,)}, n_classes=8)
    with pytest.raises(SettingError, match=words) as refused:
        lens.check(network)
    assert refused.value.key == key
