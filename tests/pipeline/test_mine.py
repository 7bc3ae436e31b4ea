"""A user's own network through every stage of a real ``dvc repro``: trained here, and given, with the same results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file

from seedscope.files.arrays import groups, read_dataset
from seedscope.files.paths import Artifacts

from .conftest import Project, copy_of_the_project, outs

NETWORK = '''
"""A network that knows nothing of Seedscope."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.act = nn.ReLU(inplace=True)
        self.again = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        for _ in range(2):  # convolution and ReLU are used twice
            x = self.act(self.again(x))
        return x


class Network(nn.Module):
    def __init__(self, channels: int = 4, hidden: int = 8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.blocks = nn.ModuleList([Block(channels, channels), Block(channels, 2 * channels)])
        self.pool = nn.MaxPool2d(2)
        self.vote = nn.ModuleDict({"hidden": nn.Linear(2 * channels * 4, hidden), "norm": nn.BatchNorm1d(hidden)})
        self.rectify, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.classes = nn.Linear(hidden, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = self.pool(x).flatten(1)
        return self.classes(self.drop(self.rectify(self.vote["norm"](self.vote["hidden"](x)))))
'''
LAYERS = ("stem.0", "blocks.0", "blocks.1.norm", "pool")
EXPERIMENT = """# @package _global_
defaults:
  - /lens@lenses.feature_maps: feature_maps
  - /lens@lenses.filters: filters
  - /lens@lenses.heat_maps: heat_maps
  - override /data: squares
  - override /model: outside
{weights}
experiment: {name}
{train}
data: {{n_train: 90, n_probe: 60, size: 8, side: 3, grid: 2}}
readout: {{features: vote.norm, head: classes}}
dump:
  layers: {{stem.0: exhibits, blocks.0: exhibits, blocks.1.norm: exhibits, pool: exhibits, vote.norm: probe}}
lenses:
  feature_maps: {{layers: [stem.0, blocks.0, blocks.1.norm, pool]}}
  filters: {{layers: [stem.0, blocks.0, blocks.1.norm, vote.norm], steps: 4}}
  heat_maps: {{layers: [stem.0, blocks.0, blocks.1.norm], shown: 3, steps: 4}}
  space: null
"""
TRAINED = {"name": "trained", "weights": "", "train": "train: {epochs: 3, batch_size: 20}"}
GIVEN = {
    "name": "handed",
    "weights": "  - override /weights: file\n",
    "train": "train: null\nweights: {file: outside.safetensors}",
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder apart from the project and the package that holds the network, as a package of the user's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "their_networks").mkdir()
    (folder / "their_networks" / "residual.py").write_text(NETWORK)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Project:
    """Return a project in which the network was trained, and then given by the weights that came of it."""
    project = copy_of_the_project(tmp_path_factory.mktemp("mine") / "project")
    (project.path / "conf/model/outside.yaml").write_text("_target_: their_networks.residual.Network\nchannels: 4\n")
    for settings in (TRAINED, GIVEN):
        (project.path / f"conf/experiment/{settings['name']}.yaml").write_text(EXPERIMENT.format(**settings))
    project.params(experiments=["trained"], seeds=[0])
    project.repro(PYTHONPATH=str(outside))
    shutil.copy(project.path / "runs/trained/replicas/seed-0/model.safetensors", project.path / "outside.safetensors")
    project.params(experiments=["trained", "handed"], seeds=[0])
    ran = project.repro(PYTHONPATH=str(outside))
    assert "analyze@handed" in ran
    assert "train@trained" not in ran
    return project


def test_trained_and_given_the_network_does_the_same_to_the_bit(both: Project) -> None:
    trained, given = (Artifacts(name, both.path) for name in ("trained", "handed"))
    kept = groups(given.activations("given"))
    assert set(kept) == {
        *LAYERS,
        *(f"{layer}{which}" for layer in ("vote.norm", "logit") for which in ("", "_variations")),
    }
    for layer in kept:
        parts = [read_dataset(path, group=layer) for path in (trained.activations(0), given.activations("given"))]
        xr.testing.assert_identical(parts[0][layer].load(), parts[1][layer].load())
    for lens in ("contribution", "dominance", "mistakes", "feature_maps", "filters", "heat_maps"):
        here, there = read_dataset(trained.measures(0, lens)), read_dataset(given.measures("given", lens))
        # Of given weights there is no untrained network to compare with; their maps are held against shuffled weights.
        alone = {str(name) for name in set(there.variables) - set(here.variables)}
        assert alone == ({name for name in alone if "randomised" in name} | {"similarity", "other"} if alone else set())
        assert not alone or lens == "heat_maps"
        assert all("untrained" in str(name) for name in set(here.variables) - set(there.variables))
        if "network" in there.dims:
            here = here.sel(network=there.network)
        for name in set(there.variables) & set(here.variables):
            np.testing.assert_array_equal(here[name].values, there[name].values, err_msg=f"{lens}: {name}")


def test_the_artifacts_of_votes_are_those_of_the_contract(both: Project) -> None:
    at = Artifacts("trained", both.path)
    for name in ("vote_waterfall_class3.png", "vote.norm_all_classes.png"):
        assert (at.figures(0, "contribution") / name).is_file(), name
    assert (at.across_seeds / "dominance_heatmap.png").is_file()
    with xr.open_dataset(at.measures(0, "contribution")) as votes:
        total = votes.activation.astype(float) @ votes.weight.astype(float) + votes.bias
        assert float(abs(total - votes.logit).max()) < 1e-4
        assert votes.sizes["sample"] == 60


def network(outside: Path, weights: Path) -> torch.nn.Module:
    """Return the network as its user would load it, in evaluation mode."""
    module: dict[str, type[torch.nn.Module]] = {}
    exec((outside / "their_networks" / "residual.py").read_text(), module)
    model = module["Network"]()
    model.load_state_dict(load_file(weights))
    return model.eval()


def test_what_is_kept_is_what_the_user_computes_by_hand(both: Project, outside: Path) -> None:
    at = Artifacts("trained", both.path)
    model = network(outside, at.model(0))
    with read_dataset(at.data) as data:
        image = torch.from_numpy(data.image.values)
    relu = torch.relu

    def block(number: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        parts = model.get_submodule(f"blocks.{number}")
        norm = relu(parts.norm(parts.conv(x)))  # kept after its ReLU, which runs in place
        return norm, relu(parts.again(relu(parts.again(norm))))

    with torch.no_grad():
        stem = relu(model.get_submodule("stem.0")(image))
        _, first = block(0, torch.max_pool2d(stem, 2))
        norm, second = block(1, first)
        pool = torch.max_pool2d(second, 2)
        vote = relu(model.get_submodule("vote.norm")(model.get_submodule("vote.hidden")(pool.flatten(1))))
        logit = model(image.clone())
    wanted = {
        "stem.0": stem,
        "blocks.0": first,
        "blocks.1.norm": norm,
        "pool": pool,
        "vote.norm": vote,
        "logit": logit,
    }
    for layer, values in wanted.items():
        with read_dataset(at.activations(0), group=layer) as kept:
            np.testing.assert_allclose(kept[layer].values, values.numpy()[kept.sample.values], rtol=0, atol=1e-5)
            assert layer == "logit" or (kept[layer].values >= 0).all()
    metrics = json.loads((both.path / "reports/metrics/trained.seeds.json").read_text())["0"]
    assert metrics["contribution"]["completeness_error"] < 1e-5


def test_the_buffers_of_batch_norm_are_kept_with_every_frame(both: Project) -> None:
    at = Artifacts("trained", both.path)
    weights = load_file(at.model(0))
    steps = 3 * 5  # epochs × batches of 20 among 90 pictures
    for norm in ("blocks.0.norm", "blocks.1.norm", "vote.norm"):
        assert weights[f"{norm}.num_batches_tracked"].dtype == torch.int64
        assert weights[f"{norm}.num_batches_tracked"] == steps
        assert (weights[f"{norm}.running_mean"] != 0).any()
        with read_dataset(at.frames(0)) as frames:
            np.testing.assert_array_equal(frames[f"{norm}.num_batches_tracked"].values, frames.step.values)
            np.testing.assert_array_equal(frames[f"{norm}.running_var"].values[-1], weights[f"{norm}.running_var"])


def test_a_second_training_and_a_layer_that_is_read_twice(both: Project, outside: Path) -> None:
    """Dropout draws the same units whenever it is trained; a module with two outputs is refused."""
    before = outs(both)
    shutil.rmtree(both.path / ".replicas")
    shutil.rmtree(both.path / "runs/trained/replicas")
    assert "train@trained" in both.repro("--force", "--single-item", "train@trained", PYTHONPATH=str(outside))
    after = outs(both)
    assert {name for name in before if "replicas" in name and before[name] != after[name]} == set()

    both.params(experiments=["trained"], seeds=[0], trained={"lenses": {"filters": {"layers": ["blocks.0.again"]}}})
    said = both.run("dvc", "repro", expect=255, PYTHONPATH=str(outside))
    assert (
        "params.yaml: trained.lenses.filters.layers: layer 'blocks.0.again' runs several times in one forward pass: "
        "name one that runs once"
    ) in said
    both.params(experiments=["trained"], seeds=[0], trained={"dump": {"layers": {"blocks.0.act": "exhibits"}}})
    said = both.run("dvc", "repro", expect=255, PYTHONPATH=str(outside))
    assert "dump.layers: layer 'blocks.0.act' runs several times in one forward pass" in said
    assert outs(both) == after


def test_a_change_in_the_example_of_the_readme_trains_it_again(settled: Project) -> None:
    small = {"data": {"n_train": 96, "n_probe": 50}, "train": {"epochs": 1}}
    settled.params(experiments=["mine"], seeds=[0], mine=small)
    assert "train@mine" in settled.repro("train@mine")
    source = settled.path / "examples/mine.py"
    source.write_text(source.read_text().replace("torch.relu(self.hidden", "torch.tanh(self.hidden"))
    assert "train@mine" in settled.repro("train@mine")
