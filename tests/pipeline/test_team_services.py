"""What a team shares: results in a DVC remote, runs in an MLflow server; PostgreSQL and S3 behind them."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts
from seedscope.tracking import publish
from seedscope.tracking.connection import prepare
from tests.team import BUCKET, PASSWORD, Service, postgresql, postgresql_programs, s3_store
from tests.tracking.toy import artifacts, retrain, tracking_server

from .conftest import Project, outs

ALWAYS = ["compose", "track"]
CLIENTS = 10
ACCESS = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": PASSWORD}


@dataclass(frozen=True)
class Team:
    """What a team has: a database, a store, and MLflow's server on both."""

    database: Service
    store: Service
    server: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with s3_store(tmp_path_factory.mktemp("s3") / "log") as service:
        yield service


@pytest.fixture(scope="module")
def team(store: Service) -> Iterator[Team]:
    if postgresql_programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql), so a team's server cannot be tested")
    with postgresql() as database:
        # The first request to a server would make its tables, and whoever asks meanwhile would hang.
        surroundings = {**ACCESS, "MLFLOW_S3_ENDPOINT_URL": store.uri, "AWS_DEFAULTS_MODE": "cross-region"}
        with tracking_server(database.uri, f"s3://{BUCKET}/mlflow", **surroundings) as server:
            yield Team(database, store, server)


# Runs


def at_once(clients: dict[Path, str], **environment: str) -> list[str]:
    """Publish from every folder, in a process of its own each; return what each said."""
    children = []
    for folder, uri in clients.items():
        child = os.fork()
        if not child:
            try:
                os.chdir(folder)
                os.environ.pop("DVC_ROOT", None)
                os.environ.update(environment)
                Path("said").write_text(str(publish(Path(), ["toy"], uri)))
            except SeedscopeError as error:
                Path("said").write_text(f"SeedscopeError: {error}")
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return [(folder / "said").read_text() for folder in clients]


@pytest.fixture
def copies(miniature: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[Path]]:
    """Make that many machines: folders that hold the miniature, and locks and receipts of their own."""
    base = tmp_path_factory.mktemp("machines")
    return lambda count: [Path(shutil.copytree(miniature.root, base / str(machine))) for machine in range(count)]


def names(server: str) -> tuple[Counter[str], Counter[str]]:
    """Return the runs of the miniature by name, deleted ones too, and those that are current."""
    client = MlflowClient(server)
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id], run_view_type=ViewType.ALL)
    assert {(run.info.lifecycle_stage, run.info.status) for run in runs} == {("active", "FINISHED")}
    assert {run.data.tags["seedscope.complete"] for run in runs} == {"yes"}
    every = Counter(f"{run.info.run_name.split(' (')[0]} {run.data.tags['seedscope.fingerprint']}" for run in runs)
    current = Counter(run.info.run_name for run in runs if "seedscope.superseded" not in run.data.tags)
    return every, current


def test_ten_at_once_publish_every_run_once_and_one_is_current(
    team: Team, copies: Callable[[int], list[Path]]
) -> None:
    machines = copies(CLIENTS)
    for machine in machines[::2]:  # two results of one seed, each published by five
        retrain(Artifacts("toy", machine), 3, "f" * 64)
    said = at_once(dict.fromkeys(machines, team.server))
    assert Counter(said) == {
        f"3 new runs in {team.server}": 1,
        f"2 new runs in {team.server}": 1,
        f"nothing new for {team.server}": CLIENTS - 2,
    }
    every, current = names(team.server)
    assert len(every) == 5  # two of seed 3, one of seed 5, two comparisons
    assert set(every.values()) == {1}
    assert current == {"seed=3": 1, "seed=5": 1, "across seeds": 1}
    client = MlflowClient(team.server)
    assert not client.search_registered_models()
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    bucket = boto3.resource(
        "s3", endpoint_url=team.store.uri, aws_access_key_id="team", aws_secret_access_key=PASSWORD
    ).Bucket(BUCKET)
    there = sorted(
        name.key.partition("/artifacts/")[2]
        for run in runs
        for name in bucket.objects.filter(Prefix=f"mlflow/{run.info.experiment_id}/{run.info.run_id}/")
    )
    assert there == sorted(name for run in runs for name in artifacts(run, mlflow=client))
