"""The pipeline as a person runs it: real ``dvc repro`` in a copy of the project."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys

from .conftest import TINY, Project, outs, ran

ALWAYS = ["compose", "track"]


def runs(project: Project) -> int:
    with sqlite3.connect(project.path / "mlflow.db") as database:
        return database.execute("SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'active'").fetchone()[0]


def test_every_artifact_of_the_contract_is_there(settled):
    here = settled.path
    for name in (
        "runs/configs/digits_tiny.json",
        "runs/digits_tiny/data.nc",
        "runs/digits_tiny/replicas/seed-0/model.safetensors",
        "runs/digits_tiny/replicas/seed-1/history.csv",
        "runs/digits_tiny/activations/seed-1.nc",
        "runs/digits_tiny/measures/seed-0/dominance.nc",
        "runs/digits_tiny/measures/seed-1/mistakes.nc",
        "reports/figures/digits_tiny/seeds/0/mistakes/confusion_matrix.png",
        "reports/figures/digits_tiny/seeds/1/dominance/dominance_cumulative.csv",
        "reports/figures/digits_tiny/across_seeds/learning_curves.png",
        "reports/figures/digits_tiny/across_seeds/summary.csv",
        "reports/metrics/digits_tiny.seeds.json",
        "reports/metrics/digits_tiny.across_seeds.json",
        "reports/site/index.html",
        "mlflow.db",
    ):
        assert (here / name).is_file(), name


def test_a_second_run_has_nothing_to_do(settled):
    before = outs(settled)
    assert settled.repro() == ALWAYS
    assert outs(settled) == before


def test_a_plot_option_runs_analysis_and_what_follows_it(settled):
    settled.params(
        digits_tiny={**TINY["digits_tiny"], "lenses": {**TINY["digits_tiny"]["lenses"], "mistakes": {"shown": 3}}}
    )
    said = settled.run("dvc", "repro")
    stages = ran(said)
    assert "and drew 2 of 4, the others" in said
    assert [stage for stage in stages if stage not in ALWAYS][:2] == ["analyze@digits_tiny", "compare@digits_tiny"]
    assert not any(stage.startswith(("generate", "train", "dump")) for stage in stages)


def test_a_new_seed_trains_one_replica_and_looks_at_it(settled):
    settled.params(seeds=[0, 1, 2])
    said = settled.run("dvc", "repro")
    assert "trained 1 of 3 seeds" in said
    assert "measured 2 of 6 looks and drew 2 of 6" in said
    assert runs(settled) >= 4
    assert (settled.path / "reports/figures/digits_tiny/seeds/2").is_dir()


def test_a_seed_that_is_not_drawn_is_drawn_by_hand_and_no_stage_knows(settled):
    settled.params(drawn=[0])
    stages = ran(settled.run("dvc", "repro"))
    assert "analyze@digits_tiny" in stages
    assert not any(stage.startswith(("generate", "train", "dump", "compare")) for stage in stages)
    assert not (settled.path / "reports/figures/digits_tiny/seeds/1").exists()
    settled.run(sys.executable, "-m", "seedscope", "draw", "digits_tiny", "--seed", "1", "--lens", "mistakes")
    assert list((settled.path / "reports/drawn/digits_tiny/seeds/1/mistakes").glob("*.png"))
    assert settled.repro() == ALWAYS


def test_a_removed_seed_disappears_from_what_people_see(settled):
    settled.params(seeds=[1])
    settled.repro()
    site = "".join(page.read_text() for page in (settled.path / "reports/site").rglob("*.html"))
    assert "seed-1" in site
    assert "seed-0" not in site
    assert list(json.loads((settled.path / "reports/metrics/digits_tiny.seeds.json").read_text())) == ["1"]


def test_a_deleted_database_is_published_again_and_nothing_computed(settled):
    published = runs(settled)
    (settled.path / "mlflow.db").unlink()
    shutil.rmtree(settled.path / "mlartifacts")
    assert settled.repro() == ALWAYS
    assert 3 <= runs(settled) <= published
    assert settled.repro() == ALWAYS
    assert 3 <= runs(settled) <= published


def test_a_dead_tracking_server_costs_nothing_but_the_publishing(settled):
    before = outs(settled)
    said = settled.run("dvc", "repro", expect=255, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "track" in said
    assert "Traceback" not in said
    assert outs(settled) == before


def test_a_refused_configuration_touches_nothing(settled):
    before = outs(settled)
    settled.params(digits_tiny={"train": {"epohcs": 3}})
    said = settled.run("dvc", "repro", expect=255)
    assert "params.yaml: digits_tiny.train.epohcs" in said
    assert "'epochs'" in said
    assert "Traceback" not in said
    assert outs(settled) == before
