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

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts
from seedscope.tracking import lease, publish
from tests.team import BUCKET, PASSWORD, Service, postgresql, postgresql_programs, s3_store
from tests.tracking.toy import artifacts, retrain, tracking_server

from .conftest import Prepared, Project, outs

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
        surroundings = {**ACCESS, "MLFLOW_S3_ENDPOINT_URL": store.uri, "AWS_DEFAULTS_MODE": "cross-region"}
        with tracking_server(database.uri, f"s3://{BUCKET}/mlflow", **surroundings) as server:
            yield Team(database, store, server)


# Results


@pytest.fixture(scope="module")
def pushed(prepared: Prepared, store: Service, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose results were pushed to a remote in the store."""
    project = prepared.copy(tmp_path_factory.mktemp("results") / "project")
    project.run("dvc", "remote", "add", "-d", "storage", f"s3://{BUCKET}/results")
    project.run("dvc", "remote", "modify", "storage", "endpointurl", store.uri)
    project.commit()
    project.run("dvc", "push", **ACCESS)
    return project


@pytest.fixture(scope="module")
def clone(pushed: Project) -> Project:
    """A colleague's clone of it, with the results."""
    folder = pushed.path.with_name("clone")
    pushed.run("git", "clone", "--quiet", ".", str(folder))
    assert not (folder / "reports/site").exists()
    Project(folder).run("dvc", "pull", **ACCESS)
    return Project(folder)


def test_a_clone_that_pulls_has_figures_and_site_and_nothing_to_compute(pushed: Project, clone: Project) -> None:
    assert outs(clone) == outs(pushed)
    assert clone.repro() == ALWAYS
    assert outs(clone) == outs(pushed)
    assert clone.run("git", "status", "--porcelain") == ""
    assert not (clone.path / ".replicas" / "logs").exists()


def test_a_teams_server_is_filled_once_by_whoever_comes_first(pushed: Project, clone: Project, team: Team) -> None:
    said = clone.run("python", "-m", "pipeline.track", MLFLOW_TRACKING_URI=team.server)
    assert f"track: 3 new runs in {team.server}" in said
    mlflow = MlflowClient(team.server)
    experiment = mlflow.get_experiment_by_name("digits_tiny")
    runs = {run.info.run_name: run for run in mlflow.search_runs([experiment.experiment_id])}
    assert set(runs) == {"seed=0", "seed=1", "across seeds"}
    figure = "figures/dominance/dominance_units.png"
    there = mlflow.download_artifacts(runs["seed=1"].info.run_id, figure, str(clone.path))
    assert (
        Path(there).read_bytes()
        == (pushed.path / "reports/figures/digits_tiny/seeds/1/dominance/dominance_units.png").read_bytes()
    )
    # The one who computed it publishes to the same server: nothing stands there twice.
    said = pushed.run("python", "-m", "pipeline.track", MLFLOW_TRACKING_URI=team.server)
    assert f"track: nothing new for {team.server}" in said
    assert len(mlflow.search_runs([experiment.experiment_id])) == 3


# Runs


def at_once(folders: list[Path], uri: str, **environment: str) -> list[str]:
    """Publish from every folder, in a process of its own each; return what each said."""
    children = []
    for folder in folders:
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
    return [(folder / "said").read_text() for folder in folders]


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


def test_ten_at_once_publish_every_run_once_and_one_is_current(team: Team, copies: Callable[[int], list[Path]]) -> None:
    machines = copies(CLIENTS)
    for machine in machines[::2]:  # two results of one seed, each published by five
        retrain(Artifacts("toy", machine), 3, "f" * 64)
    said = at_once(machines, team.server)
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


def test_two_at_once_make_the_tables_of_an_empty_database_and_need_no_server(
    team: Team, copies: Callable[[int], list[Path]]
) -> None:
    with psycopg.connect(team.database.uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE direct")
    uri = team.database.uri.replace("/postgres", "/direct")
    shown = uri.replace(f"team:{PASSWORD}@", "")
    place = {
        **ACCESS,
        "MLFLOW_S3_ENDPOINT_URL": team.store.uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"s3://{BUCKET}/direct",
    }
    said = at_once(copies(2), uri, **place)
    assert sorted(said) == [f"3 new runs in {shown}", f"nothing new for {shown}"]


# What dies


@pytest.mark.parametrize(("what", "fingerprint"), [("database", "d"), ("store", "e")])
def test_what_dies_half_way_is_named_within_30_seconds_and_nothing_is_lost(
    what: str,
    fingerprint: str,
    team: Team,
    copies: Callable[[int], list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service: Service = getattr(team, what)
    monkeypatch.chdir(copies(1)[0])
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(lease, "_SECONDS_TO_LIVE", 1.0)  # the dead one's turn is over sooner
    retrain(Artifacts("toy"), 5, fingerprint * 64)
    log = MlflowClient.log_artifacts

    def until_it_dies(*args: str) -> None:
        """Between the run and its files."""
        service.kill()
        log(*args)

    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", until_it_dies)
        with pytest.raises(SeedscopeError) as error:
            publish(Path(), ["toy"], team.server)
    assert time.monotonic() - began < 30
    part = {"database": "its database", "store": "its store of artifacts"}[what]
    assert f"the MLflow server {team.server} runs, but {part} does not answer" in str(error.value)
    assert "\n" not in str(error.value)
    assert PASSWORD not in str(error.value)

    service.start()
    publish(Path(), ["toy"], team.server)
    every, current = names(team.server)
    assert set(every.values()) == {1}
    assert current == {"seed=3": 1, "seed=5": 1, "across seeds": 1}
    client = MlflowClient(team.server)
    query = f"tags.`seedscope.fingerprint` = '{fingerprint * 64}'"
    (run,) = client.search_runs([client.get_experiment_by_name("toy").experiment_id], query)
    assert "training/model.safetensors" in artifacts(run, mlflow=client)


def test_a_dead_store_is_one_line_of_the_stage_that_fails_and_of_dvc(clone: Project, team: Team) -> None:
    for receipt in (clone.path / ".replicas").glob("published-*.json"):
        receipt.unlink()  # else there would be nothing to do
    team.store.kill()
    began = time.monotonic()
    said = clone.run("python", "-m", "pipeline.track", expect=1, MLFLOW_TRACKING_URI=team.server)
    assert time.monotonic() - began < 30
    assert said.startswith("track: the MLflow server")
    assert len(said.splitlines()) == 1
    assert f'Could not connect to the endpoint URL: "{team.store.uri}/' in clone.run(
        "dvc", "push", expect=255, **ACCESS
    )
    assert time.monotonic() - began < 60
