"""A result as a run of MLflow: found by its tags, brought up to date, and marked when another takes its place.

    artifacts   ``training/`` what determines the result, ``earlier/<digest>/`` analyses before this one,
                ``images/`` the contact sheets as a series; all else is the analysis that it shows now
    metrics     the history by epoch, the numbers of the analysis by revision
    params      the settings that determine it; tags: the rest, with who published it from which commit

A process may be killed between any two steps, and the next one repeats them. So a step either changes nothing when
it is repeated, or the run is looked at before.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import math
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import CROSSED
from seedscope.files.names import GIVEN, parsed
from seedscope.files.paths import PICTURES
from seedscope.files.writing import write_json
from seedscope.tracking.contact_sheet import contact_sheet
from seedscope.tracking.database import PLACE, Destination, Entry, artifact_root, dvc_experiment
from seedscope.tracking.lease import alone
from seedscope.tracking.results import ACROSS_SEEDS, TRAINING, Found, Result, run_name

_EARLIER = "earlier"
_IMAGES = "images"
_STAYING = {TRAINING, _EARLIER, _IMAGES}
_SHEET = "contact_sheet"
_METRICS = "metrics.json"
_BATCH, _METRICS_AT_ONCE = 100, 800  # what every server takes at a time: of each kind, and 1000 in all

Change = Literal["added", "revised", ""]


def show(client: MlflowClient, destination: Destination, found: Found, root: Path) -> list[tuple[Entry, Change]]:
    """Bring a database to where it shows the whole results; return each run, and what became of it."""
    shown: list[tuple[Entry, Change]] = []
    origin = _origin(root)
    for experiment, results in found.results.items():
        if not results:
            continue
        # Of a file, which one machine has, `connected` holds the lock.
        turn = alone(client, experiment) if destination.file is None else contextlib.nullcontext(lambda: None)
        with turn as held:
            within = _mlflow_experiment(client, destination, experiment)
            runs = _runs_of(client, within, experiment)
            current: dict[str, Entry] = {}
            for result in results:
                held()
                run, change = _bring_up_to_date(client, within, runs, result, origin)
                entry = Entry(experiment, result.name, run, within, result.fingerprint, result.analysis)
                current[entry.name] = entry
                shown.append((entry, change))
            held()
            published = _without_doubles(client, _runs_of(client, within, experiment), results, current)
            if not dvc_experiment():
                # Only sweeps of it were asked for: then nothing is said of its seeds.
                seeds_too = any(result.sweep is None for result in results)
                spared = {name for owner, name in found.left_out if owner == experiment}
                _mark_superseded(client, [run for run in published if seeds_too or _sweep_of(run)], current, spared)
    return shown


def _origin(root: Path) -> dict[str, str]:
    """Return the tags that say who publishes this, and from which commit."""
    tags = {"seedscope.git_revision": "unknown"}
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, no repository, or no commit yet
        asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        tags = {"seedscope.git_revision": commit, "mlflow.source.git.commit": commit}
    with contextlib.suppress(OSError, KeyError):  # a container may know no name for its user
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _mlflow_experiment(client: MlflowClient, destination: Destination, name: str) -> str:
    """Return the id of MLflow's experiment of this name; one that was deleted is restored with its runs."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        tags = {"mlflow.note.content": _about(name), "mlflow.experimentKind": "custom_model_development"}
        if destination.is_server:
            return client.create_experiment(name, tags=tags)
        if destination.file is None:
            return client.create_experiment(name, f"{_place_of_artifacts(destination)}/{name}", tags)
        location = (artifact_root(destination.file) / name).as_uri()
        return client.create_experiment(name, location, {**tags, PLACE: str(destination.file)})
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _place_of_artifacts(destination: Destination) -> str:
    """Return where those who write into one database put files: by itself MLflow takes a folder of each's own."""
    place = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", "").rstrip("/")
    if not place:
        raise SeedscopeError(
            f"{destination.shown} keeps no files: set MLFLOW_DEFAULT_ARTIFACT_ROOT to a place that all reach, "
            "as s3://bucket/mlflow, or start `mlflow server` on both and set MLFLOW_TRACKING_URI to it"
        )
    return place


def _about(name: str) -> str:
    return (
        f"Everything that Seedscope made of the experiment **{name}**: one run per replica, and the run "
        f"`{ACROSS_SEEDS}` that compares them. Switch to *Model training* at the top left to see them.\n\n"
        "- Only current results: search for ``tags.`seedscope.superseded` IS NULL``\n"
        "- A figure of several runs side by side: select the runs, *Compare*, *Artifacts*\n"
        "- All figures of several runs at a glance: *Chart* view, `contact_sheet`; its slider goes back to earlier "
        "analyses\n"
    )


def _sweep_of(run: Run) -> str | None:
    """Return the name of the sweep that a run shows, if it does."""
    return run.data.tags.get("seedscope.sweep")


def _about_run(result: Result) -> str:
    where = "`figures/` shows the newest analysis, `earlier/` those before it."
    if result.replica == GIVEN:
        return f"The network with given weights: `training/identity.json` says which. {where}"
    if result.replica is not None:
        return f"The replica that was trained from seed {result.replica}. {where}"
    if result.sweep is not None:
        key, seeds = result.params["sweep.key"], result.params["seeds"]
        if key == CROSSED:
            crossed = f"Every combination of levels of random streams, {result.params['sweep.values']}"
            return f"{crossed}, on a variant of {result.at.experiment}. {where}"
        return (
            f"Variants of {result.at.experiment} that differ in `{key}` alone, each from the seeds {seeds}. Metrics "
            "are means over seeds by condition, `trend/` their mean slope over conditions; 95 % intervals and n are "
            f"under `over seeds/`. {where}"
        )
    return (
        f"The comparison of the replicas from the seeds {result.params['seeds']}. Metrics are means over seeds; "
        f"their 95 % intervals and n are under `over seeds/`. {where}"
    )


def _runs_of(client: MlflowClient, within: str, experiment: str) -> list[Run]:
    """Return all runs that were published of an experiment, deleted ones included, oldest first."""
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(
            [within],
            f"tags.`seedscope.experiment` = '{experiment}'",
            run_view_type=ViewType.ALL,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            return runs


def _bring_up_to_date(
    client: MlflowClient, within: str, runs: Sequence[Run], result: Result, origin: Mapping[str, str]
) -> tuple[str, Change]:
    """Make one run show ``result``; return its id, and what became of it.

    The order of the steps is what a killed process relies on: what was whole is copied before the run stops
    being complete, and it is complete again only at the very end.
    """
    shown = _run_that_shows(client, runs, result)
    run = shown or _create_run(client, within, result)
    before = run.data.tags
    complete, same = before["seedscope.complete"] == "yes", before["seedscope.analysis"] == result.analysis
    if complete and same and _METRICS in _listed(client, run):
        return run.info.run_id, ""
    revision = int(before["seedscope.revision"])
    if not same:
        revision += 1
        if complete:
            _keep_earlier(client, run, before["seedscope.analysis"])
    if shown:
        _log(client, run, tags=_state(result, revision))
        client.update_run(run.info.run_id, status="RUNNING")
        _clear(client, run, revision)
    _upload(client, run, result, revision, _listed(client, run, TRAINING) if shown else set())
    _describe(client, run, result, revision, origin)
    # Not `set_terminated`: MLflow would show the time that publishing took as the duration of the run.
    client.update_run(run.info.run_id, status="FINISHED")
    client.set_tag(run.info.run_id, "seedscope.complete", "yes")
    return run.info.run_id, "revised" if revision else "added"


def _identity(result: Result) -> dict[str, str]:
    """Return the tags by which the run of a result is found."""
    if result.sweep is not None:
        kind = {"seedscope.kind": "sweep", "seedscope.sweep": result.sweep}
    elif result.replica is None:
        kind = {"seedscope.kind": ACROSS_SEEDS}
    else:
        kind = {"seedscope.kind": "replica", "seedscope.seed": str(result.replica)}
    return {"seedscope.experiment": result.at.experiment, "seedscope.fingerprint": result.fingerprint, **kind}


def _state(result: Result, revision: int) -> dict[str, str]:
    """Return the tags of a run that is about to show a result."""
    return {
        "seedscope.analysis": result.analysis,
        "seedscope.revision": str(revision),
        "seedscope.complete": "no",
    }


def _run_that_shows(client: MlflowClient, runs: Sequence[Run], result: Result) -> Run | None:
    """Return the run of a result: where there is a choice, one that is not deleted and is complete."""
    same = [run for run in runs if run.data.tags.items() >= _identity(result).items()]
    same.sort(key=lambda run: (run.info.lifecycle_stage == "deleted", run.data.tags["seedscope.complete"] != "yes"))
    if not same:
        return None
    kept = same[0]
    if kept.info.lifecycle_stage == "deleted":
        client.restore_run(kept.info.run_id)
    return kept


def _create_run(client: MlflowClient, within: str, result: Result) -> Run:
    tried = {"seedscope.dvc_experiment": dvc_experiment()} if dvc_experiment() else {}
    tags = {**_identity(result), **_state(result, 0), **tried, "mlflow.note.content": _about_run(result)}
    return client.create_run(within, tags=tags, run_name=result.name)


def _listed(client: MlflowClient, run: Run, folder: str | None = None) -> set[str]:
    """Return the names in a folder of a run's artifacts."""
    return {entry.path for entry in client.list_artifacts(run.info.run_id, folder)}


def _remove(client: MlflowClient, run: Run, name: str) -> None:
    store: Any = get_artifact_repository(run.info.artifact_uri, tracking_uri=client.tracking_uri)
    store.delete_artifacts(name)


def _keep_earlier(client: MlflowClient, run: Run, analysis: str) -> None:
    """Copy what the run shows to ``earlier/<digest>/``."""
    with tempfile.TemporaryDirectory() as folder:
        for name in _listed(client, run) - _STAYING:
            client.download_artifacts(run.info.run_id, name, folder)
        client.log_artifacts(run.info.run_id, folder, f"{_EARLIER}/{analysis[:8]}")


def _clear(client: MlflowClient, run: Run, revision: int) -> None:
    """Remove the files that showed an analysis, and what a killed process left of the sheet of this one."""
    for name in _listed(client, run) - _STAYING:
        _remove(client, run, name)
    for name in _listed(client, run, _IMAGES):
        if name.startswith(f"{_IMAGES}/{_SHEET}+step+{revision}+"):
            _remove(client, run, name)


def _upload(client: MlflowClient, run: Run, result: Result, revision: int, there: AbstractSet[str]) -> None:
    """Add the files that show the analysis, and those of the replica that are not ``there``."""
    missing = {name: path for name, path in result.lasting.items() if name not in there}
    pictures = {name: path for name, path in result.analysed.items() if path.suffix in PICTURES}
    sheet = contact_sheet(pictures) if pictures else None  # of many seeds only a few are drawn
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        write_json(folder / _METRICS, result.metrics)
        if sheet is not None:
            sheet.save(folder / f"{_SHEET}.png")
        for name, path in {**missing, **result.analysed}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path.resolve())
        client.log_artifacts(run.info.run_id, str(folder))  # at once: for each file alone MLflow asks for the run
    if sheet is not None:  # as a series MLflow shows it run beside run, with a slider over the revisions
        client.log_image(run.info.run_id, sheet, key=_SHEET, step=revision, timestamp=run.info.start_time)


def _numbers(run: Run, result: Result, revision: int) -> list[Metric]:
    """Return the history (of a comparison, its mean over seeds) by epoch, and the metrics of the analysis by revision.

    All carry the time the run was made at: then MLflow recognizes a value that it already has. A metric that the
    new analysis lacks becomes NaN, for MLflow cannot forget one.
    """
    moment = run.info.start_time
    metrics = [Metric(name, value, moment, epoch) for name, value, epoch in result.history()]
    metrics += [Metric(name, value, moment, revision) for name, value in result.numbers().items()]
    before = {name for name, value in run.data.metrics.items() if not math.isnan(value)}
    gone = sorted(before - {metric.key for metric in metrics})
    return metrics + [Metric(name, math.nan, moment, revision) for name in gone]


def _describe(client: MlflowClient, run: Run, result: Result, revision: int, origin: Mapping[str, str]) -> None:
    """Log all numbers, parameters and tags of a result, and which data set it is of."""
    known = run.data.params
    params = [Param(*item) for item in result.params.items() if item[0] not in known]
    options = {f"analysis.{key}": value for key, value in result.options.items()}
    environment = {f"environment.{key}": value for key, value in result.environment.items()}
    tags = {**origin, "seedscope.dataset": result.dataset, **environment, **options}
    _log(client, run, metrics=_numbers(run, result, revision), params=params, tags=tags)
    for key in run.data.tags:
        if key.startswith("analysis.") and key not in options:
            client.delete_tag(run.info.run_id, key)
    source = json.dumps({"uri": result.source.as_posix()})
    dataset = Dataset(result.at.experiment, result.dataset[:8], "local", source)
    client.log_inputs(run.info.run_id, [DatasetInput(dataset)])


def _log(
    client: MlflowClient,
    run: Run,
    *,
    metrics: Sequence[Metric] = (),
    params: Sequence[Param] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    run_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
    kinds: list[tuple[Sequence[Any], int]] = [(metrics, _METRICS_AT_ONCE), (params, _BATCH), (run_tags, _BATCH)]
    parts = [[all_[at : at + most] for at in range(0, len(all_), most)] for all_, most in kinds]
    for some_metrics, some_params, some_tags in zip_longest(*parts, fillvalue=()):
        client.log_batch(run.info.run_id, some_metrics, some_params, some_tags)


def _without_doubles(
    client: MlflowClient, runs: Sequence[Run], results: Sequence[Result], current: Mapping[str, Entry]
) -> list[Run]:
    """Delete what shows the same as a current run (a slow server took one request twice), and return the rest."""
    shown = {current[result.name].run: _identity(result) for result in results}
    doubles = {
        run.info.run_id
        for run in runs
        if run.info.run_id not in shown and any(run.data.tags.items() >= same.items() for same in shown.values())
    }
    for run in runs:
        if run.info.run_id in doubles and run.info.lifecycle_stage != "deleted":
            client.delete_run(run.info.run_id)
    return [run for run in runs if run.info.run_id not in doubles]


def _mark_superseded(client: MlflowClient, runs: Sequence[Run], current: Mapping[str, Entry], spared: set[str]) -> None:
    """Tag and rename every run whose place another result has taken, or whose seed is no longer asked for."""
    shown = {entry.run for entry in current.values()}
    for run in runs:
        id_, tags = run.info.run_id, run.data.tags
        seed = tags.get("seedscope.seed")
        name = run_name(None if seed is None else parsed(seed), _sweep_of(run))
        if id_ in shown:
            if "seedscope.superseded" in tags:
                client.update_run(id_, name=name)
                client.delete_tag(id_, "seedscope.superseded")
            continue
        marked = tags.keys() & {"seedscope.superseded", "seedscope.dvc_experiment"}
        # A sweep that is not asked for now is as it was; a seed that is not is no part of the experiment any more.
        if _sweep_of(run) is not None and name not in current:
            continue
        if run.info.lifecycle_stage == "deleted" or marked or name in spared:
            continue
        # What a killed process left of it, nobody will complete any more.
        client.update_run(id_, None if tags["seedscope.complete"] == "yes" else "KILLED", f"{name} (superseded)")
        by = current[name].fingerprint if name in current else "no such seed any more"
        client.set_tag(id_, "seedscope.superseded", by)
