"""An input that is truncated, or that another version wrote, is named in one sentence, and nothing is written."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from pipeline import stage
from seedscope.files.errors import SeedscopeError
from seedscope.files.writing import write_json

from .conftest import ROOT, TINY, Project, outs, surroundings

NAME = "digits_tiny"
RUNS, FIGURES, METRICS = f"runs/{NAME}", f"reports/figures/{NAME}", f"reports/metrics/{NAME}"
REPLICA = f"{RUNS}/replicas/seed-1"
INPUTS = {
    "train": [f"{RUNS}/data.nc"],
    "dump": [f"{RUNS}/data.nc", f"{REPLICA}/model.safetensors", f"{REPLICA}/frames.nc"],
    "analyze": [
        f"{RUNS}/data.nc",
        f"{REPLICA}/model.safetensors",
        f"{REPLICA}/frames.nc",
        f"{REPLICA}/history.csv",
        f"{RUNS}/activations/seed-1.nc",
    ],
    "compare": [f"{REPLICA}/history.csv", f"{RUNS}/measures/seed-1/contribution.nc", f"{METRICS}.seeds.json"],
    "report": [
        f"{METRICS}.seeds.json",
        f"{METRICS}.across_seeds.json",
        f"{FIGURES}/across_seeds/learning_curves.png",
        f"runs/configs/{NAME}.json",
    ],
}
STAGES_AND_INPUTS = [(stage, name) for stage, names in INPUTS.items() for name in names]


def run(name: str) -> None:
    function = getattr(importlib.import_module(f"pipeline.{name}"), name)
    function() if name in ("compose", "report", "track") else function(NAME)


@pytest.fixture(scope="module")
def whole(project: Project) -> Path:
    """Return a folder in which every stage but ``track`` has run for one seed."""
    lenses = {"mistakes": None, "dominance": None, "space": None}
    project.params(seeds=[1], engine={"workers": 1}, digits_tiny={**TINY["digits_tiny"], "lenses": lenses})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path)
        patch.delenv("DVC_ROOT", raising=False)
        for name in ("compose", "generate", *INPUTS):
            run(name)
    return project.path


@pytest.fixture
def here(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Work in a copy of it, without the store of replicas."""
    for folder in ("runs", "reports"):
        shutil.copytree(whole / folder, tmp_path / folder)
    shutil.copyfile(whole / "params.yaml", tmp_path / "params.yaml")
    for folder in ("src", "pipeline"):  # a stage asks whether its code is what was composed
        (tmp_path / folder).symlink_to(whole / folder)
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path)


def refusal(here: Project, stage: str, file: str) -> str:
    """Return the one sentence in which a stage refuses a file; it must have written nothing."""
    before = outs(here)
    with pytest.raises(SeedscopeError) as refused:
        run(stage)
    said = str(refused.value)
    assert "\n" not in said
    assert file in said
    assert "traceback" not in said, said
    after = outs(here)
    # What was written before it was noticed has the same bytes.
    assert {name: after.get(name) for name in before} == before
    assert set(after) <= set(before)
    return said


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("stage", "file", "damage"),
    [(stage, file, empty) for stage, file in STAGES_AND_INPUTS]
    # Half of a table, of a picture or of a configuration can be a whole one.
    + [(stage, file, cut) for stage, file in STAGES_AND_INPUTS if file.endswith((".nc", ".safetensors", ".json"))],
)
def test_a_truncated_input_is_named(here: Project, stage: str, file: str, damage: Callable[[Path], None]) -> None:
    damage(here.path / file)
    refusal(here, stage, file)


def without(*names: str) -> Callable[[Path], None]:
    def remove(path: Path) -> None:
        with h5py.File(path, "a") as file:
            for name in names:
                del (file.attrs if name in file.attrs else file)[name]

    return remove


def header(text: str) -> Callable[[Path], None]:
    return lambda path: Path(path).write_text(text + path.read_text().partition("\n")[2])


def holding(content: object) -> Callable[[Path], None]:
    return lambda path: write_json(path, content)


@pytest.mark.parametrize(
    ("stage", "file", "change"),
    [
        ("train", f"{RUNS}/data.nc", without("split")),
        ("dump", f"{RUNS}/data.nc", without("image")),
        ("dump", f"{REPLICA}/frames.nc", without("step")),
        ("analyze", f"{RUNS}/data.nc", without("label")),
        ("analyze", f"{RUNS}/data.nc", without("class_names")),
        ("analyze", f"{RUNS}/activations/seed-1.nc", without("exhibits")),
        ("analyze", f"{RUNS}/activations/seed-1.nc", without("fc1")),
        ("analyze", f"{RUNS}/activations/seed-1.nc", without("fc1/fc1")),
        ("analyze", f"{REPLICA}/history.csv", header("epoch,loss\n")),
        ("compare", f"{REPLICA}/history.csv", header("epoch,loss\n")),
        ("compare", f"{METRICS}.seeds.json", holding([])),
        ("compare", f"{METRICS}.seeds.json", holding({"1": {}})),
        ("report", f"{METRICS}.seeds.json", holding([])),
        ("report", f"{METRICS}.across_seeds.json", holding([])),
        ("report", f"runs/configs/{NAME}.json", lambda path: path.write_text("experiment: digits_tiny\n")),
    ],
)
def test_an_input_of_another_version_is_named(
    here: Project, stage: str, file: str, change: Callable[[Path], None]
) -> None:
    change(here.path / file)
    refusal(here, stage, file)


# --- the last stage leaves out what is not whole, and says so ------------------------------


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (f"{REPLICA}/identity.json", cut),
        (f"{REPLICA}/identity.json", empty),
        (f"{REPLICA}/history.csv", empty),
        (f"{REPLICA}/history.csv", Path.unlink),
    ],
)
def test_what_is_not_whole_is_not_published_and_said_so(
    here: Project, file: str, damage: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    damage(here.path / file)
    run("track")
    said = capfd.readouterr()
    assert len(said.err.splitlines()) == 1
    assert file in said.err
    assert said.out.startswith("track: nothing new")


def test_metrics_of_another_version_are_not_published(here: Project, capfd: pytest.CaptureFixture[str]) -> None:
    file = f"{METRICS}.seeds.json"
    write_json(here.path / file, {})
    run("track")
    said = capfd.readouterr()
    assert file in said.err
    assert said.out.startswith("track: nothing new")


def test_a_configuration_that_is_not_whole_says_how_to_make_it(here: Project) -> None:
    config = here.path / f"runs/configs/{NAME}.json"
    write_json(config, {"experiment": NAME})
    with pytest.raises(SeedscopeError, match=r"digits_tiny\.json has no section .*: run `dvc repro compose`, which"):
        run("dump")


# --- the disk -------------------------------------------------------------------------------------------------


FULL = """
import resource, sys
from seedscope.files.errors import SeedscopeError
from tests.pipeline.test_damaged import run
# Before the disk is full: Python keeps what it compiles.
import matplotlib.backends.backend_agg, mlflow, netCDF4, torch, xarray
for name in ("generate", "train", "dump", "analyze", "compare", "report", "track"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    try:
        run(name)
        said = "done"
    except SeedscopeError as error:
        said = error
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(name, "|", said)
"""


def test_a_full_disk_is_one_sentence_in_every_stage_and_changes_nothing(here: Project) -> None:
    before = outs(here)
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    said = here.run(sys.executable, "-c", FULL, "2000", PYTHONPATH=path)
    words = dict(line.split(" | ", 1) for line in said.splitlines() if " | " in line)
    assert list(words) == ["generate", "train", "dump", "analyze", "compare", "report", "track"]
    for name in words:
        assert "cannot be written: File too large" in words[name] or name == "track", (name, words[name])
    assert "cannot be written" in words["track"] or "stopped: " in words["track"], words["track"]
    assert outs(here) == before
    assert not (here.path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("train", f"{RUNS}/replicas"),
        ("dump", f"{RUNS}/activations"),
        ("analyze", f"{RUNS}/measures"),
        ("compare", f"{FIGURES}/across_seeds"),
        ("report", "reports/site"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(here: Project, name: str, folder: str) -> None:
    # A file in its place: what forbids writing to a folder does not bind root.
    shutil.rmtree(here.path / folder)
    (here.path / folder).write_text("in the way")
    with pytest.raises(SeedscopeError, match=rf"{folder}.* cannot be written: (Not a directory|File exists)"):
        run(name)
    assert (here.path / folder).read_text() == "in the way"


# --- the boundary of a stage ----------------------------------------------------------------------------------


def test_what_nobody_foresaw_is_one_sentence_and_its_traceback_is_kept(
    here: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def compare(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("sys.argv", ["pipeline.compare", NAME])
    with pytest.raises(SystemExit) as ended:
        stage(compare)
    log = ".replicas/logs/compare-digits_tiny.log"
    assert ended.value.code == 1
    assert capfd.readouterr().err == f"compare: KeyError: '{NAME}' (traceback in {log})\n"
    assert "in compare" in (here.path / log).read_text()


def test_two_stages_of_one_experiment_do_not_write_at_once(
    here: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import sys, time; sys.argv = ['dump', 'digits_tiny']; from pipeline import stage\n"
        "def dump(name): print('began', flush=True); time.sleep(60)\nstage(dump)"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    orphan = subprocess.Popen(
        [sys.executable, "-c", code], cwd=here.path, env=surroundings(PYTHONPATH=path), stdout=subprocess.PIPE
    )
    assert orphan.stdout is not None
    orphan.stdout.readline()
    killer = threading.Timer(1.0, orphan.kill)  # nothing of a lock outlives its process
    killer.start()
    monkeypatch.setattr("sys.argv", ["pipeline.compare", NAME])
    seen: list[int | None] = []

    def compare(_name: str) -> None:
        seen.append(orphan.wait(10))

    stage(compare)
    assert seen == [-signal.SIGKILL]
    assert not killer.is_alive()
    assert capfd.readouterr().err == (
        f"An earlier stage of {NAME} is still at work, perhaps of a dvc that was killed: waiting for it\n"
    )
