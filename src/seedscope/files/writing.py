"""How every artifact is written: whole or not at all.

A file appears under its final name only when it is complete: it is written beside it under a unique
``*.tmp`` name (ignored by git and DVC) and renamed, so that neither ``kill -9`` nor a second writer of
the same artifact can leave half a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import traceback
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from seedscope.files.errors import SeedscopeError, in_one_line
from seedscope.files.paths import state_folder
from seedscope.files.reading import reason


@contextlib.contextmanager
def replacing(path: Path, size: int = 0) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the name ``path`` in one step.

    The folder is made when missing; on any error the temporary file is removed and ``path`` stays as it was.
    ``size`` bytes are asked of the disk beforehand: HDF5 crashes the process when the disk fills up under it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if size and hasattr(os, "posix_fallocate"):
            with temporary.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def keep_only(folder: Path, files: Collection[Path]) -> None:
    """Remove what lies in ``folder`` besides ``files``, which were just written.

    To empty it before writing would take away what a worker that outlived its stage, or its successor, has written.
    """
    for path in folder.glob("*"):
        if path not in files and path.suffix != ".tmp":
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON with sorted keys, so that equal content is equal bytes.

    A number that is not finite has no place in JSON: put ``None`` where there is no value.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def keep_traceback(error: BaseException, name: str) -> str:
    """Keep an unexpected error's traceback in ``.replicas/logs/<name>.log``; return what to tell of it instead."""
    log = state_folder() / "logs" / f"{name}.log"
    try:
        write_text(log, "".join(traceback.format_exception(error)))
        kept = f"traceback in {log}"
    except SeedscopeError as unwritten:
        kept = f"its log {unwritten}"
    return f"{in_one_line(error)} ({kept})"
