"""What a file or a folder holds, in one number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedscope.files.errors import SeedscopeError
from seedscope.files.reading import reason


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and contents."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        return digest_of({p.relative_to(path).as_posix(): digest(p) for p in files})
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be read: {reason(error)}") from error


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON-like content; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
