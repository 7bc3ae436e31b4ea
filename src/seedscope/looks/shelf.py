"""Finished looks, kept by what determines them: a lens looks at a replica once.

``.replicas/<fingerprint>/looks/<experiment>.<lens>-<key>/`` holds what the lens measured, its figures and its scalars.
The key is the SHA-256 of the lens's settings, of the code that looking runs, with the versions of its libraries, and of
the artifacts that it sees. Another seed, or a change of one lens, then costs that look and no other. Of each
lens only the latest look is kept; the folder is safe to delete.
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

Scalars = dict[str, float | None]
MEASURED, FIGURES = "measured.nc", "figures"  # what a look leaves in its folder
_FOUND = "look.json"  # written last: where it stands and its digests hold, the look is finished
_ABANDONED = 24 * 3600  # seconds after which a folder that was never finished belongs to a run that was killed


@dataclass(frozen=True)
class Look:
    """What one lens saw of one replica: a folder with ``measured.nc`` and ``figures/``.

    Attributes:
        folder: where it lies.
        scalars: by name; ``None`` where there is no value.
        made: whether the lens had to look now.
    """

    folder: Path
    scalars: Scalars
    made: bool

    @property
    def measured(self) -> Path:
        """Return the file of its numbers."""
        return self.folder / MEASURED

    @property
    def figures(self) -> Path:
        """Return the folder of its figures."""
        return self.folder / FIGURES


@dataclass(frozen=True)
class Looks:
    """The looks at one replica.

    Attributes:
        experiment: its experiment.
        seed: its seed, or ``given``.
        shelf: the folder that keeps them.
        seen: digests of the artifacts that a lens sees, by name.
    """

    experiment: Experiment
    seed: ReplicaName
    shelf: Path
    seen: Mapping[str, str]

    @classmethod
    def at(cls, experiment: Experiment, seed: ReplicaName) -> Looks:
        """Find the looks at the replica whose artifacts lie in the experiment's place."""
        at = experiment.at
        shelf = state_folder() / read_json(at.identity(seed))["fingerprint"] / "looks"
        seen = [at.data, at.activations(seed), at.model(seed), *([] if seed == GIVEN else [at.frames(seed)])]
        return cls(experiment, seed, shelf, {path.name: digest(path) for path in seen})

    def key(self, lens: str) -> str:
        """Return what determines how ``lens`` looks: equal keys give equal bytes."""
        spec = self.experiment.settings["lenses"][lens]
        return digest_of(
            {
                "experiment": self.experiment.name,
                "seed": self.seed,
                "lens": spec,
                "measure": self.experiment.code("analyze", "measure", lens),
                "draw": self.experiment.code("analyze", "draw", lens),
                "seen": self.seen,
            }
        )

    def kept_or_made(self, lens: str, make: Callable[[Path], Scalars]) -> Look:
        """Return the look of ``lens`` that is kept, or else make it.

        ``make`` writes ``measured.nc`` and ``figures/`` into a folder and returns the scalars.
        """
        prefix = f"{self.experiment.name}.{lens}-"
        folder = self.shelf / f"{prefix}{self.key(lens)}"
        kept = _intact(folder)
        if kept is not None:
            return kept
        temporary = self.shelf / f"{prefix}{uuid.uuid4().hex}.tmp"
        try:
            with _writing(self.shelf):
                temporary.mkdir(parents=True)
            scalars = make(temporary)
            write_json(temporary / _FOUND, {"files": _digests(temporary), "scalars": scalars})
            with _writing(self.shelf):
                try:
                    temporary.rename(folder)
                except OSError:
                    if _intact(folder) is None:  # else the orphan of a killed run was first: it has the same bytes
                        raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._clear(prefix, folder)
        return Look(folder, scalars, made=True)

    def _clear(self, prefix: str, latest: Path) -> None:
        """Remove earlier looks of a lens, and what a killed run left unfinished."""
        for folder in self.shelf.glob(f"{prefix}*"):
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
        found: Mapping[str, Any] = read_json(folder / _FOUND)
        if found["files"] == _digests(folder):
            return Look(folder, dict(found["scalars"]), made=False)
    except (SeedscopeError, KeyError, TypeError, ValueError):
        pass
    sys.stderr.write(f"{folder} was damaged after it was finished: the lens looks again\n")
    shutil.rmtree(folder)
    return None


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _FOUND)
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}
