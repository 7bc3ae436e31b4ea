"""A network with given weights, ``train: null``, through every stage of a real ``dvc repro``."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seedscope.files.arrays import groups
from seedscope.files.paths import Artifacts
from seedscope.files.weights import read_weights
from seedscope.lenses import Replica
from seedscope.models.perceptron import Perceptron

from .conftest import Project, copy_of_the_project, outs

TOY = """# @package _global_
defaults:
  - /lens@lenses.feature_maps: feature_maps
  - override /data: squares
  - override /model: digits_mlp
  - override /weights: file

experiment: toy
train: null
weights: {file: toy.safetensors}
readout: {features: fc1, head: fc2}
dump: {layers: {fc1: probe}}
lenses: {feature_maps: null, space: null}
data: {n_train: 100, n_probe: 120, size: 8, side: 3, grid: 2}
model: {classes: 4}
"""


def write_toy(folder: Path, seed: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    weights = Perceptron((1, 8, 8), 4, (32,)).state_dict()
    save_file(weights, folder / "toy.safetensors")
    return weights


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project in which a perceptron with given weights went through the pipeline."""
    project = copy_of_the_project(tmp_path_factory.mktemp("given") / "project")
    (project.path / "conf/experiment/toy.yaml").write_text(TOY)
    write_toy(project.path)
    project.params(experiments=["toy"], seeds=[0, 1])
    assert project.repro() == [
        "compose",
        *(f"{stage}@toy" for stage in ("generate", "train", "dump", "analyze", "compare")),
        "report",
        "track",
    ]
    return project


def test_it_is_one_replica_called_given(given: Project) -> None:
    for name in (
        "runs/toy/replicas/given/model.safetensors",
        "runs/toy/replicas/given/identity.json",
        "runs/toy/activations/given.nc",
        "runs/toy/measures/given/contribution.nc",
        "reports/figures/toy/seeds/given/contribution/fc1_all_classes.png",
        "reports/site/toy/given.html",
    ):
        assert (given.path / name).is_file(), name
    assert not any("seed-" in name for name in outs(given))
    assert sorted(path.name for path in (given.path / "runs/toy/replicas/given").iterdir()) == [
        "identity.json",
        "model.safetensors",
    ]
    metrics = json.loads((given.path / "reports/metrics/toy.seeds.json").read_text())
    assert list(metrics) == ["given"]
    assert "training" not in metrics["given"]
    assert metrics["given"]["contribution"]["completeness_error"] < 1e-5


def test_its_activations_are_those_of_the_given_weights(given: Project) -> None:
    at = Artifacts("toy", given.path)
    weights = read_weights(given.path / "toy.safetensors")
    stored = read_weights(at.model("given"))
    assert {name: values.tobytes() for name, values in stored.items()} == {
        name: values.tobytes() for name, values in weights.items()
    }
    assert set(groups(at.activations("given"))) == {"fc1", "logit", "fc1_variations", "logit_variations"}
    replica = Replica.open(at, "given")
    assert replica.frames is None
    pictures = replica.probe.image.values.reshape(120, -1)
    hidden = np.maximum(pictures @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    np.testing.assert_allclose(replica.activations["fc1"].values, hidden, atol=1e-5)
    with replica.network() as network:
        answer = network(torch.from_numpy(replica.probe.image.values)).numpy()
    np.testing.assert_array_equal(answer.argmax(1), replica.activations["logit"].values.argmax(1))


def test_there_is_nothing_to_compare_and_every_page_says_so(given: Project) -> None:
    assert json.loads((given.path / "reports/metrics/toy.across_seeds.json").read_text()) == {}
    page = (given.path / "reports/site/toy/index.html").read_text()
    assert "there is nothing to compare it with" in page
    for page in (given.path / "reports/site").rglob("*.html"):
        text = page.read_text()
        assert "Missing" not in text, page
        assert "seed given" not in text, page
    for command in ("metrics", "params", "plots"):
        given.run("dvc", command, "show" if command != "params" else "diff")


def test_it_is_one_run_in_mlflow_without_epochs(given: Project) -> None:
    with sqlite3.connect(given.path / "mlflow.db") as database:
        names = database.execute("SELECT name FROM runs WHERE lifecycle_stage = 'active'").fetchall()
        keys = {key for (key,) in database.execute("SELECT DISTINCT key FROM metrics")}
        steps = {step for (step,) in database.execute("SELECT DISTINCT step FROM metrics")}
    assert names == [("given",)]
    assert "probe_accuracy" not in keys
    assert "dominance/dead_units" in keys
    assert steps == {0}


def test_a_second_run_has_nothing_to_do_and_other_seeds_change_nothing(given: Project) -> None:
    before = outs(given)
    assert given.repro() == ["compose", "track"]
    given.params(experiments=["toy"], seeds=[7])
    assert given.repro() == ["compose", "track"]
    assert outs(given) == before


def test_other_weights_under_the_same_name_are_noticed(given: Project) -> None:
    before = outs(given)
    write_toy(given.path, seed=4)
    assert given.repro()[:4] == ["compose", "train@toy", "dump@toy", "analyze@toy"]
    changed = {name for name, digest in outs(given).items() if before.get(name) != digest}
    assert "runs/toy/activations/given.nc" in changed
    assert "runs/toy/data.nc" not in changed


def test_weights_that_do_not_fit_are_refused_before_anything_runs(given: Project) -> None:
    weights = write_toy(given.path)
    before = outs(given)
    save_file({name: tensor for name, tensor in weights.items() if name != "fc2.bias"}, given.path / "toy.safetensors")
    said = given.run("dvc", "repro", expect=255)
    assert "the weights file has no 'fc2.bias'" in said
    assert "Traceback" not in said
    assert outs(given) == before
