"""Keep the store of replicas below a size: what has not been used for longest goes first.

    kept = (replicas of the experiment at hand) ∪ (replicas in use) ∪ (the last used of the others, up to the limit)

The time of its last use is that of its folder: it changes with every checkpoint, with every look at it, and whenever
the replica is taken from the store. A finished replica counts as in use for minutes, while another process may be
copying it; an unfinished one for a day, for so long may an epoch take. Nothing that is removed is lost: it would be
trained again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from seedscope.files.experiment import Experiment
from seedscope.files.paths import state_folder
from seedscope.files.reading import read_json

_COPIED_WITHIN = 10 * 60  # seconds
_AN_EPOCH_WITHIN = 24 * 3600


@dataclass(frozen=True)
class _Kept:
    folder: Path
    size: int
    used: float  # seconds since 1970

    @classmethod
    def of(cls, folder: Path) -> _Kept | None:
        """Return what a folder of the store holds; ``None`` where another process has just removed it."""
        try:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            used = max(path.stat().st_mtime for path in (folder, *folder.glob("looks"), *folder.glob("looks/*/*")))
            return cls(folder, size, used)
        except FileNotFoundError:
            return None

    def in_use(self, now: float) -> bool:
        spared = _COPIED_WITHIN if (self.folder / "identity.json").exists() else _AN_EPOCH_WITHIN
        return now - self.used < spared


@dataclass(frozen=True)
class Eviction:
    """How much the store may hold.

    Attributes:
        limit_gb: size of ``.replicas/`` in GB (10⁹ bytes) above which replicas are removed. It changes no result.
    """

    limit_gb: Annotated[float, Ge(0)] = 10.0

    def evict(self, experiment: Experiment) -> None:
        """Count the replicas of ``experiment`` as used now, and bring the store back to its limit."""
        own = [str(read_json(experiment.at.identity(seed))["fingerprint"]) for seed in experiment.replicas]
        now = time.time()
        for fingerprint in own:
            if (state_folder() / fingerprint).exists():
                os.utime(state_folder() / fingerprint, (now, now))
        self.reduce(state_folder(), own, now)

    def reduce(self, state: Path, own: Collection[str], now: float) -> None:
        """Remove what was not used for longest, and say so; spare ``own`` fingerprints and what is in use.

        What a killed process left half-written is removed after a day.
        """
        for stale in state.glob("*/.*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # its writer has just given it its name
                if now - stale.stat().st_mtime > _AN_EPOCH_WITHIN:
                    stale.unlink()
        folders = (path for path in state.glob("*") if re.fullmatch("[0-9a-f]{64}", path.name))
        kept = [one for one in map(_Kept.of, folders) if one is not None]
        excess = sum(one.size for one in kept) - self.limit_gb * 1e9
        candidates = sorted(
            (one for one in kept if one.folder.name not in own and not one.in_use(now)), key=lambda one: one.used
        )
        removed = _remove(candidates, excess)
        if removed:
            size = sum(one.size for one in removed)
            sys.stderr.write(
                f"{state} was above store.limit_gb = {self.limit_gb:g}: removed the {len(removed)} replicas that were "
                f"not used for longest ({size / 1e9:.2g} GB)\n"
            )


def _remove(candidates: Iterable[_Kept], excess: float) -> list[_Kept]:
    """Remove candidates until at least ``excess`` bytes are gone; return them."""
    removed = []
    for one in candidates:
        if excess <= 0:
            break
        # First what makes it count as finished: killed here, this leaves an unfinished replica, not a damaged one.
        (one.folder / "identity.json").unlink(missing_ok=True)
        shutil.rmtree(one.folder, ignore_errors=True)
        if not one.folder.exists():
            excess -= one.size
            removed.append(one)
    return removed
