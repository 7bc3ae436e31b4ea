"""Download a published file: resumed where it broke off, checked, and under its name only when it is right.

What has arrived lies beside the file in ``<name>.part``. A mirror is asked for the rest (HTTP ``Range``) as long as it
sends something, then the next one: they publish the same bytes. The whole is held against its SHA-256 and takes its
name in one step; wrong bytes are deleted. A lock on the ``.part`` file keeps a second download of it waiting. Pooch
transfers, shows progress and hashes; resuming and asking the next mirror are not in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.files.errors import SeedscopeError, in_one_line

if TYPE_CHECKING:
    import requests

_PATIENCE = 20.0  # seconds without a byte after which a mirror counts as dead


@dataclass(frozen=True)
class Published:
    """A file as it was published: name and SHA-256."""

    name: str
    sha256: str


class _MirrorError(Exception):
    """A mirror did not send what it was asked for; the words say what it did."""


def download(file: Published, mirrors: Sequence[str], folder: Path) -> None:
    """Put ``file`` into ``folder``, from the first of the mirrors that has it.

    Raises:
        SeedscopeError: no mirror sent the file (each is named with what went wrong), or it cannot be written.
    """
    import pooch

    failures = []
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(part) as arrived:
            if (folder / file.name).exists():  # another process was quicker
                part.unlink()
                return
            if _size(arrived) and pooch.file_hash(str(part)) == file.sha256:  # whole, but not yet named
                part.replace(folder / file.name)
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
    import pooch

    resumed = _append_all(arrived, address)
    if pooch.file_hash(arrived.name) == file.sha256:
        return
    if resumed:  # what had arrived before may have been wrong
        arrived.truncate(0)
        _append_all(arrived, address)
    found = pooch.file_hash(arrived.name)
    if found != file.sha256:
        arrived.truncate(0)
        raise _MirrorError(f"it sent another file (SHA-256 {found[:12]}…, not {file.sha256[:12]}…)")


def _append_all(arrived: BufferedRandom, address: str) -> bool:
    """Append what a mirror sends until it has no more; return whether that is not all from one answer."""
    import pooch
    import requests

    resumed = False
    while True:
        offset = _size(arrived)
        resumed |= offset > 0
        fetch = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            timeout=_PATIENCE,
            # The bytes as they are published: Range counts those, and a server may compress what it sends.
            headers={"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})},
            hooks={"response": _from(offset, arrived)},
        )
        try:
            fetch(address, arrived, None)
        except requests.HTTPError as error:
            if error.response.status_code == requests.codes.requested_range_not_satisfiable:
                return resumed  # there is no more
            raise _MirrorError(f"it answered {error.response.status_code} {error.response.reason}") from error
        except requests.RequestException as error:
            if _size(arrived) <= offset:
                raise _MirrorError(f"no connection: {_first_cause(error)}") from error
        else:
            return resumed


def _from(offset: int, arrived: BufferedRandom) -> Callable[..., None]:
    """Return what holds an answer against the byte that it was to begin with."""

    def check(answer: requests.Response, **_: Any) -> None:
        if answer.ok and not answer.headers.get("Content-Length", "").isdigit():  # it might never end
            raise _MirrorError("it does not say how long the file is")
        if answer.status_code == 206:
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise _MirrorError(f"it sent another part of the file than that from byte {offset} on")
        elif answer.ok:  # it sends the whole file
            arrived.truncate(0)

    return check


def _first_cause(error: BaseException) -> str:
    """Return in words what requests and urllib3 wrapped into errors of their own."""
    while error.__context__ is not None:
        error = error.__context__
    return in_one_line(error)


def _size(arrived: BufferedRandom) -> int:
    return os.fstat(arrived.fileno()).st_size
