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
    return float(class_separations(values, label[None])[0])


def class_separations(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return :func:`class_separation` by each of several labellings, (labelling, sample) → (labelling)."""
    moved = centred(values)
    total = float((moved**2).sum())
    member, count = _members(labels)
    if member.shape[1] < 2 or total <= 0:
        return np.full(len(labels), np.nan)
    sums = (member.reshape(-1, len(moved)) @ moved).reshape(*member.shape[:2], -1)
    between = np.divide((sums**2).sum(-1), count, out=np.zeros(count.shape), where=count > 0).sum(1)
    return np.asarray(between / total)


def nearest_centroid_accuracy(values: np.ndarray, label: np.ndarray) -> float:
    """Return the share of samples nearest to their class's mean, itself left out; NaN where nothing varies.

    A sample that is alone in its class has no such mean, and is not counted right.
    """
    return float(nearest_centroid_accuracies(values, label[None])[0])


def nearest_centroid_accuracies(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return :func:`nearest_centroid_accuracy` by each of several labellings, (labelling, sample) → (labelling)."""
    member, count = _members(labels)
    if member.shape[1] < 2 or np.ptp(values, axis=0).max(initial=0) == 0:
        return np.full(len(labels), np.nan)
    values = centred(values)
    means = (member.reshape(-1, len(values)) @ values).reshape(*member.shape[:2], -1)
    means /= np.maximum(1, count)[..., None]
    along = (values @ means.reshape(-1, values.shape[1]).T).reshape(len(values), *member.shape[:2])
    distance = (values**2).sum(1)[:, None, None] - 2 * along + (means**2).sum(-1)  # (sample, labelling, class)
    distance = np.where(count > 0, distance, np.inf)
    code = member.argmax(1).T  # (sample, labelling)
    of = np.arange(len(labels))
    own = count[of, code]
    factor = np.where(own > 1, (own / np.maximum(1, own - 1)) ** 2, 1.0)
    np.put_along_axis(
        distance, code[..., None], np.take_along_axis(distance, code[..., None], -1) * factor[..., None], -1
    )
    return np.asarray(((distance.argmin(-1) == code) & (own > 1)).mean(0))


def _members(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return who is of each class, (labelling, class, sample) of 0 and 1, and how many are, (labelling, class)."""
    classes = np.unique(labels)
    member = (labels[:, None, :] == classes[:, None]).astype(np.float64)
    return member, member.sum(-1)
