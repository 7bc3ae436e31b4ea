"""Several seeds as one data set: what is padded, what is aligned, what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from seedscope.files.arrays import read_measured, write_measured
from seedscope.seeds.together import stacked, together


def measured(seed, units, names=("a", "b")):
    return xr.Dataset(
        {
            "vote": (("true", "unit"), np.full((2, units), float(seed))),
            "top": ("unit", np.arange(units)),
            "live": ("unit", np.ones(units, dtype=bool)),
            "share": ((), seed / 10),
        },
        coords={"true": list(names), "frame": [0, 1]},
        attrs={"experiment": "toy", "seed": seed, "class_names": ["x", "y"], "own": seed},
    )


def test_seeds_of_different_sizes_are_padded_and_their_own_numbers_stay():
    both = stacked({4: measured(4, 3), 1: measured(1, 2)})
    assert both.seed.values.tolist() == [1, 4]
    assert both.vote.dims == ("seed", "true", "unit")
    np.testing.assert_array_equal(both.vote.sel(seed=1, true="a"), [1, 1, np.nan])
    assert both.top.values.tolist() == [[0, 1, -1], [0, 1, 2]]
    assert both.top.dtype == both.top.sel(seed=1).dtype == np.int64
    assert both.live.values.tolist() == [[True, True, False], [True, True, True]]
    assert both.share.values.tolist() == [0.1, 0.4]


def test_attributes_and_coordinates_that_differ_are_not_those_of_all():
    both = stacked({1: measured(1, 2), 4: measured(4, 2)})
    assert both.attrs == {"experiment": "toy", "class_names": ["x", "y"]}
    assert both.frame.dims == ("frame",)


def test_labels_are_aligned_wherever_they_stand():
    both = stacked({1: measured(1, 2, ("a", "b")), 4: measured(4, 2, ("b", "c"))})
    assert both.true.values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(both.vote.sel(seed=4, unit=0), [np.nan, 4, 4])


@pytest.mark.parametrize("names", [None, ["share"]])
def test_a_tree_is_stacked_layer_by_layer_and_read_no_further_than_asked(tmp_path, names):
    paths = {}
    for seed in (1, 4):
        layers = {"fc1": measured(seed, seed), "blocks.0.act": measured(seed, 2)}
        root = xr.Dataset({"n": 1}, {"kind": ["p", "q"]}, attrs={"experiment": "toy", "seed": seed})
        tree = xr.DataTree.from_dict({"/": root, **layers})
        paths[seed] = tmp_path / f"{seed}.nc"
        write_measured(paths[seed], tree)
    both = together(paths, names)
    assert list(both.children) == ["fc1", "blocks.0.act"]
    assert both["blocks.0.act"].share.values.tolist() == [0.1, 0.4]
    assert ("vote" in both["fc1"]) == (names is None)
    assert both.attrs == {"experiment": "toy"}
    assert both["fc1"].kind.values.tolist() == ["p", "q"]  # what the root labels, its groups may be asked for


def test_the_same_numbers_have_the_same_bytes_and_come_back_as_they_were(tmp_path):
    data = measured(1, 2)
    for name in ("a", "b"):
        write_measured(tmp_path / name, xr.DataTree.from_dict({"/": xr.Dataset(), "fc1": data}))
        write_measured(tmp_path / f"{name}-flat", data)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with read_measured(tmp_path / "a") as tree, read_measured(tmp_path / "a-flat") as flat:
        assert isinstance(tree, xr.DataTree)
        xr.testing.assert_identical(tree["fc1"].to_dataset(inherit=False).drop_attrs(), data.drop_attrs())
        xr.testing.assert_identical(flat.drop_attrs(), data.drop_attrs())
