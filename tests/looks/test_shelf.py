"""A lens looks once: what determines its look finds it again, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedscope.activations.dump import dump_replica
from seedscope.data import pictures
from seedscope.files.arrays import write_dataset
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_json
from seedscope.files.weights import save_weights
from seedscope.files.writing import write_json, write_text
from seedscope.looks import analysis
from seedscope.looks.analysis import analyze_replica
from seedscope.looks.shelf import Looks
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.frames import Frames

READOUT = {"features": "fc1", "head": "fc2"}
MODEL = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 4, 4], "classes": 2, "hidden": [3]}
SETTINGS: dict[str, Any] = {
    "model": MODEL,
    "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": {"fc1": "probe"}, "exhibits_per_class": 1},
    "lenses": {
        "contribution": {"_target_": "seedscope.lenses.contribution.Contribution", "top": 2, **READOUT},
        "dominance": {"_target_": "seedscope.lenses.dominance.Dominance", **READOUT},
    },
    "code": {
        "analyze": {
            kind: {lens: {"digest": "0"} for lens in ("contribution", "dominance")} for kind in ("measure", "draw")
        }
    },
}


def quiet(_done: int, _total: int) -> None:
    """Report to nobody."""


def put(experiment: Experiment, weights_seed: int) -> None:
    """Put a network with these weights where seed 1 lies, and its activations."""
    torch.manual_seed(weights_seed)
    model = Perceptron([1, 4, 4], 2, hidden=[3])
    save_weights(model, experiment.at.model(1))
    frames = Frames(experiment.root / f"parts-{weights_seed}", (0,))
    frames.take(0, model)
    frames.assemble(experiment.at.frames(1), steps_per_epoch=1)
    dump_replica(experiment, 1, quiet)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    experiment = Experiment("toy", deepcopy(SETTINGS), tmp_path)
    image = np.random.default_rng(0).random((20, 1, 4, 4))
    data = pictures(image, np.arange(20) % 2, "probe").assign_coords(sample=np.arange(20))
    write_dataset(experiment.at.data, data.assign_attrs(class_names=["a", "b"]))
    write_text(experiment.at.history(1), "epoch,train_loss,train_accuracy,probe_loss,probe_accuracy\n1,1,0.5,1,0.5\n")
    write_json(experiment.at.identity(1), {"fingerprint": "f" * 64, "model": MODEL})
    put(experiment, 0)
    return experiment


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the lenses that looked, in order."""
    names: list[str] = []
    look = analysis._look

    def counting(lens: Any, replica: Any, folder: Path) -> Any:
        names.append(type(lens).__name__)
        return look(lens, replica, folder)

    monkeypatch.setattr(analysis, "_look", counting)
    return names


def outs(at: Artifacts) -> dict[str, bytes]:
    folders = (at.measures(1, "x").parent, at.figures(1, "x").parent)
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(at.root)): file.read_bytes() for file in files}


def changed(experiment: Experiment, lens: str, **settings: Any) -> Experiment:
    content = deepcopy(dict(experiment.settings))
    content["lenses"][lens] |= settings
    return replace(experiment, settings=content)


def shelf(experiment: Experiment) -> Path:
    return experiment.root / ".replicas" / ("f" * 64) / "looks"


def test_the_second_time_nobody_looks_and_the_bytes_are_the_same(toy: Experiment, looked: list[str]) -> None:
    first = analyze_replica(toy, 1, quiet)
    before = outs(toy.at)
    assert looked == ["Contribution", "Dominance"]
    assert len(before) > 10
    for path in before:
        (toy.root / path).unlink()
    again = analyze_replica(toy, 1, quiet)
    assert again.scalars == first.scalars
    assert (first.looked, again.looked) == (("contribution", "dominance"), ())
    assert looked == ["Contribution", "Dominance"]
    assert outs(toy.at) == before


def test_a_change_of_one_lens_costs_that_look_alone_and_replaces_the_old_one(
    toy: Experiment, looked: list[str]
) -> None:
    analyze_replica(toy, 1, quiet)
    analyze_replica(changed(toy, "contribution", top=1), 1, quiet)
    assert looked == ["Contribution", "Dominance", "Contribution"]
    assert sorted(folder.name.partition("-")[0] for folder in shelf(toy).iterdir()) == [
        "toy.contribution",
        "toy.dominance",
    ]


def test_other_weights_pictures_or_code_are_looked_at_anew(toy: Experiment) -> None:
    keys = {Looks.at(toy, 1).key("dominance")}
    put(toy, 1)
    keys.add(Looks.at(toy, 1).key("dominance"))
    toy.at.data.write_bytes(toy.at.data.read_bytes() + b"\0")
    keys.add(Looks.at(toy, 1).key("dominance"))
    keys.add(Looks.at(toy, 1).key("contribution"))
    for kind in ("measure", "draw"):
        changed = deepcopy(dict(toy.settings))
        changed["code"]["analyze"][kind]["dominance"] = {"digest": "0", "torch": "9.9"}
        keys.add(Looks.at(replace(toy, settings=changed), 1).key("dominance"))
    assert len(keys) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "measured.nc").write_bytes(b"half"),
        lambda folder: next((folder / "figures").glob("*.png")).unlink(),
        lambda folder: (folder / "figures" / "more.png").write_bytes(b"more"),
        lambda folder: (folder / "look.json").unlink(),
        lambda folder: (folder / "look.json").write_text("[]"),
        lambda folder: (folder / "look.json").write_text("{"),
    ],
    ids=["truncated", "figure gone", "figure more", "unfinished", "other", "broken"],
)
def test_a_damaged_look_is_told_and_made_again(
    toy: Experiment, looked: list[str], capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object]
) -> None:
    analyze_replica(toy, 1, quiet)
    before = outs(toy.at)
    (folder,) = shelf(toy).glob("toy.dominance-*")
    damage(folder)
    analyze_replica(toy, 1, quiet)
    assert capsys.readouterr().err == f"{folder} was damaged after it was finished: the lens looks again\n"
    assert looked == ["Contribution", "Dominance", "Dominance"]
    assert outs(toy.at) == before


def test_a_look_that_fails_leaves_nothing_behind(toy: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_lens: Any, _replica: Any, folder: Path) -> Any:
        write_text(folder / "figures" / "half.png", "half")
        raise SeedscopeError("no")

    monkeypatch.setattr(analysis, "_look", failing)
    with pytest.raises(SeedscopeError, match=r"^no$"):
        analyze_replica(toy, 1, quiet)
    assert list(shelf(toy).iterdir()) == []
    assert outs(toy.at) == {}


def test_when_another_was_faster_its_look_is_taken(toy: Experiment, looked: list[str]) -> None:
    """The orphan of a killed run finishes while this one looks."""
    orphan = replace(toy, root=toy.root)
    kept = analysis._look

    def overtaken(lens: Any, replica: Any, folder: Path) -> Any:
        if len(looked) == 0:
            analyze_replica(orphan, 1, quiet)
        return kept(lens, replica, folder)

    look = Looks.at(toy, 1)
    lens = toy.lenses()["dominance"]
    found = look.kept_or_made("dominance", lambda folder: overtaken(lens, analysis.Replica.open(toy.at, 1), folder))
    assert found.measured.exists()
    assert not list(shelf(toy).glob("*.tmp"))
    assert found.scalars == read_json(found.folder / "look.json")["scalars"]


def test_what_a_killed_run_left_unfinished_is_cleared_after_a_day(toy: Experiment) -> None:
    for name, age in (("toy.dominance-old.tmp", 25 * 3600), ("toy.dominance-young.tmp", 60)):
        (shelf(toy) / name).mkdir(parents=True)
        then = (shelf(toy) / name).stat().st_mtime - age
        os.utime(shelf(toy) / name, (then, then))
    analyze_replica(toy, 1, quiet)
    assert [folder.name for folder in shelf(toy).glob("*.tmp")] == ["toy.dominance-young.tmp"]


def test_a_shelf_that_cannot_be_written_is_one_sentence(toy: Experiment) -> None:
    (toy.root / ".replicas").write_text("in the way")
    with pytest.raises(SeedscopeError, match=r"looks cannot be written: (Not a directory|File exists)"):
        analyze_replica(toy, 1, quiet)
