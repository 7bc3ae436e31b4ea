"""Removal curves and the words of orders, as one seed's figures and those of all seeds share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seedscope.figures import AGAINST, FOR, MARK, NEUTRAL, PALETTE, Axis, Grid, Key, Mark, Panel

ORDERS = {
    "class": ("dominance for the picture's class", FOR),
    "mean_subtracted": ("dominance, means subtracted", PALETTE[3]),
    "other_class": ("dominance for another class", PALETTE[4]),
    "overall": ("dominance, over all classes", FOR),
    "weight_size": ("size of head weights", AGAINST),
    "activation": ("mean activation", MARK),
}
"""What each order of removal is called, and its colour."""

RANDOM = ("random live units", NEUTRAL)
ROWS = {
    "random": ("class", "mean_subtracted", "other_class"),
    "random_overall": ("overall", "weight_size", "activation"),
}
"""The orders that a row of panels shows, by their null."""

_KEPT = {"log_probability": "log p of the true class", "accuracy": "accuracy", "flips": "share of flipped decisions"}
_CHOSEN = {"random": "removed first, by the picture's class", "random_overall": "removed first, of every picture"}


def curve_grid(marks: Callable[[str, str], Sequence[Mark]], reach: int, words: str) -> Grid:
    """Return removal curves: a row for each null with the orders held against it, a column for each thing kept.

    Args:
        marks: of the null's name and the name of what is kept.
        reach: the largest number of live units.
        words: what the units are, in the plural.
    """
    x = Axis("", *_ticks(reach), low=-0.2, high=1.15 * max(reach, 2), kind="symlog")
    panels = [
        Panel(
            marks(null, kept) if reach else [],
            name,
            x,
            Axis(high=None, low=None),
            width=3.0,
            height=2.3,
            empty="" if reach else "nothing is ever active",
            key=Key("right", _CHOSEN[null]) if kept == "flips" else None,
        )
        for null in ROWS
        for kept, name in _KEPT.items()
    ]
    return Grid(panels, len(_KEPT), share_x=True, x_label=f"number of {words} set to their means at once")


def _ticks(reach: int) -> tuple[list[int], list[str]]:
    at = [m for m in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if m <= max(reach, 2)]
    return at, [str(m) for m in at]


def spread(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return between which values 95 % of draws (draw, …) lie."""
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return low, high
