"""What one Python file imports, and one number for its code.

    code = the syntax tree without docstrings; comments and layout are not in it

Imports inside functions count too; those below ``if TYPE_CHECKING:`` never run, and do not. A file is read, never run.
Parsing the whole package takes most of a second, so what was read is kept in ``.replicas/sources.json`` by the content
of the file; it is safe to delete.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path

from seedscope.files.errors import SeedscopeError
from seedscope.files.writing import write_text

_READER = hashlib.sha256(Path(__file__).read_bytes() + platform.python_version().encode()).hexdigest()


@dataclass(frozen=True)
class Import:
    """One import statement: ``import module``, or ``from ..module import name, …``.

    Attributes:
        level: the number of dots.
        module: what stands behind them; empty in ``from . import name``.
        names: what is taken from it; none in ``import module``.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file's imports, in no order, and the SHA-256 of its code."""

    imports: tuple[Import, ...]
    code: str


@dataclass
class Sources:
    """Files that were read, by the SHA-256 of their content.

    Attributes:
        kept: the file that keeps them from one run to the next.
    """

    kept: Path
    _known: dict[str, Source] = field(default_factory=dict)
    _used: dict[str, Source] = field(default_factory=dict)
    _of_file: dict[Path, Source] = field(default_factory=dict)

    @classmethod
    def from_file(cls, kept: Path) -> Sources:
        """Return what was read before; nothing where the file is missing, damaged, or of another reader."""
        try:
            content = json.loads(kept.read_text(encoding="utf-8"))
            found = content["files"] if content["reader"] == _READER else {}
            known = {
                key: Source(tuple(Import(level, module, tuple(names)) for level, module, names in imports), code)
                for key, (imports, code) in found.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            known = {}
        return cls(kept, known)

    def read(self, file: Path) -> Source:
        """Return what is in a file; within one run it is read once."""
        if file not in self._of_file:
            content = file.read_bytes()
            key = hashlib.sha256(content).hexdigest()
            self._used[key] = self._of_file[file] = self._known.get(key) or parsed(file, content)
        return self._of_file[file]

    def keep(self) -> None:
        """Keep what was read in this run, where it is not kept already."""
        if self._used.keys() != self._known.keys():
            files = {key: astuple(source) for key, source in sorted(self._used.items())}
            write_text(self.kept, json.dumps({"reader": _READER, "files": files}))


def parsed(file: Path, content: bytes) -> Source:
    """Return what is in a file of this content; one that is no Python is refused by name and line."""
    tree = syntax(file, content)
    imports = tuple(dict.fromkeys(_imports(tree)))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]  # narrowed above
            node.body = node.body[1:]  # type: ignore[attr-defined]  # narrowed above
    return Source(imports, hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def syntax(file: Path, content: bytes) -> ast.Module:
    """Return the syntax tree of a file of this content."""
    try:
        return ast.parse(content)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise SeedscopeError(f"{file}{line}: not valid Python ({error.msg})") from error
    except ValueError as error:
        raise SeedscopeError(f"{file}: not valid Python ({error})") from error


def run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below ``tree``, and itself, but what stands below ``if TYPE_CHECKING:``."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _asks_for_types(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def imported(node: ast.AST) -> Iterator[Import]:
    """Yield what a node imports, if it is an import statement."""
    if isinstance(node, ast.Import):
        yield from (Import(0, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))


def modules_of(found: Import, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules that an import may load, seen from a file of ``package``: a name may be one too."""
    above = package[: len(package) - found.level + 1] if found.level else ()
    origin = ".".join([*above, *filter(None, found.module.split("."))])
    if origin:  # empty: `from . import name` outside of any package
        yield origin
        yield from (f"{origin}.{name}" for name in found.names)


def _imports(tree: ast.Module) -> Iterator[Import]:
    for node in run_nodes(tree):
        yield from imported(node)


def _asks_for_types(test: ast.expr) -> bool:
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING"
