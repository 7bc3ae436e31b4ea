"""More than one machine and more than one person: a Dask cluster, a DVC remote, a tracking server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.dask_cluster import Cluster, wait_for
from tests.tracking.toy import tracking_server

from .conftest import Project, outs

ALWAYS = ["compose", "track"]


@pytest.fixture
def clone(settled: Project, tmp_path: Path) -> Project:
    """A colleague's clone of the project, whose results were pushed to a remote in a folder."""
    settled.run("dvc", "remote", "add", "--force", "-d", "storage", str(tmp_path / "storage"))
    settled.commit()
    settled.run("dvc", "push")
    settled.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    return Project(tmp_path / "clone")


def test_a_clone_that_pulls_has_figures_and_site_and_nothing_to_compute(settled: Project, clone: Project) -> None:
    assert not (clone.path / "reports/site").exists()
    clone.run("dvc", "pull")
    assert outs(clone) == outs(settled)
    assert clone.repro() == ALWAYS
    assert outs(clone) == outs(settled)
    assert clone.run("git", "status", "--porcelain") == ""
    assert not (clone.path / ".replicas" / "logs").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A team's MLflow server, which keeps metadata and artifacts to itself."""
    with tracking_server(tmp_path) as uri:
        yield uri


def test_a_teams_server_is_filled_once_by_whoever_comes_first(settled: Project, clone: Project, server: str) -> None:
    clone.run("dvc", "pull")
    assert f"track: 3 new runs in {server}" in clone.run("dvc", "repro", MLFLOW_TRACKING_URI=server)
    assert not (clone.path / "mlflow.db").exists()
    mlflow = MlflowClient(server)
    experiment = mlflow.get_experiment_by_name("digits_tiny")
    runs = {run.info.run_name: run for run in mlflow.search_runs([experiment.experiment_id])}
    assert set(runs) == {"seed=0", "seed=1", "across seeds"}
    figure = "figures/dominance/dominance_units.png"
    there = mlflow.download_artifacts(runs["seed=1"].info.run_id, figure, str(clone.path))
    assert (
        Path(there).read_bytes()
        == (settled.path / "reports/figures/digits_tiny/seeds/1/dominance/dominance_units.png").read_bytes()
    )
    # The one who computed it publishes to the same server: nothing stands there twice.
    settled.run("dvc", "repro", MLFLOW_TRACKING_URI=server)
    assert len(mlflow.search_runs([experiment.experiment_id])) == 3


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    one = Cluster(tmp_path / "dask")
    yield one
    one.stop()


def test_a_cluster_whose_workers_are_killed_in_every_stage_gives_the_same_bytes(
    settled: Project, cluster: Cluster
) -> None:
    before = _results(settled)
    settled.params(engine="dask", **{"engine.address": cluster.address})
    assert settled.repro() == ["compose", "report", "track"]  # where the seeds run concerns no stage that computes
    for folder in (".replicas", "runs/digits_tiny/replicas", "runs/digits_tiny/activations", "reports/figures"):
        shutil.rmtree(settled.path / folder)
    workers = [psutil.Process(cluster.worker("--nthreads", "2").pid)]
    for stage in ("train", "dump", "analyze", "compare"):
        workers.append(psutil.Process(cluster.worker("--nthreads", "1").pid))
        with ThreadPoolExecutor() as pool:
            running = pool.submit(settled.run, sys.executable, "-m", f"pipeline.{stage}", "digits_tiny")
            busy = wait_for(lambda: [worker for worker in workers if _works_on_a_seed(worker)], 120)
            assert busy, stage
            workers.remove(busy[0])
            busy[0].kill()
            running.result()
    settled.run("python", "-m", "pipeline.report")
    assert _results(settled) == before


def _works_on_a_seed(worker: psutil.Process) -> bool:
    """Return whether the worker runs a seed's process, and not one of those by which it looks at its machine."""
    for child in worker.children():
        with suppress(psutil.NoSuchProcess):
            command = child.cmdline()
            if command[1:2] == ["-c"] and command[-1].isdigit():  # as seedscope.replicas.cluster starts it
                return True
    return False


def _results(project: Project) -> dict[str, str]:
    """Return the outs without configurations, which say where seeds run, and what a killed one left half written."""
    return {
        name: content
        for name, content in outs(project).items()
        if not (name.startswith("runs/configs/") or name.endswith(".tmp"))
    }
