"""Conditions compared: the headline numbers against the setting that a sweep turns, seed by seed.

    slope_s = Σ_j (x_j − x̄) y_sj / Σ_j (x_j − x̄)²        of seed s over conditions j (least squares)
    trend   = mean over seeds of slope_s, with its 95 % interval

The same seeds are trained under every condition, so a trend is one number of each seed and its interval has the seed
as unit; a difference between seeds that all conditions share falls out. Of a number of pairs each pair has a slope, of
what it has above chance, and the interval is the jackknife's. x counts steps: doublings where the values are a
geometric series (any ratio), steps of the same size where they are arithmetic, else units of the setting. Beside the
slope stands Spearman's ρ of each seed (1904), which asks for order only. The slopes of one sweep are one family of
tests, corrected by Holm (1979). Values that are no numbers have an order of writing and no trend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.formulas.correlation import slopes, spearman
from seedscope.formulas.intervals import Interval, holm, mean_interval, p_of_zero, pair_interval
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.headlines import Headline

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


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


def trends(axis: Axis, conditions: Sequence[Sequence[Headline]]) -> list[Trend]:
    """Return the trend of every headline number; none where the values of the setting are no numbers."""
    if not axis.numeric:
        return []
    found = [_trend(axis.steps, numbers) for numbers in zip(*conditions, strict=True)]
    tested = [trend.p for trend in found if trend.p is not None]
    corrected = iter(holm(np.array(tested)).tolist())
    return [Trend(t.metric, t.words, t.slope, t.spearman, t.p, None if t.p is None else next(corrected)) for t in found]


def _trend(steps: np.ndarray, numbers: Sequence[Headline]) -> Trend:
    first = numbers[0]
    values = np.stack([one.values if one.chance is None else one.values - one.chance for one in numbers])
    over_seeds = pair_interval if first.of_pairs else mean_interval
    slope, correlation = (
        over_seeds(slopes(values, steps)),
        _finite(over_seeds, spearman(np.moveaxis(values, 0, -1), steps)),
    )
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
    conditions: Sequence[Sequence[Headline]],
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
        f"{key}: {label}": {one.metric: {**one.interval().as_dict(), **_chance(one)} for one in numbers}
        for label, numbers in zip(axis.labels, conditions, strict=True)
    }
    if found:
        metrics["trend"] = {trend.metric: {**trend.slope.as_dict(), "p_holm": trend.p_holm} for trend in found}
    return Comparison(
        metrics=metrics,
        drawings=[_figure(sweep, axis, base, conditions, seeds)],
        tables={"summary": _summary(axis, conditions), "trends": _trend_table(axis, found)},
    )


def _chance(number: Headline) -> dict[str, float | None]:
    return {} if number.chance is None else {"chance": pair_interval(number.chance).mean}


def _summary(axis: Axis, conditions: Sequence[Sequence[Headline]]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "metric": one.metric,
            "condition": label,
            **one.interval().as_dict(),
            **_chance(one),
        }
        for numbers in zip(*conditions, strict=True)
        for label, one in zip(axis.labels, numbers, strict=True)
    ]
    return pd.DataFrame(rows, columns=["metric", "condition", "n", "mean", "low", "high", "chance"])


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


def _by_seed(axis: Axis, conditions: Sequence[Sequence[Headline]], seeds: Sequence[int]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {"metric": one.metric, "condition": label, "seed": seed, "value": value}
        for numbers in zip(*conditions, strict=True)
        for label, one in zip(axis.labels, numbers, strict=True)
        for seed, value in zip(seeds, one.by_seed, strict=True)
    ]
    return pd.DataFrame(rows)


def _figure(
    sweep: str, axis: Axis, base: Any, conditions: Sequence[Sequence[Headline]], seeds: Sequence[int]
) -> Drawing:
    panels = list(zip(*conditions, strict=True))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    n = f"n = {len(seeds)} seeds" if len(seeds) > 1 else "n = 1 seed, no interval"
    figure = figures.canvas(
        f"Sweep over {axis.key} ({sweep}, {n})",
        4.2 * columns,
        3.1 * rows + 0.5,
    )
    axes = figures.panels(figure, rows, columns, len(panels), top=0.75, bottom=0.9, hspace=0.5, wspace=0.28, left=0.7)
    for ax, numbers in zip(axes, panels, strict=True):
        _panel(ax, axis, base, numbers)
    handles, names = axes[-1].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(names), fontsize=8.5, frameon=False)
    pairs = " Of pairs of seeds a dot is the mean over the pairs that the seed is part of."
    return Drawing(
        "conditions",
        figure,
        f"Headline numbers against {axis.key}, everything else alike, the seeds included: a dot is a seed, a grey line "
        "the same seed under the next condition, black the mean over seeds with its 95 % interval; dotted: the "
        "experiment's own value." + (pairs if any(numbers[0].of_pairs for numbers in panels) else ""),
        _by_seed(axis, conditions, seeds),
    )


def _panel(ax: Axes, axis: Axis, base: Any, numbers: Sequence[Headline]) -> None:
    order = np.argsort(axis.place, kind="stable")
    place = axis.place[order]
    values = np.stack([number.by_seed for number in numbers])[order]
    intervals = [numbers[index].interval() for index in order]
    means, low, high = np.array([one.numbers for one in intervals]).T
    if axis.geometric:
        ax.set_xscale("log")
    ax.plot(place, values, color=figures.NEUTRAL, linewidth=0.5, alpha=0.5)
    dots = ax.plot(place, values, "o", color=figures.FOR, markersize=3.5, zorder=3)
    dots[0].set_label("a seed")
    ax.plot(
        place,
        means,
        "_-",
        color="black",
        linewidth=1.4,
        markersize=11,
        markeredgewidth=1.6,
        label="mean, 95 % interval",
    )
    known = np.isfinite(low)
    figures.spans(ax, place[known], low[known], high[known], linewidths=1.4)
    if numbers[0].chance is not None:
        chance = [_chance(numbers[index])["chance"] for index in order]
        ax.plot(place, [np.nan if one is None else one for one in chance], "--", color=figures.AGAINST, label="chance")
    if (mark := axis.mark(base)) is not None:
        ax.axvline(
            mark, color=figures.NEUTRAL, linestyle=":", linewidth=1.2, zorder=0, label="the experiment's own value"
        )
    if not np.isfinite(values).any():
        figures.say(ax, "no value")
        ax.set_yticks([])
    ax.minorticks_off()
    ax.set_xticks(place, [axis.labels[index] for index in order])
    ax.margins(x=0.08)
    ax.set_title(numbers[0].words, fontsize=9.5)
    ax.set_xlabel(axis.key, fontsize=9)
    ax.ticklabel_format(axis="y", useOffset=False)
