"""What compose would read anew in every project that a test makes: which file imports what, who provides which library.

Both are kept by content, so what was read once holds for every copy of the same files.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from seedscope.files.paths import PACKAGE_ROOT
from seedscope.settings.closure import Codebase

ROOT = Path(__file__).resolve().parents[1]


@cache
def _read() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    codebase = Codebase.at(ROOT, Path(folder.name))
    for file in [*PACKAGE_ROOT.rglob("*.py"), *(ROOT / "pipeline").glob("*.py"), *(ROOT / "examples").glob("*.py")]:
        codebase.sources.read(file)
    codebase.libraries.versions(["numpy"])
    codebase.keep()
    return folder


def take_what_was_read(project: Path) -> None:
    """Give a project what compose would read first."""
    shutil.copytree(_read().name, project / ".replicas", dirs_exist_ok=True)
