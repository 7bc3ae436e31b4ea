"""What figures of one seed and of all share: what is followed through training, and which components are shown."""

from __future__ import annotations

import numpy as np

from seedscope.formulas.components import components_above
from seedscope.lenses.space.spectrum import shares

TRACKED = {
    "class_separation": "between-class share\nof the variance",
    "nearest_centroid_accuracy": "nearest-centroid accuracy",
    "effective_dimension": "effective dimension",
}
"""What is followed through training, and what an axis calls it."""


def worth_seeing(variance: np.ndarray, null: np.ndarray) -> int:
    """Return how many components a figure shows: those that hold 98 %, those above chance, 20 at least."""
    holding = int((shares(variance).cumsum() < 0.98).sum()) + 1
    return min(len(variance), max(20, holding, components_above(variance, null) + 3))
