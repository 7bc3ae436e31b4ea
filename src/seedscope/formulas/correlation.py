"""How do two things go together?

    cosine(a, b)    Σ a b / (‖a‖ ‖b‖)
    Pearson(a, b)   cosine(a − ā, b − b̄)
    Spearman(a, b)  Pearson of the ranks, equal values at their mean rank (Spearman 1904)
    slope(y, x)     Σ (x − x̄) y / Σ (x − x̄)²                  least squares

What has no direction has no value: a cosine with zeros, and Pearson or Spearman with what does not vary, is NaN.
Whoever counts that as no agreement says so where it is counted.
"""

from __future__ import annotations

import numpy as np


def spearman(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return Spearman's ρ along an axis, the others broadcast; NaN where one does not vary, or holds a NaN."""
    import warnings

    from scipy.stats import spearmanrho

    wide = np.broadcast_arrays(*(np.asarray(values, dtype=np.float64) for values in (a, b)))  # float32 would stay so
    if wide[0].shape[axis] < 2:
        return np.full(np.delete(wide[0].shape, axis), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what does not vary, or is a single value: NaN says it
        return np.asarray(spearmanrho(*wide, axis=axis).statistic)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of ``a`` with that of ``b``, (row); NaN where one of them is 0."""
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), size, out=np.full(len(a), np.nan), where=size > 0)


def directions(values: np.ndarray, measure: str) -> np.ndarray:
    """Return rows (row, input) of length 1, for Pearson centred before, in float64; NaN where there is no length."""
    rows = np.asarray(values, dtype=np.float64)
    if measure == "pearson":
        rows = rows - rows[:, :1]  # so that a constant row is 0, not rounding
        rows = rows - rows.mean(1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.full(rows.shape, np.nan), where=length > 0)


def slopes(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the least-squares slope along the first axis: (condition, …) → (…)."""
    weight = steps - steps.mean()
    return np.tensordot(weight / (weight**2).sum(), values, axes=1)
