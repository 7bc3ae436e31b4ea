"""What was composed before: it stays right while the files that say it, and the code that reads them, are the same.

Hydra takes most of a second to compose four experiments; ``.replicas/composed.json`` keeps its answer, and is safe to
delete. Where a file asks for more than files say (``${oc.env:HOME}``), nothing is kept; ``oc.select`` and the like
look into the files alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedscope.files.digests import digest_of
from seedscope.files.writing import write_text
from seedscope.settings.closure import Codebase
from seedscope.settings.said import PARAMS, Composed
from seedscope.settings.sweeps import ComposedSweep

_ASKS_OUTSIDE = re.compile(r"\$\{\s*(?!oc\.(?:select|decode|create|dict\.keys|dict\.values)\s*:)[\w.]+\s*:")


@dataclass(frozen=True)
class Plan:
    """Everything that ``params.yaml`` asks for, composed."""

    experiments: Sequence[Composed]
    sweeps: Sequence[ComposedSweep]


@dataclass(frozen=True)
class KeptPlan:
    """Where a plan is kept, and what it must have been composed of."""

    file: Path
    of: str | None

    @classmethod
    def at(cls, state: Path, project: Path, codebase: Codebase) -> KeptPlan:
        """Return the place below ``state`` of what is composed of the files of ``project`` as they are now."""
        paths = [project / PARAMS, *sorted((project / "conf").rglob("*.yaml"))]
        try:
            texts = {path.relative_to(project).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        except (OSError, ValueError):  # whoever composes says what is wrong with it
            return cls(state / "composed.json", None)
        asks = any(_ASKS_OUTSIDE.search(text) for text in texts.values())
        code = codebase.entry(codebase.closure(["seedscope.settings.compose"]))
        return cls(state / "composed.json", None if asks else digest_of({"files": texts, "code": code}))

    def read(self) -> Plan | None:
        """Return the plan that is kept; of a setting it no longer knows which file decides it."""
        try:
            content: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            if self.of is None or content["of"] != self.of:
                return None
            experiments = [Composed(said=(), **one) for one in content["experiments"]]
            return Plan(experiments, [_sweep(one) for one in content["sweeps"]])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, plan: Plan) -> None:
        """Keep a plan."""
        if self.of is not None:
            experiments = [_plain(one) for one in plan.experiments]
            sweeps = [
                {**vars(one), "base": _plain(one.base), "variants": [_plain(variant) for variant in one.variants]}
                for one in plan.sweeps
            ]
            write_text(self.file, json.dumps({"of": self.of, "experiments": experiments, "sweeps": sweeps}))


def _plain(composed: Composed) -> dict[str, Any]:
    return {"name": composed.name, "settings": composed.settings}


def _sweep(content: dict[str, Any]) -> ComposedSweep:
    base, variants = content["base"], content["variants"]
    composed = {
        "base": Composed(said=(), **base),
        "variants": tuple(Composed(said=(), **variant) for variant in variants),
    }
    return ComposedSweep(**{**content, "values": tuple(content["values"]), **composed})
