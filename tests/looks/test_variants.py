"""A sweep of stacked replicas: those of one variant are trained together, and each once."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from seedscope.files.experiment import Sweep
from seedscope.files.paths import SweepArtifacts
from seedscope.files.writing import write_text
from seedscope.looks.variants import measure_variants
from seedscope.replicas import store
from seedscope.replicas.mapping import Report
from tests.replicas.test_store import SETTINGS

NAME = "toy-batches"


def test_the_replicas_of_each_variant_are_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    variants = []
    for size in (16, 21):
        settings = deepcopy(SETTINGS)
        settings["train"] |= {"stacked": True, "epochs": 1, "early_frames": 0, "batch_size": size}
        settings["readout"] = {"features": "fc1", "head": "fc2"}
        variants.append({"name": str(size), "value": size, "settings": settings})
    about = {"experiment": "toy", "key": "train.batch_size", "base": 16, "seeds": [0, 1], "engine": SETTINGS["engine"]}
    write_text(SweepArtifacts(NAME, tmp_path).config, json.dumps({**about, "variants": variants}))
    sweep = Sweep.load(NAME, tmp_path)
    stacks: list[int] = []
    honest = store._train_stack

    def counted(places: Any, report: Report) -> dict[int, str]:
        stacks.append(len(places))
        return honest(places, report)

    monkeypatch.setattr(store, "_train_stack", counted)
    for trained in (True, False):
        found = measure_variants(sweep)
        assert {name: [one.trained for one in seeds.values()] for name, seeds in found.items()} == {
            "16": [trained, trained],
            "21": [trained, trained],
        }
    assert stacks == [2, 2]
