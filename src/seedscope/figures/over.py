"""Numbers over seeds and over training, as marks: each seed, the mean and its 95 % interval; curves with theirs.

The interval is the t interval whose unit is the seed, of shares that on the logit scale; what is the same in every seed
has none. See :mod:`seedscope.formulas.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seedscope.figures.colours import FOR, NEUTRAL, SILENT, of_member
from seedscope.figures.marks import Colours, Dots, Line, Mark, Rule, Spans
from seedscope.figures.sheet import Axis
from seedscope.formulas.intervals import Interval, mean_interval, share_interval

_TICKS = 30  # steps that can be read beside each other
_SPREAD = 0.25  # of the dots of seeds, to both sides


def over_seeds(at: float, values: np.ndarray, color: Colours = FOR, *, share: bool = False) -> list[Mark]:
    """Show a number of each seed as dots around ``at``, with the mean (a bar) and its interval.

    Args:
        at: position on the x axis.
        values: (seed); NaN where there is none.
        color: of the dots.
        share: whether the values are shares.
    """
    beside = _SPREAD * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
    return [Dots(at + beside, values, color, size=4.0), *interval_marks(at, values, reach=_SPREAD + 0.1, share=share)]


def interval_marks(
    at: float, values: np.ndarray, color: Colours = "black", reach: float = 0.1, *, share: bool = False
) -> list[Mark]:
    """Show the mean of ``values`` (seed) as a bar and its interval as a line."""
    interval = interval_of(values, share=share)
    marks: list[Mark] = []
    if interval.mean is not None:
        marks.append(Line([at - reach, at + reach], [interval.mean] * 2, color, width=1.6))
    if interval.low is not None and interval.high is not None:
        marks.append(Spans([at], [interval.low], [interval.high], color, width=1.4))
    return marks


def interval_of(values: np.ndarray, *, share: bool = False) -> Interval:
    """Return the mean and interval of values, perhaps shares, over seeds."""
    return share_interval(values) if share else mean_interval(values)


def curves_over_seeds(x: np.ndarray, values: np.ndarray, *, share: bool = False) -> list[Mark]:
    """Show a curve of each seed in grey, (seed, x), and their mean with its interval at each x."""
    marks: list[Mark] = [Line(x, of_seed, NEUTRAL, width=0.6, opacity=0.7) for of_seed in values]
    intervals = [interval_of(column, share=share) for column in np.asarray(values).T]
    mean = np.array([np.nan if one.mean is None else one.mean for one in intervals])
    known = [index for index, one in enumerate(intervals) if one.low is not None]
    marks.append(Line(x, mean, FOR, shape="o"))
    if known:
        low, high = ([getattr(intervals[index], end) for index in known] for end in ("low", "high"))
        marks.append(Spans(np.asarray(x)[known], low, high, FOR, width=1.4))
    return marks


def line_per_seed(seeds: Sequence[int], x: np.ndarray, values: np.ndarray, *, shape: str = "") -> list[Mark]:
    """Show a curve of each seed in the seed's colour, (seed, x); beyond twelve seeds they are not named."""
    few = len(seeds) <= 12
    return [
        Line(x, of_seed, of_member(index), shape=shape, label=str(seed) if few else "")
        for index, (seed, of_seed) in enumerate(zip(seeds, values, strict=True))
    ]


def frame_axis(step: np.ndarray, label: str = "step of the optimiser (dotted: end of epoch 1)") -> Axis:
    """Return the axis of the frames of a training, 0, 1, …, each named by its step."""
    every = -(-len(step) // _TICKS)
    return Axis(
        label,
        range(0, len(step), every),
        [str(one) for one in step[::every]],
        -0.5,
        len(step) - 0.5,
        turned=90,
        size=7,
    )


def first_epoch(epoch: np.ndarray) -> list[Mark]:
    """Mark where the first epoch ends among the frames, unless it is at their end."""
    at = int(np.searchsorted(epoch, 1))
    return [Rule(float(at), NEUTRAL, ":", 1.0, across=False)] if 0 < at < len(epoch) - 1 else []


def step_axis(step: np.ndarray) -> Axis:
    """Return a logarithmic axis of optimiser steps that has room for step 0."""
    largest = int(max(1, step.max()))
    powers = [10**power for power in range(1 + int(np.log10(largest)))]
    names = ["0", *(f"{power:,}" for power in powers)]
    return Axis("optimiser step", [0, *powers], names, -0.15, max(1.5, largest * 1.25), "symlog")


def before_and_after(
    layers: Sequence[str], before: np.ndarray | None, after: np.ndarray, *, lines: bool = True, share: bool = False
) -> list[Mark]:
    """Show a number of each layer before training (grey) and after (blue), each with mean and interval.

    Args:
        layers: their names.
        before: (layer, member), of the untrained network; ``None`` where there is none.
        after: (layer, member).
        lines: whether a line ties what belongs together.
        share: whether the numbers are shares.
    """
    marks: list[Mark] = []
    for index in range(len(layers)):
        left, right = (index - 0.22, index + 0.22) if before is not None else (index, index)
        if before is not None:
            if lines:
                pairs = zip(before[index], after[index], strict=True)
                marks += [Line([left, right], pair, SILENT, width=0.9) for pair in pairs]
            marks += _points(left, before[index], NEUTRAL, share)
        marks += _points(right, after[index], FOR, share)
    return marks


BEFORE_AND_AFTER = "grey: untrained, blue: trained, a line for each seed; bars: mean and 95 % interval"


def _points(at: float, values: np.ndarray, color: Colours, share: bool) -> list[Mark]:
    dots = Dots(np.full(len(values), at), values, color, size=3.5)
    return [dots, *interval_marks(at, values, color, 0.09, share=share)]


def in_words(values: np.ndarray) -> str:
    """Return mean and 95 % interval of a change, with its sign: ``+0.33 [+0.20, +0.46]``."""
    interval = mean_interval(values)
    if interval.mean is None:
        return "no value"
    words = f"{interval.mean:+.2f}"
    if interval.low is not None and interval.high is not None:
        words += f" [{interval.low:+.2f}, {interval.high:+.2f}]"
    return words.replace("-", "−")
