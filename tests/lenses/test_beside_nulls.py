import numpy as np
import pandas as pd
import pytest

from seedscope.formulas.intervals import mean_interval
from seedscope.lenses.beside_nulls import beside_nulls


def table(own, null):
    return pd.DataFrame(
        {
            "map": ["cam", "cam", "window"],
            "source": ["own", "null", "prior"],
            "measure": ["mass"] * 3,
            "value": [own, null, 0.5],
        }
    )


def test_a_gain_that_every_seed_has_is_seen_where_the_intervals_overlap():
    rng = np.random.default_rng(0)
    null = rng.uniform(0, 1, 5)
    own = null + 0.1 + 0.01 * rng.random(5)
    rows, metrics = beside_nulls([table(*pair) for pair in zip(own, null, strict=True)], "own", ["null"])
    gain = metrics["cam_mass_gain_null"]
    assert gain == mean_interval(own - null).as_dict()
    assert gain["low"] > 0
    assert gain["n"] == 5
    means = rows.set_index(["map", "source", "measure"])
    assert means.loc[("cam", "null", "mass"), "high"] > means.loc[("cam", "own", "mass"), "low"]
    assert metrics["cam_mass_null_null"]["mean"] == pytest.approx(null.mean())
    assert set(metrics) == {"cam_mass_null_null", "cam_mass_gain_null"}
    assert means.loc[("window", "prior", "mass"), "mean"] == 0.5


def test_a_seed_without_a_null_has_no_gain_and_one_seed_no_interval():
    _, metrics = beside_nulls([table(0.8, np.nan), table(0.9, 0.4)], "own", ["null"])
    assert metrics["cam_mass_gain_null"] == {"mean": pytest.approx(0.5), "low": None, "high": None, "n": 1}
