"""Hold lenses to their purposes, for the closures of :mod:`seedscope.settings.closure` leave out what others serve.

    measure, summarize    use nothing of the room of figures, and in a folder nothing of its ``draw`` and ``compare``
    draw                  uses nothing of its ``measure`` and ``compare``
    compare               uses nothing of its ``measure`` and ``draw``

In the lens's own module a method uses what it names, and what the functions, classes, constants and methods of that
file name which it names in turn. In the folder's ``measure.py``, and what it imports of the folder, no such import may
stand at all. ``draw.py`` may import ``measure.py``: that is followed, and a change there draws again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seedscope.files.errors import SeedscopeError
from seedscope.settings.closure import FIGURES, PURPOSES, Codebase, is_within, target_module
from seedscope.settings.said import Composed
from seedscope.settings.sources import imported, modules_of, run_nodes, syntax

_METHODS = {"measure": ("measure", "summarize"), "draw": ("draw",), "compare": ("compare",)}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def check_purposes(composed: Composed, codebase: Codebase) -> None:
    """Refuse a lens in which what serves one purpose uses what serves another."""
    for lens, spec in composed.settings["lenses"].items():
        module = target_module(spec["_target_"])
        file = codebase.locate(module)
        problem = None if file is None else _in_the_module(module, file) or _in_the_folder(module, codebase)
        if problem is not None:
            raise SeedscopeError(f"{composed.where('lenses', lens, '_target_')}: {problem}")


def _forbidden(purpose: str, lens: str) -> tuple[str, ...]:
    own = tuple(f"{lens}.{name}" for name in PURPOSES[purpose])
    return (FIGURES, *own) if purpose == "measure" else own


def _in_the_module(lens: str, file: Path) -> str | None:
    parts = lens.split(".")
    package = tuple(parts if file.name == "__init__.py" else parts[:-1])
    code = _Module.of(syntax(file, file.read_bytes()), package)
    for purpose, methods in _METHODS.items():
        for method in methods:
            others = _forbidden(purpose, lens)
            uses = [
                use for use in code.uses(method) if any(is_within(m, other) for m in use.modules for other in others)
            ]
            if uses:
                use = min(uses, key=lambda use: use.line)
                module = use.modules[0]
                return f"{lens}, line {use.line}: {method!r} uses {use.name!r} of {module}; {_advice(module)}"
    return None


def _in_the_folder(lens: str, codebase: Codebase) -> str | None:
    seen: set[str] = set()
    waiting = [f"{lens}.measure"]
    while waiting:
        module = waiting.pop()
        if module in seen or codebase.locate(module) is None:
            continue
        seen.add(module)
        for other in codebase.imports(module):
            if any(is_within(other, one) for one in _forbidden("measure", lens)):
                return f"{module} imports {other}; {_advice(other)}"
            if is_within(other, lens) and other != lens:
                waiting.append(other)
    return None


def _advice(module: str) -> str:
    if is_within(module, FIGURES):
        return "what measures cannot draw, or a colour would measure again: leave it to 'draw'"
    return "that serves another purpose: put what both need into a module of its own"


@dataclass(frozen=True)
class _Use:
    """A name that comes from elsewhere: where it is used, and the modules that it may come from."""

    name: str
    line: int
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Module:
    """What a file defines and imports.

    Attributes:
        names: what each top-level name stands for: functions, classes, assignments.
        methods: the methods of all classes by name.
        imports: the modules that a name imported at the top may come from.
        package: of the file.
    """

    names: dict[str, list[ast.AST]]
    methods: dict[str, list[ast.AST]]
    imports: dict[str, tuple[str, ...]]
    package: tuple[str, ...]

    @classmethod
    def of(cls, tree: ast.Module, package: tuple[str, ...]) -> _Module:
        names: dict[str, list[ast.AST]] = {}
        methods: dict[str, list[ast.AST]] = {}
        imports: dict[str, tuple[str, ...]] = {}
        for node in _outside_functions(tree):
            imports |= _bound(node, package)
        for node in tree.body:
            for name in _defined(node):
                names.setdefault(name, []).append(node)
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, _FUNCTIONS):
                        methods.setdefault(inner.name, []).append(inner)
        return cls(names, methods, imports, package)

    def uses(self, method: str) -> Iterator[_Use]:
        """Yield what a method, or function, of this name uses of other modules, directly or by way of the file."""
        waiting = [*self.methods.get(method, ()), *self.names.get(method, ())]
        seen: set[int] = set()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            own = _own_names(node)
            for inner in _running(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    modules = (module for one in imported(inner) for module in modules_of(one, self.package))
                    yield from (_Use(module, inner.lineno, (module,)) for module in modules)
                elif isinstance(inner, ast.Attribute):
                    name = ast.unparse(inner)
                    if name.partition(".")[0] in self.imports:  # `import a.b` binds `a`
                        yield _Use(name, inner.lineno, (name,))
                    if isinstance(inner.value, ast.Name) and inner.value.id in ("self", "cls", *self.names):
                        waiting.extend(self.methods.get(inner.attr, ()))
                elif isinstance(inner, ast.Name) and inner.id not in own:
                    yield _Use(inner.id, inner.lineno, self.imports.get(inner.id, ()))
                    waiting.extend(one for one in self.names.get(inner.id, ()) if not self._is_a_lens(one))

    def _is_a_lens(self, node: ast.AST) -> bool:
        """Return whether a class is a lens: naming it does not run all of its methods."""
        return isinstance(node, ast.ClassDef) and any(
            isinstance(inner, _FUNCTIONS) and inner.name == "measure" for inner in node.body
        )


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    inside = {id(inner) for node in run_nodes(tree) if isinstance(node, _FUNCTIONS) for inner in ast.walk(node)}
    return (node for node in run_nodes(tree) if id(node) not in inside)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when a function does: all but annotations."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        notes = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        waiting.extend(inner for inner in ast.iter_child_nodes(node) if inner not in notes)


def _own_names(tree: ast.AST) -> set[str]:
    """Return the names that a function gives itself: its arguments, and what it assigns."""
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return assigned | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _bound(node: ast.AST, package: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the names that an import statement binds, and the modules that each may come from."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (alias.name,) * bool(alias.asname) for alias in node.names
        }
    if isinstance(node, ast.ImportFrom):
        origin, *modules = modules_of(next(iter(imported(node))), package)
        return {alias.asname or alias.name: (origin, module) for alias, module in zip(node.names, modules, strict=True)}
    return {}


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)]
