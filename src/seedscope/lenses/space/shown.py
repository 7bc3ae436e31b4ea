"""What figures of one seed and of all share: what is followed through training, and which components are shown."""

from __future__ import annotations

import numpy as np

from seedscope.figures import NEUTRAL, Axis, Panel, Rule
from seedscope.figures.over import before_and_after
from seedscope.formulas.components import components_above
from seedscope.lenses.space.spectrum import shares

TRACKED = {
    "class_separation": "between-class share\nof the variance",
    "nearest_centroid_accuracy": "nearest-centroid accuracy",
    "effective_dimension": "effective dimension",
}
"""What is followed through training, and what an axis calls it."""


def parts_panel(dimension: np.ndarray, classes: int, words: str) -> Panel:
    """Show effective dimensions (network, part, member), of the trained network and where it is there the untrained."""
    after, before = dimension[0], dimension[1] if len(dimension) > 1 else None
    names = ("all", "class\nmeans", "within\nclass")
    seen = np.isfinite(dimension).any()
    marks = [Rule(classes - 1, NEUTRAL, "--", 0.9), *before_and_after(names, before, after)] if seen else []
    return Panel(
        marks,
        words,
        Axis(ticks=range(len(names)), names=names, low=-0.6, high=len(names) - 0.4, size=9),
        Axis("effective dimension", low=0),
        width=2.6,
        height=2.9,
        empty="" if seen else "nothing varies",
    )


def worth_seeing(variance: np.ndarray, null: np.ndarray) -> int:
    """Return how many components a figure shows: those that hold 98 %, those above chance, 20 at least."""
    holding = int((shares(variance).cumsum() < 0.98).sum()) + 1
    return min(len(variance), max(20, holding, components_above(variance, null) + 3))
