"""What serves one purpose of a lens may not use what serves another: told before anything runs, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.settings.closure import Codebase
from seedscope.settings.code import closures
from seedscope.settings.purposes import check_purposes
from seedscope.settings.said import Composed, Said

ONE_FILE = """
from __future__ import annotations

import numpy as np
import seedscope.figures.sheet
from seedscope.figures import Sheet as Page, marks
from seedscope.figures.colours import PALETTE

RED = PALETTE[0]

class Lens:
    def check(self, network): ...

    def measure(self, replica):
        {measure}
        return self._numbers(replica) + LIMIT

    def draw(self, measured) -> Page:
        yield Page(marks.Line(), color=RED)

    def summarize(self, measured):
        {summarize}

    def _numbers(self, replica):
        return _sum(replica)

LIMIT = 3

def _sum(replica):
    return np.sum(replica)

def _coloured(page: Page):
    return RED

class Helper:
    def colour(self):
        return marks
"""


def refusal(tree: Path, target: str = "mine.Lens") -> str | None:
    settings = {"lenses": {"own": {"_target_": target}}}
    said = Said("conf/lens/own.yaml", settings["lenses"]["own"], place=("lenses", "own"))
    composed = Composed("toy", settings, (said,))
    try:
        check_purposes(composed, Codebase.at(tree, tree / ".replicas"))
    except SeedscopeError as error:
        return str(error)
    return None


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_lens_that_draws_in_draw_alone_is_right(tmp_path: Path) -> None:
    write(tmp_path, {"mine": ONE_FILE.format(measure="figure: Page = 1", summarize="marks = 2; return marks")})
    assert refusal(tmp_path) is None


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("Page()", "'Page' of seedscope.figures"),
        ("x = marks.Line", "'marks' of seedscope.figures"),
        ("x = RED", "'PALETTE' of seedscope.figures.colours"),
        ("_coloured(replica)", "'PALETTE' of seedscope.figures.colours"),
        ("Helper().colour()", "'marks' of seedscope.figures"),
        ("self.draw(replica)", "'PALETTE' of seedscope.figures.colours"),
        ("seedscope.figures.sheet.Sheet()", "'seedscope.figures.sheet.Sheet' of seedscope.figures.sheet.Sheet"),
        ("from seedscope import figures", "'seedscope.figures' of seedscope.figures"),
        ("import seedscope.figures.over", "'seedscope.figures.over' of seedscope.figures.over"),
    ],
)
@pytest.mark.parametrize("method", ["measure", "summarize"])
def test_what_measures_may_not_draw(tmp_path: Path, statement: str, said: str, method: str) -> None:
    write(tmp_path, {"mine": ONE_FILE.format(**{"measure": "pass", "summarize": "pass", method: statement})})
    sentence = refusal(tmp_path)
    assert sentence is not None
    assert sentence.startswith("conf/lens/own.yaml: _target_: mine, line ")
    assert f": {method!r} uses {said}; what measures cannot draw, or a colour would measure again" in sentence


FOLDER = {
    "mine/lens/__init__": (
        "from .compare import compare\nfrom .draw import draw\nfrom .measure import measure\n\n"
        "class Lens:\n"
        "    def measure(self, replica):\n        return measure(replica)\n\n"
        "    def draw(self, measured):\n        return draw(measured)\n\n"
        "    def summarize(self, measured):\n        return {}\n\n"
        "    def compare(self, measured):\n        return compare(measured)\n"
    ),
    "mine/lens/measure": "from . import formula\ndef measure(replica): ...\n",
    "mine/lens/draw": "from seedscope.figures import Sheet\nfrom .measure import measure\ndef draw(measured): ...\n",
    "mine/lens/compare": "from seedscope.figures import Sheet\ndef compare(measured): ...\n",
    "mine/lens/formula": "import numpy\n",
}


def test_a_folder_with_a_file_for_each_purpose_is_right(tmp_path: Path) -> None:
    write(tmp_path, FOLDER)
    assert refusal(tmp_path, "mine.lens.Lens") is None
    assert refusal(tmp_path, "json.decoder.JSONDecoder") is None  # of a library: nothing to look at


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "__init__",
            "return measure(replica)",
            "return draw(replica)",
            "mine.lens, line 7: 'measure' uses 'draw' of mine.lens.draw; that serves another purpose: put what both",
        ),
        ("__init__", "return draw(m", "return compare(m", "'draw' uses 'compare' of mine.lens.compare"),
        ("__init__", "return compare(m", "return measure(m", "'compare' uses 'measure' of mine.lens.measure"),
        ("measure", "import formula", "import draw", "mine.lens.measure imports mine.lens.draw; that serves"),
        ("formula", "import numpy", "import mine.lens.compare", "mine.lens.formula imports mine.lens.compare; that"),
        ("formula", "import numpy", "import seedscope.figures", "mine.lens.formula imports seedscope.figures; what m"),
    ],
)
def test_a_folder_in_which_purposes_mix_is_refused(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    write(tmp_path, FOLDER)
    path = tmp_path / "mine" / "lens" / f"{file}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert said in (refusal(tmp_path, "mine.lens.Lens") or "")


def test_what_serves_another_purpose_does_not_count(tmp_path: Path) -> None:
    """The closures, which the rules above make true."""
    write(tmp_path, FOLDER)
    composed = Composed("toy", {"lenses": {"own": {"_target_": "mine.lens.Lens"}}}, ())
    codebase = Codebase.at(tmp_path, tmp_path / ".replicas")
    found = {stage: dict(closures(stage, composed, codebase)) for stage in ("analyze", "compare")}
    own = {
        "measure": found["analyze"]["measure"]["own"],
        "draw": found["analyze"]["draw"]["own"],
        "compare": found["compare"]["lenses"]["own"],
    }
    inside = {
        purpose: {name.removeprefix("mine.lens.") for name in closure.files if name.startswith("mine.lens.")}
        for purpose, closure in own.items()
    }
    assert inside == {
        "measure": {"measure", "formula"},
        "draw": {"draw", "measure", "formula"},
        "compare": {"compare"},
    }
    drawn = {purpose: any(name.startswith("seedscope.figures") for name in one.files) for purpose, one in own.items()}
    assert drawn == {"measure": False, "draw": True, "compare": True}
    assert not any(name.startswith("mine.lens") for name in found["analyze"]["stage"].files)
