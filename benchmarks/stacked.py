"""Seeds of one network stacked (``train.stacked``) against one by one, on one core, files included.

Of ``digits_tiny``, a perceptron 64 → 32 → 10, every replica as it is configured; of the CNN of ``squares`` an eighth of
the pictures for one epoch. Each measurement is a process of its own that first trains one seed to warm up; what counts
is its processor time. Then, of ``digits_tiny``, whether the seeds came out alike: by seed, the stacked replica less the
one trained alone, mean and 95 % interval over seeds.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Row

_SEEDS = 32
_ROUNDS = 3
_PERCEPTRON: dict[str, Any] = {
    "data": {"_target_": "seedscope.data.digits.Digits"},
    "model": {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 8, 8], "classes": 10, "hidden": [32]},
    "train": {"_target_": "seedscope.replicas.training.Training", "epochs": 20, "device": "cpu"},
}
_CNN: dict[str, Any] = {
    "data": {"_target_": "seedscope.data.squares.Squares", "n_train": 1152, "n_probe": 288},
    "model": {"_target_": "seedscope.models.convnet.ConvNet", "shape": [1, 32, 32], "classes": 9},
    "train": {"_target_": "seedscope.replicas.training.Training", "epochs": 1, "device": "cpu"},
}


def train_here(settings: dict[str, Any], folder: str) -> tuple[float, float]:
    """Train the seeds of an experiment below a folder; return processor seconds and peak memory in bytes."""
    from seedscope.data import assemble
    from seedscope.files.arrays import write_dataset
    from seedscope.files.digests import digest
    from seedscope.files.experiment import Experiment
    from seedscope.replicas.mapping import Engine
    from seedscope.replicas.store import train_seeds

    experiment = Experiment("toy", settings | {"code": {"replica": {}}, "inputs": {}}, Path(folder))
    write_dataset(experiment.at.data, assemble(experiment.component("data")))

    def train(seeds: range) -> None:
        train_seeds(dict.fromkeys(seeds, experiment), digest(experiment.at.data), Engine(1), "train toy")

    train(range(_SEEDS, _SEEDS + 1))
    start = time.process_time()
    train(range(_SEEDS))
    return time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def measure() -> list[Row]:
    """Return seeds per hour both ways, their ratios round by round, peak memory, and what differs."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for what, settings in (("digits_tiny", _PERCEPTRON), ("squares CNN, ⅛ epoch", _CNN)):
            alone, stacked, peak = [], [], []
            for _ in range(_ROUNDS):
                alone.append(_measured(settings, Path(name) / what / "alone")[0])
                took = _measured(_stacked(settings), Path(name) / what / "stacked")
                stacked.append(took[0])
                peak.append(took[1] / 1e6)
            rows += [
                Row.of(f"{what}, one core: seeds one by one", [_SEEDS * 3600 / t for t in alone], "seeds/h"),
                Row.of(f"{what}, one core: {_SEEDS} seeds stacked", [_SEEDS * 3600 / t for t in stacked], "seeds/h"),
                Row.of(f"{what}: stacked ÷ one by one", [a / s for a, s in zip(alone, stacked, strict=True)], "×"),
                Row.of(f"{what}: peak memory of a stack", peak, "MB"),
            ]
        return rows + _differences(Path(name) / "digits_tiny")


def _stacked(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, "train": {**settings["train"], "stacked": True}}


def _measured(settings: dict[str, Any], folder: Path) -> tuple[float, float]:
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir(parents=True)
    code = (
        "import json, os, sys; os.environ['DVC_ROOT'] = sys.argv[2]; from benchmarks.stacked import train_here; "
        "print(json.dumps(train_here(json.loads(sys.argv[1]), sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, json.dumps(settings), str(folder)]
    took, peak = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return took, peak


def _differences(folder: Path) -> list[Row]:
    """Return, by what the study looks at, the mean over seeds of stacked less alone with its 95 % interval."""
    from seedscope.formulas.intervals import mean_interval

    found = {
        kind: [_looked_at(folder / kind / "runs/toy", seed) for seed in range(_SEEDS)] for kind in ("alone", "stacked")
    }
    rows = []
    for what, unit in (("probe accuracy", ""), ("live units", "units"), ("Gini of the centred votes for a class", "")):
        alone, stacked = (np.array([one[what] for one in found[kind]]) for kind in ("alone", "stacked"))
        name = f"digits_tiny, {what}: alone, with smallest and largest"
        rows.append(Row(name, float(alone.mean()), unit, "", float(alone.min()), float(alone.max()), _SEEDS))
        difference = mean_interval(stacked - alone)
        name = f"digits_tiny, {what}: stacked − alone, 95 % interval"
        asked = "0 in the interval"
        low, high = difference.ends or (None, None)
        rows.append(Row(name, difference.numbers[0], unit, asked, low, high, _SEEDS))
    return rows


def _looked_at(runs: Path, seed: int) -> dict[str, float]:
    from seedscope.files.arrays import read_dataset
    from seedscope.files.weights import read_weights
    from seedscope.formulas.concentration import gini
    from seedscope.formulas.decisions import predicted_class
    from seedscope.formulas.votes import Votes, centred_dominance

    with read_dataset(runs / "data.nc") as data:
        probe = data.isel(sample=data.split.values == "probe").load()
    weights = read_weights(runs / f"replicas/seed-{seed}/model.safetensors")
    weights = {name: values.astype(np.float64) for name, values in weights.items()}
    hidden = probe.image.values.reshape(probe.sizes["sample"], -1) @ weights["fc1.weight"].T + weights["fc1.bias"]
    votes = Votes(np.clip(hidden, 0, None), weights["fc2.weight"], weights["fc2.bias"])
    label = probe.label.values
    size = np.abs(centred_dominance(votes, label, 10))[:, votes.live]
    return {
        "probe accuracy": float((predicted_class(votes.logit()) == label).mean()),
        "live units": float(votes.live.sum()),
        "Gini of the centred votes for a class": float(gini(size).mean()),
    }
