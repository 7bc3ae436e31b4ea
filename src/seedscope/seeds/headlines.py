"""The headline numbers of an experiment: what is said first of its replicas, asked of more seeds, and of conditions.

A number is one value of each seed, or of each pair of seeds: how many of their dominant units two seeds share. Which
numbers there are depends on the lenses of the experiment; one that a lens does not give is left out.

Each says how narrow an interval is wanted, as a half-width: 5 % of the mean, for then numbers that differ by a tenth
have intervals that do not overlap; of an accuracy one percentage point, for 5 % of it would be no answer; of an
overlap 5 % of the largest there can be, for its mean lies near chance, and chance may be near 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seedscope.formulas.intervals import Interval, mean_interval, of_each_seed, pair_interval
from seedscope.lenses.comparison import Comparison

_RELATIVE = 0.05
_BY_SEED = (
    ("training", "probe_accuracy", "probe accuracy", 0.01),
    ("dominance", "dead_units", "dead units", None),
    ("dominance", "gini_centred", "Gini, centred votes", None),
    ("dominance", "units_for_80_percent_centred", "units for 80 % of a class's votes", None),
)
_OVERLAP = re.compile(r"top(\d+)_overlap_centred")

Metrics = Mapping[str, Mapping[str, Mapping[str, float | None]]]


@dataclass(frozen=True)
class Headline:
    """One headline number of all seeds.

    Attributes:
        metric: its name in the metrics.
        words: what it is.
        values: (seed) of a number of each seed, NaN where it has none; (seed, seed) of a number of each pair.
        wanted: the half-width of the 95 % interval that is wanted.
        chance: of a number of pairs, what is expected of unrelated seeds, (seed, seed).
    """

    metric: str
    words: str
    values: np.ndarray
    wanted: float
    chance: np.ndarray | None = None

    @property
    def of_pairs(self) -> bool:
        """Return whether this is a number of pairs of seeds."""
        return self.values.ndim == 2

    @property
    def by_seed(self) -> np.ndarray:
        """Return a value of each seed; of a number of pairs its mean over the pairs that the seed is part of."""
        return of_each_seed(self.values) if self.of_pairs else self.values

    def interval(self) -> Interval:
        """Return the mean with its interval over seeds."""
        return pair_interval(self.values) if self.of_pairs else mean_interval(self.values)


def headlines(by_seed: Metrics, comparisons: Mapping[str, Comparison]) -> list[Headline]:
    """Return the headline numbers that there are.

    Args:
        by_seed: ``{"<seed>": {"<lens>": {"<name>": number}}}``.
        comparisons: what each lens says of the replicas together.
    """
    found = []
    for lens, metric, words, wanted in _BY_SEED:
        of_lens = [metrics.get(lens, {}) for metrics in by_seed.values()]
        if any(metric in metrics for metrics in of_lens):
            said = (metrics.get(metric) for metrics in of_lens)
            values = np.array([np.nan if value is None else value for value in said])
            mean = mean_interval(values).mean
            found.append(Headline(metric, words, values, wanted or _RELATIVE * abs(mean or 0.0)))
    for comparison in comparisons.values():
        for name, pairs in comparison.pairs.items():
            if (overlap := _OVERLAP.fullmatch(name)) is not None:
                words = f"top-{overlap[1]} units shared, by index"
                found.append(Headline(name, words, pairs.value, _RELATIVE * pairs.limit, pairs.chance))
    return found
