"""Do classes lie apart?

    μ_k               mean of the values over class k
    class variance    η² = Σ_k n_k (μ_k − μ)² / Σ_s (v − μ)², of each unit    the share of its variance between classes
    class separation  the same sums added up over units: tr(between-class scatter) / tr(total scatter)
    nearest centroid  share of samples whose class has the nearest mean, each left out of its own class's mean

η² of a one-way analysis of variance is expected to be (classes − 1) / (samples − 1) where labels say nothing.
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.components import centred


def class_means(values: np.ndarray, label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the means over the samples of each class, (sample, …) → (class, …); NaN for a class without samples."""
    means = np.full((n_classes, *values.shape[1:]), np.nan)
    for k in np.unique(label):
        means[k] = values[label == k].mean(0, dtype=np.float64)
    return means


def _scatter(means: np.ndarray, values: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of squares of values (sample, unit) between classes and in all, each (unit)."""
    centre = values.mean(0)
    count = np.bincount(label, minlength=len(means))[:, None]
    return np.nansum(count * (means - centre) ** 2, 0), ((values - centre) ** 2).sum(0)


def class_variance(means: np.ndarray, values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return η² (unit) of values (sample, unit), given their :func:`class_means`; NaN where nothing varies."""
    between, total = _scatter(means, values, label)
    varies = total > 1e-18 * len(values) * values.mean(0) ** 2  # rounding alone leaves less of a constant
    several = np.isfinite(means).all(1).sum() > 1
    return np.divide(between, total, out=np.full(total.shape, np.nan), where=varies & several)


def class_separation(values: np.ndarray, label: np.ndarray) -> float:
    """Return the share of the variance (sample, unit) that lies between classes; NaN where nothing varies."""
    classes, code = np.unique(label, return_inverse=True)
    moved = centred(values)
    between, total = (float(part.sum()) for part in _scatter(class_means(moved, code, len(classes)), moved, code))
    return between / total if len(classes) > 1 and total > 0 else float("nan")


def nearest_centroid_accuracy(values: np.ndarray, label: np.ndarray) -> float:
    """Return the share of samples nearest to their class's mean, itself left out; NaN where nothing varies.

    A sample that is alone in its class has no such mean, and is not counted right.
    """
    classes, code = np.unique(label, return_inverse=True)
    if len(classes) < 2 or np.ptp(values, axis=0).max(initial=0) == 0:
        return float("nan")
    n = np.bincount(code)
    member = np.eye(len(classes))[code]
    values = centred(values)
    means = member.T @ values / n[:, None]
    distance = (values**2).sum(1)[:, None] - 2 * values @ means.T + (means**2).sum(1)
    rows = np.arange(len(label))
    alone = n[code] == 1
    distance[rows, code] *= (n[code] / np.maximum(1, n[code] - 1)) ** 2
    return float(((distance.argmin(1) == code) & ~alone).mean())
