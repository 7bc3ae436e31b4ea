"""Oracle: xarray through h5netcdf, which must read our files as its own, and whose files we must read as it does."""

import numpy as np
import pytest
import xarray as xr

from seedscope.files.arrays import load_measured, read_measured, write_dataset, write_measured
from seedscope.files.errors import SeedscopeError
from seedscope.files.netcdf import read_group


def everything():
    """Return a data set with each kind of number, text and coordinate that lenses write."""
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "float": (("sample", "unit"), rng.normal(size=(4, 3)).astype(np.float32)),
            "missing": ("sample", [1.0, np.nan, 3.0, np.inf]),
            "number": ((), 7),
            "whole": (("unit", "unit_too"), np.arange(6).reshape(3, 2)),
            "yes": ("unit", [True, False, True]),
            "text": ("unit", ["one", "zwei", "três"]),
            "none": (("nothing", "unit"), np.zeros((0, 3))),
            "layer": (("sample", "unit"), rng.integers(0, 9, (4, 3))),
        },
        coords={
            "sample": [5, 1, 9, 2],
            "name": ("unit", list("abc")),
            "level": ("sample", [0.1, 0.2, 0.3, 0.4]),
        },
        attrs={"experiment": "toy", "seed": 3, "class_names": ["a", "b"], "one": ["x"], "empty": [], "share": 0.5},
    )


def tree():
    child = xr.Dataset({"map": (("sample", "y"), np.ones((4, 2)))}, {"y": [10, 20]}, {"kind": "map"})
    below = xr.Dataset({"own": ("sample", np.arange(4.0)), "y": ("z", [1.0])})
    return xr.DataTree.from_dict({"/": everything(), "/conv1": child, "/conv1/deep": below, "/conv2": child})


@pytest.mark.parametrize("make", [everything, tree, xr.Dataset])
def test_a_file_is_what_xarray_writes_and_reads(tmp_path, make):
    ours, theirs = tmp_path / "ours.nc", tmp_path / "theirs.nc"
    write_measured(ours, make())
    make().to_netcdf(theirs, engine="h5netcdf")
    found = [load(path).load() for path in (ours, theirs) for load in (read_measured, load_measured)]
    assert all(one.identical(found[2]) for one in found)
    again = tmp_path / "again.nc"
    write_measured(again, make())
    assert again.read_bytes() == ours.read_bytes()


def test_a_group_beside_a_data_set_is_read_alone(tmp_path):
    path = tmp_path / "data.nc"
    write_dataset(path, everything(), fc1=xr.Dataset({"fc1": ("sample", [1.0, 2.0])}))
    np.testing.assert_array_equal(read_group(path, "fc1").fc1, [1, 2])
    assert xr.open_dataset(path, engine="h5netcdf", group="fc1").load().identical(read_group(path, "fc1"))
    with pytest.raises(KeyError):
        read_group(path, "fc2")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "measured.nc"
    write_measured(path, everything())
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(SeedscopeError, match=r"measured\.nc"):
        load_measured(path)
