"""What a run shows, and what becomes of it when its result changes."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json, write_text
from seedscope.tracking import Publication, publish
from tests.tracking.toy import CURRENT, artifacts, client, everything, redraw, retrain, runs, shown, with_config


@pytest.fixture(scope="module")
def once() -> list[tuple[Path, Publication]]:
    """Where the miniature was published for all tests that only read, and what was said."""
    return []


@pytest.fixture
def published(
    toy: Artifacts, once: list[tuple[Path, Publication]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Publication:
    """What publishing said, in the working directory that it filled."""
    if not once:
        once.append((tmp_path, publish(toy.root, ["toy"])))
    folder, publication = once[0]
    monkeypatch.chdir(folder)
    return publication


# What a run shows


def test_each_replica_is_a_run_and_the_comparison_is_one(published: Publication) -> None:
    assert set(published.added) == {"toy seed=3", "toy seed=5", "toy across seeds"}
    assert list(runs()) == ["across seeds", "seed=3", "seed=5"]
    assert {run.info.status for run in runs().values()} == {"FINISHED"}


@pytest.mark.usefixtures("published")
def test_a_replica_carries_its_configuration_its_metrics_and_where_it_comes_from() -> None:
    run = runs()["seed=3"]
    assert run.data.params["train.learning_rate"] == "0.001"
    assert run.data.params["model.hidden"] == "[32]"
    assert not any(key.startswith(("seeds", "experiment", "lenses")) for key in run.data.params)
    tags = run.data.tags
    assert (tags["seedscope.kind"], tags["seedscope.seed"], tags["seedscope.experiment"]) == ("replica", "3", "toy")
    assert tags["seedscope.fingerprint"] == f"{3:064x}"
    assert tags["analysis.lenses.contribution.top"] == "5"
    assert tags["environment.torch"] == "2.13.0"
    assert tags["seedscope.git_revision"]
    assert tags["seedscope.dataset"].startswith(run.inputs.dataset_inputs[0].dataset.digest)
    assert run.data.metrics["contribution/positive_share"] == pytest.approx(0.53)
    assert run.data.metrics["training/probe_accuracy"] == pytest.approx(0.93)


@pytest.mark.usefixtures("published")
def test_the_history_is_a_metric_by_epoch() -> None:
    history = client().get_metric_history(runs()["seed=3"].info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.5), (2, 0.5)]


@pytest.mark.usefixtures("published")
def test_every_figure_and_table_is_there_under_the_same_name_in_every_run() -> None:
    names = artifacts(runs()["seed=3"])
    drawn = {f"figures/{lens}/{lens}_votes{end}" for lens in ("contribution", "mistakes") for end in (".png", ".csv")}
    replica = {f"training/{name}" for name in ("model.safetensors", "history.csv", "identity.json")}
    rest = {"contact_sheet.png", "metrics.json", "config/toy.json"}
    assert {name for name in names if not name.startswith("images/")} == drawn | replica | rest
    series = [name for name in names if name.startswith("images/contact_sheet+step+0+")]
    assert len(series) == 2  # the sheet and its thumbnail
    assert {name for name in artifacts(runs()["seed=5"]) if not name.startswith("images/")} == drawn | replica | rest


@pytest.mark.usefixtures("published")
def test_the_comparison_shows_means_beside_the_seeds_and_bounds_apart() -> None:
    run = runs()["across seeds"]
    assert run.data.metrics["training/probe_accuracy"] == 0.94
    assert run.data.metrics["over seeds/training.probe_accuracy.low"] == 0.9
    few = {name: value for name, value in run.data.metrics.items() if "few_units_decide" in name}
    about = "over seeds/findings.few_units_decide"
    assert few == {f"{about}.verdict": -1, f"{about}.p_corrected": 0.02}  # refuted
    assert "toy.findings.json" in artifacts(run)
    assert run.data.metrics["over seeds/contribution.top5_overlap.null"] == 0.4
    assert run.data.metrics["over seeds/contribution.top5_overlap.n"] == 2
    assert run.data.params["seeds"] == "[3, 5]"
    assert {"figures/dominance_heatmap.png", "figures/summary.csv", "training/toy.learning.csv"} <= artifacts(run)
    curve = client().get_metric_history(run.info.run_id, "probe_accuracy")
    assert [(metric.step, metric.value) for metric in curve] == [(1, 0.4), (2, 0.94)]


def test_a_metric_without_a_value_is_not_there_and_nan_in_a_history_is(toy: Artifacts) -> None:
    write_text(
        toy.history(3),
        "epoch,train_loss,train_accuracy,validation_loss,probe_loss,probe_accuracy\n1,1.5,0,,1,0\n2,nan,0,0.5,1,0\n",
    )
    publish(Path(), ["toy"])
    run = runs()["seed=3"]
    assert "mistakes/accuracy_worst_place" not in run.data.metrics
    assert math.isnan(run.data.metrics["train_loss"])
    assert [m.step for m in client().get_metric_history(run.info.run_id, "validation_loss")] == [2]


def test_values_too_long_for_mlflow_stay_apart(toy: Artifacts) -> None:
    with_config(toy, data={"files": "a" * 7000 + "b", "others": "a" * 7000 + "c", "a+b": 1})
    publish(Path(), ["toy"])
    params = runs()["seed=3"].data.params
    assert params["data.files"] != params["data.others"]
    assert len(params["data.files"]) <= 500
    assert params["data.a_b"] == "1"


# A result that changes


def test_a_new_analysis_replaces_what_the_run_shows_and_keeps_what_it_showed(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    first = runs()["seed=3"]
    earlier = first.data.tags["seedscope.analysis"]
    old_sheet = Path(client().download_artifacts(first.info.run_id, "contact_sheet.png")).read_bytes()
    old = (toy.figures(3, "contribution") / "contribution_votes.png").read_bytes()
    new = redraw(toy).read_bytes()
    (toy.figures(3, "mistakes") / "mistakes_votes.png").unlink()
    metrics = read_json(toy.seeds_metrics)
    metrics["3"] = {
        "training": metrics["3"]["training"],
        "contribution": {"positive_share": 0.1, "negative_share": 0.9},
    }
    write_json(toy.seeds_metrics, metrics)
    with_config(toy, lenses={"contribution": {"bottom": 5}})

    assert publish(Path(), ["toy"]).revised == ("toy seed=3",)
    run = runs()["seed=3"]
    assert run.info.run_id == first.info.run_id
    assert run.data.metrics["contribution/positive_share"] == 0.1
    assert run.data.metrics["contribution/negative_share"] == 0.9
    assert math.isnan(run.data.metrics["mistakes/n_errors"])
    history = client().get_metric_history(run.info.run_id, "contribution/positive_share")
    assert [(metric.step, metric.value) for metric in history] == [(0, 0.53), (1, 0.1)]
    assert len(client().get_metric_history(run.info.run_id, "train_loss")) == 2
    assert run.data.tags["analysis.lenses.contribution.bottom"] == "5"
    assert "analysis.lenses.contribution.top" not in run.data.tags

    def content(name: str) -> bytes:
        return Path(client().download_artifacts(run.info.run_id, name)).read_bytes()

    assert content("figures/contribution/contribution_votes.png") == new
    assert content(f"earlier/{earlier[:8]}/figures/contribution/contribution_votes.png") == old
    assert content(f"earlier/{earlier[:8]}/contact_sheet.png") == old_sheet != content("contact_sheet.png")
    names = artifacts(run)
    assert "figures/mistakes/mistakes_votes.png" not in names
    assert f"earlier/{earlier[:8]}/figures/mistakes/mistakes_votes.png" in names
    assert len([name for name in names if name.startswith("images/contact_sheet+step+")]) == 4

    before = everything()
    assert not publish(Path(), ["toy"]).revised
    Path("mlflow.db.published.json").unlink()
    assert not publish(Path(), ["toy"]).revised
    assert everything() == before


def test_a_new_analysis_leaves_the_other_runs_alone(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    before = shown()
    redraw(toy, seed=5)
    publish(Path(), ["toy"])
    after = shown()
    assert (after["seed=3"], after["across seeds"]) == (before["seed=3"], before["across seeds"])


def test_a_new_comparison_of_the_same_replicas_is_the_same_run(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    first = runs()["across seeds"]
    write_json(toy.across_metrics, {"training": {"probe_accuracy": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 2}}})
    assert publish(Path(), ["toy"]).revised == ("toy across seeds",)
    run = runs()["across seeds"]
    assert run.info.run_id == first.info.run_id
    assert run.data.metrics["training/probe_accuracy"] == 0.5


def test_a_new_fingerprint_is_a_new_run_and_the_one_before_says_so(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    first = runs()
    retrain(toy, 3, "f" * 64)
    assert set(publish(Path(), ["toy"]).added) == {"toy seed=3", "toy across seeds"}
    current = runs(CURRENT)
    assert {name: run.info.run_id == first[name].info.run_id for name, run in current.items()} == {
        "across seeds": False,
        "seed=3": False,
        "seed=5": True,
    }
    before = client().get_run(first["seed=3"].info.run_id)
    assert before.data.tags["seedscope.superseded"] == "f" * 64
    assert artifacts(before) == artifacts(first["seed=3"])

    retrain(toy, 3, f"{3:064x}")  # and back
    publication = publish(Path(), ["toy"])
    assert not publication.added
    assert not publication.revised
    assert {name: run.info.run_id for name, run in runs(CURRENT).items()} == {
        name: run.info.run_id for name, run in first.items()
    }


def test_a_seed_that_is_not_drawn_is_a_whole_run_without_pictures(toy: Artifacts) -> None:
    with_config(toy, drawn=[3])
    publication = publish(toy.root, ["toy"])
    assert not publication.left_out
    assert not any("figures" in name or "sheet" in name or "images" in name for name in artifacts(runs()["seed=5"]))
    assert any("figures" in name for name in artifacts(runs()["seed=3"]))
    with_config(toy, drawn=[3, 5])
    assert set(publish(toy.root, ["toy"]).revised) == {"toy seed=5"}
    assert any("figures" in name for name in artifacts(runs()["seed=5"]))


def test_a_removed_seed_is_no_longer_current(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    with_config(toy, seeds=[3])
    publish(Path(), ["toy"])
    assert list(runs(CURRENT)) == ["seed=3"]
    assert set(runs()) == {"seed=3", "seed=5 (superseded)", "across seeds (superseded)"}


def test_a_dvc_experiment_supersedes_nothing(toy: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(Path(), ["toy"])
    first = runs()
    retrain(toy, 3, "f" * 64)
    monkeypatch.setenv("DVC_EXP_NAME", "longer-training")
    publish(Path(), ["toy"])
    monkeypatch.delenv("DVC_EXP_NAME")
    assert all("seedscope.superseded" not in client().get_run(run.info.run_id).data.tags for run in first.values())
    tried = runs("tags.`seedscope.dvc_experiment` = 'longer-training'")
    assert set(tried) == {"seed=3", "across seeds"}
    retrain(toy, 3, f"{3:064x}")
    before = everything()
    assert not publish(Path(), ["toy"]).added
    assert everything() == before


# What was lost comes back


@pytest.mark.usefixtures("toy")
def test_deleted_artifacts_come_back_into_the_same_runs() -> None:
    publish(Path(), ["toy"])
    before = shown()
    shutil.rmtree("mlartifacts")
    publish(Path(), ["toy"])
    assert shown() == before


@pytest.mark.usefixtures("toy")
def test_a_run_or_an_experiment_deleted_in_mlflow_comes_back_as_it_was() -> None:
    publish(Path(), ["toy"])
    before = shown()
    client().delete_run(runs()["seed=3"].info.run_id)
    publish(Path(), ["toy"])
    assert shown() == before
    client().delete_experiment(client().get_experiment_by_name("toy").experiment_id)
    publish(Path(), ["toy"])
    assert shown() == before


@pytest.mark.usefixtures("toy")
def test_of_two_runs_of_the_same_result_one_is_kept() -> None:
    publish(Path(), ["toy"])
    run = runs()["seed=3"]
    again = {**run.data.tags, "seedscope.complete": "no"}
    client().create_run(run.info.experiment_id, tags=again, run_name="seed=3")
    Path("mlflow.db.published.json").unlink()
    publish(Path(), ["toy"])
    assert runs()["seed=3"].info.run_id == run.info.run_id


def test_a_picture_that_is_none_is_one_sentence_and_the_run_is_completed_later(toy: Artifacts) -> None:
    figure = toy.figures(5, "contribution") / "contribution_votes.png"
    content = figure.read_bytes()
    figure.write_bytes(b"no picture")
    with pytest.raises(SeedscopeError, match=r"contribution_votes\.png is no picture"):
        publish(Path(), ["toy"])
    figure.write_bytes(content)
    publish(Path(), ["toy"])
    assert {run.data.tags["seedscope.complete"] for run in runs().values()} == {"yes"}
    assert set(runs()) == {"seed=3", "seed=5", "across seeds"}
