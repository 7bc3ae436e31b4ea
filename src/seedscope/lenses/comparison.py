"""What a lens gives when it compares replicas.

Every number over seeds carries n and a 95 % interval whose unit is the seed; no similarity stands without its null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from seedscope.drawing import Drawing


@dataclass(frozen=True)
class Pairs:
    """A number of every pair of seeds; the diagonals are not looked at.

    Attributes:
        value: (seed, seed), symmetric.
        chance: what is expected of unrelated seeds, (seed, seed).
        limit: the largest value that there can be.
    """

    value: np.ndarray
    chance: np.ndarray
    limit: float


@dataclass(frozen=True)
class Comparison:
    """What a comparison of replicas gives.

    Attributes:
        metrics: by name, each ``{"mean", "low", "high", "n", …}``; ``None`` where there is no value.
        drawings: its figures.
        tables: tidy tables by file name without ending.
        pairs: by the name of a metric, the numbers of pairs of seeds that it is the mean of.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    drawings: Sequence[Drawing] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
