"""Any seed that was measured is drawn when somebody asks for it, from its numbers alone, aside of what DVC knows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seedscope.__main__ import main
from seedscope.files.arrays import write_measured
from seedscope.files.paths import Artifacts, project_config
from seedscope.files.writing import write_json
from tests.looks.toys import Brightness


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifacts:
    """An experiment of which numbers lie there, and nothing that they were measured on."""
    monkeypatch.chdir(tmp_path)
    at = Artifacts("toy", tmp_path)
    lenses = {name: {"_target_": f"tests.looks.toys.{kind}"} for name, kind in (("a", "Brightness"), ("b", "Second"))}
    write_json(at.config, {"seeds": [0, 7, 37], "drawn": [0], "lenses": lenses})
    write_json(project_config(tmp_path), {"experiments": ["toy"], "sweeps": []})
    for seed in (7, 37):
        for lens in lenses:
            numbers = xr.Dataset({"mean": np.float64(seed)}, attrs={"experiment": "toy", "seed": seed})
            write_measured(at.measures(seed, lens), numbers)
    Brightness.done.clear()
    return at


def test_a_seed_is_drawn_through_all_lenses_or_one(measured: Artifacts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "toy", "--seed", "37"]) == 0
    assert Brightness.done == ["drawn", "drawn"]
    for lens in ("a", "b"):
        assert {path.name for path in measured.drawn(37, lens).iterdir()} == {"one.png", "two.png"}
    assert "reports/drawn/toy/seeds/37/a: 2 figures" in capsys.readouterr().out
    assert main(["draw", "toy", "--seed", "7", "--seed", "37", "--lens", "b"]) == 0
    assert not measured.drawn(7, "a").exists()
    assert measured.drawn(7, "b").exists()
    assert not (measured.root / "reports/figures").exists()


def test_what_an_earlier_look_left_is_removed(measured: Artifacts) -> None:
    old = measured.drawn(7, "a") / "old.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"")
    assert main(["draw", "toy", "--seed", "7", "--lens", "a"]) == 0
    assert not old.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["toi", "--seed", "7"], "draw: there is no experiment 'toi' here; did you mean 'toy'?"),
        (["toy"], "draw: --seed: say which of the seeds of toy: 0, 7, 37"),
        (["toy", "--seed", "8"], "draw: --seed: toy has no seed 8; there are: 0, 7, 37"),
        (["toy", "--seed", "7", "--lens", "c"], "draw: --lens: toy has no lens 'c'; there are: a, b"),
        (["toy", "--seed", "0"], "seed 0 was not measured through a yet, `dvc repro` does it"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(
    measured: Artifacts, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", *arguments]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (measured.root / "reports").exists()


def test_given_weights_are_drawn_without_a_seed(measured: Artifacts, capsys: pytest.CaptureFixture[str]) -> None:
    lenses = {"a": {"_target_": "tests.looks.toys.Brightness"}}
    write_json(measured.config, {"seeds": ["given"], "drawn": ["given"], "lenses": lenses})
    numbers = xr.Dataset({"mean": np.float64(1)}, attrs={"experiment": "toy", "seed": "given"})
    write_measured(measured.measures("given", "a"), numbers)
    assert main(["draw", "toy"]) == 0
    assert measured.drawn("given", "a").is_dir()
    assert main(["draw", "toy", "--seed", "1"]) == 1
    assert "has given weights and no seeds" in capsys.readouterr().err


def test_drawing_by_hand_needs_no_torch() -> None:
    import subprocess

    code = "import sys, seedscope.__main__; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
