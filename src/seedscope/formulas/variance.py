"""What makes a value vary? A two-way analysis of variance with one value per cell.

    Σ (v − v̄)² = N Σ_p (v̄[p,·] − v̄)² + P Σ_n (v̄[·,n] − v̄)² + Σ (v − v̄[p,·] − v̄[·,n] + v̄)²
                       place                  noise                    interaction
    MS = sum of squares / df;   df = P − 1, N − 1, (P − 1)(N − 1)
    σ²_interaction = MS_interaction;  σ²_place = (MS_place − MS_interaction) / N;  σ²_noise = (MS_noise − …) / P

of values v[p, n] of P places under N noise fields (Fisher 1925). Where both are draws, these variance components are
unbiased by the method of moments (Searle, Casella and McCulloch 1992); one may come out negative where there is none.
"""

from __future__ import annotations

import numpy as np


def sums_of_squares(values: np.ndarray) -> np.ndarray:
    """Return the sums of squares of place, noise and interaction, (3, …), of ``values`` (place, noise, …)."""
    places, noises = values.shape[:2]
    values = values - values[0, 0]  # so that what does not vary is 0, not rounding
    mean = values.mean((0, 1))
    place, noise = values.mean(1) - mean, values.mean(0) - mean
    rest = values - mean - place[:, None] - noise[None]
    return np.stack([noises * (place**2).sum(0), places * (noise**2).sum(0), (rest**2).sum((0, 1))])


def variance_components(squares: np.ndarray, places: int, noises: int) -> np.ndarray:
    """Return the unbiased variance components (3, …) of sums of squares (3, …); a component may be negative."""
    rest = squares[2] / ((places - 1) * (noises - 1))
    place = (squares[0] / (places - 1) - rest) / noises
    noise = (squares[1] / (noises - 1) - rest) / places
    return np.stack([place, noise, rest])


def shares(parts: np.ndarray) -> np.ndarray:
    """Return parts (3, …) as shares of their sum; NaN where nothing varies."""
    total = parts.sum(0)
    return np.divide(parts, total, out=np.full(parts.shape, np.nan), where=total > 0)
