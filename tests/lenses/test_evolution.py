import dataclasses
import warnings

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sklearn.metrics import roc_auc_score

from seedscope import drawing as figures
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network
from seedscope.lenses.evolution import Evolution

LENS = Evolution("fc1", "fc2", top=3)
FILMS = {"fc1_fmap_evolution", "logits_evolution", "contribution_evolution"}
STILLS = {"dominance_evolution", "logit_margin_evolution"}
STEPS = (0, 1, 3, 10, 20)


def follow(replica, activation, weight, bias, steps=STEPS, maps=None):
    """Give a replica frames: activation (frame, sample, unit), weight (frame, target, unit), bias (frame, target)."""
    steps = np.asarray(steps)
    coords = {
        "frame": np.arange(len(steps)),
        "step": ("frame", steps),
        "epoch": ("frame", steps / 10),
        "sample": replica.probe.sample.values,
    }
    logit = np.einsum("fsi,fti->fst", activation, weight) + bias[:, None]
    extra = {
        "fc1_frames": xr.DataArray(activation, dims=("frame", "sample", "unit"), coords=coords),
        "logit_frames": xr.DataArray(logit, dims=("frame", "sample", "target"), coords=coords),
    }
    if maps is not None:
        label = replica.probe.label.sel(sample=replica.exhibits).values
        first = np.sort(replica.exhibits[np.unique(label, return_index=True)[1]])
        extra["conv1_exhibit_frames"] = xr.DataArray(
            maps, dims=("frame", "sample", "channel", "y", "x"), coords={**coords, "sample": first}
        )
    frames = xr.Dataset(
        {"fc2.weight": (("frame", "w0", "w1"), weight), "fc2.bias": (("frame", "b0"), bias)},
        coords={name: coords[name] for name in ("frame", "step", "epoch")},
    )
    return dataclasses.replace(replica, activations={**replica.activations, **extra}, frames=frames)


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
    assert np.isnan(measured["rank"].values[..., [0, 4]]).all()
    assert not np.isin(measured.top, [0, 4]).any()
    assert np.nanmax(measured["rank"]) == 10
    assert measured.overlap_chance == pytest.approx(9 / 10)


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
    assert summary["top3_overlap_by_chance"] == pytest.approx(9 / 30)


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
    assert measured.head_auc_null_at_start.mean() == pytest.approx(0.5, abs=0.01)


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
def test_every_odd_case_is_measured_summarized_and_drawn(look, followed, case):
    seen = look(LENS, followed(**ODD[case]))
    assert set(seen.drawings) == FILMS | STILLS
    live = seen.summary["live_units_at_end"]
    assert np.isfinite(seen.summary["top3_overlap_at_start"]) == (live > 0)
    assert np.isfinite(seen.summary["top3_auc_at_start"]) == (live > 3)


def test_an_untrained_network_has_one_frame_and_no_start_to_compare_with(look, followed):
    seen = look(LENS, followed(steps=(0,)))
    assert set(seen.drawings) == FILMS | STILLS
    about_start = {name: value for name, value in seen.summary.items() if name.startswith("top3")}
    assert np.isnan(list(about_start.values())).all()
    assert np.isfinite(seen.summary["median_margin"])


def test_the_maps_of_one_picture_are_filmed_on_one_scale(look, followed):
    maps = np.clip(np.random.default_rng(0).normal(0, 1, (5, 3, 10, 6, 6)), 0, None).astype(np.float32)
    maps[1, :, 4] = 0
    maps[3, :, 2, 1, 1] = 9
    replica = followed(maps=maps)
    seen = look(Evolution("fc1", "fc2", layers=["conv1"], top=3), replica, draw="conv1")
    film = seen.drawings["conv1_fmap_evolution"]
    assert film.moving[0].get_clim() == (0, 9)
    sample = int(seen.measured.exhibit[0])
    shown = replica.activations["conv1_exhibit_frames"].sel(sample=sample)
    np.testing.assert_array_equal(seen.measured.conv1, shown)
    np.testing.assert_array_equal(seen.measured.image, replica.probe.image.sel(sample=sample))
    film.show(1)
    assert (film.moving[0].get_array() < 0).sum() == 36  # the silent channel, below the scale
    assert "step 1 (epoch 0.1)" in film.moving[1].get_text()
    assert "1 of 10 channels" in film.moving[1].get_text()


def test_maps_that_are_0_at_every_frame_are_filmed_without_a_scale(look, followed):
    lens, replica = Evolution("fc1", "fc2", ["conv1"]), followed(maps=np.zeros((5, 3, 4, 6, 6)))
    assert len(look(lens, replica, draw="conv1").drawings["conv1_fmap_evolution"].figure.axes) == 2


@pytest.mark.parametrize("name", sorted(FILMS))
def test_a_film_says_step_and_accuracy_in_every_frame_and_keeps_its_scale(look, followed, name):
    seen = look(LENS, followed(), draw=name)
    film = seen.drawings[name]
    captions, clims = [], set()
    for frame, step in enumerate(STEPS):
        film.show(frame)
        captions.append(film.moving[1].get_text())
        clims.add(film.moving[0].get_clim())
        assert f"step {step} " in captions[-1]
        assert f"accuracy {float(seen.measured.accuracy[frame]):.3f}" in captions[-1]
    assert len(set(captions)) == len(STEPS)
    ((low, high),) = clims
    values = {"fc1": "exhibit_activation", "logits": "mean_logit", "contribution": "dominance"}[name.partition("_")[0]]
    shown = seen.measured[values].values
    assert high == pytest.approx(np.nanmax(np.abs(shown)))
    assert low in (0, -high)


@pytest.mark.parametrize("name", [*sorted(FILMS), "conv1_fmap_evolution"])
def test_captions_of_films_are_readable_in_every_frame(look, followed, name):
    maps = np.ones((5, 3, 16, 6, 6))
    film = look(Evolution("fc1", "fc2", ["conv1"], top=3), followed(maps=maps), draw=name).drawings[name]
    renderer = FigureCanvasAgg(film.figure).get_renderer()
    for frame in range(film.frames):
        film.show(frame)
        box = film.moving[1].get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= film.figure.bbox.width


def test_a_long_training_is_filmed_from_its_first_to_its_last_frame(look, followed):
    replica = followed(steps=tuple(range(200)))
    assert set(look(LENS, replica, draw="logit").drawings) == {"logits_evolution", "logit_margin_evolution"}
    assert set(look(LENS, replica, draw="dominance").drawings) == {"dominance_evolution"}
    film = look(LENS, replica, draw="logits").drawings["logits_evolution"]
    captions = []
    for frame in range(film.frames):
        film.show(frame)
        captions.append(film.moving[1].get_text())
    assert len(captions) == 60
    assert captions[0].startswith("step 0 ")
    assert captions[-1].startswith("step 199 ")


@pytest.mark.parametrize("dead", [(), range(12)])
def test_seeds_are_compared_in_one_figure(look, followed, tmp_path, dead):
    measured = {seed: look(LENS, followed(seed=seed, dead=dead), draw=None).measured for seed in (4, 2, 9)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        comparison = LENS.compare(measured)
        (drawing,) = comparison.drawings
        figures.save(drawing, tmp_path)
    with Image.open(tmp_path / drawing.file) as image:
        assert "n = 3 seeds" in image.text["Title"]
    assert drawing.table["seed"].drop_duplicates().tolist() == [2, 4, 9]
    start = [float(of_seed.overlap_mean[0]) for of_seed in measured.values()]
    of_overlap = comparison.metrics["top3_overlap_at_start"]
    if not dead:
        drawn = np.mean([of_seed.overlap_null_at_start for of_seed in measured.values()], axis=0)
        assert of_overlap["p"] == pytest.approx((1 + (drawn >= np.mean(start) - 1e-12).sum()) / 2001)
        assert of_overlap["mean"] == pytest.approx(np.mean(start))
        assert of_overlap["chance"] == pytest.approx(9 / 12)
        assert comparison.metrics["top3_auc_at_start"]["chance"] == 0.5
        assert of_overlap["n"] == 3
    else:
        assert of_overlap == {"mean": None, "low": None, "high": None, "n": 0, "chance": None, "p": None}


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
