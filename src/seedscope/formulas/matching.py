"""Which unit of one network is the like of which unit of another?

    r[i, j]     Pearson's r over samples of unit i of network a and unit j of network b, signed
    one to one  argmax over one-to-one matchings M of Σ_(i,j)∈M r[i, j]              Hungarian (Kuhn 1955)
    soft        argmax over T ≥ 0 with Σ_j T[i, j] = 1/I, Σ_i T[i, j] = 1/J of Σ T r   (Khosla and Williams 2024)
    partial     the same where only a share of all mass is moved                         (Kapoor et al. 2026)

A matching is chosen on some pictures and scored on others: on its own pictures the best of I! matchings is above 0 also
where nothing is alike.

r keeps its sign, since a unit behind a ReLU that is silent where another speaks is not its like; it is centred, since
two units that are merely both active have a large cosine. One to one leaves out |I − J| units of the larger network, so
its r falls as more pairs must be made; soft matching, for unequal numbers, uses all of both. Of a feature map a channel
is the unit and its places are further samples, each compared with the same place.

Invariant to the order of units in either network and to a positive scale and a shift of each unit, to nothing else;
symmetric in the networks. A unit that does not vary has no direction: its r is counted as 0, so that it is nobody's
like.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

Matching = tuple[np.ndarray, np.ndarray]
"""Units of a, and of b the partner of each; as many as the smaller network has, ordered by the first."""


def standardised(values: np.ndarray) -> np.ndarray:
    """Return each unit of values (sample, unit) centred and of length 1, in float64; 0 where it does not vary."""
    moved = np.asarray(values, dtype=np.float64)
    moved = moved - moved[:1]  # so that a constant is 0, not rounding
    moved = moved - moved.mean(0)
    length = np.sqrt(np.einsum("su,su->u", moved, moved))
    return np.divide(moved, length, out=np.zeros_like(moved), where=length > 0)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return r (unit of a, unit of b) of two networks' (sample, unit) on the same samples."""
    return standardised(a).T @ standardised(b)


def one_to_one(r: np.ndarray) -> Matching:
    """Return the one-to-one matching of the largest Σ r, of r (unit of a, unit of b)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(r, maximize=True)
    return rows, columns


def matched(a: np.ndarray, b: np.ndarray) -> Matching:
    """Return the one-to-one matching by r of two networks' (sample, unit) on the same samples."""
    return one_to_one(correlations(a, b))


def soft_matching(r: np.ndarray) -> np.ndarray:
    """Return the transport plan T (unit of a, unit of b), Σ T = 1, of the largest Σ T r; any numbers of units.

    Equal numbers give a one-to-one matching, each pair with the weight 1 / I.
    """
    transport = _optimal_transport()
    rows, columns = r.shape
    plan: np.ndarray = transport.emd(np.full(rows, 1 / rows), np.full(columns, 1 / columns), r.max() - r)
    return plan


def partial_matching(r: np.ndarray, share: float) -> np.ndarray:
    """Return the plan T with Σ T = ``share`` of the largest Σ T r whose marginals stay below the uniform ones."""
    transport = _optimal_transport()
    rows, columns = r.shape
    even = np.full(rows, 1 / rows), np.full(columns, 1 / columns)
    most = min(share, *(float(of.sum()) for of in even))  # sums of 1 / n may fall short of 1 by rounding
    plan: np.ndarray = transport.partial.partial_wasserstein(*even, r.max() - r, m=most)
    return plan


def _optimal_transport() -> Any:
    # It looks for every array library that is installed, torch among them, which takes seconds and is not used.
    for backend in ("PYTORCH", "JAX", "TENSORFLOW", "CUPY"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{backend}", "1")
    import ot
    import ot.partial

    return ot
