"""README.md is true: its commands exist and are tested, its numbers are those of the measurements."""

import re
import subprocess
from pathlib import Path

import pytest

from docs.numbers import findings_rows
from docs.readme import Measured, filled

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def committed(path: str) -> str:
    """Return a file as it was committed."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)(?:`|$)", README, re.M))
    assert {"repro", "test", "ui", "quick", "bench"} <= named
    assert named - {"clean"} <= targets


def test_every_dvc_command_of_the_readme_is_run_by_a_test_of_the_pipeline():
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests/pipeline").glob("*.py")))
    tested = tests.replace('", "', " ")
    commands = {" ".join(match) for match in re.findall(r"`(dvc) ((?:exp run|metrics show|plots show|repro))", README)}
    assert len(commands) == 4
    assert [command for command in commands if f'"{command}' not in tested] == []


def test_ci_runs_the_two_commands_of_the_first_screen():
    ci = (ROOT / ".ci/run").read_text()
    assert re.search(r"```sh\nmake repro\nmake test\n```", README)
    assert re.search(r"^make .*repro$", ci, re.M)
    assert "make test" in ci


def test_the_numbers_are_those_of_the_measurements():
    """Of the committed ones, or of those just made: a run with other settings may have changed them since."""
    made = [filled(README, read) for read in (committed, lambda path: (ROOT / path).read_text())]
    assert README in made, "say `make readme`"


def test_a_metric_that_is_not_there_is_named():
    with pytest.raises(SystemExit, match=r"docs/numbers\.py asks for slp\.space\.nonsense, and the metrics have no"):
        "{slp.space.nonsense:.2f}".format(**Measured(committed))


def test_a_row_of_the_findings_says_the_number_that_decides():
    """Of two that do not hold the one furthest short; p has no part in that verdict."""
    number = {"mean": 0.02, "low": -0.01, "high": 0.04, "n": 5, "asked": "> 0, mean ≥ 0.05", "verdict": "does not hold"}
    found = {
        "claim": "Seeds share units",
        "verdict": "does not hold",
        "because": "all of the interval is below 0.05",
        "decided_by": "second",
        "p": 0.3,
        "p_corrected": 0.6,
        "conditions": {"first": {**number, "is": "the first"}, "second": {**number, "is": "the second", "high": 0.03}},
    }
    shown = "the second: 0.02 [−0.01, 0.03], n = 5; asked > 0, mean ≥ 0.05"
    (row,) = findings_rows({"shared": found})[1]
    assert row == ["Seeds share units", "does not hold", f"{shown}; all of the interval is below 0.05"]
    found |= {"verdict": "undecided", "because": "p is 0.6, corrected for 2 claims"}
    (row,) = findings_rows({"shared": found})[1]
    assert row[2] == f"{shown}; p 0.3, corrected 0.6; p is 0.6, corrected for 2 claims"


def test_every_path_that_the_readme_names_exists():
    named = re.findall(r"`((?:src|conf|docs|benchmarks)/[\w./]+)`", README) + re.findall(
        r"\]\((docs/[\w./]+)\)", README
    )
    assert len(named) >= 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_lens_in_the_readme_looks_at_a_replica(tmp_path):
    """As it stands there: measured without drawing, summarized, drawn and rendered."""
    import numpy as np
    import torch

    from seedscope.data import pictures
    from seedscope.figures.renderer import save
    from seedscope.lenses import Replica
    from seedscope.looks.measure import measure

    (code,) = re.findall(r"```python\n(# mine/brightness\.py\n.*?)```", README, re.S)
    names: dict = {"__name__": "mine.brightness"}
    exec(compile(code, "mine/brightness.py", "exec"), names)
    lens = names["Brightness"]()
    image = np.stack([np.full((1, 2, 2), value) for value in (0.2, 0.4, 0.9)])
    probe = pictures(image, np.array([0, 0, 1]), "probe").assign_coords(sample=np.arange(3))
    replica = Replica("toy", 1, probe, probe, {}, {}, np.arange(2), ("dark", "bright"), torch.nn.Identity)
    assert measure("brightness", lens, replica, tmp_path / "measured.nc") == {"brightest": pytest.approx(0.9)}
    (sheet,) = lens.draw(lens.measure(replica))
    assert sheet.body.marks[0].color == "#0072B2"
    assert save(sheet, tmp_path)[0].exists()
