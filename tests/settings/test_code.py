"""The code behind a result: followed through its imports, and told apart by what it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.settings.code import PACKAGE_ROOT, code_digest, import_closure, source_digests


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


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_closure_follows_absolute_relative_and_lazy_imports_and_every_package(tree: Path) -> None:
    assert list(import_closure(["net"], [tree])) == [
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
    assert list(import_closure(["parts.deep.inner"], [tree]))[:3] == ["net", "parts", "parts.activations"]
    assert "parts.deep" in import_closure(["parts.deep.inner"], [tree])


def test_installed_libraries_are_left_out(tree: Path) -> None:
    assert "numpy" not in import_closure(["net"], [tree])


def test_a_package_goes_before_a_module_of_its_name_as_in_python(tree: Path) -> None:
    (tree / "parts.py").write_text("")
    assert import_closure(["parts"], [tree])["parts"] == tree / "parts" / "__init__.py"


def test_the_first_root_that_has_a_module_gives_it(tree: Path) -> None:
    other = tree / "elsewhere"
    other.mkdir()
    (other / "net.py").write_text("")
    assert import_closure(["net"], [other, tree]) == {"net": other / "net.py"}


def test_an_import_from_nowhere_ends_the_closure(tree: Path) -> None:
    (tree / "__init__.py").write_text("")
    (tree / "net.py").write_text("from . import x\nfrom ... import y\n")
    assert list(import_closure(["net"], [tree])) == ["net"]


def test_the_training_code_reaches_what_decides_about_bits() -> None:
    closure = set(import_closure(["seedscope.replicas.training"], [PACKAGE_ROOT]))
    assert {
        "seedscope",
        "seedscope.replicas.training",
        "seedscope.replicas.streams",
        "seedscope.files.writing",
    } <= closure
    assert not any(name.startswith(("seedscope.lenses", "seedscope.drawing", "seedscope.report")) for name in closure)


# --- digests --------------------------------------------------------------------------------------------------


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
    before = code_digest(["net"], [tree]), source_digests("net.Net", tree)
    _edit(tree / "net.py", old, new)
    assert (code_digest(["net"], [tree]), source_digests("net.Net", tree)) == before


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
    before = code_digest(["net"], [tree]), source_digests("net.Net", tree)[file]
    _edit(tree / file, old, new)
    after = code_digest(["net"], [tree]), source_digests("net.Net", tree)[file]
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_a_bystander_does_not_change_the_digest(tree: Path) -> None:
    before = code_digest(["net"], [tree])
    (tree / "bystander.py").write_text("x = 1")
    (tree / "parts" / "bystander.py").write_text("x = 1")
    assert code_digest(["net"], [tree]) == before


def test_a_module_that_moves_changes_the_digest(tree: Path) -> None:
    before = code_digest(["parts.late"], [tree])
    (tree / "parts" / "late.py").rename(tree / "parts" / "later.py")
    assert code_digest(["parts.later"], [tree]) != before


def test_source_digests_name_files_from_the_projects_folder(tree: Path) -> None:
    assert sorted(source_digests("parts.lazy.g", tree)) == [
        "net.py",
        "parts/__init__.py",
        "parts/activations.py",
        "parts/deep/__init__.py",
        "parts/deep/inner.py",
        "parts/late.py",
        "parts/layers.py",
        "parts/lazy.py",
    ]


def test_source_digests_follow_modules_below_src_and_leave_this_package_out(tree: Path) -> None:
    (tree / "src" / "seedscope").mkdir(parents=True)
    (tree / "src" / "seedscope" / "__init__.py").write_text("")
    (tree / "src" / "mine.py").write_text("import seedscope, mine_too")
    (tree / "src" / "mine_too.py").write_text("")
    assert sorted(source_digests("mine.Net", tree)) == ["src/mine.py", "src/mine_too.py"]


def test_this_package_has_no_source_digests(tree: Path) -> None:
    assert source_digests("seedscope.models.convnet.ConvNet", tree) == {}


def test_of_an_installed_library_the_one_file_is_digested(tree: Path) -> None:
    assert list(source_digests("json.decoder.JSONDecoder", tree)) == ["json.decoder (installed)"]


@pytest.mark.parametrize("target", ["no_such_module.Net", "json.no_such.Net", "builtins.dict", ".Net"])
def test_a_module_without_a_file_has_no_digests(tree: Path, target: str) -> None:
    assert source_digests(target, tree) == {}


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
        source_digests("broken.Net", tree)


def test_a_file_in_a_declared_encoding_is_read(tree: Path) -> None:
    (tree / "latin.py").write_bytes("# coding: latin-1\nname = 'größer'".encode("latin-1"))
    assert list(source_digests("latin.name", tree)) == ["latin.py"]
