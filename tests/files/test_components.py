"""A ``_target_`` becomes a component, or one sentence that says what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from seedscope.data.squares import Squares
from seedscope.files.components import build, find
from seedscope.files.errors import SeedscopeError, SettingError


class Fussy:
    def __init__(self, error: Exception | None = None) -> None:
        if error is not None:
            raise error


def test_a_component_is_built_with_its_settings_and_the_spec_stays_as_it_was() -> None:
    spec = {"_target_": "seedscope.data.squares.Squares", "n_train": 9, "polarity": "dark"}
    assert build(spec) == Squares(n_train=9, polarity="dark")
    assert spec == {"_target_": "seedscope.data.squares.Squares", "n_train": 9, "polarity": "dark"}


def test_a_function_is_a_component_too() -> None:
    assert find("seedscope.replicas.streams.known_streams")() == ("weights", "order", "draw", "head")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "seedscope.data.sqares.Squares",
            "seedscope.data.sqares.Squares cannot be imported: there is no module 'seedscope.data.sqares'; "
            "did you mean 'squares'?",
        ),
        ("seedscope.dta.squares.Squares", "there is no module 'seedscope.dta'; did you mean 'data'?"),
        ("sedscope.data.Squares", "there is no module 'sedscope'; did you mean 'seedscope'?"),
        (
            "seedscope.data.squares.Sqares",
            "seedscope.data.squares has no class or function 'Sqares'; did you mean 'Squares'?",
        ),
        ("seedscope.data.squares._CHUNK", "seedscope.data.squares has no class or function '_CHUNK'; there are: "),
        ("seedscope.models.convnet", "seedscope.models has no class or function 'convnet'; there are none"),
        ("seedscope.models.convnet.", "seedscope.models.convnet has no class or function ''; there are: "),
        ("qqqqqqqqqqqqqqqqqq.X", "qqqqqqqqqqqqqqqqqq.X cannot be imported: there is no module 'qqqqqqqqqqqqqqqqqq'"),
        (".squares.Squares", ".squares.Squares cannot be imported: TypeError"),
        ("Squares", "Squares cannot be imported: ValueError"),
    ],
)
def test_a_target_that_does_not_exist_is_refused_with_the_nearest(target: str, sentence: str) -> None:
    with pytest.raises(SeedscopeError) as refused:
        find(target)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import nothing_at_all", "broken_module.X cannot be imported: there is no module 'nothing_at_all'"),
        ("from json import nothing", "broken_module.X cannot be imported: ImportError: cannot import name 'nothing'"),
        ("x = (", "broken_module.X cannot be imported: SyntaxError: "),
        ("assert not 'two\\nlines'", "broken_module.X cannot be imported: AssertionError"),
        ("raise SystemExit(0)", "broken_module.X cannot be imported: SystemExit: 0"),
    ],
)
def test_a_module_that_fails_while_it_is_imported_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, sentence: str
) -> None:
    (tmp_path / "broken_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SeedscopeError) as refused:
        find("broken_module.X")
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
    assert "broken_module" not in sys.modules


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"error": ValueError("not\nso")}, "Fussy: ValueError: not so"),
        ({"error": OSError(2, "No such file", "x.bin")}, "Fussy: FileNotFoundError: [Errno 2] No such file: 'x.bin'"),
        ({"error": AssertionError()}, "Fussy: AssertionError"),
        ({"eror": None}, "Fussy: TypeError: "),
    ],
)
def test_whatever_a_component_refuses_is_told_with_its_target(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SeedscopeError) as refused:
        build({"_target_": f"{__name__}.Fussy", **settings})
    assert str(refused.value).startswith(f"{__name__}.{sentence}")
    assert "\n" not in str(refused.value)


def test_a_setting_error_keeps_its_key() -> None:
    with pytest.raises(SettingError) as refused:
        build({"_target_": "seedscope.data.squares.Squares", "side": 40})
    assert refused.value.key == "side"
