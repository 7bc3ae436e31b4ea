import numpy as np
import pytest

from seedscope.lenses.units import Units


def test_units_of_a_dense_layer_are_called_by_their_number(random_replica):
    units = Units.of(random_replica(), "fc1")
    assert units == Units("fc1", "dense", (12,))
    assert units.names([0, 11]) == ["0", "11"]
    assert (units.words, units.silent, units.key) == ("units of fc1", "dead", "")


def test_units_of_a_map_are_called_by_channel_and_place(random_replica):
    units = Units.of(random_replica(feature_map=(2, 3, 2)), "fc1")
    assert units == Units("fc1", "map", (2, 3, 2))
    assert units.names([0, 5, 6, 11]) == ["0 (0,0)", "0 (2,1)", "1 (0,0)", "1 (2,1)"]
    assert units.key == ": channel (row,column)"


@pytest.mark.parametrize(
    ("channels", "name", "key"), [(1, "(1,0)", ": (row,column)"), (2, "0 (1,0)", ": channel (row,column)")]
)
def test_features_that_are_the_picture_are_pixels(replica_of, channels, name, key):
    image = np.random.default_rng(0).random((20, channels, 3, 4)).astype(np.float32)
    flat = image.reshape(20, -1)
    weight = np.random.default_rng(1).normal(size=(3, flat.shape[1]))
    replica = replica_of(flat, weight, np.zeros(3), np.arange(20) % 3, image=image)
    units = Units.of(replica, "fc1")
    assert units == Units("fc1", "pixel", (channels, 3, 4))
    assert (units.name(4), units.key, units.words, units.silent) == (name, key, "pixels", "never on")


@pytest.mark.parametrize("shape", [(5,), (2, 3, 2)])
def test_folding_keeps_channels_together(shape):
    units = Units("fc1", "dense", shape)
    values = np.arange(2 * units.count).reshape(2, -1)
    folded = units.folded(values)
    assert folded.shape == (2, shape[0], units.count // shape[0])
    np.testing.assert_array_equal(folded.reshape(2, -1), values)
