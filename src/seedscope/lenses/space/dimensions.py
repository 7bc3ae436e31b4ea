"""In how many directions do the pictures spread: all of them, the means of the classes, the pictures of a class?"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.classes import class_means
from seedscope.formulas.components import centred, effective_dimension

PARTS = ("all", "class_means", "within_class")
"""All pictures; the mean of each class, each counted once; each picture less the mean of its class."""

METRICS = {part: "effective_dimension" + ("" if part == "all" else f"_{part}") for part in PARTS}
"""What each is called among the metrics."""


def dimensions(values: np.ndarray, label: np.ndarray) -> list[float]:
    """Return the effective dimension of each of :data:`PARTS`, of values (sample, unit); NaN where nothing varies."""
    classes, code = np.unique(label, return_inverse=True)
    moved = centred(values)
    within = np.concatenate([centred(values[code == k]) for k in range(len(classes))])
    return [effective_dimension(part) for part in (moved, class_means(moved, code, len(classes)), within)]
