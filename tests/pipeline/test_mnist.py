"""The MNIST path from the files to the activations, where the files are: one word in params.yaml."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from seedscope.files.arrays import read_dataset
from seedscope.files.weights import read_weights

from .conftest import ROOT, copy_of_the_project

FOLDER = ROOT.parent / "shared" / "data" / "mnist"
HEADS = {"digits": ("pool2", (32, 5, 5), "fc1"), "slp": ("input", (784,), "fc1"), "mlp": ("fc1", (128,), "fc2")}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data holds no MNIST")
def test_the_experiments_on_digits_run_on_mnist_by_one_word(tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path / "project")
    small = {"data": "mnist", "data.n_train": 6000, "data.n_probe": 300, "train.epochs": 2}
    project.params(experiments=list(HEADS), seeds=[0], **dict.fromkeys(HEADS, small))
    stages = [f"dump@{name}" for name in HEADS]
    assert set(stages) <= set(project.repro(*stages, SEEDSCOPE_DATA=str(FOLDER)))
    for name, (features, shape, head) in HEADS.items():
        run = project.path / "runs" / name
        with (run / "replicas" / "seed-0" / "history.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        for split in ("validation", "probe"):
            assert float(last[f"{split}_accuracy"]) > (0.85 if name == "digits" else 0.5)
        activation = read_dataset(run / "activations" / "seed-0.nc", group=features)[features].values
        assert activation.shape == (300, *shape)
        weights = read_weights(run / "replicas" / "seed-0" / "model.safetensors")
        logit = read_dataset(run / "activations" / "seed-0.nc", group="logit").logit.values
        votes = activation.reshape(300, -1) @ weights[f"{head}.weight"].T
        assert abs(votes + weights[f"{head}.bias"] - logit).max() < 1e-4
