"""The spectrum of a layer: which share of the variance each principal component holds."""

from __future__ import annotations

import numpy as np


def shares(variance: np.ndarray) -> np.ndarray:
    """Return each component's share of the variance (…, component); 0 where nothing varies."""
    total = variance.sum(-1, keepdims=True)
    return np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)
