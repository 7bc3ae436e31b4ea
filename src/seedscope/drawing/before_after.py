"""A number of each layer before and after training: dots or a line for each seed, bars for mean and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.formulas.intervals import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "grey: untrained, blue: trained, a line for each seed; bars: mean and 95 % interval"
_APART = 0.22


def before_and_after(
    ax: Axes, layers: Sequence[str], before: np.ndarray | None, after: np.ndarray, *, lines: bool = True
) -> None:
    """Draw (layer, member) of the untrained network, where there is one, beside that of the trained one."""
    for index in range(len(layers)):
        at = np.array([index - _APART, index + _APART]) if before is not None else np.array([index, index])
        if before is not None:
            if lines:
                ax.plot(at, [before[index], after[index]], color=figures.SILENT, linewidth=0.9)
            _points(ax, at[0], before[index], figures.NEUTRAL)
        _points(ax, at[1], after[index], figures.FOR)
    ax.set_xticks(range(len(layers)), layers, fontsize=9)
    ax.set_xlim(-0.5, len(layers) - 0.5)


def in_words(values: np.ndarray) -> str:
    """Return mean and 95 % interval of a change, with its sign."""
    interval = mean_interval(values)
    if interval.mean is None:
        return "no value"
    words = f"{interval.mean:+.2f}"
    if interval.low is not None and interval.high is not None:
        words += f" [{interval.low:+.2f}, {interval.high:+.2f}]"
    return words.replace("-", "−")


def _points(ax: Axes, at: float, values: np.ndarray, color: str) -> None:
    ax.plot(np.full(len(values), at), values, "o", color=color, markersize=3.5, markeredgewidth=0)
    interval = mean_interval(values)
    if interval.mean is not None:
        ax.plot([at - 0.09, at + 0.09], [interval.mean] * 2, color=color, linewidth=2.2)
    if interval.low is not None and interval.high is not None:
        ax.plot([at, at], [interval.low, interval.high], color=color, linewidth=1.6)
