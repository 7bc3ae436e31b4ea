"""What one part of a run does leaves the others alone: experiments, workers, the order of seeds."""

from __future__ import annotations

import json
import shutil

from .conftest import REAL, TINY, Project, outs, ran

DIVERGING = """# @package _global_
defaults:
  - digits_tiny

experiment: diverging
"""


def test_another_folder_more_workers_and_another_order_of_seeds_give_the_same_bytes(settled: Project) -> None:
    before = outs(settled)  # made elsewhere, and copied
    settled.params(seeds=[1, 0], engine={"workers": 2})
    shutil.rmtree(settled.path / ".replicas")
    said = settled.run("dvc", "repro", "--force", "--no-run-cache", PATH=REAL)
    assert "trained 2 of 2 seeds" in said
    assert "measured 4 of 4 looks and drew 4 of 4" in said
    after = outs(settled)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["runs/configs/digits_tiny.json"]


def test_an_experiment_that_fails_does_not_stop_the_others(settled: Project) -> None:
    (settled.path / "conf/experiment/diverging.yaml").write_text(DIVERGING)
    settled.params(
        experiments=["diverging", "digits_tiny"],
        diverging={**TINY["digits_tiny"], "train": {"epochs": 1, "learning_rate": 1e30}},
        digits_tiny={**TINY["digits_tiny"], "train": {"epochs": 1}},
    )
    said = settled.run("dvc", "repro", "--keep-going", expect=255)
    stages = ran(said)
    assert "lower train.learning_rate" in said
    assert "Traceback" not in said
    assert [stage for stage in stages if stage.endswith("@digits_tiny")] == [
        f"{stage}@digits_tiny" for stage in ("train", "dump", "analyze", "compare")
    ]
    assert not {"report", "track", "dump@diverging"} & set(stages)  # DVC leaves out what a failed stage feeds
    metrics = json.loads((settled.path / "reports/metrics/digits_tiny.seeds.json").read_text())
    assert list(metrics) == ["0", "1"]
    # What README says to type next: the site and MLflow then show the one, and say that the other is missing.
    assert ran(settled.run("dvc", "repro", "--single-item", "report", "track")) == ["report", "track"]
    assert "missing" in (settled.path / "reports/site/diverging/index.html").read_text().lower()
    assert "seeds/1" in "".join(
        page.read_text() for page in (settled.path / "reports/site/digits_tiny").rglob("*.html")
    )
