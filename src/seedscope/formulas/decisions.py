"""What do logits decide, and how clearly?

decided[s] = argmax over k of logit[s, k], the first of equals       of one logit z: 1 where z > 0, else 0
r[s]       = argmax over k ≠ label[s] of logit[s, k]                 the strongest other class
margin[s]  = logit[s, label[s]] − logit[s, r[s]]                     of one logit z: z for class 1, −z for class 0
confusion[t, w] = how many samples of class t were decided as w
"""

from __future__ import annotations

import numpy as np


def predicted_class(logit: np.ndarray) -> np.ndarray:
    """Return the decision (sample): the largest logit, the first of equals; with one logit, 1 where it is positive."""
    return (logit[:, 0] > 0).astype(np.int64) if logit.shape[1] == 1 else logit.argmax(1)


def probabilities(logit: np.ndarray) -> np.ndarray:
    """Return the probability of each class, (sample, class), in float64; of one logit those of classes 0 and 1."""
    from scipy.special import softmax

    if logit.shape[1] == 1:
        logit = np.concatenate([np.zeros_like(logit), logit], axis=1)
    return np.asarray(softmax(logit.astype(np.float64), axis=1))


def strongest_other(logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return, of each sample, the class with the largest logit that is not its label."""
    if logit.shape[1] == 1:
        return 1 - label
    masked = logit.copy()
    masked[np.arange(len(label)), label] = -np.inf
    return masked.argmax(1)


def true_margin(logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the logit of the true class minus the strongest other, (sample); of one logit z, ±z."""
    if logit.shape[1] == 1:
        return np.where(label == 1, logit[:, 0], -logit[:, 0])
    rows = np.arange(len(label))
    return logit[rows, label] - logit[rows, strongest_other(logit, label)]


def confusion(label: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how many pictures of each class (row) were decided as each class (column)."""
    return np.bincount(label * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
