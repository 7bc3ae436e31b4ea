"""The headline numbers of an experiment: what is said first of its replicas, asked of more seeds, and of conditions.

A number is one value of each seed, or of each pair of seeds: how many of their dominant units two seeds share. Which
numbers there are is said by the lenses of the experiment (``headlines``); one that a lens does not give is left out.
Of numbers of pairs no seeds are asked: :mod:`seedscope.formulas.spread` says why.

Each says how narrow an interval is wanted, as a half-width: 5 % of the mean, for then numbers that differ by a tenth
have intervals that do not overlap; of an accuracy one percentage point, for 5 % of it would be no answer; of an
overlap 5 % of the largest there can be, for its mean lies near what is expected by chance, and that may be near 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from seedscope.formulas.intervals import Interval, mean_interval, of_each_seed, pair_interval, share_interval
from seedscope.lenses.comparison import Comparison, Headline
from seedscope.lenses.lens import HeadlinedLens, Lens, is_share

_RELATIVE = 0.05
_TRAINING = Headline("probe_accuracy", "probe accuracy", 0.01)


class Training:
    """How training ended, among the lenses: the same declaration of what is a share."""

    shares = ("*_accuracy",)


Metrics = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""``{"<seed>": {"<lens>": {"<name>": number}}}``."""


@dataclass(frozen=True)
class Followed:
    """One headline number of all seeds.

    Attributes:
        metric: its name in the metrics.
        words: what it is.
        values: (seed) of a number of each seed, NaN where it has none; (seed, seed) of a number of each pair.
        wanted: the half-width of the 95 % interval that is wanted.
        null: of a number of pairs, what is expected of unrelated seeds, (seed, seed).
        whole: of a count, what it is a part of, (seed); else ``None``.
        share: whether it is a share, in [0, 1], of each seed.
    """

    metric: str
    words: str
    values: np.ndarray
    wanted: float
    null: np.ndarray | None = None
    whole: np.ndarray | None = None
    share: bool = False

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
        if self.of_pairs:
            return pair_interval(self.values)
        return share_interval(self.values) if self.share else mean_interval(self.values)

    @property
    def null_mean(self) -> float | None:
        """Return the mean over pairs of what is expected of unrelated seeds; ``None`` where nothing is."""
        return None if self.null is None else pair_interval(self.null).mean


def followed(by_seed: Metrics, lenses: Mapping[str, Lens], comparisons: Mapping[str, Comparison]) -> list[Followed]:
    """Return the headline numbers that there are: how well the replicas decide, then what each lens says first.

    Args:
        by_seed: the metrics by seed, lens and name.
        lenses: the lenses by name.
        comparisons: what each lens says of the replicas together.
    """
    wanted = [("training", _TRAINING)]
    for name, lens in lenses.items():
        if isinstance(lens, HeadlinedLens):
            wanted += [(name, headline) for headline in lens.headlines()]
    kinds = {"training": Training, **lenses}
    numbers = [(lens, _of_seeds(by_seed, lens, headline, kinds[lens])) for lens, headline in wanted]
    pairs = [(lens, _of_pairs(comparisons.get(lens), headline)) for lens, headline in wanted]
    # Numbers of each seed first: those of pairs are another kind of number.
    found = [(lens, one) for lens, one in (*numbers, *pairs) if one is not None]
    times = Counter(one.metric for _, one in found)
    # Two lenses of one kind give numbers of one name.
    return [
        replace(one, metric=f"{lens}_{one.metric}", words=f"{one.words} ({lens})") if times[one.metric] > 1 else one
        for lens, one in found
    ]


def _of_seeds(by_seed: Metrics, lens: str, headline: Headline, kind: object) -> Followed | None:
    of_lens = [metrics.get(lens, {}) for metrics in by_seed.values()]
    if not any(headline.metric in metrics for metrics in of_lens):
        return None
    values = _values(of_lens, headline.metric)
    mean = mean_interval(values).mean
    half_width = headline.half_width or _RELATIVE * abs(mean or 0.0)
    whole = sum((_values(of_lens, part) for part in headline.whole), np.zeros(len(values))) if headline.whole else None
    share = is_share(kind, headline.metric)
    return Followed(headline.metric, headline.words, values, half_width, whole=whole, share=share)


def _of_pairs(comparison: Comparison | None, headline: Headline) -> Followed | None:
    if comparison is None or headline.metric not in comparison.pairs:
        return None
    pairs = comparison.pairs[headline.metric]
    half_width = headline.half_width or _RELATIVE * pairs.limit
    return Followed(headline.metric, headline.words, pairs.value, half_width, pairs.null)


def _values(of_lens: list[Mapping[str, float | None]], metric: str) -> np.ndarray:
    said = (metrics.get(metric) for metrics in of_lens)
    return np.array([np.nan if value is None else value for value in said])
