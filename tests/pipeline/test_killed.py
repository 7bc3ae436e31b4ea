"""Nothing is lost when processes are killed: after ``kill -9`` anywhere, ``dvc repro`` ends in the same bytes.

When each is killed is drawn by chance; with another ``SEEDSCOPE_TEST_CHANCE`` they are killed at other moments, with a
larger ``SEEDSCOPE_TEST_KILLS`` at more of them (``make test-kills``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA

from tests.chance import KILLS, SEED

from .conftest import REAL, Prepared, Project, copy_of_the_project, outs, ran, surroundings

_PATIENCE = 600  # seconds, on a busy machine
_ALL = 30  # kills; of fewer, each stage gets its share, and one at least
# Who is killed, each time that a stage runs: the stage with dvc and all workers, dvc alone, or the stage alone.
VICTIMS = {
    "compose": ["group"],
    "generate": ["dvc"],
    "train": ["group", "dvc", "stage"],
    "dump": ["dvc", "stage"],
    "analyze": ["stage", "dvc"],
    "compare": ["group", "dvc"],
    "report": ["dvc", "group"],
    "track": ["group", "dvc", "stage"],
}
DIRECTLY = {"train": 4, "dump": 4, "analyze": 2, "compare": 2, "report": 2, "track": 2}


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves behind that nobody killed, and how long each stage took, seconds."""

    outs: dict[str, str]
    published: dict[str, Any]
    took: dict[str, float]


class Repro:
    """A ``dvc repro`` in a session of its own, and when each of its stages began."""

    def __init__(self, project: Project, *command: str) -> None:
        # A file of its own, outside the project: what an orphan says later must not mix with what the next one says.
        self._output = Path(tempfile.mkstemp(".said", dir=project.path.parent)[1])
        with self._output.open("w") as file:
            self.process = subprocess.Popen(
                command or ["dvc", "repro"],
                cwd=project.path,
                # Processes of their own, and workers, to leave without a stage.
                env=surroundings(PATH=REAL, PYTHONUNBUFFERED="1", LOKY_MAX_CPU_COUNT="2"),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    @property
    def stages(self) -> list[str]:
        return [stage.partition("@")[0] for stage in ran(self.said)]

    def await_stage(self, stage: str) -> bool:
        """Return whether the stage began; it does not where the kill before came just after its results."""
        end = time.monotonic() + _PATIENCE
        while stage not in self.stages:
            if self.process.poll() is not None:
                assert self.process.returncode == 0, self.said
                return stage in self.stages
            assert time.monotonic() < end, f"{stage} did not begin:\n{self.said}"
            time.sleep(0.02)
        return True

    def kill(self, victim: str) -> bool:
        """Kill it all, dvc alone, or what stage runs alone; return whether there was something to kill."""
        if self.process.poll() is not None:
            return False
        if victim == "stage":
            found = [pid for pid in processes(self.process.pid) if b"-m\0pipeline." in command_line(pid)]
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if found:
                self.process.wait(_PATIENCE)
            return bool(found)
        if victim == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        return True


def remove_torn_files(project: Project) -> None:
    """Remove what DVC was killed in the midst of writing, as README says.

    DVC writes these two files in place and refuses half of one.
    """
    rwlock, lock = project.path / ".dvc/tmp/rwlock", project.path / "dvc.lock"
    if rwlock.exists():
        try:
            json.loads(rwlock.read_text())
        except json.JSONDecodeError:
            print("dvc was killed while it wrote its rwlock")
            rwlock.unlink()
    if lock.exists():
        try:
            COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(lock.read_text()))
        except (yaml.YAMLError, vol.Invalid):
            print("dvc was killed while it wrote dvc.lock")
            lock.unlink()


def processes(session: int) -> list[int]:
    """Return the processes of a session that are not yet gone."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def published(project: Project) -> dict[str, Any]:
    """What MLflow's database and files show, without ids, times, and the commit of this copy."""
    own = ("seedscope.git_revision", "mlflow.source.git.commit")
    shown = {}
    with contextlib.closing(sqlite3.connect(project.path / "mlflow.db")) as database:
        runs = database.execute("SELECT run_uuid, name, status, lifecycle_stage, artifact_uri FROM runs").fetchall()
        for run, name, status, stage, where in runs:
            assert name not in shown, f"{name} was published twice"

            def table(query: str, run: str = run) -> list[Any]:
                return sorted(database.execute(f"{query} WHERE run_uuid = ?", [run]))

            folder = Path(where.removeprefix("file://"))
            files = {
                re.sub(r"timestamp\+\d+\+[0-9a-f-]{36}", "", str(path.relative_to(folder))): digest(path)
                for path in folder.rglob("*")
                if path.is_file()
            }
            shown[name] = (
                status,
                stage,
                table("SELECT key, value FROM params"),
                [row for row in table("SELECT key, value FROM tags") if row[0] not in own],
                table("SELECT key, step, value, is_nan FROM metrics"),
                table("SELECT key, step, value, is_nan FROM latest_metrics"),
                files,
            )
    return shown


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finished(project: Project) -> dict[str, tuple[int, int]]:
    """Return the finished replicas of the store, and what would change were one of them written again."""
    found = {}
    for identity in (project.path / ".replicas").glob("*/identity.json"):
        stat = (identity.parent / "model.safetensors").stat()
        found[identity.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def undisturbed(prepared: Prepared) -> Undisturbed:
    took = {stage.partition("@")[0]: seconds for stage, seconds in prepared.took.items()}
    assert list(took) == list(VICTIMS)
    whole = Project(prepared.path)
    return Undisturbed(outs(whole), published(whole), took)


def some(count: int) -> int:
    """Return how many of so many kills are asked for."""
    return max(1, min(count, round(count * KILLS / _ALL)))


def wait_for_the_end_of(sessions: list[int]) -> None:
    end = time.monotonic() + _PATIENCE
    while any(processes(session) for session in sessions):
        assert time.monotonic() < end, "an orphan does not end"
        time.sleep(0.1)


def assert_nothing_lost(project: Project, undisturbed: Undisturbed) -> None:
    found = {name: value for name, value in outs(project).items() if not name.endswith(".tmp")}
    assert sorted(found) == sorted(undisturbed.outs)
    assert [name for name in found if found[name] != undisturbed.outs[name]] == []
    assert published(project) == undisturbed.published


def test_killed_anywhere_dvc_repro_ends_in_the_same_bytes(undisturbed: Undisturbed, tmp_path: Path) -> None:
    # Shown where the test fails, with every kill.
    print(f"SEEDSCOPE_TEST_CHANCE={SEED}")
    chance = random.Random(SEED)
    project = copy_of_the_project(tmp_path / "project")
    killed: Counter[str] = Counter()
    sessions: list[int] = []
    kept: dict[str, tuple[int, int]] = {}
    for stage, victims in VICTIMS.items():
        for victim in chance.sample(victims, some(len(victims))):
            run = Repro(project)
            sessions.append(run.process.pid)
            if not run.await_stage(stage):
                break
            delay = chance.uniform(0, 0.8 * undisturbed.took[stage])
            time.sleep(delay)
            if run.kill(victim):
                killed[run.stages[-1]] += 1
                kept |= finished(project)
                remove_torn_files(project)
                print(f"killed {victim} {delay:.2f} s into {stage}, in {run.stages[-1]}; {len(kept)} replicas finished")
            if run.stages[-1] != stage:  # this time it was faster
                break
    said = project.run("dvc", "repro")
    assert_nothing_lost(project, undisturbed)
    assert len(finished(project)) == 2
    assert kept.items() <= finished(project).items(), "a finished replica was trained again"
    wait_for_the_end_of(sessions)
    assert_nothing_lost(project, undisturbed)
    assert ran(project.run("dvc", "repro")) == ["compose", "track"], said

    for stage, times in DIRECTLY.items():
        for _ in range(some(times) + max(0, some(len(VICTIMS[stage])) - killed[stage])):
            if stage == "train":
                shutil.rmtree(project.path / ".replicas", ignore_errors=True)
            if stage == "analyze":
                for looks in (project.path / ".replicas").glob("*/looks"):
                    shutil.rmtree(looks, ignore_errors=True)
            if stage == "track":
                (project.path / "mlflow.db").unlink(missing_ok=True)
                shutil.rmtree(project.path / "mlartifacts", ignore_errors=True)
            arguments = [] if stage in ("report", "track") else ["digits_tiny"]
            run = Repro(project, sys.executable, "-m", f"pipeline.{stage}", *arguments)
            time.sleep(chance.uniform(0, 0.8 * undisturbed.took[stage]))
            killed[stage] += run.kill("group")
    assert ran(project.run("dvc", "repro")) == ["compose", "track"]
    assert_nothing_lost(project, undisturbed)
    print(f"killed: {dict(killed)}")
    assert sum(killed.values()) >= KILLS
    assert all(killed[stage] >= some(2) for stage in DIRECTLY), killed
