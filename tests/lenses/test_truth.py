import dataclasses

import numpy as np
import pytest

from seedscope.data.squares import Squares
from seedscope.data.textures import Textures
from seedscope.files.errors import SeedscopeError
from seedscope.formulas.priors import brightest_window
from seedscope.lenses.heat_maps.localization import localization
from seedscope.lenses.truth import boxes_of


def test_the_brightest_window_is_the_square_where_contrast_is_high_and_chance_where_there_is_none():
    source = dataclasses.replace(Squares(), n_probe=180, noise=0.1, contrast=0.5)
    probe = source.probe()
    boxes = boxes_of({"top": "square_y", "left": "square_x", "height": "square_side", "width": 6}, probe)
    mask = boxes.masks((32, 32))
    found = brightest_window(probe.image.values, boxes)
    assert localization(found, mask).mean(1) == pytest.approx([1] * 4, abs=0.01)
    noise = np.random.default_rng(0).random((180, 1, 32, 32))
    assert localization(brightest_window(noise, boxes), mask)[1].mean() < 0.1
    flat = brightest_window(np.full((180, 3, 32, 32), 0.5), boxes)
    assert (flat[:, :6, :6] == 1).all()
    assert flat.sum() == 180 * 36


def test_a_truth_that_the_data_lacks_is_named():
    probe = dataclasses.replace(Squares(), n_probe=9).probe()
    with pytest.raises(SeedscopeError, match="no variable 'square_z' to say where objects are; did you mean 'square_"):
        boxes_of({"top": "square_z", "left": "square_x", "height": 6, "width": 6}, probe)
    with pytest.raises(SeedscopeError, match="9 pictures hold no pixel of their object"):
        boxes_of({"top": 40, "left": 0, "height": 6, "width": 6}, probe).masks((32, 32))


def test_a_round_object_is_its_own_pixels_and_its_box_is_the_smallest_around_them():
    probe = Textures(n_train=1, n_probe=12, size=40, object_size=(9, 20)).probe()
    boxes = boxes_of("object", probe)
    np.testing.assert_array_equal(boxes.masks((40, 40)), probe.object.values == 1)
    for sample in range(12):
        rows, columns = np.nonzero(probe.object.values[sample])
        assert (boxes.top[sample], boxes.left[sample]) == (rows.min(), columns.min())
        assert (boxes.height[sample], boxes.width[sample]) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    some = np.array([7, 2])
    np.testing.assert_array_equal(boxes.take(some).masks((40, 40)), probe.object.values[some] == 1)
    nowhere = probe.assign(object=probe.object * (probe.sample != 3))
    with pytest.raises(SeedscopeError, match="1 pictures hold no pixel of their object, the first at 3"):
        boxes_of("object", nowhere).masks((40, 40))
    with pytest.raises(SeedscopeError, match=r"'hue' of the data cannot say where objects are: it is \('sample',\)"):
        boxes_of("hue", probe)
    with pytest.raises(SeedscopeError, match="no variable 'objects' to say where objects are; did you mean 'object'"):
        boxes_of("objects", probe)
