"""How well can a number be read linearly?

    R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²,  ŷ by ridge regression, 5-fold cross-validated

The penalty is chosen by leave-one-out errors (Allen 1974) on the training folds. Within classes: one regression for
each class, held against the class's mean of the training folds.
"""

from __future__ import annotations

import numpy as np

_FOLDS = 5
_PENALTIES = 10.0 ** np.arange(-4, 5)  # of the mean squared singular value


def ridge_prediction(train: np.ndarray, wanted: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return each target's prediction for ``test`` by ridge regression with the best penalty, (sample, target).

    The penalty is that of least squared leave-one-out error within ``train``, target by target.

    Args:
        train: (sample, unit).
        wanted: (sample, target) for ``train``.
        test: (sample, unit).
    """
    centre, mean = train[0] + (train - train[0]).mean(0), wanted.mean(0)
    left, size, right = np.linalg.svd(train - centre, full_matrices=False)
    scale = (size**2).mean() if size.size else 0.0
    if scale == 0:
        return np.broadcast_to(mean, (len(test), wanted.shape[1])).copy()
    shrink = size**2 / (size**2 + _PENALTIES[:, None] * scale)  # (penalty, component)
    along = left.T @ (wanted - mean)
    leverage = (left**2) @ shrink.T + 1 / len(train)  # the mean is fitted as well
    fitted = np.einsum("sc,pc,ct->pst", left, shrink, along, optimize=True)
    residual = (wanted - mean - fitted) / (1 - np.minimum(leverage.T, 1 - 1e-9))[..., None]
    best = (residual**2).sum(1).argmin(0)  # (target)
    factor = np.divide(shrink[best].T, size[:, None], out=np.zeros((len(size), len(best))), where=size[:, None] > 0)
    return (test - centre) @ (right.T @ (factor * along)) + mean


def readout(values: np.ndarray, wanted: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how well each target can be read linearly, cross-validated, as the sums of squares that make R².

    Args:
        values: (sample, unit).
        wanted: (sample, target).
        label: (sample); classes are spread evenly over the folds.

    Returns:
        ``left`` and ``total``: what is left by one regression for all classes, and what there is, (target);
        ``within``: (class, 2, target), the same by one regression for each class, and around the class's mean.
    """
    classes, code = np.unique(label, return_inverse=True)
    fold = np.empty(len(label), dtype=np.int64)
    for k in range(len(classes)):
        fold[code == k] = np.arange((code == k).sum()) % _FOLDS
    left, total = np.zeros(wanted.shape[1]), np.zeros(wanted.shape[1])
    within = np.zeros((len(classes), 2, wanted.shape[1]))
    for turn in range(_FOLDS):
        test = fold == turn
        if not test.any() or test.all():
            continue
        left += ((wanted[test] - ridge_prediction(values[~test], wanted[~test], values[test])) ** 2).sum(0)
        total += ((wanted[test] - wanted[~test].mean(0)) ** 2).sum(0)
        for k in range(len(classes)):
            own_test, own_train = test & (code == k), ~test & (code == k)
            if own_test.any() and own_train.any():
                predicted = ridge_prediction(values[own_train], wanted[own_train], values[own_test])
                within[k, 0] += ((wanted[own_test] - predicted) ** 2).sum(0)
                within[k, 1] += ((wanted[own_test] - wanted[own_train].mean(0)) ** 2).sum(0)
    return left, total, within


def explained(left: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return R² = 1 − left / total; NaN where there is nothing to explain."""
    return 1 - np.divide(left, total, out=np.full(np.shape(total), np.nan), where=total > 0)
