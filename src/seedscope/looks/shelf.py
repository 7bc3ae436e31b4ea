"""Finished looks, kept by what determines them: a lens measures a replica once, and draws what it measured once.

``.replicas/<fingerprint>/looks/<experiment>/<lens>/`` holds two folders, each named for its key:

    measured-<key>   ``measured.nc`` and its scalars; the key is the SHA-256 of the settings that measuring reads, the
                     code that it imports with the libraries' versions, and the artifacts that the lens sees
    drawn-<key>      the figures; the key is that of all the lens's settings, the code that drawing imports, and the
                     digest of ``measured.nc``

A colour then measures nothing again, and a formula that gives the same numbers draws nothing again. Of each lens the
latest of both are kept; the folder is safe to delete.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.paths import state_folder
from seedscope.files.reading import read_json
from seedscope.files.writing import write_json
from seedscope.lenses.lens import Lens, measuring_settings

_FOUND = "look.json"  # written last: where it stands and its digests hold, the look is finished
_ABANDONED = 24 * 3600  # seconds after which a folder that was never finished belongs to a run that was killed

Make = Callable[[Path], tuple[list[Path], dict[str, Any]]]
"""Writes files into a folder; returns them, and what is to be remembered of them."""


@dataclass(frozen=True)
class Look:
    """What one lens measured or drew of one replica.

    Attributes:
        folder: where it lies.
        files: its files, by their name in the folder, with their digests.
        found: what is remembered of them; of what was measured, the scalars by name.
        made: whether it had to be made now.
    """

    folder: Path
    files: Mapping[str, str]
    found: Mapping[str, Any]
    made: bool


@dataclass(frozen=True)
class Shelf:
    """The looks at one replica.

    Attributes:
        experiment: its experiment.
        replica: its seed, or ``given``.
        folder: where they are kept.
        seen: digests of the artifacts that a lens sees, by name.
    """

    experiment: Experiment
    replica: ReplicaName
    folder: Path
    seen: Mapping[str, str]

    @classmethod
    def of(cls, experiment: Experiment, replica: ReplicaName) -> Shelf:
        """Find the looks at the replica whose artifacts lie in the experiment's place."""
        at = experiment.at
        folder = state_folder() / read_json(at.identity(replica))["fingerprint"] / "looks" / experiment.name
        seen = [
            at.data,
            at.activations(replica),
            at.model(replica),
            *([] if replica == GIVEN else [at.frames(replica)]),
        ]
        return cls(experiment, replica, folder, {path.name: digest(path) for path in seen})

    def measured(self, name: str, lens: Lens, make: Make) -> Look:
        """Return what ``lens`` measured, kept or made now."""
        key = {
            "experiment": self.experiment.name,
            "replica": self.replica,
            "settings": measuring_settings(lens, self.experiment.section("lenses")[name]),
            "code": self.experiment.code("analyze", "measure", name),
            "seen": dict(self.seen),
        }
        return self._kept_or_made(name, "measured", key, make)

    def drawn(self, name: str, measured: str, make: Make) -> Look:
        """Return what the lens drew of the numbers whose digest is ``measured``, kept or made now."""
        key = {
            "settings": self.experiment.section("lenses")[name],
            "code": self.experiment.code("analyze", "draw", name),
            "measured": measured,
        }
        return self._kept_or_made(name, "drawn", key, make)

    def _kept_or_made(self, name: str, kind: str, determined_by: Mapping[str, Any], make: Make) -> Look:
        shelf = self.folder / name
        folder = shelf / f"{kind}-{digest_of(determined_by)}"
        kept = _intact(folder)
        if kept is not None:
            return kept
        temporary = shelf / f"{kind}-{uuid.uuid4().hex}.tmp"
        try:
            with _writing(shelf):
                temporary.mkdir(parents=True)
            written, found = make(temporary)
            # Digests are those of the files as they were written: one that is lost meanwhile is missed.
            files = {path.relative_to(temporary).as_posix(): digest(path) for path in written}
            write_json(temporary / _FOUND, {"files": files, "found": found})
            with _writing(shelf):
                try:
                    temporary.rename(folder)
                except OSError:
                    if _intact(folder) is None:  # else the orphan of a killed run was first: it has the same bytes
                        raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _clear(shelf, kind, folder)
        return Look(folder, files, found, made=True)


def _clear(shelf: Path, kind: str, latest: Path) -> None:
    """Remove earlier looks of a lens, and what a killed run left unfinished."""
    for folder in shelf.glob(f"{kind}-*"):
        with contextlib.suppress(FileNotFoundError):  # an orphan of a killed run clears up too
            being_made = folder.name.endswith(".tmp") and time.time() - folder.stat().st_mtime < _ABANDONED
            if folder != latest and not being_made:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _writing(shelf: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SeedscopeError(f"{shelf} cannot be written: {error.strerror or error}") from error


def _intact(folder: Path) -> Look | None:
    if not folder.exists():
        return None
    try:
        said: Mapping[str, Any] = read_json(folder / _FOUND)
        files = dict(said["files"])
        if all(digest(folder / name) == known for name, known in files.items()):
            return Look(folder, files, dict(said["found"]), made=False)
    except (SeedscopeError, KeyError, TypeError, ValueError):
        pass
    sys.stderr.write(f"{folder} was damaged after it was finished: the lens looks again\n")
    shutil.rmtree(folder, ignore_errors=True)
    return None
