"""Conditions compared: the headline numbers against the setting that a sweep turns, seed by seed.

    slope_s = Σ_j (x_j − x̄) y_sj / Σ_j (x_j − x̄)²        of seed s over conditions j (least squares)
    trend   = mean over seeds of slope_s, with its 95 % interval

The same seeds are trained under every condition, so a trend is one number of each seed and its interval has the seed
as unit; a difference between seeds that all conditions share falls out. Of a number of pairs each pair has a slope, of
what it has above chance, and the interval is the jackknife's: where seeds are unrelated under every condition it is
about twice too wide, so that a trend of pairs may be missed and is not made up. x counts steps: doublings where the
values are a geometric series (any ratio), steps of the same size where they are arithmetic, else units of the setting.
Beside the slope stands Spearman's ρ of each seed (1904), which asks for order only. The slopes of one sweep are one
family of tests, corrected by Holm (1979). Values that are no numbers have an order of writing and no trend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.correlation import slopes, spearman
from seedscope.formulas.intervals import Interval, holm, mean_interval, p_of_zero, pair_interval
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.headlines import Followed
from seedscope.seeds.sheets import conditions_sheet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Axis:
    """What the conditions are laid out along.

    Attributes:
        key: the setting.
        labels: its values in words.
        place: where they lie: the values where they are numbers, else 0, 1, 2, ….
        numeric: whether they are numbers.
        geometric: whether each is the same multiple of the one before; the axis is then logarithmic.
        steps: the values in steps, for slopes.
        step: one step in words: ``doubling of model.hidden``.
    """

    key: str
    labels: tuple[str, ...]
    place: np.ndarray
    numeric: bool
    geometric: bool
    steps: np.ndarray
    step: str

    @classmethod
    def of(cls, key: str, values: Sequence[Any]) -> Axis:
        """Lay out the values of a setting; a list of one number counts as that number."""
        numbers = [number_of(value) for value in values]
        known = [number for number in numbers if number is not None]
        if len(known) < len(values):
            order = np.arange(len(values), dtype=np.float64)
            return cls(key, tuple(map(_words, values)), order, False, False, order, "")
        place = np.array(known)
        ascending = np.sort(place)
        labels = tuple(f"{number:g}" for number in known)
        if len(place) > 2 and ascending[0] > 0 and np.allclose(ratio := ascending[1:] / ascending[:-1], ratio[0]):
            step = f"doubling of {key}" if np.isclose(ratio[0], 2) else f"{ratio[0]:.3g}-fold of {key}"
            return cls(key, labels, place, True, True, np.log(place) / np.log(ratio[0]), step)
        size = ascending[1] - ascending[0] if np.allclose(np.diff(ascending), ascending[1] - ascending[0]) else 1.0
        return cls(key, labels, place, True, False, place / size, f"{size:.3g} of {key}")

    def mark(self, value: Any) -> float | None:
        """Return where a value of the setting lies, which need not be one of the conditions; ``None`` if nowhere."""
        if not self.numeric:
            return float(self.labels.index(_words(value))) if _words(value) in self.labels else None
        number = number_of(value)
        return number if number is not None and (number > 0 or not self.geometric) else None


@dataclass(frozen=True)
class Trend:
    """How a number changes with the condition.

    Attributes:
        metric: its name.
        words: what it is.
        slope: its change in one step, over seeds.
        spearman: the rank correlation with the condition, over seeds.
        p: of no change, two-sided, from the slope's interval; ``None`` where there is none.
        p_holm: corrected for all trends of the sweep.
    """

    metric: str
    words: str
    slope: Interval
    spearman: Interval
    p: float | None
    p_holm: float | None = None

    def sentence(self, step: str) -> str:
        """Return the trend in words, with its interval, n and p."""
        slope = self.slope
        if slope.mean is None:
            return f"{self.words}: no trend can be told (n = {slope.n})."
        if slope.same:
            return f"{self.words}: {slope.mean:+.3g} per {step} in each of {slope.n} seeds."
        if slope.low is None or slope.high is None or self.p_holm is None:
            return f"{self.words}: {slope.mean:+.3g} per {step}; n = {slope.n} gives no interval."
        tested = f"n = {slope.n} seeds, p = {self.p_holm:.2g} after Holm"
        # As many decimals for each of the three, so that a bound near 0 is seen to be near 0.
        size = max(abs(slope.low), abs(slope.high))
        decimals = max(0, 2 - math.floor(math.log10(size))) if size > 0 else 0
        if self.p_holm >= 0.05:
            numbers = f"{slope.mean:+.{decimals}f} [{slope.low:+.{decimals}f}, {slope.high:+.{decimals}f}]"
            return f"{self.words}: no trend that these seeds can tell, {numbers} per {step} ({tested})."
        low, high = sorted((abs(slope.low), abs(slope.high)))
        numbers = f"{abs(slope.mean):.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"
        return f"{self.words}: {'up' if slope.mean > 0 else 'down'} by {numbers} per {step} ({tested})."


def number_of(value: Any) -> float | None:
    """Return the number that a value is, or the only one in a list; ``None`` of anything else."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def trends(axis: Axis, conditions: Sequence[Sequence[Followed]]) -> list[Trend]:
    """Return the trend of every headline number; none where the values of the setting are no numbers."""
    if not axis.numeric:
        return []
    found = [_trend(axis.steps, numbers) for numbers in zip(*conditions, strict=True)]
    tested = [trend.p for trend in found if trend.p is not None]
    corrected = iter(holm(np.array(tested)).tolist())
    return [Trend(t.metric, t.words, t.slope, t.spearman, t.p, None if t.p is None else next(corrected)) for t in found]


def _trend(steps: np.ndarray, numbers: Sequence[Followed]) -> Trend:
    first = numbers[0]
    values = np.stack([one.values if one.null is None else one.values - one.null for one in numbers])
    over_seeds = pair_interval if first.of_pairs else mean_interval
    slope = over_seeds(slopes(values, steps))
    correlation = _finite(over_seeds, spearman(np.moveaxis(values, 0, -1), steps))
    words = f"{first.words}, above chance" if first.of_pairs else first.words
    return Trend(first.metric, words[0].upper() + words[1:], slope, correlation, p_of_zero(slope))


def _finite(over_seeds: Any, values: np.ndarray) -> Interval:
    """Return the interval, or none of pairs of which one has no value: the jackknife asks for all of them."""
    if values.ndim == 2 and not np.isfinite(values[np.triu_indices(len(values), 1)]).all():
        return Interval(None, None, None, len(values))
    interval: Interval = over_seeds(values)
    return interval


def compare_conditions(
    sweep: str,
    key: str,
    base: Any,
    values: Sequence[Any],
    conditions: Sequence[Sequence[Followed]],
    seeds: Sequence[int],
) -> Comparison:
    """Compare the headline numbers of all conditions.

    Args:
        sweep: its name.
        key: the setting that is swept.
        base: its value in the experiment itself.
        values: its value in each condition.
        conditions: the headline numbers of each condition, the same ones in the same order.
        seeds: the seeds that every condition has.
    """
    axis = Axis.of(key, values)
    found = trends(axis, conditions)
    metrics = {
        f"{key}: {label}": {one.metric: {**one.interval().as_dict(), **_null(one)} for one in numbers}
        for label, numbers in zip(axis.labels, conditions, strict=True)
    }
    if found:
        metrics["trend"] = {trend.metric: {**trend.slope.as_dict(), "p_holm": trend.p_holm} for trend in found}
    return Comparison(
        metrics=metrics,
        sheets=[conditions_sheet(sweep, axis, base, conditions, seeds, _by_seed(axis, conditions, seeds))],
        tables={"summary": _summary(axis, conditions), "trends": _trend_table(axis, found)},
    )


def _null(number: Followed) -> dict[str, float | None]:
    return {} if number.null is None else {"null": number.null_mean}


def _summary(axis: Axis, conditions: Sequence[Sequence[Followed]]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "metric": one.metric,
            "condition": label,
            **one.interval().as_dict(),
            **_null(one),
        }
        for numbers in zip(*conditions, strict=True)
        for label, one in zip(axis.labels, numbers, strict=True)
    ]
    return pd.DataFrame(rows, columns=["metric", "condition", "n", "mean", "low", "high", "null"])


def _trend_table(axis: Axis, found: Sequence[Trend]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "metric": trend.metric,
            "per": axis.step,
            "n": trend.slope.n,
            "slope": trend.slope.mean,
            "low": trend.slope.low,
            "high": trend.slope.high,
            "spearman": trend.spearman.mean,
            "spearman_low": trend.spearman.low,
            "spearman_high": trend.spearman.high,
            "p": trend.p,
            "p_holm": trend.p_holm,
            "sentence": trend.sentence(axis.step),
        }
        for trend in found
    ]
    return pd.DataFrame(rows)


def _by_seed(axis: Axis, conditions: Sequence[Sequence[Followed]], seeds: Sequence[int]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {"metric": one.metric, "condition": label, "seed": seed, "value": value}
        for numbers in zip(*conditions, strict=True)
        for label, one in zip(axis.labels, numbers, strict=True)
        for seed, value in zip(seeds, one.by_seed, strict=True)
    ]
    return pd.DataFrame(rows)
