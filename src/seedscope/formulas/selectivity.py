"""To what does a unit answer, and to how much of it?

    class selectivity        (μ_max − μ_rest) / (μ_max + μ_rest), μ_rest: mean of the other classes' μ
    orientation selectivity  |Σ_θ r e^{2iθ}| / Σ_θ r,  1 − circular variance;  preferred: ½ arg Σ_θ r e^{2iθ}
    extent                   (Σ r)² / (N Σ r²) over the N places of a map     1/N: one place, 1: all alike
    active share             share of places with r > 0

of mean responses μ by class, and of responses r ≥ 0 to orientation θ or at a place. Sources: Morcos et al. (2018);
Ringach, Shapley and Hawken (2002). The extent is the participation ratio, as a share of the places.
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.concentration import participation_ratio


def class_selectivity(means: np.ndarray) -> np.ndarray:
    """Return the selectivity (channel) of μ (class, channel); classes without pictures do not count."""
    means = means[np.isfinite(means).all(1)]
    none = np.full(means.shape[1], np.nan)
    if len(means) < 2:
        return none
    largest = means.max(0)
    rest = (means.sum(0) - largest) / (len(means) - 1)
    return np.divide(largest - rest, largest + rest, out=none, where=largest > 0)


def orientation_selectivity(tuning: np.ndarray, orientations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return selectivity and preferred orientation (degrees, [0, 180)) of responses (…, orientation).

    Both are NaN where there is no response; the preferred orientation also where all orientations are alike.
    """
    total = tuning.sum(-1)
    vector = (tuning * np.exp(2j * np.deg2rad(orientations))).sum(-1)
    index = np.divide(np.abs(vector), total, out=np.full(total.shape, np.nan), where=total > 0)
    preferred = np.rad2deg(np.angle(vector)) / 2 % 180
    return index, np.where(np.nan_to_num(index) > 1e-6, preferred, np.nan)


def extent(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return extent and active share of maps ≥ 0, (…, y, x) → (…)."""
    flat = maps.reshape(*maps.shape[:-2], -1)
    return participation_ratio(flat) / flat.shape[-1], (maps > 0).mean((-2, -1))
