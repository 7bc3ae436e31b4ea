"""Stacked replicas are kept, found again, resumed and named as single ones are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from seedscope.files.digests import digest
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import PACKAGE_ROOT
from seedscope.files.reading import read_json
from seedscope.replicas import store
from seedscope.replicas.mapping import Engine
from seedscope.replicas.stacked import Block
from tests.replicas.test_store import changed, fingerprint, quiet, result, toy, trained  # noqa: F401  # toy: a fixture

FILES = ["frames.nc", "history.csv", "identity.json", "model.safetensors"]


@pytest.fixture
def stacked(toy: Experiment) -> Experiment:  # noqa: F811  # the fixture
    """The toy experiment, stacked, with little to keep."""
    settings = deepcopy(dict(toy.settings))
    settings["train"] |= {"stacked": True, "early_frames": 1, "epochs": 2}
    return Experiment(toy.name, settings, toy.root)


def train(experiment: Experiment, seeds: list[int]) -> dict[int, bool]:
    return store.train_seeds(dict.fromkeys(seeds, experiment), digest(experiment.at.data), Engine(1), "train toy")


def epochs_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets each number of epochs that a stack reports."""
    seen: list[int] = []
    honest = store._train_stack

    def watched(places: object, _report: object) -> dict[int, str]:
        return honest(places, lambda done, _total: seen.append(done))  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(store, "_train_stack", watched)
    return seen


def test_a_stacked_replica_is_another_one_whoever_is_stacked_with_it(stacked: Experiment) -> None:
    alone = changed(stacked, "train", "stacked", value=False)
    assert fingerprint(stacked) != fingerprint(alone)
    train(stacked, [1])
    found = read_json(stacked.at.identity(1))
    assert found["training"]["stacked"] is True
    by_itself = result(stacked)
    shutil.rmtree(stacked.root / ".replicas")
    train(stacked, [4, 0, 1])
    assert result(stacked) == by_itself
    trained(alone)
    unstacked = read_json(stacked.at.identity(1))
    assert "stacked" not in unstacked["training"]
    assert found.keys() == unstacked.keys()


def written(experiment: Experiment) -> dict[Path, int]:
    """Return when each kept replica's weights were written."""
    return {path: path.stat().st_mtime_ns for path in (experiment.root / ".replicas").glob("*/model.safetensors")}


def test_a_seed_that_is_added_is_trained_alone_and_the_others_are_kept(
    stacked: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(stacked, [0, 2]) == {0: True, 2: True}
    before = written(stacked)
    assert train(stacked, [0, 1, 2]) == {0: False, 1: True, 2: False}
    together = result(stacked, 1)
    after = written(stacked)
    assert before.items() < after.items()
    kept = [sorted(path.name for path in folder.iterdir()) for folder in (stacked.root / ".replicas").iterdir()]
    assert kept == [FILES] * 3  # nothing of the stacks is left
    epochs = epochs_of_a_stack(monkeypatch)
    assert train(stacked, [0, 1, 2]) == {0: False, 1: False, 2: False}
    assert not epochs
    shutil.rmtree(stacked.root / ".replicas")
    assert trained(stacked, 1)  # as a sweep would, or a seed that is asked for by itself
    assert result(stacked, 1) == together


def test_more_seeds_than_places_take_several_stacks(stacked: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedscope.replicas.stackable.width", lambda *_: 2)
    epochs = epochs_of_a_stack(monkeypatch)
    assert train(stacked, [0, 1, 2]) == dict.fromkeys(range(3), True)
    assert epochs == [0, 1, 2, 0, 1, 2]
    last = result(stacked, 2)
    shutil.rmtree(stacked.root / ".replicas")
    train(stacked, [2])
    assert result(stacked, 2) == last


KILLED = """
import os, signal, sys
from pathlib import Path
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment
from seedscope.replicas import store

def report(done, total):
    if done == 1:
        os.kill(os.getpid(), signal.SIGKILL)

experiment = Experiment("toy", {settings!r}, Path({root!r}))
store._train_some({{1: experiment, 3: experiment}}, digest(experiment.at.data), {{1: [1, 3]}}, 1, report)
"""


def test_a_stack_killed_half_way_resumes_and_ends_in_the_same_bytes(
    stacked: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), "DVC_ROOT": str(stacked.root)}
    code = KILLED.format(settings=dict(stacked.settings), root=str(stacked.root))
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    (kept,) = (stacked.root / ".replicas").iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["checkpoint.safetensors", "frames"]
    epochs = epochs_of_a_stack(monkeypatch)
    train(stacked, [1, 3])
    assert epochs[0] == 1
    assert not kept.exists()
    resumed = [result(stacked, seed) for seed in (1, 3)]
    shutil.rmtree(stacked.root / ".replicas")
    train(stacked, [1, 3])
    assert [result(stacked, seed) for seed in (1, 3)] == resumed


def test_a_seed_that_fails_is_named_and_the_others_are_kept(
    stacked: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Block.failure

    def second_fails(block: Block, place: int) -> str | None:
        return "the loss became nan" if place == 1 else honest(block, place)

    monkeypatch.setattr(Block, "failure", second_fails)
    with pytest.raises(SeedscopeError) as refused:
        train(stacked, [5, 6, 7])
    assert str(refused.value) == "train toy: seed 6: the loss became nan (2 of 3 seeds finished)"
    assert sorted(path.name for path in stacked.at.replica(5).parent.iterdir()) == ["seed-5", "seed-7"]
    monkeypatch.setattr(Block, "failure", honest)
    assert train(stacked, [5, 6, 7]) == {5: False, 6: True, 7: False}


def test_a_stack_that_fails_as_a_whole_names_its_seeds(stacked: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise SeedscopeError("the disk is full")

    monkeypatch.setattr("seedscope.replicas.stacked.train_stacked", breaks)
    with pytest.raises(SeedscopeError) as refused:
        train(stacked, [5, 6])
    assert str(refused.value) == (
        "train toy: seed 5: the disk is full; seed 6: the disk is full (0 of 2 seeds finished)"
    )
    with pytest.raises(SeedscopeError, match="the disk is full"):
        store.train_replica(stacked, "data", 5, quiet)


def test_a_draw_of_ones_own_is_each_places(stacked: Experiment) -> None:
    drawing = changed(stacked, "train", "vary", value=["weights", "draw"])
    train(drawing, [1, 2])
    together = [result(drawing, seed) for seed in (1, 2)]
    shutil.rmtree(drawing.root / ".replicas")
    train(drawing, [2])
    assert result(drawing, 2) == together[1]
    assert together[0]["model.safetensors"] != together[1]["model.safetensors"]


def test_the_stage_trains_what_is_stacked(
    stacked: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.train import train as stage
    from seedscope.files.writing import write_json

    write_json(stacked.at.config, {**stacked.settings, "seeds": [3, 8]})
    monkeypatch.chdir(tmp_path)
    stage("toy")
    stage("toy")
    assert capsys.readouterr().out == (
        "toy: trained 2 of 2 seeds, the others were kept\ntoy: trained 0 of 2 seeds, the others were kept\n"
    )
    assert sorted(path.name for path in stacked.at.replica(8).iterdir()) == FILES
