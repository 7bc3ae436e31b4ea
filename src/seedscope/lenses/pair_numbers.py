"""A number of every pair of seeds beside what chance gives, as lenses report it.

    gain[a, b] = value[a, b] − null[a, b]       means over pairs, intervals by the jackknife over seeds

The jackknife is too wide where pairs are independent, as they are under the nulls: the permutation p says whether
there is anything above them (see :mod:`seedscope.formulas.intervals`).

Of many seeds a balanced sample of their pairs is looked at (:mod:`seedscope.formulas.pairs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.intervals import Interval, pair_interval
from seedscope.formulas.pairs import balanced_pairs
from seedscope.lenses.comparison import Pairs

if TYPE_CHECKING:
    import pandas as pd


Looked = tuple[np.ndarray, np.ndarray]
"""The first seeds of the pairs, and the second ones."""


def looked_at(seeds: int) -> Looked:
    """Return which pairs of so many seeds are looked at, as positions that index (seed, seed)."""
    pairs = np.array(balanced_pairs(seeds), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@dataclass(frozen=True)
class PairNumbers:
    """A number of every pair of seeds beside its nulls.

    Attributes:
        value: (seed, seed); of pairs that are not looked at it is not read.
        null: by null, what is expected by it, (seed, seed); the strictest stands last.
        p: of the mean over pairs, by those nulls that are drawn.
        seeds: which seeds these are.
    """

    value: np.ndarray
    null: Mapping[str, np.ndarray] = field(default_factory=dict)
    p: Mapping[str, float] = field(default_factory=dict)
    seeds: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    @property
    def strictest(self) -> np.ndarray:
        """Return what is expected by the strictest null, (seed, seed)."""
        return list(self.null.values())[-1]

    @property
    def looked_at(self) -> Looked:
        """Return which pairs are looked at."""
        return looked_at(len(self.value))

    @property
    def defined(self) -> bool:
        """Return whether there is a pair, and every pair that is looked at has a value."""
        return len(self.value) > 1 and bool(np.isfinite(self.value[self.looked_at]).all())

    def sampled(self, square: np.ndarray) -> np.ndarray:
        """Return a number of every pair (seed, seed), symmetric, NaN where a pair is not looked at."""
        found = np.full(square.shape, np.nan)
        found[self.looked_at] = found[self.looked_at[::-1]] = square[self.looked_at]
        return found

    def interval(self, square: np.ndarray) -> Interval:
        """Return the mean over the pairs that are looked at, with its jackknife interval."""
        return pair_interval(self.sampled(square))

    def metrics(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the number, what it is by each null and what is left above that, each with its ``p``.

        The number itself is held against the strictest null.
        """
        nothing = Interval(None, None, None, len(self.value)).as_dict()
        looked = {"pairs": len(self.looked_at[0])}
        strictest = list(self.null)[-1]
        found = {name: {**nothing, "null": None, "p": None}}
        if self.defined:
            held = self.interval(self.null[strictest]).mean
            found[name] = {**self.interval(self.value).as_dict(), **looked, "null": held, "p": self.p.get(strictest)}
        for null, expected in self.null.items():
            found[f"{name}_null_{null}"] = self.interval(expected).as_dict() if self.defined else nothing
            gain = self.interval(self.value - expected).as_dict() | looked if self.defined else nothing
            found[f"{name}_gain_{null}"] = {**gain, "p": self.p.get(null) if self.defined else None}
        return found

    def pairs(self, limit: float = 1.0) -> Pairs:
        """Return it as sweeps and ``seeds_needed`` follow it, against the strictest null."""
        return Pairs(self.sampled(self.value), self.sampled(self.strictest), limit)


def pair_table(named: Mapping[str, PairNumbers]) -> pd.DataFrame:
    """Return every number of every pair of seeds with what its nulls expect."""
    import pandas as pd

    rows = [
        {"number": name, "seed_a": int(one.seeds[a]), "seed_b": int(one.seeds[b]), "value": one.value[a, b]}
        | {f"null_{null}": expected[a, b] for null, expected in one.null.items()}
        for name, one in named.items()
        for a, b in zip(*one.looked_at, strict=True)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["number", "seed_a", "seed_b", "value"])
