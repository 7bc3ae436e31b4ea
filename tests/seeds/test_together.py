import numpy as np
import xarray as xr

from seedscope.files.arrays import write_measured
from seedscope.seeds.together import stacked, together


def tree(units, layers=("fc1",)):
    root = xr.Dataset(attrs={"experiment": "toy", "seed": units})
    parts = {layer: xr.Dataset({"reading": ("unit", np.arange(units, dtype=np.float64))}) for layer in layers}
    return xr.DataTree.from_dict({"/": root, **parts})


def test_groups_are_stacked_each_by_itself_and_padded():
    both = stacked({5: tree(2), 3: tree(3)})
    assert both.attrs == {"experiment": "toy"}
    assert both.seed.values.tolist() == [3, 5]
    np.testing.assert_array_equal(both["fc1"].reading, [[0, 1, 2], [0, 1, np.nan]])


def test_a_group_that_one_seed_lacks_is_empty_there():
    both = stacked({0: tree(2), 1: tree(2, ["fc1", "fc2"])})
    np.testing.assert_array_equal(both["fc2"].reading, [[np.nan, np.nan], [0, 1]])


def test_only_the_named_variables_of_all_groups_are_read(tmp_path):
    for seed in (0, 1):
        one = tree(2)
        one["fc1"] = one["fc1"].to_dataset().assign(other=("unit", np.zeros(2)))
        write_measured(tmp_path / f"{seed}.nc", one)
    both = together({seed: tmp_path / f"{seed}.nc" for seed in (0, 1)}, ["reading"])
    assert list(both["fc1"].data_vars) == ["reading"]
    assert both["fc1"].reading.dims == ("seed", "unit")
