"""Which code a result depends on: the import closure of some modules, as one number and the versions of libraries.

    closure = the modules, their packages, and whatever one of these imports that is ours or the user's
    entry   = {digest: of the closure's code, python: its version, <library>: its version, …}

Ours is this package, the user's what lies in the project's folder or its ``src``. Comments, docstrings and layout do
not count. Of any other library the version counts; where a ``_target_`` lies in one, the file of its module does too.

A lens is looked at for three *purposes*, each with a closure of its own (:data:`PURPOSES`): an import of the room of
figures by a lens is not followed for measuring, and the lens's own module does not lead to those of its submodules that
serve the other purposes. What composes settings counts for nothing that is not part of it: it computes no result.
:mod:`seedscope.settings.purposes` holds lenses to that.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from seedscope.files.digests import digest
from seedscope.files.paths import PACKAGE_ROOT
from seedscope.settings.libraries import Libraries
from seedscope.settings.sources import Sources, modules_of

FIGURES = "seedscope.figures"
_LENSES, _SETTINGS = "seedscope.lenses", "seedscope.settings"
PURPOSES: Mapping[str, tuple[str, ...]] = {  # and the submodules of a lens that do not serve it
    "measure": ("draw", "compare"),
    "draw": ("measure", "compare"),
    "compare": ("measure", "draw"),
}
Entry = dict[str, str]


@dataclass(frozen=True)
class Closure:
    """Code that belongs together.

    Attributes:
        files: by module; of a library ``<module> (installed)``.
        libraries: top-level modules that are imported and are neither ours nor the user's.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    libraries: frozenset[str] = frozenset()

    def __or__(self, other: Closure) -> Closure:
        return Closure({**self.files, **other.files}, self.libraries | other.libraries)


@dataclass
class Codebase:
    """The code of a project, as it lies on disk now.

    Attributes:
        project: its folder.
        sources: what its files import.
        libraries: what is installed.
    """

    project: Path
    sources: Sources
    libraries: Libraries
    _files: dict[str, Path | None] = field(default_factory=dict)
    _edges: dict[str, tuple[tuple[str, ...], frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def at(cls, project: Path, state: Path) -> Codebase:
        """Return the code of a project; what reading it costs is kept below ``state``."""
        return cls(project, Sources.from_file(state / "sources.json"), Libraries(state / "libraries.json"))

    def keep(self) -> None:
        """Keep what was read, for the next run."""
        self.sources.keep()
        self.libraries.keep()

    def closure(self, modules: Iterable[str], purpose: str | None = None, lens: str = "") -> Closure:
        """Return the closure of ``modules``.

        Args:
            modules: names; one that does not exist has no code.
            purpose: what the lens is looked at for.
            lens: the module of the lens.
        """
        ignored = _ignored(purpose, lens)
        files: dict[str, Path] = {}
        libraries: set[str] = set()
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            file = self.locate(name)
            if name in files or file is None:
                continue
            files[name] = file
            ours, theirs = self._imports(name, file)
            waiting.extend(module for module in ours if not ignored(name, module))
            libraries |= theirs
        return Closure(files, frozenset(libraries))

    def target(self, module: str) -> Closure:
        """Return the closure of a component's module, which may lie in a library."""
        closure = self.closure([module])
        if closure.files:
            return closure
        file = _installed_file(module)
        return Closure({f"{module} (installed)": file}, frozenset({module.split(".")[0]})) if file else Closure()

    def entry(self, closure: Closure) -> Entry:
        """Return one digest of a closure's code, and the versions of Python and of the libraries it imports."""
        total = hashlib.sha256()
        for name, file in sorted(closure.files.items()):
            code = digest(file) if name.endswith(" (installed)") else self.sources.read(file).code
            total.update(f"{name}\0{code}\0".encode())
        python = ".".join(map(str, sys.version_info[:2]))
        return {"digest": total.hexdigest(), "python": python, **self.libraries.versions(closure.libraries)}

    def imports(self, module: str) -> tuple[str, ...]:
        """Return the modules, ours or the user's, that a module loads."""
        file = self.locate(module)
        return () if file is None else self._imports(module, file)[0]

    def locate(self, module: str) -> Path | None:
        """Return the file of a module that is ours or the user's."""
        if module not in self._files:
            ours = module.split(".")[0] == "seedscope"
            roots = [PACKAGE_ROOT] if ours else [self.project / "src", self.project]
            paths = [root.joinpath(*module.split(".")) for root in roots]
            files = (file for path in paths for file in (path / "__init__.py", path.with_name(f"{path.name}.py")))
            self._files[module] = next((file for file in files if file.is_file()), None)
        return self._files[module]

    def _imports(self, module: str, file: Path) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return the modules that a module loads, its packages among them, and the libraries that it names."""
        if module not in self._edges:
            parts = module.split(".")
            package = tuple(parts if file.name == "__init__.py" else parts[:-1])
            named = [one for found in self.sources.read(file).imports for one in modules_of(found, package)]
            named += [".".join(parts[:length]) for length in range(1, len(parts))]
            ours = tuple(dict.fromkeys(one for one in named if self.locate(one) is not None))
            tops = {one.split(".")[0] for one in named} - {one.split(".")[0] for one in ours} - {"seedscope"}
            self._edges[module] = ours, frozenset(tops)
        return self._edges[module]


def target_module(target: str) -> str:
    """Return the module part of a ``_target_`` such as ``package.module.Class``."""
    return target.rpartition(".")[0]


def is_within(module: str, package: str) -> bool:
    """Return whether a module is ``package`` or lies in it."""
    return module == package or module.startswith(f"{package}.")


def _ignored(purpose: str | None, lens: str) -> Callable[[str, str], bool]:
    """Return whether an import, by (importing, imported) module, does not count for a purpose."""
    others = tuple(f"{lens}.{name}" for name in PURPOSES[purpose]) if purpose else ()

    def ignored(importing: str, imported: str) -> bool:
        if is_within(imported, _SETTINGS) and not is_within(importing, _SETTINGS):
            return True
        if purpose == "measure" and is_within(imported, FIGURES):
            return is_within(importing, lens) or is_within(importing, _LENSES)
        return importing == lens and any(is_within(imported, other) for other in others)

    return ignored


def _installed_file(module: str) -> Path | None:
    """Return the file of a module of an installed library, without importing its packages."""
    spec, above = None, ""
    for part in module.split("."):
        try:
            if not above:
                spec = find_spec(part) if part else None
            else:
                spec = PathFinder.find_spec(f"{above}.{part}", spec.submodule_search_locations) if spec else None
        except (ImportError, ValueError):
            return None
        above = f"{above}.{part}" if above else part
    return Path(spec.origin) if spec is not None and spec.origin and Path(spec.origin).is_file() else None
