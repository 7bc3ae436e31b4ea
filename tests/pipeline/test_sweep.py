"""A sweep as a person runs it: one line of params.yaml, and real ``dvc repro``."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pandas as pd
import pytest

from seedscope.files.reading import read_json
from seedscope.files.writing import write_json
from seedscope.settings.stages import READS

from .conftest import TINY, Project, outs
from .imports import recording, uncovered

NAME = "digits_tiny-width"
SWEPT = {**TINY["digits_tiny"], "sweep": {"width": {"key": "model.hidden", "values": [[16], [32]]}}}


@pytest.fixture(scope="module")
def swept(project: Project) -> tuple[Project, str]:
    """Return the project with a sweep of two values, and what running it said."""
    project.params(sweeps=[NAME], digits_tiny=SWEPT)
    return project, project.run("dvc", "repro")


def test_a_sweep_trains_what_was_not_trained_and_nothing_else_runs_again(swept):
    project, said = swept
    assert "trained 2 of 4 replicas, the others were kept" in said  # 32 units are the experiment's own
    for stage in ("generate", "train", "dump", "analyze", "compare"):
        assert f"Running stage '{stage}@" not in said
    before = outs(project)
    assert project.repro() == ["compose", "track"]
    assert outs(project) == before


def test_its_artifacts_lie_where_they_are_looked_for(swept):
    here = swept[0].path
    for variant in ("16", "32"):
        folder = here / "runs/sweeps" / NAME / variant
        kept = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert kept == {
            *(f"replicas/seed-{seed}/{file}" for seed in (0, 1) for file in ("history.csv", "identity.json")),
            *(f"measures/seed-{seed}/{lens}.nc" for seed in (0, 1) for lens in lenses(here)),
        }
    figures = {path.name for path in (here / "reports/figures/sweeps" / NAME).iterdir()}
    assert figures == {"conditions.png", "conditions.csv", "summary.csv", "trends.csv", "every_number.csv"}
    metrics = json.loads((here / f"reports/metrics/{NAME}.sweep.json").read_text())
    assert set(metrics) == {"model.hidden: 16", "model.hidden: 32", "trend"}


def lenses(here) -> list[str]:
    return list(json.loads((here / "runs/configs/digits_tiny.json").read_text())["lenses"])


def test_the_variant_that_equals_the_experiment_has_its_numbers(swept):
    here = swept[0].path
    own = json.loads((here / "reports/metrics/digits_tiny.across_seeds.json").read_text())
    every = pd.read_csv(here / f"reports/figures/sweeps/{NAME}/every_number.csv")
    for lens, metrics in own.items():
        for name, values in metrics.items():
            row = every[(every.lens == lens) & (every.metric == name) & (every.condition == 32)]
            if lens != "seeds_needed" and values["mean"] is not None:
                assert row["mean"].item() == pytest.approx(values["mean"], rel=1e-4), (lens, name)


def test_a_person_finds_it_in_the_site_and_in_mlflow(swept):
    here = swept[0].path
    assert f"sweeps/{NAME}.html" in (here / "reports/site/index.html").read_text()
    assert "conditions.png" in (here / f"reports/site/sweeps/{NAME}.html").read_text()
    with sqlite3.connect(here / "mlflow.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM runs WHERE lifecycle_stage = 'active'")]
    assert sorted(names) == ["across seeds", "seed=0", "seed=1", f"sweep {NAME}"]


def test_a_killed_sweep_trains_only_what_it_had_not_finished(swept):
    project, _ = swept
    before = outs(project)
    shutil.rmtree(project.path / "runs/sweeps")
    said = project.run("python", "-m", "pipeline.sweep", NAME)
    assert "trained 0 of 4 replicas" in said
    assert outs(project) == before


def test_the_stage_imports_and_reads_nothing_that_dvc_does_not_hash(swept, tmp_path):
    project, _ = swept
    config = project.path / "runs/configs" / f"{NAME}.json"
    whole = config.read_text()
    content = read_json(config)
    try:
        hashed = {section: content[section] for section in (*READS["sweep"], "code")}  # which is hashed too
        write_json(config, {**hashed, "engine": {**content["engine"], "workers": 1}})  # one process, which tells
        shutil.rmtree(project.path / ".replicas")  # or training would not be imported
        project.run("python", "-m", "pipeline.sweep", NAME, **recording(tmp_path))
    finally:
        config.write_text(whole)
    assert "src/seedscope/replicas/training.py" in read_json(tmp_path / f"sweep@{NAME}.json")
    assert list(uncovered(tmp_path, project.path)) == []


def test_a_variant_that_fails_is_named_with_its_condition(swept):
    project, _ = swept
    rate = {"key": "train.learning_rate", "values": [0.001, 1e30]}
    project.params(sweeps=["digits_tiny-rate"], digits_tiny={**SWEPT, "sweep": {"rate": rate}})
    said = project.run("dvc", "repro", "sweep@digits_tiny-rate", expect=255)
    assert "train.learning_rate = 1e+30, seed 0: the " in said
    assert "(2 of 4 seeds finished)" in said


def test_a_crossing_of_streams_runs_like_a_sweep_and_is_shown_like_one(swept, tmp_path):
    project, name = swept[0], "digits_tiny-streams"
    small = {"data": {"n_train": 60, "n_probe": 40}, "model": {"hidden": [8]}, "train": {"epochs": 1}}
    crossing = {"streams": {"weights": 2, "order": 2, "head": 2}, "set": small}
    project.params(sweeps=[name], digits_tiny={**SWEPT, "sweep": {"streams": crossing}})
    said = project.run("dvc", "repro", **recording(tmp_path))
    assert f"{name}: trained 8 of 8 replicas" in said
    assert list(uncovered(tmp_path, project.path)) == []
    here = project.path
    kept = {path.name for path in (here / "runs/sweeps" / name).rglob("*") if path.is_file()}
    assert kept == {"cells.nc", "history.csv", "identity.json"}
    figures = {path.name for path in (here / "reports/figures/sweeps" / name).iterdir()}
    assert figures == {
        *("shares_of_variance.png", "pairs_by_what_they_share.png", "swap_of_heads.png"),
        *("summary.csv", "trends.csv", "cells.csv"),
    }
    assert "variance of who_is_alive" in json.loads((here / f"reports/metrics/{name}.sweep.json").read_text())
    assert "2 weights × 2 order × 2 head" in (here / f"reports/site/sweeps/{name}.html").read_text()
    before = outs(project)
    shutil.rmtree(here / "runs/sweeps" / name)
    assert "trained 0 of 8 replicas" in project.run("python", "-m", "pipeline.sweep", name)
    assert outs(project) == before
