"""Do two layers hold the same space, whatever their axes?

    Procrustes   tr(Qᵀ Aᵀ B) / (‖A‖ ‖B‖)        Q orthogonal, the best on other pictures (Schönemann 1966)
    permutation  tr(Pᵀ Aᵀ B) / (‖A‖ ‖B‖)        P one to one, the best on other pictures: units and nothing else
    ridge        R² of B read from A             :mod:`seedscope.formulas.ridge`, fitted on other pictures
    CKA          HSIC(A, B) / √(HSIC(A, A) HSIC(B, B))

of layers A and B (sample, unit), centred by the pictures that the map was chosen on. Procrustes is invariant to
rotation, reflection, shift and one scale of each layer, CKA too, ridge also to any linear map of A; all but ridge are
symmetric. 1 is the same space. With fewer units on one side Q is the best semi-orthogonal map.

HSIC is the unbiased estimator of Song et al. (2012), as Nguyen, Raghu and Kornblith (2021) use it for CKA: that of
unrelated layers is 0 on average, where the one of Kornblith et al. (2019) is not when units are many and pictures few.
It may be slightly below 0.
"""

from __future__ import annotations

import numpy as np


def procrustes(fit: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the Procrustes similarity of two layers on ``test``, the rotation chosen on ``fit``; NaN of nothing."""
    a, b = (part - part.mean(0) for part in fit)
    left, _, right = np.linalg.svd(a.T @ b, full_matrices=False)
    return similarity_under(left @ right, fit, test)


def permutation_similarity(
    matching: tuple[np.ndarray, np.ndarray], fit: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> float:
    """Return the similarity on ``test`` under a one-to-one matching of units; NaN where nothing varies."""
    mapping = np.zeros((fit[0].shape[1], fit[1].shape[1]))
    mapping[matching] = 1.0
    return similarity_under(mapping, fit, test)


def similarity_under(
    mapping: np.ndarray, fit: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> float:
    """Return tr(mappingᵀ Aᵀ B) / (‖A‖ ‖B‖) on ``test``, centred by ``fit``; NaN where nothing varies."""
    a, b = (part - centre.mean(0) for part, centre in zip(test, fit, strict=True))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.sum((a @ mapping) * b)) / size if size > 0 else float("nan")


def unbiased_hsic(a: np.ndarray, b: np.ndarray) -> float:
    """Return HSIC of two layers (sample, unit), linear and unbiased; NaN of fewer than four samples.

    Song et al. (2012), eq. 5, on Gram matrices K = A Aᵀ and L = B Bᵀ without their diagonals; no matrix of
    samples × samples is made, since tr K L = ‖Aᵀ B‖² and K 1 = A (Aᵀ 1).
    """
    n = len(a)
    if n < 4:
        return float("nan")
    own_a, own_b = np.einsum("su,su->s", a, a), np.einsum("su,su->s", b, b)
    rows_a, rows_b = a @ a.sum(0) - own_a, b @ b.sum(0) - own_b
    trace = np.sum((a.T @ b) ** 2) - own_a @ own_b
    sums = rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2))
    return float((trace + sums - 2 / (n - 2) * (rows_a @ rows_b)) / (n * (n - 3)))


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased linear CKA of two layers (sample, unit); NaN where one does not vary."""
    a, b = (layer - layer[:1] for layer in (a, b))  # so that a constant is 0, not rounding
    a, b = a - a.mean(0), b - b.mean(0)  # changes nothing but rounding
    own = [unbiased_hsic(layer, layer) for layer in (a, b)]
    if not all(size > 0 for size in own):
        return float("nan")
    return unbiased_hsic(a, b) / float(np.sqrt(own[0] * own[1]))
