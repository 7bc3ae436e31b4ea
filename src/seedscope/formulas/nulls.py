"""Is it more than chance? Permutation nulls.

    p = (1 + #{null ≥ observed}) / (1 + n)       of n draws from the null: what was observed counts as one of them

So p is never 0, and it is valid whatever n (Phipson and Smyth 2010). Draws within 1e-12 of what was observed reach it:
sums in another order differ by rounding. Beside p, who takes whose place: a sample another's, of its class or not.
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


def another_of_its_class(group: np.ndarray) -> np.ndarray:
    """Return for each position the next one of its group, the first after the last; −1 where a group has one member."""
    other = np.full(len(group), -1)
    for k in np.unique(group):
        own = np.flatnonzero(group == k)
        if len(own) > 1:
            other[own] = np.roll(own, -1)
    return other


def one_of_another_class(group: np.ndarray) -> np.ndarray:
    """Return for each position one of another group, drawn with a fixed seed; −1 where there is no other group."""
    rng = np.random.default_rng(0)
    other = np.full(len(group), -1)
    for s, own in enumerate(group):
        strangers = np.flatnonzero(group != own)
        if len(strangers):
            other[s] = rng.choice(strangers)
    return other
