"""Which source code a result depends on: the import closure of a module, and its digest.

The closure follows ``import`` statements, also those inside functions, through files below the given folders
(the package, the user's project); installed libraries are told apart by their version instead. It reads the
files and runs none of them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seedscope.files.errors import SeedscopeError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]


def import_closure(modules: Iterable[str], roots: Sequence[Path]) -> dict[str, Path]:
    """Return ``{module name: file}`` of ``modules`` and all they import that lies below ``roots``.

    A package's ``__init__`` belongs to the closure of each of its modules, since importing them runs it.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _locate(name, roots)
        if file is None or name in found:
            continue
        found[name] = file
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        waiting.extend(_imports(name, file))
    return dict(sorted(found.items()))


def code_digest(modules: Iterable[str], roots: Sequence[Path]) -> str:
    """Return one SHA-256 over the code of the closure; comments, layout and docstrings do not count."""
    total = hashlib.sha256()
    for name, file in import_closure(modules, roots).items():
        total.update(f"{name}\0{_code(file)}\0".encode())
    return total.hexdigest()


def target_module(target: str) -> str:
    """Return the module part of a ``_target_`` such as ``package.module.Class``."""
    return target.rpartition(".")[0]


def is_ours(target: str) -> bool:
    """Return whether a ``_target_``, or a module, lies in this package."""
    return target.split(".")[0] == "seedscope"


def source_digests(target: str, project: Path) -> dict[str, str]:
    """Return ``{file: SHA-256}`` of the code behind a ``_target_`` that is not part of this package.

    Files of the user's project are followed through their imports, and comments and docstrings do not count; of
    an installed library the one file that defines the module counts. A module that does not exist has none.
    """
    if is_ours(target):
        return {}
    module = target_module(target)
    closure = import_closure([module], [project, project / "src"])
    files = {file.relative_to(project).as_posix(): file for name, file in closure.items() if not is_ours(name)}
    if files:
        return {name: hashlib.sha256(_code(file).encode()).hexdigest() for name, file in sorted(files.items())}
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # a parent package that cannot be imported: whoever imports it next says why
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return {}
    return {f"{module} (installed)": hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()}


def _locate(module: str, roots: Sequence[Path]) -> Path | None:
    if not module:  # `from . import name` outside of any package
        return None
    for root in roots:
        path = root.joinpath(*module.split("."))
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file
    return None


def _imports(module: str, file: Path) -> Iterator[str]:
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in _read(file, file.read_bytes()).imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *(node.module.split(".") if node.module else [])])
            yield origin
            # `from package import name`: the name may be a module of the package.
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@dataclass(frozen=True)
class _Source:
    """A file's import statements, and its code without comments, layout and docstrings."""

    imports: tuple[ast.Import | ast.ImportFrom, ...]
    code: str


@cache  # by content: reading the whole package takes 0.2 s
def _read(file: Path, content: bytes) -> _Source:
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise SeedscopeError(f"{file}{line}: not valid Python ({error.msg})") from error
    except ValueError as error:
        raise SeedscopeError(f"{file}: not valid Python ({error})") from error
    imports = tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]  # narrowed above
            node.body = node.body[1:]  # type: ignore[attr-defined]  # narrowed above
    return _Source(imports, ast.dump(tree))


def _code(file: Path) -> str:
    return _read(file, file.read_bytes()).code
