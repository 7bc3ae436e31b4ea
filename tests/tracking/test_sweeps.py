"""A sweep is one run beside those of its experiment, found again by its replicas."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedscope.files.paths import Artifacts, SweepArtifacts
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json, write_text
from seedscope.tracking import publish
from tests.tracking.toy import CURRENT, artifacts, everything, retrain, runs

NAME = "toy-noise"
ALL = {"seed=3", "seed=5", "across seeds", f"sweep {NAME}"}


@pytest.fixture
def sweep(toy: Artifacts) -> SweepArtifacts:
    """The miniature with a whole sweep over two conditions and two seeds."""
    at = SweepArtifacts(NAME, toy.root)
    settings = read_json(toy.config)
    variants = [{"name": str(value), "value": value, "settings": settings} for value in (0.1, 0.2)]
    content = {"experiment": "toy", "key": "data.contrast", "base": 0.1, "seeds": [3, 5], "engine": {}}
    write_json(at.config, {**content, "variants": variants})
    for variant in ("0.1", "0.2"):
        for seed in (3, 5):
            identity = {"fingerprint": f"{variant} {seed}", "data": variant, "environment": {"torch": "2.13.0"}}
            write_json(at.variant(variant).identity(seed), identity)
    write_text(at.figures / "summary.csv", "metric,mean\naccuracy,0.9\n")
    write_json(at.metrics, {"data.contrast: 0.1": {"accuracy": {"mean": 0.9, "low": 0.8, "high": 1.0, "n": 2}}})
    return at


@pytest.mark.usefixtures("sweep")
def test_a_sweep_is_one_run_with_its_numbers_and_files() -> None:
    publication = publish(Path(), ["toy"], sweeps=[NAME])
    assert f"toy sweep {NAME}" in publication.added
    assert set(runs()) == ALL
    run = runs()[f"sweep {NAME}"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["data.contrast: 0.1/accuracy"] == 0.9
    assert run.data.params["sweep.key"] == "data.contrast"
    assert run.data.params["sweep.values"] == "[0.1, 0.2]"
    assert "data.contrast" not in run.data.params  # it has no one value
    assert {"figures/summary.csv", f"config/{NAME}.json", "metrics.json"} <= artifacts(run)


def test_the_same_sweep_adds_nothing_and_a_new_analysis_is_a_revision(sweep: SweepArtifacts) -> None:
    publish(Path(), ["toy"], sweeps=[NAME])
    before = everything()
    assert not publish(Path(), ["toy"], sweeps=[NAME]).added
    assert everything() == before
    write_text(sweep.figures / "summary.csv", "metric,mean\naccuracy,0.8\n")
    assert publish(Path(), ["toy"], sweeps=[NAME]).revised == (f"toy sweep {NAME}",)
    assert set(runs()) == ALL


def test_retrained_replicas_take_the_place_of_a_sweep(sweep: SweepArtifacts) -> None:
    publish(Path(), ["toy"], sweeps=[NAME])
    retrain(sweep.variant("0.1"), 3, "new")
    publish(Path(), ["toy"], sweeps=[NAME])
    assert set(runs(CURRENT)) == ALL
    assert f"sweep {NAME} (superseded)" in runs()


@pytest.mark.usefixtures("sweep")
def test_a_sweep_alone_says_nothing_of_the_seeds_and_seeds_alone_nothing_of_the_sweep() -> None:
    publish(Path(), ["toy"], sweeps=[NAME])
    publish(Path(), [], sweeps=[NAME])
    assert set(runs(CURRENT)) == ALL
    publish(Path(), ["toy"])
    assert set(runs(CURRENT)) == ALL


def test_a_sweep_that_is_not_whole_is_named_and_left_out(sweep: SweepArtifacts) -> None:
    sweep.metrics.unlink()
    (sentence,) = publish(Path(), ["toy"], sweeps=[NAME]).left_out
    assert sentence.startswith(f"sweep {NAME}: {sweep.metrics} does not exist")
    assert set(runs()) == ALL - {f"sweep {NAME}"}


def test_a_crossing_is_described_by_the_levels_of_its_streams(sweep: SweepArtifacts) -> None:
    content = read_json(sweep.config)
    variant = {**content["variants"][0], "value": {"weights": 2, "order": 1}}
    write_json(sweep.config, {**content, "key": "streams", "base": None, "variants": [variant]})
    publish(Path(), ["toy"], sweeps=[NAME])
    (run,) = (run for name, run in runs().items() if name.startswith("sweep"))
    assert "Every combination of levels of random streams" in run.data.tags["mlflow.note.content"]
