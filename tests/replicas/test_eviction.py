"""The store of replicas stays below its limit: what was not used for longest goes first, and nothing in use goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seedscope.files.experiment import Experiment
from seedscope.files.writing import write_json
from seedscope.replicas.eviction import Eviction

MB = 1_000_000
HOUR = 3600
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Return a function that puts a replica of 1 MB into the store, last used so many hours ago."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def make(name: str, hours: float, *, unfinished: bool = False) -> Path:
        folder = tmp_path / ".replicas" / name.ljust(64, "0")
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(MB))
        (folder / ("checkpoint.safetensors" if unfinished else "identity.json")).touch()
        moment = time.time() - hours * HOUR
        os.utime(folder, (moment, moment))
        return folder

    return make


def there(tmp_path: Path) -> list[str]:
    return sorted(path.name.rstrip("0") for path in (tmp_path / ".replicas").iterdir() if path.is_dir())


def experiment(tmp_path: Path, *fingerprints: str) -> Experiment:
    """Return an experiment whose seeds' replicas have these fingerprints."""
    toy = Experiment("toy", {"seeds": list(range(len(fingerprints)))}, tmp_path)
    for seed, name in enumerate(fingerprints):
        write_json(toy.at.identity(seed), {"fingerprint": name.ljust(64, "0")})
    return toy


def test_what_was_not_used_for_longest_goes_until_the_rest_fits(
    tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, hours in (("a", 3), ("b", 50), ("c", 1), ("d", 40), ("e", 2)):
        put(name, hours)
    Eviction(limit_gb=0.003).evict(experiment(tmp_path))
    assert there(tmp_path) == ["a", "c", "e"]
    assert capsys.readouterr().err == (
        f"{tmp_path}/.replicas was above store.limit_gb = 0.003: removed the 2 replicas that were not used for "
        "longest (0.002 GB)\n"
    )


def test_below_the_limit_nothing_goes_and_nothing_is_said(
    tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    put("a", 5000)
    put("b", 5000, unfinished=True)
    Eviction(limit_gb=0.002).evict(experiment(tmp_path))
    assert there(tmp_path) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_the_replicas_of_the_experiment_at_hand_stay_and_count_as_used(tmp_path: Path, put: Put) -> None:
    old, other = put("a", 100), put("b", 1)
    Eviction(limit_gb=0).evict(experiment(tmp_path, "a"))
    assert there(tmp_path) == ["a"]
    assert not other.exists()
    assert time.time() - old.stat().st_mtime < 60


def test_what_another_process_may_be_writing_or_copying_stays(tmp_path: Path, put: Put) -> None:
    put("a", 20, unfinished=True)
    put("b", 0.1)
    put("c", 30, unfinished=True)
    put("d", 0.3)
    Eviction(limit_gb=0).evict(experiment(tmp_path))
    assert there(tmp_path) == ["a", "b"]


def test_a_replica_that_another_process_looks_at_stays(tmp_path: Path, put: Put) -> None:
    folder = put("a", 5)
    of_lens = folder / "looks" / "toy" / "words"
    (of_lens / "measured-1").mkdir(parents=True)
    for path in (folder, folder / "looks", folder / "looks" / "toy"):
        os.utime(path, (time.time() - 5 * HOUR,) * 2)
    Eviction(limit_gb=0).evict(experiment(tmp_path))
    assert there(tmp_path) == ["a"]
    os.utime(of_lens, (time.time() - 5 * HOUR,) * 2)
    Eviction(limit_gb=0).evict(experiment(tmp_path))
    assert there(tmp_path) == []


def test_other_things_in_the_folder_stay(tmp_path: Path, put: Put) -> None:
    put("a", 10)
    state = tmp_path / ".replicas"
    (state / "logs").mkdir()
    (state / "published-1.json").write_bytes(bytes(MB))
    Eviction(limit_gb=0).evict(experiment(tmp_path))
    assert sorted(path.name for path in state.iterdir()) == ["logs", "published-1.json"]


def test_what_a_killed_process_left_half_written_goes_after_a_day(tmp_path: Path, put: Put) -> None:
    folder = put("a", 1)
    for name, hours in (("old", 25), ("new", 23)):
        half = folder / f".model.safetensors.{name}.tmp"
        half.touch()
        os.utime(half, (time.time() - hours * HOUR,) * 2)
    Eviction().evict(experiment(tmp_path))
    assert sorted(path.name for path in folder.glob(".*")) == [".model.safetensors.new.tmp"]


def test_killed_while_it_removes_a_replica_it_leaves_an_unfinished_one(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put("a", 10)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        Eviction(limit_gb=0).evict(experiment(tmp_path))
    assert [path.name for path in folder.iterdir()] == ["model.safetensors"]
