import dataclasses

import numpy as np
import pytest
import xarray as xr

from seedscope.figures import Image, panels_of
from seedscope.figures.mosaic import MapGrid
from seedscope.files.errors import SettingError
from seedscope.lenses import Network
from seedscope.lenses.feature_maps import FeatureMaps

from .sheets import marks

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


def map_of(sheet):
    """Return the image of all channels' maps, beside that of the picture."""
    return marks(sheet, Image)[1]


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
        own = measured.sel(sample=sample)
        assert own["label"] == k
        np.testing.assert_array_equal(own["conv1"].activation, replica.activations["conv1"].sel(sample=sample))
        np.testing.assert_array_equal(own["image"], replica.probe.image.sel(sample=sample))


def test_all_figures_of_a_layer_have_the_scale_of_all_exhibits(look, replica_with):
    maps = random_maps()
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    sheets = look(LENS, replica_with(maps)).sheets
    assert {(map_of(sheet).scale.low, map_of(sheet).scale.high) for sheet in sheets.values()} == {(0, 40)}


def test_with_a_scale_for_each_channel_its_largest_on_any_exhibit_is_1(look, replica_with):
    maps = random_maps()
    maps[:, 1] *= 1000
    maps[:, 2] = 0
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    replica = replica_with(maps)
    seen = look(FeatureMaps(["conv1"], scale="channel", alone={"conv1": [0]}), replica)
    x, y = MapGrid(5, 6, 6).ticks()
    for k in range(3):
        sample = int(seen.measured["sample"][k])
        drawn = map_of(seen.sheets[f"conv1_maps_class{k}"])
        assert (drawn.scale.low, drawn.scale.high) == (0, 1)
        cells = drawn.values
        own = replica.activations["conv1"].sel(sample=sample).values
        for channel, largest in ((0, 40), (1, maps[:, 1].max()), (4, maps[:, 4].max())):
            left, top = round(x[channel] - 2.5), round(y[0] - 2.5)
            np.testing.assert_allclose(cells[top : top + 6, left : left + 6], own[channel] / largest, rtol=1e-6)
        assert cells[int(y[0]), int(x[2])] < 0  # below the scale: grey
    alone = marks(seen.sheets["conv1_channel0"], Image)
    np.testing.assert_allclose(alone[3].values, seen.measured["conv1"].activation[0, 0] / 40, rtol=1e-6)


def test_a_layer_that_is_silent_has_no_scale_and_says_so(look, replica_with):
    seen = look(LENS, replica_with(np.zeros((9, 5, 6, 6))))
    assert seen.summary == {"conv1_silent_channels": 5.0}
    for sheet in seen.sheets.values():
        assert all(panel.bar is None for panel in panels_of(sheet.body))
        assert "conv1 is silent" in sheet.description
        assert "conv1 is silent" in sheet.note


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 150, 150), (512, 3, 3), (4, 2, 150), (4, 90, 2)])
def test_any_number_and_size_of_maps_is_drawn_readably(look, replica_with, channels, height, width):
    lens = dataclasses.replace(LENS, alone={"conv1": [0]})
    seen = look(lens, replica_with(random_maps(channels, height, width, 3), n=3, shape=(3, 20, 20)), rendered=True)
    assert len(seen.sheets) == len({sheet.mark for sheet in seen.sheets.values()})
    assert {sheet.family for sheet in seen.sheets.values()} == {"Maps of conv1", "Channels of conv1"}


def test_classes_without_pictures_have_no_figure(look, replica_with):
    assert set(look(LENS, replica_with(random_maps(exhibits=6), unseen=(1,))).sheets) == {
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


def test_where_no_class_is_known_every_exhibit_is_shown(look, replica_with):
    replica = replica_with(random_maps())
    unknown = replica.probe.assign(label=("sample", np.full(replica.probe.sizes["sample"], -1)))
    shown = np.sort(replica.exhibits)[:4]
    given = dataclasses.replace(replica, probe=unknown, exhibits=shown, class_names=(), seed="given")
    seen = look(LENS, given)
    assert set(seen.sheets) == {f"conv1_maps_sample{sample}" for sample in shown}
    heading = seen.sheets[f"conv1_maps_sample{shown[1]}"].heading
    assert heading == f"Maps of conv1 for picture {shown[1]} (toy, given weights)"
    np.testing.assert_array_equal(seen.measured["conv1"].activation, replica.activations["conv1"].sel(sample=shown))


def test_a_channel_alone_is_drawn_for_every_picture_on_the_scale_of_its_layer(look, replica_with):
    maps = random_maps()
    maps[2, 0, 0, 0] = 40  # in a picture that no figure shows
    replica = replica_with(maps)
    seen = look(dataclasses.replace(LENS, alone={"conv1": [3]}), replica)
    drawn = [image for image in marks(seen.sheets["conv1_channel3"], Image) if image.scale is not None]
    shown = [replica.activations["conv1"].sel(sample=sample)[3] for sample in seen.measured["sample"]]
    assert len(drawn) == len(shown) == 3
    for image, expected in zip(drawn, shown, strict=True):
        np.testing.assert_array_equal(image.values, expected)
        assert (image.scale.low, image.scale.high) == (0, 40)


def test_six_pictures_of_a_channel_take_two_rows_and_each_map_stands_below_its_picture(look, replica_with):
    replica = replica_with(random_maps(exhibits=18), classes=6, n=90)
    grid = (
        look(FeatureMaps(["conv1"], alone={"conv1": [0]}), replica, draw="conv1_channel").sheets["conv1_channel0"].body
    )
    assert grid.columns == 5
    titles = [panel.title for panel in grid.panels]
    assert titles == [*(f"class {k}" for k in range(5)), *[""] * 5, "class 5", *[""] * 5]
    assert [len(panel.marks) for panel in grid.panels] == [1] * 11 + [0] * 4 + [1]


@pytest.mark.parametrize(("alone", "words"), [({"conv2": [0]}, "none of the layers conv1"), ({"conv1": [5]}, "0 to 4")])
def test_a_channel_alone_that_there_is_not_is_refused(alone, words):
    network = Network({"conv1": (5, 6, 6), "logit": (3,)}, {}, {"conv1": "exhibits"}, 3)
    with pytest.raises(SettingError, match=words) as refused:
        FeatureMaps(["conv1"], alone=alone).check(network)
    assert refused.value.key == "alone"
