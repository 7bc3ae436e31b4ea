"""Do two units answer alike to one thing at all its places, beyond what their tuning to classes explains?

    field[h, i, p]     mean response of unit i to the thing at place p, over the noise of half h of the draws
    residual[h, i, p]  field less its mean over the places of p's class
    R[i, j] = ½ (Pearson(residual_a[0, i], residual_b[1, j]) + Pearson(residual_a[1, i], residual_b[0, j]))

Fields that are compared rest on different noise: two units that answer to the same specks of one picture would be alike
for that. A unit's own R, of a network with itself, is how reliable its field is: no other's can be expected above it. A
field that does not vary has no direction: its R counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seedscope.formulas.classes import class_means
from seedscope.formulas.matching import Matching, one_to_one, standardised


def residual_fields(fields: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return fields (half, unit, place) less their mean over the places of each class (place)."""
    by_place = np.moveaxis(np.asarray(fields, dtype=np.float64), -1, 0)
    _, code = np.unique(label, return_inverse=True)
    return np.moveaxis(by_place - class_means(by_place, code, int(code.max()) + 1)[code], 0, -1)


def field_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return R (unit of a, unit of b) of two networks' fields, or residual fields, (half, unit, place)."""
    first, second = ([standardised(half.T) for half in fields] for fields in (a, b))
    return (first[0].T @ second[1] + first[1].T @ second[0]) / 2


def shuffled_matchings(
    values: Sequence[np.ndarray], label: np.ndarray, pairs: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[Matching]:
    """Return the matching of each pair of networks when each network's pictures are shuffled within their class.

    Args:
        values: of each network, (sample, unit) on the same samples, as :func:`standardised` gives them.
        label: (sample).
        pairs: which networks.
        rng: draws the shuffles; the first network stays as it is.
    """
    place = np.argsort(label, kind="stable")
    moved = [values[0]]
    for of in values[1:]:
        order = np.empty(len(label), dtype=np.int64)
        order[place] = np.lexsort((rng.random(len(label)), label))  # of many groups faster than one by one
        moved.append(of[order])
    return [one_to_one(moved[a].T @ moved[b]) for a, b in pairs]
