"""DVC experiments, and a user's own parts: in a copy of the project."""

from __future__ import annotations

import json


def test_an_experiment_changes_a_key_of_params(settled):
    said = settled.run("dvc", "exp", "run", "-S", "digits_tiny.train.epochs=2")
    assert "trained 2 of 2 seeds" in said
    history = (settled.path / "runs/digits_tiny/replicas/seed-0/history.csv").read_text().splitlines()
    assert len(history) == 1 + 2
    assert "digits_tiny.seeds.json" in settled.run("dvc", "metrics", "show")
    assert "epochs" in settled.run("dvc", "params", "diff")
    settled.run("dvc", "plots", "show")


def test_a_queued_experiment_keeps_its_replicas_in_the_real_repository(settled):
    kept = set((settled.path / ".replicas").iterdir())
    said = settled.run("dvc", "exp", "run", "--temp", "-S", "digits_tiny.train.epochs=4")
    assert "trained 2 of 2 seeds" in said
    assert len(set((settled.path / ".replicas").iterdir()) - kept) >= 2


OWN = '''
"""A user's own data set, network and lens."""

from pathlib import Path

import numpy as np
import xarray as xr

from seedscope.data import pictures


class Stripes:
    """Are the stripes horizontal (0) or vertical (1)? Their brightness stands in a file."""

    shape = (1, 6, 6)
    class_names = ("horizontal", "vertical")

    def __init__(self, file: str, n: int = 120):
        self.inputs = (Path(file),)
        self.n = n

    def _make(self, n, split):
        rng = np.random.default_rng(len(split))
        label = np.arange(n) % 2
        image = rng.uniform(0, 0.3, (n, 1, 6, 6)).astype(np.float32)
        contrast = float(self.inputs[0].read_text())
        for row, k in zip(image, label):
            stripe = row[0] if k == 0 else row[0].T
            stripe[::2] += contrast
        return pictures(np.clip(image, 0, 1), label, split)

    def training(self, draw):
        return self._make(self.n, "train")

    def probe(self):
        return self._make(40, "probe")


class Brightness:
    """How bright are the probe pictures?"""

    def check(self, network):
        pass

    def measure(self, replica):
        return xr.Dataset({"brightness": replica.probe.image.mean()})

    def draw(self, measured):
        return iter(())

    def summarize(self, measured):
        return {"brightness": float(measured.brightness)}
'''


NETWORK = '''import torch


class Net(torch.nn.Module):
    """An in-place ReLU, names of its own."""

    def __init__(self, width: int = 12):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, width), torch.nn.ReLU(inplace=True))
        self.readout = torch.nn.Linear(width, 2)

    def forward(self, x):
        return self.readout(self.body(x))
'''


def test_a_users_own_data_network_and_lens_come_in_by_target(settled):
    here = settled.path
    (here / "mine").mkdir(exist_ok=True)
    (here / "mine" / "stripes.py").write_text(OWN)
    (here / "mine" / "net.py").write_text(NETWORK)
    (here / "contrast.txt").write_text("0.5")
    (here / "conf/data/stripes.yaml").write_text("_target_: mine.stripes.Stripes\nfile: contrast.txt\n")
    (here / "conf/model/stripes_net.yaml").write_text("_target_: mine.net.Net\nwidth: 12\n")
    (here / "conf/lens/brightness.yaml").write_text("_target_: mine.stripes.Brightness\n")
    (here / "conf/experiment/stripes.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - /lens@lenses.brightness: brightness\n"
        "  - override /data: stripes\n  - override /model: stripes_net\n\n"
        "experiment: stripes\nreadout: {features: body.1, head: readout}\ndump: {layers: {body.1: probe}}\n"
        "train: {epochs: 4, batch_size: 20}\n"
    )
    settled.params(experiments=["stripes"], seeds=[0])
    assert "train@stripes" in settled.repro()
    metrics = json.loads((here / "reports/metrics/stripes.seeds.json").read_text())
    assert metrics["0"]["training"]["probe_accuracy"] > 0.9
    first = metrics["0"]["brightness"]["brightness"]

    (here / "contrast.txt").write_text("0.6")  # an external file that DVC does not know
    assert "generate@stripes" in settled.repro("analyze@stripes")
    assert (
        json.loads((here / "reports/metrics/stripes.seeds.json").read_text())["0"]["brightness"]["brightness"] > first
    )

    (here / "mine" / "net.py").write_text(NETWORK.replace("ReLU(inplace=True)", "ReLU()"))
    assert settled.repro("train@stripes") == ["compose", "train@stripes"]
