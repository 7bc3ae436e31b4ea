"""What DVC hashes for a stage: one number for all that it reads of the composed configuration, its code included.

    stages.<stage> = 32 digits of the SHA-256 of the sections that the stage reads, and of its entries in ``code``

DVC copies every hashed value into ``dvc.lock`` and parses that file several times at each start, in pure Python: a
thousand lines cost a second. The number stands for them; the values stay beside it, and ``dvc params diff`` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedscope.files.digests import digest_of

# Sections by stage; ``engine`` and ``store`` are in none, for they change no result.
READS: Mapping[str, tuple[str, ...]] = {
    "generate": ("data", "inputs"),
    "train": ("data", "inputs", "model", "weights", "train", "seeds"),
    "dump": ("model", "dump", "seeds"),
    "analyze": ("lenses", "seeds", "drawn"),
    "compare": ("lenses", "seeds"),
    "sweep": ("experiment", "key", "base", "seeds", "variants"),
    "report": ("experiments", "sweeps"),
}
_DIGITS = 32  # as many as DVC itself takes of a file, and one line of dvc.lock
ALSO = {"train": ("replica",), "analyze": ("replica",)}  # entries of ``code`` that count besides a stage's own


def stage_numbers(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the number of every stage that has an entry in the section ``code`` of a composed configuration."""
    code = content["code"]
    return {stage: _number(stage, content) for stage in READS if stage in code}


def _number(stage: str, content: Mapping[str, Any]) -> str:
    sections = {section: content[section] for section in READS[stage]}
    code = {name: content["code"][name] for name in (stage, *ALSO.get(stage, ()))}
    # Tables and figures over all lenses have their order, which a digest of keys does not see.
    of_variants = [variant["settings"] for variant in content["variants"]] if "variants" in READS[stage] else []
    order = [list(one["lenses"]) for one in ([content] if "lenses" in READS[stage] else of_variants)]
    return digest_of({"sections": sections, "code": code, "order": order})[:_DIGITS]
