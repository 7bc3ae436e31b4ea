"""Fixtures that several test files share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seedscope.files.paths import Artifacts
from seedscope.files.writing import write_json, write_text


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, and those of the pipeline: one process would be left with them at the end."""
    longest = ("test_every_experiment", "test_killed")
    items.sort(key=lambda item: (item.path.parent.name != "pipeline", item.path.stem not in longest))


@pytest.fixture
def miniature(tmp_path: Path) -> Artifacts:
    """A whole experiment's artifacts in miniature: two seeds, two lenses, figures, tables and metrics."""
    from PIL import Image, PngImagePlugin
    from safetensors.numpy import save_file

    at = Artifacts("toy", tmp_path)

    def picture(path: Path, colour: int, title: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = PngImagePlugin.PngInfo()
        facts = {"title": title, "description": f"What {path.stem} shows."}
        text.add_itxt("Seedscope", json.dumps(facts))
        Image.fromarray(np.full((8, 12, 3), colour, np.uint8)).save(path, pnginfo=text)

    config = {
        "experiment": "toy",
        "seeds": [3, 5],
        "drawn": [3, 5],
        "data": {"_target_": "seedscope.data.squares.Squares", "contrast": 0.4},
        "model": {"_target_": "seedscope.models.perceptron.Perceptron", "hidden": [32]},
        "train": {"_target_": "seedscope.replicas.training.Training", "epochs": 2, "learning_rate": 0.001},
        "lenses": {"contribution": {"top": 5}, "mistakes": {}},
    }
    write_text(at.config, json.dumps(config))
    at.data.parent.mkdir(parents=True, exist_ok=True)
    at.data.write_bytes(b"stands for pictures")
    metrics: dict[str, dict[str, dict[str, float | None]]] = {}
    for seed in (3, 5):
        at.replica(seed).mkdir(parents=True)
        save_file({"fc1.weight": np.full((2, 3), seed, np.float32)}, at.model(seed))
        write_text(
            at.history(seed),
            "epoch,train_loss,train_accuracy,probe_loss,probe_accuracy\n"
            f"1,1.5,0.4,1.25,0.{seed}\n2,0.5,0.8,0.75,0.9{seed}\n",
        )
        environment = {"torch": "2.13.0", "threads": 1, "device": "cpu"}
        write_json(at.identity(seed), {"fingerprint": f"{seed:064x}", "seed": seed, "environment": environment})
        for lens in ("contribution", "mistakes"):
            picture(at.figures(seed, lens) / f"{lens}_votes.png", 40 * seed, "Votes")
            write_text(at.figures(seed, lens) / f"{lens}_votes.csv", "unit,vote\n0,1.5\n1,-0.5\n")
        metrics[str(seed)] = {
            "training": {"probe_accuracy": 0.9 + seed / 100},
            "contribution": {"positive_share": 0.5 + seed / 100},
            "mistakes": {"n_errors": seed, "accuracy_worst_place": None},
        }
    write_json(at.seeds_metrics, metrics)
    interval = {"mean": 0.94, "low": 0.9, "high": 0.98, "n": 2}
    write_json(
        at.across_metrics,
        {
            "training": {"probe_accuracy": interval},
            "contribution": {"top5_overlap": {**interval, "null": 0.4}},
        },
    )
    condition = {"is": "share of units", **interval, "null": None, "p": 0.01, "draws": 99}
    condition |= {"asked": "< 0.44", "bound": 0.44, "worth": 0.44, "verdict": "does not hold"}
    write_json(
        at.findings,
        {
            "few_units_decide": {
                "claim": "Few units decide",
                "verdict": "does not hold",
                "because": "all of the interval is above 0.44",
                "decided_by": "share",
                "p": 0.01,
                "p_corrected": 0.02,
                "lens": "contribution",
                "conditions": {"share": condition},
            }
        },
    )
    picture(at.across_seeds / "dominance_heatmap.png", 90, "Dominance by seed")
    write_text(
        at.across_seeds / "summary.csv",
        "lens,metric,n,mean,low,high\ntraining,probe_accuracy,2,0.94,0.9,0.98\n",
    )
    write_text(at.learning, "epoch,probe_accuracy\n1,0.4\n2,0.94\n")
    return at
