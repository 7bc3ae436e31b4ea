"""More than one machine: a Dask cluster. What a team shares otherwise is in ``test_team_services``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.dask_cluster import Cluster, wait_for

from .conftest import Project, outs


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
