"""Download a published file: resumed where it broke off, checked, and under its name only when it is right.

What has arrived lies beside the file in ``<name>.part``. A mirror is asked for the rest (HTTP ``Range``) as long as it
sends something, then the next one: they publish the same bytes. The whole is held against its SHA-256 and takes its
name in one step; wrong bytes are deleted. A lock on the ``.part`` file keeps a second download of it waiting.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any

from seedscope.files.errors import SeedscopeError, in_one_line

_AT_ONCE = 1 << 16
_PATIENCE = 20.0  # seconds without a byte after which a mirror counts as dead


@dataclass(frozen=True)
class Published:
    """A file as it was published: name, size in bytes, SHA-256."""

    name: str
    size: int
    sha256: str


class _MirrorError(Exception):
    """A mirror did not send what it was asked for; the words say what it did."""


def download(file: Published, mirrors: Sequence[str], folder: Path) -> None:
    """Put ``file`` into ``folder``, from the first of the mirrors that has it.

    Raises:
        SeedscopeError: no mirror sent the file (each is named with what went wrong), or it cannot be written.
    """
    failures = []
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(part) as arrived:
            if (folder / file.name).exists():  # another process was quicker
                part.unlink()
                return
            for mirror in mirrors:
                try:
                    _complete(file, arrived, f"{mirror.rstrip('/')}/{file.name}")
                except _MirrorError as error:
                    failures.append(f"{mirror}: {error}")
                    continue
                part.replace(folder / file.name)
                return
            kept = _size(arrived)
            if not kept:
                part.unlink()
    except OSError as error:
        raise SeedscopeError(f"{folder / file.name} cannot be written: {error.strerror}") from error
    resumed = f"; the {kept} bytes that arrived wait in {part}" if kept else ""
    raise SeedscopeError(f"{file.name} cannot be downloaded ({'; '.join(failures)}){resumed}")


def published_size(name: str, mirrors: Sequence[str]) -> int:
    """Return the size in bytes that the first of the mirrors that knows it gives for a file.

    Raises:
        SeedscopeError: no mirror says it; each is named with what it did instead.
    """
    failures = []
    for mirror in mirrors:
        request = urllib.request.Request(f"{mirror.rstrip('/')}/{name}", method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                said = str(answer.headers.get("Content-Length"))
            if said.isdigit():
                return int(said)
            failures.append(f"{mirror}: it does not say how long the file is")
        except urllib.error.HTTPError as error:
            failures.append(f"{mirror}: it answered {error.code} {error.reason}")
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            failures.append(f"{mirror}: no connection: {in_one_line(error)}")
    raise SeedscopeError(f"{name} cannot be downloaded ({'; '.join(failures)})")


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[BufferedRandom]:
    """Open the ``.part`` file, empty or with what arrived before, for this process alone."""
    while True:
        with part.open("a+b") as arrived:
            fcntl.flock(arrived, fcntl.LOCK_EX)
            # Whoever held the lock before may have renamed or removed the file: then this is another one's.
            if part.exists() and os.path.samestat(part.stat(), os.fstat(arrived.fileno())):
                yield arrived
                return


def _complete(file: Published, arrived: BufferedRandom, address: str) -> None:
    """Ask one mirror until the file is whole and right, or it sends nothing more."""
    from_the_start = not _size(arrived)
    while True:
        before = _size(arrived)
        trouble = _fetch(file, arrived, address) if before < file.size else ""
        now = _size(arrived)
        if now < file.size:
            if now <= before:
                raise _MirrorError(trouble)
            continue
        arrived.seek(0)
        found = hashlib.file_digest(arrived, "sha256").hexdigest()
        if found == file.sha256:
            return
        arrived.truncate(0)
        if from_the_start:
            raise _MirrorError(f"it sent another file (SHA-256 {found[:12]}…, not {file.sha256[:12]}…)")
        from_the_start = True  # what had arrived before may have been wrong


def _fetch(file: Published, arrived: BufferedRandom, address: str) -> str:
    """Append what the mirror sends, one byte too many at most, and return what went wrong, if anything did."""
    offset = _size(arrived)
    request = urllib.request.Request(address, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            if answer.status != 206:  # it sends the whole file
                offset = 0
                arrived.truncate(0)
            elif not str(answer.headers.get("Content-Range")).startswith(f"bytes {offset}-"):
                return f"it sent another part of the file than that from byte {offset} on"
            with _bar(file, offset) as bar:
                while chunk := answer.read(min(_AT_ONCE, file.size + 1 - offset)):
                    _append(arrived, chunk)
                    offset += len(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        return f"it answered {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return f"no connection: {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"the connection broke: {in_one_line(error)}"
    return f"the transfer broke off after {offset} of {file.size} bytes"


def _append(arrived: BufferedRandom, chunk: bytes) -> None:
    try:
        arrived.write(chunk)
        arrived.flush()
    except OSError as error:
        raise SeedscopeError(f"{arrived.name} cannot be written: {error.strerror}") from error


def _size(arrived: BufferedRandom) -> int:
    return os.fstat(arrived.fileno()).st_size


def _bar(file: Published, offset: int) -> Any:
    """Return a progress bar on a terminal; anywhere else it stays quiet."""
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    return tqdm(desc=file.name, total=file.size, initial=offset, unit="B", unit_scale=True, disable=quiet)
