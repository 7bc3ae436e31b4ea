"""In how many directions do samples spread?

    principal components  X − mean = U S Vᵀ over n samples (sample, unit); scores U S, λ = S² / (n − 1)
    effective dimension   (Σ λ)² / Σ λ² = (tr C)² / tr C²,  C = Xᵀ X / (n − 1):   1: a line, L: a ball in L dimensions
    parallel analysis     a leading component counts while it holds more than the 95 % quantile of its like where each
                          unit's values are permuted over the samples by themselves

Units are centred and not scaled. A component's largest loading is positive, which fixes its sign. Sources: Horn (1965);
the quantile is Glorfeld's (1995); the effective dimension is the participation ratio of Bell and Dean (1970). The null
shares out all the variance, also what larger components hold, so it is strict with the later ones.
"""

from __future__ import annotations

import numpy as np


def centred(values: np.ndarray) -> np.ndarray:
    """Return values (sample, …) less their mean; what does not vary becomes 0, without rounding."""
    moved = values - values[:1]
    return moved - moved.mean(0)


def principal_components(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores (sample, count), loadings (count, unit) and every component's variance (min(sample, unit)).

    What there are fewer components than ``count`` is zero.
    """
    moved = centred(values)
    left, size, loadings = np.linalg.svd(moved, full_matrices=False)
    if loadings.size:
        largest = np.take_along_axis(loadings, np.abs(loadings).argmax(1)[:, None], 1)
        sign = np.where(largest < 0, -1.0, 1.0)
        loadings, left = loadings * sign, left * sign.T
    kept = min(count, len(size))
    scores, kept_loadings = np.zeros((len(values), count)), np.zeros((count, values.shape[1]))
    scores[:, :kept] = left[:, :kept] * size[:kept]
    kept_loadings[:kept] = loadings[:kept]
    return scores, kept_loadings, size**2 / max(1, len(values) - 1)


def effective_dimension(values: np.ndarray) -> float:
    """Return (tr C)² / tr C² of values (sample, unit), without their components; NaN where nothing varies."""
    moved = centred(values)
    largest = np.abs(moved).max(initial=0)
    if largest == 0:
        return float("nan")
    moved = moved / largest
    gram = moved.T @ moved if moved.shape[1] <= len(moved) else moved @ moved.T
    return float(np.trace(gram) ** 2 / (gram**2).sum())


def permuted_spectra(values: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return the variances of the components when each unit is permuted by itself, (time, component), descending."""
    spectra, moved = [], centred(values)
    for _ in range(times):
        drawn = centred(rng.permuted(moved, axis=0))
        # The samples' products have the same spectrum as the units', but for zeros.
        products = drawn.T @ drawn if drawn.shape[1] <= len(drawn) else drawn @ drawn.T
        spectra.append(np.clip(np.linalg.eigvalsh(products / (len(drawn) - 1))[::-1], 0, None))
    return np.array(spectra)


def components_above(variance: np.ndarray, null: np.ndarray) -> int:
    """Return how many leading components hold more than the 95 % quantile of the null (time, component)."""
    above = variance > np.quantile(null, 0.95, axis=0)
    return int(above.argmin()) if not above.all() else len(above)
