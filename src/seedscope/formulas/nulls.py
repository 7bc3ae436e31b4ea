"""Is it more than chance? Permutation nulls.

    p = (1 + #{null ≥ observed}) / (1 + n)       of n draws from the null: what was observed counts as one of them

So p is never 0, and it is valid whatever n (Phipson and Smyth 2010). Draws within 1e-12 of what was observed reach it:
sums in another order differ by rounding.
"""

from __future__ import annotations

import numpy as np


def permutation_p(observed: float, null: np.ndarray) -> float:
    """Return the share of draws that reach what was observed, which counts as one of them; NaN of NaN."""
    if np.isnan(observed):
        return float("nan")
    return float((1 + (null >= observed - 1e-12).sum()) / (1 + len(null)))


def shuffled_within(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order of the samples in which each place is taken by a sample of its class."""
    order = np.arange(len(label))
    for k in np.unique(label):
        order[label == k] = rng.permutation(order[label == k])
    return order
