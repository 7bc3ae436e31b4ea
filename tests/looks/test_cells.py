"""A crossing trained for real, in miniature: each cell is the network of its levels, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Sweep
from seedscope.files.paths import SweepArtifacts
from seedscope.files.reading import read_json
from seedscope.files.writing import write_text
from seedscope.looks.cells import measure_cells
from seedscope.seeds.crossing import compare_crossing
from tests.replicas.test_store import SETTINGS

NAME = "toy-streams"
LEVELS = {"weights": 2, "draw": 2, "head": 2}
CELLS = ("history.csv", "identity.json")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """The toy experiment with three streams crossed at two levels each, composed by hand, not trained yet."""
    folder = tmp_path_factory.mktemp("crossing")
    settings = deepcopy(SETTINGS)
    settings["train"] |= {"epochs": 2, "early_frames": 0, "vary": list(LEVELS), "head": "fc2"}
    settings["model"]["hidden"] = [8]
    settings["readout"] = {"features": "fc1", "head": "fc2"}
    variant = {"name": "cells", "value": LEVELS, "settings": settings}
    about = {"experiment": "toy", "key": "streams", "base": None, "seeds": list(range(8)), "engine": settings["engine"]}
    write_text(SweepArtifacts(NAME, folder).config, json.dumps({**about, "variants": [variant]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        patch.setattr("seedscope.seeds.crossed._TIMES", 19)
        yield Sweep.load(NAME, folder)


def test_a_crossing_trains_every_combination_once_and_says_what_it_saw(sweep: Sweep) -> None:
    assert measure_cells(sweep) == 8
    with xr.open_dataset(sweep.at.cells) as opened:
        cells = opened.load()
    assert cells.sizes == {"cell": 8, "true": 9, "unit": 8, "sample": 18}
    levels = list(zip(*(cells[stream].values.tolist() for stream in LEVELS), strict=True))
    assert levels == list(np.ndindex(2, 2, 2))
    head, start = cells.head_at_start.values, cells.tuning_at_start.values
    for cell, (weights, _, its_head) in enumerate(levels):
        np.testing.assert_array_equal(head[cell], head[levels.index((0, 0, its_head))])
        np.testing.assert_array_equal(start[cell], start[levels.index((weights, 0, 0))])
    assert not np.array_equal(head[0], head[levels.index((0, 0, 1))])
    assert not np.array_equal(start[0], start[levels.index((1, 0, 0))])
    tunings = {cells.tuning.values[cell].tobytes() for cell in range(8)}
    assert len(tunings) == 8  # another draw is another training
    at = sweep.variants[0].experiment.at
    kept = {path.name for path in at.replica(3).iterdir()}
    assert kept == set(CELLS)
    assert read_json(at.identity(3))["streams"] == {"weights": 0, "order": 0, "draw": 1, "head": 1}
    assert not at.data.exists()
    before = sweep.at.cells.read_bytes()
    assert measure_cells(sweep) == 0  # the store has them
    assert sweep.at.cells.read_bytes() == before


def test_a_crossing_of_stacked_replicas_trains_them_together_and_each_once(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = read_json(sweep.at.config)
    content["variants"][0]["settings"]["train"] |= {"stacked": True, "epochs": 1}
    content |= {"seeds": [0, 1, 2, 3]}
    content["variants"][0]["value"] = {"weights": 2, "draw": 1, "head": 2}
    write_text(SweepArtifacts(NAME, tmp_path).config, json.dumps(content))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    stacked = Sweep.load(NAME, tmp_path)
    assert measure_cells(stacked) == 4
    with xr.open_dataset(stacked.at.cells) as cells:
        assert cells.sizes["cell"] == 4
        assert not np.array_equal(cells.head_at_start[0], cells.head_at_start[1])
    assert measure_cells(stacked) == 0


def test_what_was_measured_is_compared(sweep: Sweep) -> None:
    if not sweep.at.cells.exists():
        measure_cells(sweep)
    compare_crossing(sweep)
    figures = {path.name for path in sweep.at.figures.iterdir()}
    assert {"shares_of_variance.png", "pairs_by_what_they_share.png", "swap_of_heads.png"} <= figures
    assert {"summary.csv", "trends.csv", "cells.csv"} <= figures
    metrics = json.loads(sweep.at.metrics.read_text())
    assert metrics["variance of accuracy"]["weights"]["verdict"] == "undecided"  # two levels decide nothing
    assert metrics["swap"]["given"]["n"] == 2


def test_a_head_that_is_no_dense_layer_is_told_before_anything_is_trained(sweep: Sweep) -> None:
    content = read_json(sweep.at.config)
    content["variants"][0]["settings"]["readout"]["head"] = "fc9"
    write_text(sweep.at.config, json.dumps(content))
    with pytest.raises(SeedscopeError, match=r"weights 0, draw 0, head 0: readout.head: the network has no"):
        measure_cells(Sweep.load(NAME, sweep.at.root))
