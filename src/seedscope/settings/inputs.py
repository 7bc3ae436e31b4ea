"""The files that an experiment reads from outside the pipeline, known by their content: DVC cannot see them itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seedscope.files.components import build
from seedscope.files.digests import digest
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.settings.said import Composed

T = TypeVar("T")


def identified(composed: Composed) -> Composed:
    """Return the settings with the SHA-256 of given weights beside the name of their file."""
    if composed.settings["train"] is not None:
        return composed
    sha256 = _asked(composed, "weights", lambda weights: weights.digest())
    weights = {**composed.settings["weights"], "sha256": sha256}
    return replace(composed, settings={**composed.settings, "weights": weights})


def inputs(composed: Composed) -> dict[str, str]:
    """Return the SHA-256 of every file and folder that the data set reads.

    Those in the user's folder go by their place there, others by their name: where they lie says nothing of a result.
    """

    def digests(data: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in map(Path, data.inputs):
            name = _shown(path)
            found[str(path) if name in found else name] = digest(path)
        return found

    return _asked(composed, "data", digests)


def _asked(composed: Composed, section: str, question: Callable[[Any], T]) -> T:
    """Return what a component answers; settings that it cannot have are told before what it makes of them."""
    try:
        return question(build(composed.settings[section]))
    except Exception as error:  # built before it is checked, a component of the user's may fail in any way
        from seedscope.settings.validate import validate_settings  # imports pydantic

        validate_settings(composed, section)
        if not isinstance(error, SeedscopeError):
            raise
        place = (section, error.key) if isinstance(error, SettingError) else (section,)
        problem = error.problem if isinstance(error, SettingError) else str(error)
        raise SeedscopeError(f"{composed.where(*place)}: {problem}") from error


def _shown(path: Path) -> str:
    root = Path(os.environ.get("DVC_ROOT") or ".").resolve()
    place = path.resolve()
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else path.name
