"""Replicas against each other: what survives a change of seed.

Every number over seeds carries n and a 95 % interval whose unit is the seed; no similarity stands without its
null. This room knows arrays and tables, not networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from seedscope.figures import Drawing


@dataclass(frozen=True)
class Comparison:
    """What a comparison of replicas gives.

    Attributes:
        metrics: by name, each ``{"mean", "low", "high", "n", …}``; ``None`` where there is no value.
        drawings: its figures.
        tables: tidy tables by file name without ending.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    drawings: Sequence[Drawing] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
