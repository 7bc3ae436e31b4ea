"""What counts as a whole result."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from seedscope.files.paths import Artifacts
from seedscope.tracking import publish, results
from tests.tracking.toy import CURRENT, artifacts, redraw, runs, with_config


def test_only_seeds_of_the_configuration_are_published(toy: Artifacts) -> None:
    with_config(toy, seeds=[5])
    publish(Path(), ["toy"])
    assert list(runs()) == ["seed=5"]


def test_unfinished_files_are_no_figures(toy: Artifacts) -> None:
    (toy.figures(3, "mistakes") / ".votes.png.0123.tmp").write_bytes(b"half")
    publish(Path(), ["toy"])
    assert not any("tmp" in name for name in artifacts(runs()["seed=3"]))


def test_touched_files_are_hashed_again_once(toy: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(Path(), ["toy"])
    os.utime(toy.figures(3, "mistakes") / "mistakes_votes.png", (1, 1))
    hashed: list[Path] = []
    digest = results.digest
    monkeypatch.setattr(results, "digest", lambda path: hashed.append(path) or digest(path))
    assert not publish(Path(), ["toy"]).revised
    assert not publish(Path(), ["toy"]).revised
    assert [path.name for path in hashed] == ["mistakes_votes.png"]


def test_what_is_whole_is_published_and_what_is_not_is_named(toy: Artifacts) -> None:
    shutil.rmtree(toy.figures(5, "mistakes").parent)
    publication = publish(Path(), ["toy", "absent"])
    assert publication.added == ("toy seed=3",)
    assert [sentence.split(":")[0] for sentence in publication.left_out] == [
        "toy seed=5",
        "toy across seeds",
        "absent",
    ]
    assert publish(Path(), ["toy", "absent"]).left_out == publication.left_out


def test_a_result_that_is_not_whole_now_stays_current(toy: Artifacts) -> None:
    publish(Path(), ["toy"])
    toy.model(5).unlink()
    redraw(toy)
    publish(Path(), ["toy"])
    assert set(runs(CURRENT)) == {"seed=3", "seed=5", "across seeds"}
