"""Processes that are killed half-way, and two at once.

With another ``SEEDSCOPE_TEST_CHANCE`` they are killed at other steps, with a larger ``SEEDSCOPE_TEST_KILLS`` at more.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json
from seedscope.tracking import publish
from seedscope.tracking import runs as tracked_runs
from tests.chance import KILLS, SEED
from tests.tracking.toy import CURRENT, PUBLISH, artifacts, in_process, redraw, retrain, runs, shown, with_config

CHANCE = random.Random(SEED)
CREATING = ("create_experiment", "create_run", "log_batch", "log_artifact", "log_artifacts", "log_image", "log_inputs")
CHANGING = ("download_artifacts", "update_run", "set_tag", "delete_tag")


def before_each_change(patch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Call ``do`` before whatever publishing does to MLflow."""

    def preceded(method: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object, **kwargs: object) -> object:
            do()
            return method(*args, **kwargs)

        return called

    for name in (*CREATING, *CHANGING):
        patch.setattr(MlflowClient, name, preceded(getattr(MlflowClient, name)))
    patch.setattr(tracked_runs, "_remove", preceded(tracked_runs._remove))


def publish_and_count() -> int:
    """Publish; return the number of changes that this took."""
    changes: list[None] = []
    with pytest.MonkeyPatch.context() as patch:
        before_each_change(patch, lambda: changes.append(None))
        publish(Path(), ["toy"])
    return len(changes)


def publish_and_die(step: int) -> None:
    """Publish in a process that kills itself before its ``step``-th change of MLflow."""
    child = os.fork()
    if not child:
        left = iter(range(step))

        def count_down() -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            before_each_change(pytest.MonkeyPatch(), count_down)
            publish(Path(), ["toy"])
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def some_of(steps: int) -> list[int]:
    """The first step, the last, and some between."""
    return [0, steps - 1, *CHANCE.sample(range(1, steps - 1), max(1, 4 * KILLS // 30))]


def test_killed_anywhere_and_run_again_is_as_if_it_had_not_been_killed(
    toy: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_config(toy, seeds=[3])

    def elsewhere(name: str) -> None:
        """Go to a copy of the repository, databases aside."""
        folder = tmp_path / name
        folder.mkdir()
        for part in ("runs", "reports"):
            shutil.copytree(tmp_path / part, folder / part)
        shutil.copyfile(tmp_path / "mlflow.db", folder / "mlflow.db")
        monkeypatch.chdir(folder)

    elsewhere("undisturbed")
    filling = some_of(publish_and_count())
    first = shown()
    redraw(toy)
    revising = some_of(publish_and_count())
    second = shown()
    for step, later_step in zip(filling, revising, strict=True):
        elsewhere(f"killed-at-{step}-and-{later_step}")
        publish_and_die(step)
        publish(Path(), ["toy"])
        assert shown() == first
        redraw(toy)
        publish_and_die(later_step)
        publish(Path(), ["toy"])
        assert shown() == second


def test_killed_then_analyzed_anew_the_newest_values_are_shown(toy: Artifacts) -> None:
    with_config(toy, seeds=[3])
    publish_and_die(8)
    metrics = read_json(toy.seeds_metrics)
    metrics["3"]["contribution"]["positive_share"] = 0.1  # smaller: MLflow prefers the larger of equal steps
    write_json(toy.seeds_metrics, metrics)
    publish(Path(), ["toy"])
    assert runs()["seed=3"].data.metrics["contribution/positive_share"] == 0.1
    assert not any(name.startswith("earlier") for name in artifacts(runs()["seed=3"]))


def test_what_a_killed_process_left_of_a_result_that_is_gone_does_not_look_as_if_it_were_running(
    toy: Artifacts,
) -> None:
    with_config(toy, seeds=[3])
    publish_and_die(8)
    retrain(toy, 3, "f" * 64)
    publish(Path(), ["toy"])
    assert runs(CURRENT)["seed=3"].info.status == "FINISHED"
    assert runs("tags.`seedscope.superseded` = '" + "f" * 64 + "'")["seed=3 (superseded)"].info.status == "KILLED"


@pytest.mark.usefixtures("toy")
def test_two_processes_at_once_fill_a_new_database_once_and_say_only_so() -> None:
    Path("mlflow.db").unlink()
    outputs = [process.communicate() for process in [in_process(PUBLISH), in_process(PUBLISH)]]
    assert sorted(output for output, _ in outputs) == [
        "3 new runs in sqlite:///mlflow.db\n",
        "nothing new for sqlite:///mlflow.db\n",
    ]
    assert [errors for _, errors in outputs] == ["", ""]
    assert set(runs()) == {"seed=3", "seed=5", "across seeds"}
