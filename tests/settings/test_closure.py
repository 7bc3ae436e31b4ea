"""The import closure of a module: followed through its imports, and told apart by what it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.settings import libraries, sources
from seedscope.settings.closure import Codebase


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with a package, a module beside it, and a package of the same name as a module."""
    files = {
        "net.py": "import numpy\nfrom parts.layers import Layer\n\nclass Net:\n    width = 3\n",
        "parts/__init__.py": "",
        "parts/layers.py": "from . import activations\nfrom .deep import inner\nimport parts.no_module\n",
        "parts/activations.py": "",
        "parts/deep/__init__.py": "from ..late import at_last\n",
        "parts/deep/inner.py": "def f():\n    from parts.lazy import g\n    return g\n",
        "parts/late.py": "at_last = 1\n",
        "parts/lazy.py": "import net\n",
        "parts/bystander.py": "",
        "bystander.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def at(tree: Path) -> Codebase:
    return Codebase.at(tree, tree / ".replicas")


def modules(tree: Path, *names: str) -> list[str]:
    return sorted(at(tree).closure(names).files)


def entry(tree: Path, *names: str) -> dict[str, str]:
    codebase = at(tree)
    return codebase.entry(codebase.closure(names))


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_closure_follows_absolute_relative_and_lazy_imports_and_every_package(tree: Path) -> None:
    assert modules(tree, "net") == [
        "net",
        "parts",
        "parts.activations",
        "parts.deep",
        "parts.deep.inner",
        "parts.late",
        "parts.layers",
        "parts.lazy",
    ]


def test_a_module_brings_its_packages_along(tree: Path) -> None:
    assert modules(tree, "parts.deep.inner")[:3] == ["net", "parts", "parts.activations"]
    assert "parts.deep" in modules(tree, "parts.deep.inner")


def test_installed_libraries_are_left_out(tree: Path) -> None:
    assert "numpy" not in modules(tree, "net")


def test_a_package_goes_before_a_module_of_its_name_as_in_python(tree: Path) -> None:
    (tree / "parts.py").write_text("")
    assert at(tree).closure(["parts"]).files["parts"] == tree / "parts" / "__init__.py"


def test_src_goes_before_the_projects_folder_as_in_python(tree: Path) -> None:
    (tree / "src").mkdir()
    (tree / "src" / "net.py").write_text("")
    assert at(tree).closure(["net"]).files == {"net": tree / "src" / "net.py"}


def test_an_import_from_nowhere_ends_the_closure(tree: Path) -> None:
    (tree / "__init__.py").write_text("")
    (tree / "net.py").write_text("from . import x\nfrom ... import y\n")
    assert modules(tree, "net") == ["net"]


def test_what_only_a_type_checker_imports_does_not_count(tree: Path) -> None:
    text = "import typing\nif typing.TYPE_CHECKING:\n    import bystander\nelse:\n    import parts.late\n"
    (tree / "net.py").write_text(text)
    assert modules(tree, "net") == ["net", "parts", "parts.late"]


# --- entries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import numpy", "# a comment\nimport numpy"),
        ("import numpy", '"""A docstring."""\nimport numpy'),
        ("class Net:\n", 'class Net:\n    """A docstring."""\n\n'),
        ("    width = 3", "    width = (\n        3\n    )  # three"),
    ],
    ids=["comment", "module's docstring", "class's docstring", "layout"],
)
def test_comments_docstrings_and_layout_do_not_change_the_digest(tree: Path, old: str, new: str) -> None:
    before = entry(tree, "net")
    _edit(tree / "net.py", old, new)
    assert entry(tree, "net") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("net.py", "width = 3", "width = 4"),
        ("net.py", "    width = 3", '    width = """3"""'),
        ("parts/lazy.py", "import net", "import net as other"),
        ("parts/deep/__init__.py", "from ..late", "from parts.late"),
    ],
)
def test_code_anywhere_in_the_closure_changes_the_digest(tree: Path, file: str, old: str, new: str) -> None:
    before = entry(tree, "net")
    _edit(tree / file, old, new)
    assert entry(tree, "net")["digest"] != before["digest"]


def test_a_bystander_does_not_change_the_digest(tree: Path) -> None:
    before = entry(tree, "net")
    (tree / "bystander.py").write_text("x = 1")
    (tree / "parts" / "bystander.py").write_text("x = 1")
    assert entry(tree, "net") == before


def test_a_module_that_moves_changes_the_digest(tree: Path) -> None:
    before = entry(tree, "parts.late")
    (tree / "parts" / "late.py").rename(tree / "parts" / "later.py")
    assert entry(tree, "parts.later")["digest"] != before["digest"]


def test_an_entry_names_the_libraries_that_the_closure_imports_and_no_other(tree: Path) -> None:
    (tree / "parts" / "lazy.py").write_text("import json, PIL.Image\nfrom sklearn.datasets import load_digits\n")
    assert entry(tree, "net").keys() == {"digest", "python", "numpy", "pillow", "scikit-learn"}
    assert entry(tree, "parts").keys() == {"digest", "python"}


def test_another_version_of_a_library_shows_where_it_is_imported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = entry(tree, "net"), entry(tree, "parts")
    monkeypatch.setattr(libraries, "installed_version", lambda name: f"{name} of tomorrow")
    assert entry(tree, "net") == {**before[0], "numpy": "numpy of tomorrow"}
    assert entry(tree, "parts") == before[1]


def test_the_local_part_of_a_version_says_nothing_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "2.13.0+cpu")
    assert libraries.installed_version("torch") == "2.13.0"


def test_what_was_read_before_is_kept_and_safe_to_lose(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = at(tree)
    expected = first.entry(first.closure(["net"]))
    first.keep()
    with monkeypatch.context() as patch:
        patch.setattr(sources, "parsed", lambda file, _content: pytest.fail(f"{file} was parsed again"))
        patch.setattr("importlib.metadata.packages_distributions", lambda: pytest.fail("asked again"))
        assert entry(tree, "net") == expected
    for damaged in ("sources.json", "libraries.json"):
        for content in ("", "[]", "{}", '{"reader": 1}'):
            (tree / ".replicas" / damaged).write_text(content)
            assert entry(tree, "net") == expected


def test_of_a_target_in_a_library_the_file_counts_and_the_version(tree: Path) -> None:
    codebase = at(tree)
    closure = codebase.target("safetensors.numpy")
    assert list(closure.files) == ["safetensors.numpy (installed)"]
    assert codebase.entry(closure).keys() == {"digest", "python", "safetensors"}
    assert codebase.entry(codebase.target("json.decoder")).keys() == {"digest", "python"}


@pytest.mark.parametrize("module", ["no_such_module", "json.no_such", "builtins", ""])
def test_a_module_without_a_file_has_no_code(tree: Path, module: str) -> None:
    assert at(tree).target(module).files == {}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"x = (", r"broken\.py, line 1: not valid Python"),
        (b"x = 1\n  y = 2", r"broken\.py, line 2: not valid Python \(unexpected indent\)"),
        (b"x = '\x00'", r"broken\.py: not valid Python \(source code string cannot contain null bytes\)"),
        (b"x = '\xff'", r"broken\.py.*: not valid Python"),
    ],
)
def test_a_file_that_is_not_python_is_named(tree: Path, source: bytes, problem: str) -> None:
    (tree / "broken.py").write_bytes(source)
    with pytest.raises(SeedscopeError, match=problem):
        entry(tree, "broken")


def test_a_file_in_a_declared_encoding_is_read(tree: Path) -> None:
    (tree / "latin.py").write_bytes("# coding: latin-1\nname = 'größer'".encode("latin-1"))
    assert modules(tree, "latin") == ["latin"]
