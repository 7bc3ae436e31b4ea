"""What a lens gives when it compares replicas, and which of its numbers are said first.

Every number over seeds carries n and a 95 % interval whose unit is the seed; no similarity stands without its null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from seedscope.figures import Sheet


@dataclass(frozen=True)
class Pairs:
    """A number of every pair of seeds; the diagonals are not looked at.

    Attributes:
        value: (seed, seed), symmetric.
        null: what is expected of unrelated seeds, (seed, seed).
        limit: the largest value that there can be.
    """

    value: np.ndarray
    null: np.ndarray
    limit: float


@dataclass(frozen=True)
class Comparison:
    """What a comparison of replicas gives.

    Attributes:
        metrics: by name, each ``{"mean", "low", "high", "n", …}``; ``None`` where there is no value. What it is held
            against stands beside it as ``null`` with its ``p``.
        sheets: its figures.
        tables: tidy tables by file name without ending.
        pairs: by the name of a metric, the numbers of pairs of seeds that it is the mean of.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    sheets: Sequence[Sheet] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pairs: Mapping[str, Pairs] = field(default_factory=dict)


@dataclass(frozen=True)
class Headline:
    """A number of a lens that sweeps follow and of which ``seeds_needed`` is asked.

    Attributes:
        metric: its name among what ``summarize`` returns, or among the ``pairs`` of the lens's comparison.
        words: what it is.
        half_width: how narrow an interval is wanted; ``None`` is 5 % of the mean, of pairs 5 % of their limit.
        whole: of a count, the scalars that add up to what it is a part of: where conditions differ in that, the share
            is followed.
    """

    metric: str
    words: str
    half_width: float | None = None
    whole: tuple[str, ...] = ()
