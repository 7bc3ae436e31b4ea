"""What was measured and what was drawn are kept apart: each is found again by what determines it, and by that alone."""

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
from seedscope.files.digests import digest
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import Artifacts
from seedscope.files.weights import save_weights
from seedscope.files.writing import write_json, write_text
from seedscope.lenses.lens import measuring, measuring_settings
from seedscope.looks import analysis
from seedscope.looks.analysis import analyze_replica
from seedscope.looks.shelf import Look, Shelf
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.frames import Frames
from tests.looks.toys import Brightness, Slotted

MODEL = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 4, 4], "classes": 2, "hidden": [3]}
LENSES = ("first", "second")
SETTINGS: dict[str, Any] = {
    "model": MODEL,
    "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": {"fc1": "probe"}, "exhibits_per_class": 1},
    "drawn": [1],
    "lenses": {"first": {"_target_": "tests.looks.toys.Brightness"}, "second": {"_target_": "tests.looks.toys.Second"}},
    "code": {"analyze": {kind: {lens: {"digest": "as it was"} for lens in LENSES} for kind in ("measure", "draw")}},
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
    Brightness.done.clear()
    experiment = Experiment("toy", deepcopy(SETTINGS), tmp_path)
    image = np.random.default_rng(0).random((20, 1, 4, 4))
    data = pictures(image, np.arange(20) % 2, "probe").assign_coords(sample=np.arange(20))
    write_dataset(experiment.at.data, data.assign_attrs(class_names=["a", "b"]))
    write_text(experiment.at.history(1), "epoch,train_loss,train_accuracy,probe_loss,probe_accuracy\n1,1,0.5,1,0.5\n")
    write_json(experiment.at.identity(1), {"fingerprint": "f" * 64, "model": MODEL})
    put(experiment, 0)
    return experiment


def outs(at: Artifacts) -> dict[str, bytes]:
    folders = (at.measures(1, "x").parent, at.figures(1, "x").parent)
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(at.root)): file.read_bytes() for file in files}


def changed(experiment: Experiment, *path: str, to: Any) -> Experiment:
    content = deepcopy(dict(experiment.settings))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return replace(experiment, settings=content)


def shelf(experiment: Experiment, lens: str = "first") -> Path:
    return experiment.root / ".replicas" / ("f" * 64) / "looks" / "toy" / lens


def kept(experiment: Experiment, lens: str, kind: str) -> Path:
    (folder,) = shelf(experiment, lens).glob(f"{kind}-*")
    return folder


def test_the_second_time_nothing_is_done_and_the_bytes_are_the_same(toy: Experiment) -> None:
    first = analyze_replica(toy, 1, quiet)
    before = outs(toy.at)
    assert Brightness.done == ["measured", "drawn"] * 2
    assert len(before) == 2 * (1 + 2)
    assert first.scalars["first"]["nothing"] is None
    for path in before:
        (toy.root / path).unlink()
    again = analyze_replica(toy, 1, quiet)
    assert (again.scalars, again.measured, again.drawn) == (first.scalars, (), ())
    assert (first.measured, first.drawn) == (LENSES, LENSES)
    assert Brightness.done == ["measured", "drawn"] * 2
    assert outs(toy.at) == before


@pytest.mark.parametrize(
    ("path", "to", "done"),
    [
        (("code", "analyze", "draw", "first", "digest"), "another palette", ["drawn"]),
        (("lenses", "first", "colour"), "blue", ["drawn"]),
        (("code", "analyze", "measure", "first", "digest"), "the same formula in other words", ["measured"]),
        (("lenses", "first", "scale"), 2.0, ["measured", "drawn"]),
    ],
    ids=["drawing's code", "drawing's setting", "measuring's code, same numbers", "measuring's setting"],
)
def test_what_changes_is_done_again_and_nothing_else(
    toy: Experiment, path: tuple[str, ...], to: Any, done: list[str]
) -> None:
    analyze_replica(toy, 1, quiet)
    Brightness.done.clear()
    found = analyze_replica(changed(toy, *path, to=to), 1, quiet)
    assert Brightness.done == done
    assert (found.measured, found.drawn) == tuple(("first",) if kind in done else () for kind in ("measured", "drawn"))
    assert len(list(shelf(toy).iterdir())) == 2  # the latest of both, and no earlier ones


def test_a_lens_that_only_the_other_lens_shares_a_module_with_is_not_looked_through_again(toy: Experiment) -> None:
    analyze_replica(toy, 1, quiet)
    Brightness.done.clear()
    other = changed(toy, "code", "analyze", "measure", "second", "digest", to="another formula")
    assert analyze_replica(other, 1, quiet).measured == ("second",)


def test_other_weights_and_pictures_are_measured_anew(toy: Experiment) -> None:
    analyze_replica(toy, 1, quiet)
    put(toy, 1)
    assert analyze_replica(toy, 1, quiet).measured == LENSES
    toy.at.data.write_bytes(toy.at.data.read_bytes() + b"\0")
    assert analyze_replica(toy, 1, quiet).measured == LENSES


def test_measuring_may_not_read_what_only_drawing_reads(toy: Experiment) -> None:
    peeking = changed(toy, "lenses", "first", to={"_target_": "tests.looks.toys.Peeking"})
    with pytest.raises(SeedscopeError, match=r"^lens first: measure reads 'colour', which is declared as a setting of"):
        analyze_replica(peeking, 1, quiet)


def test_measuring_may_not_draw(toy: Experiment) -> None:
    hasty = changed(toy, "lenses", "first", to={"_target_": "tests.looks.toys.Hasty"})
    with pytest.raises(SeedscopeError, match=r"^lens first: measure and summarize must not draw"):
        analyze_replica(hasty, 1, quiet)


def test_a_lens_that_is_no_dataclass_has_no_settings_of_drawing_alone() -> None:
    lens = Slotted(3.0)
    assert measuring_settings(lens, {"scale": 3.0}) == {"scale": 3.0}
    with measuring(lens, "slotted") as blind:
        assert blind.measure(None).scale == 3.0


@pytest.mark.parametrize("kind", ["measured", "drawn"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: next(folder.glob("*.*[cg]")).write_bytes(b"half"),
        lambda folder: next(folder.glob("*.*[cg]")).unlink(),
        lambda folder: (folder / "look.json").unlink(),
        lambda folder: (folder / "look.json").write_text("[]"),
        lambda folder: (folder / "look.json").write_text("{"),
    ],
    ids=["truncated", "gone", "unfinished", "other", "broken"],
)
def test_a_damaged_look_is_told_and_made_again(
    toy: Experiment, capsys: pytest.CaptureFixture[str], kind: str, damage: Callable[[Path], object]
) -> None:
    analyze_replica(toy, 1, quiet)
    before = outs(toy.at)
    Brightness.done.clear()
    folder = kept(toy, "second", kind)
    damage(folder)
    analyze_replica(toy, 1, quiet)
    assert capsys.readouterr().err == f"{folder} was damaged after it was finished: the lens looks again\n"
    assert Brightness.done == [kind]
    assert outs(toy.at) == before


def test_a_figure_that_is_lost_while_others_are_drawn_is_missed(
    toy: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = analysis.draw

    def losing(name: str, lens: Any, measured: Path, folder: Path) -> list[Path]:
        written = draw(name, lens, measured, folder)
        written[0].unlink()
        return written

    monkeypatch.setattr(analysis, "draw", losing)
    with pytest.raises(SeedscopeError, match=r"one\.png cannot be read"):
        analyze_replica(toy, 1, quiet)
    assert not list(shelf(toy).glob("drawn-*"))


def test_a_replica_that_is_not_to_be_drawn_is_measured_all_the_same(toy: Experiment) -> None:
    alone = analyze_replica(replace(toy, settings={**toy.settings, "drawn": []}), 1, quiet)
    assert (alone.measured, alone.drawn) == (LENSES, ())
    assert set(alone.scalars) == {"training", *LENSES}
    assert Brightness.done == ["measured"] * 2
    assert not toy.at.seeds_figures.exists()
    assert analyze_replica(toy, 1, quiet).scalars == alone.scalars
    assert Brightness.done == ["measured"] * 2 + ["drawn"] * 2


def test_a_look_that_fails_leaves_nothing_behind(toy: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_name: str, _lens: Any, _replica: Any, path: Path) -> Any:
        write_text(path, "half")
        raise SeedscopeError("no")

    monkeypatch.setattr(analysis, "measure", failing)
    with pytest.raises(SeedscopeError, match=r"^no$"):
        analyze_replica(toy, 1, quiet)
    assert list(shelf(toy).iterdir()) == []
    assert outs(toy.at) == {}


def test_when_another_was_faster_its_look_is_taken(toy: Experiment) -> None:
    """The orphan of a killed run finishes while this one measures."""
    lens = toy.lenses()["second"]

    def overtaken(folder: Path) -> tuple[list[Path], dict[str, Any]]:
        analyze_replica(toy, 1, quiet)
        path = folder / "measured.nc"
        return [path], analysis.measure("second", lens, analysis.Replica.open(toy.at, 1), path)

    look: Look = Shelf.of(toy, 1).measured("second", lens, overtaken)
    assert look.folder == kept(toy, "second", "measured")
    assert look.files == {"measured.nc": digest(look.folder / "measured.nc")}


def test_what_a_killed_run_left_unfinished_is_cleared_after_a_day(toy: Experiment) -> None:
    for name, age in (("drawn-old.tmp", 25 * 3600), ("drawn-young.tmp", 60)):
        (shelf(toy) / name).mkdir(parents=True)
        then = (shelf(toy) / name).stat().st_mtime - age
        os.utime(shelf(toy) / name, (then, then))
    analyze_replica(toy, 1, quiet)
    assert [folder.name for folder in shelf(toy).glob("*.tmp")] == ["drawn-young.tmp"]


def test_a_shelf_that_cannot_be_written_is_one_sentence(toy: Experiment) -> None:
    (toy.root / ".replicas").write_text("in the way")
    with pytest.raises(SeedscopeError, match=r"first cannot be written: (Not a directory|File exists)"):
        analyze_replica(toy, 1, quiet)
