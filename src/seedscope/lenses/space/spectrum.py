"""The spectrum of a layer: which share of the variance each principal component holds, and how many count."""

from __future__ import annotations

import numpy as np

from seedscope.formulas.components import components_above


def shares(variance: np.ndarray) -> np.ndarray:
    """Return each component's share of the variance (…, component); 0 where nothing varies."""
    total = variance.sum(-1, keepdims=True)
    return np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)


def above_chance(variance: np.ndarray, null: np.ndarray) -> int:
    """Return how many leading components are above the null (permutation, component); none of none."""
    return components_above(variance, null) if len(variance) else 0
