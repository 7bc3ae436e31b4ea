import dataclasses
import warnings

import numpy as np
import pytest
import xarray as xr

from seedscope import drawing as figures
from seedscope.drawing.mosaic import MapGrid
from seedscope.files.errors import SettingError
from seedscope.lenses import Network
from seedscope.lenses.feature_maps import FeatureMaps

LENS = FeatureMaps(["conv1"])


@pytest.fixture
def replica_with(random_replica):
    """A replica of three classes whose exhibits have these maps, (exhibit, channel, y, x) of ``conv1``."""

    def build(maps, **options):
        replica = random_replica(**options)
        layer = xr.DataArray(
            np.asarray(maps, dtype=np.float32),
            dims=("sample", "channel", "y", "x"),
            coords={"sample": np.sort(replica.exhibits)},
        )
        return dataclasses.replace(replica, activations={**replica.activations, "conv1": layer})

    return build


def random_maps(channels=5, height=6, width=6, exhibits=9, low=0.0):
    return np.clip(np.random.default_rng(1).normal(0, 1, (exhibits, channels, height, width)), low, None)


def test_a_channel_is_silent_that_answers_to_no_exhibit(look, replica_with):
    maps = random_maps(low=0.1)
    maps[:, 3] = 0
    maps[:-1, 1] = 0  # answers to a single exhibit
    assert look(LENS, replica_with(maps), draw=None).summary == {"conv1_silent_channels": 1.0}


def test_each_class_shows_the_maps_and_the_picture_of_its_first_exhibit(look, replica_with):
    replica = replica_with(random_maps())
    measured = look(LENS, replica, draw=None).measured
    for k in range(3):
        sample = min(s for s in replica.exhibits if replica.probe.label.sel(sample=s) == k)
        own = measured.sel(exhibit=sample)
        assert own.label == k
        np.testing.assert_array_equal(own.conv1, replica.activations["conv1"].sel(sample=sample))
        np.testing.assert_array_equal(own.image, replica.probe.image.sel(sample=sample))


def test_all_figures_of_a_layer_have_the_scale_of_all_exhibits(look, replica_with):
    maps = random_maps()
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    drawings = look(LENS, replica_with(maps)).drawings
    assert {drawing.figure.axes[1].images[0].get_clim() for drawing in drawings.values()} == {(0, 40)}


def test_negative_values_put_0_at_the_centre_of_a_diverging_map(look, replica_with):
    maps = random_maps(low=-9)
    for drawing in look(LENS, replica_with(maps)).drawings.values():
        image = drawing.figure.axes[1].images[0]
        assert image.norm(0.0) == 0.5
        assert image.norm.vmax == pytest.approx(np.abs(maps).max())
        assert image.cmap.name == figures.DIVERGING


def test_with_a_scale_for_each_channel_its_largest_on_any_exhibit_is_1(look, replica_with):
    maps = random_maps()
    maps[:, 1] *= 1000
    maps[:, 2] = 0
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    replica = replica_with(maps)
    seen = look(FeatureMaps(["conv1"], scale="channel", alone={"conv1": [0]}), replica)
    x, y = MapGrid(5, 6, 6).ticks()
    for k in range(3):
        sample = int(seen.measured.exhibit[k])
        drawn = seen.drawings[f"conv1_maps_class{k}"].figure.axes[1].images[0]
        assert drawn.get_clim() == (0, 1)
        cells = drawn.get_array()
        own = replica.activations["conv1"].sel(sample=sample).values
        for channel, largest in ((0, 40), (1, maps[:, 1].max()), (4, maps[:, 4].max())):
            left, top = round(x[channel] - 2.5), round(y[0] - 2.5)
            np.testing.assert_allclose(cells[top : top + 6, left : left + 6], own[channel] / largest, rtol=1e-6)
        assert drawn.cmap(drawn.norm(cells))[int(y[0]), int(x[2])][:3] == pytest.approx([0.788] * 3, abs=0.01)
    alone = [image for ax in seen.drawings["conv1_channel0"].figure.axes for image in ax.images]
    np.testing.assert_allclose(alone[3].get_array(), seen.measured.conv1[0, 0] / 40, rtol=1e-6)


def test_a_layer_that_is_silent_has_no_scale_and_says_so(look, replica_with):
    seen = look(LENS, replica_with(np.zeros((9, 5, 6, 6))))
    assert seen.summary == {"conv1_silent_channels": 5.0}
    for drawing in seen.drawings.values():
        assert len(drawing.figure.axes) == 2  # the picture and the maps, no colour bar
        assert "conv1 is silent" in drawing.description
        assert any("conv1 is silent" in text.get_text() for text in drawing.figure.texts)


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [
        (1, 3, 3),
        (1, 150, 150),
        (3, 1, 1),
        (9, 28, 28),
        (128, 3, 3),
        (512, 3, 3),
        (512, 150, 150),
        (4, 2, 150),
        (4, 90, 2),
    ],
)
def test_any_number_and_size_of_maps_is_drawn_readably(look, replica_with, channels, height, width):
    seen = look(LENS, replica_with(random_maps(channels, height, width, 3), n=3, shape=(3, 20, 20)))
    assert seen.drawings
    for drawing in seen.drawings.values():
        assert max(drawing.figure.get_size_inches()) <= 20


def test_classes_without_pictures_have_no_figure(look, replica_with):
    assert set(look(LENS, replica_with(random_maps(exhibits=6), unseen=(1,))).drawings) == {
        "conv1_maps_class0",
        "conv1_maps_class2",
    }


@pytest.mark.parametrize(("layer", "words"), [("conv3", "did you mean 'conv1'"), ("fc1", "no maps"), ("pool1", "dump")])
def test_a_layer_without_dumped_maps_is_refused_by_name(layer, words):
    network = Network(
        {"conv1": (4, 8, 8), "pool1": (4, 4, 4), "fc1": (64,), "logit": (3,)}, {}, {"conv1": "exhibits"}, 3
    )
    LENS.check(network)
    with pytest.raises(SettingError, match=words) as refused:
        FeatureMaps(["conv1", layer]).check(network)
    assert refused.value.key == "layers"
    assert layer in refused.value.problem


@pytest.mark.parametrize("per_row", [None, 8, 16])
@pytest.mark.parametrize("channels", [1, 5, 8, 9, 16, 128, 129, 512])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (32, 20), (150, 150)])
def test_every_map_is_seen_whole_and_apart_from_its_neighbours(channels, height, width, per_row):
    grid = MapGrid(channels, height, width, per_row)
    maps = np.broadcast_to(np.arange(1.0, channels + 1)[:, None, None], (channels, height, width))
    tiled = grid.tile(maps)
    x, y = grid.ticks()
    for channel in range(channels):
        row, column = divmod(channel, grid.columns)
        assert tiled[int(y[row]), int(x[column])] == channel + 1
    cells = -(-height // grid.shared) * -(-width // grid.shared)
    assert np.unique(tiled[~np.isnan(tiled)], return_counts=True)[1].tolist() == [cells] * channels
    touching = [(tiled[1:], tiled[:-1]), (tiled[:, 1:], tiled[:, :-1])]
    assert not any(((a != b) & ~np.isnan(a) & ~np.isnan(b)).any() for a, b in touching)
    assert grid.columns == min(channels, per_row or 8) or (per_row is None and channels > 128)


def test_pixels_that_share_a_cell_show_the_largest_by_size():
    grid = MapGrid(512, 150, 150)
    maps = np.zeros((512, 150, 150))
    maps[7, 149, 0], maps[7, 148, 1] = -5, 3
    assert grid.shared > 1
    assert np.nanmin(grid.tile(maps)) == -5
    assert (np.nan_to_num(grid.tile(maps)) != 0).sum() == 1
    assert f"{grid.shared} × {grid.shared}" in grid.shared_words()
    assert MapGrid(16, 32, 32).shared_words() == ""


def test_maps_are_drawn_without_a_warning_when_a_channel_is_silent(look, replica_with):
    maps = random_maps(low=-3)
    maps[:, 2] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = look(LENS, replica_with(maps)).drawings["conv1_maps_class0"].figure.axes[1].images[0]
    colours = drawn.cmap(drawn.norm(drawn.get_array()))
    x, y = MapGrid(5, 6, 6).ticks()
    assert colours[int(y[0]), int(x[2])][:3] == pytest.approx([0.788] * 3, abs=0.01)  # grey, not the colour of 0


def test_where_no_class_is_known_every_exhibit_is_shown(look, replica_with):
    replica = replica_with(random_maps())
    unknown = replica.probe.assign(label=("sample", np.full(replica.probe.sizes["sample"], -1)))
    shown = np.sort(replica.exhibits)[:4]
    given = dataclasses.replace(replica, probe=unknown, exhibits=shown, class_names=(), seed="given")
    seen = look(LENS, given)
    assert set(seen.drawings) == {f"conv1_maps_sample{sample}" for sample in shown}
    title = seen.drawings[f"conv1_maps_sample{shown[1]}"].figure.get_suptitle()
    assert title == f"Maps of conv1 for picture {shown[1]} (toy, given weights)"
    np.testing.assert_array_equal(seen.measured.conv1, replica.activations["conv1"].sel(sample=shown))


def test_a_channel_alone_is_drawn_for_every_picture_on_the_scale_of_its_layer(look, replica_with):
    maps = random_maps()
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    replica = replica_with(maps)
    seen = look(dataclasses.replace(LENS, alone={"conv1": [3]}), replica)
    drawn = [image for ax in seen.drawings["conv1_channel3"].figure.axes for image in ax.images]
    drawn = [image for image in drawn if image.get_array().shape == (6, 6)]
    shown = [replica.activations["conv1"].sel(sample=sample)[3] for sample in seen.measured.exhibit]
    assert len(drawn) == len(shown) == 3
    for image, expected in zip(drawn, shown, strict=True):
        np.testing.assert_array_equal(image.get_array(), expected)
        assert (image.norm.vmin, image.norm.vmax) == (0, 40)


@pytest.mark.parametrize(("alone", "words"), [({"conv2": [0]}, "none of the layers conv1"), ({"conv1": [5]}, "0 to 4")])
def test_a_channel_alone_that_there_is_not_is_refused(alone, words):
    network = Network({"conv1": (5, 6, 6), "logit": (3,)}, {}, {"conv1": "exhibits"}, 3)
    with pytest.raises(SettingError, match=words) as refused:
        FeatureMaps(["conv1"], alone=alone).check(network)
    assert refused.value.key == "alone"
