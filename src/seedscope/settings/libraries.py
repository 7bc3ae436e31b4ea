"""The versions of installed libraries, by the module that an import statement names.

    torch → torch 2.13.0      PIL → pillow 13.0      a module of Python's own → none

A version is told without its local part: ``2.13.0+cpu`` and ``2.13.0`` are the same source. Who provides which module
takes a third of a second to find out, so it is kept in ``.replicas/libraries.json`` by the list of all that is
installed; the file is safe to delete.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from seedscope.files.digests import digest_of
from seedscope.files.writing import write_text


@dataclass
class Libraries:
    """Which distributions provide each top-level module, and their versions.

    Attributes:
        kept: the file that keeps who provides what from one run to the next.
    """

    kept: Path
    _installed: str = field(default_factory=lambda: _installed())
    _providers: dict[str, list[str]] | None = None
    _versions: dict[str, str] = field(default_factory=dict)
    _is_kept: bool = False

    def versions(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the version of each distribution that provides one of these top-level modules, by its name."""
        third_party = {module for module in modules if module not in sys.stdlib_module_names}
        return {name: self._version(name) for name in sorted(self._names(third_party))}

    def keep(self) -> None:
        """Keep who provides what, where it is not kept already."""
        if self._providers is not None and not self._is_kept:
            write_text(self.kept, json.dumps({"installed": self._installed, "providers": self._providers}))

    def _names(self, modules: set[str]) -> set[str]:
        if modules and self._providers is None:
            self._providers = self._read()
            self._is_kept = self._providers is not None
            if self._providers is None:
                self._providers = {name: sorted(set(of)) for name, of in metadata.packages_distributions().items()}
        return {name for module in modules for name in (self._providers or {}).get(module, ())}

    def _read(self) -> dict[str, list[str]] | None:
        try:
            content = json.loads(self.kept.read_text(encoding="utf-8"))
            return dict(content["providers"]) if content["installed"] == self._installed else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _version(self, name: str) -> str:
        if name not in self._versions:
            self._versions[name] = installed_version(name)
        return self._versions[name]


def installed_version(name: str) -> str:
    """Return the version of an installed distribution, without its local part."""
    return metadata.version(name).partition("+")[0]


def _installed() -> str:
    """Return one number for the list of all that is installed."""
    folders = [Path(entry) for entry in sys.path if Path(entry).is_dir()]
    return digest_of(
        {str(folder): sorted(path.name for path in folder.glob("*.*-info")) for folder in folders}  # dist-, egg-info
    )
