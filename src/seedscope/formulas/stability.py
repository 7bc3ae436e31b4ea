"""How stable is a choice of features over several seeds?

    Φ = 1 − (1/d) Σ_f s_f² / ((k̄/d) (1 − k̄/d)),   s_f² = M/(M − 1) p_f (1 − p_f)

of M seeds that each choose a set out of d features: p_f is the share of the seeds that choose f, k̄ the mean size of
the sets. 1: always the same set, 0: what sets of these sizes drawn at random share; the only measure that is fully
defined, monotone, bounded, maximal exactly when all sets are equal, and corrected for chance (Nogueira, Sechidis and
Brown 2018).

Seeds choose among units of their own. So the features are those of one seed, the reference: a chosen unit of another
seed counts as the reference's unit that it is matched to, and one without a partner as a feature of its own, which
nobody else has. What is said is the mean over all references.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def nogueira(chosen: np.ndarray) -> float:
    """Return Φ of sets (seed, feature) of booleans; NaN of one seed, and where all or none is always chosen."""
    m, d = chosen.shape
    if m < 2 or d == 0:
        return float("nan")
    p = chosen.mean(0)
    share = float(p.mean())
    if share in (0.0, 1.0):
        return float("nan")
    return 1 - float((m / (m - 1) * p * (1 - p)).mean()) / (share * (1 - share))


def stability_from(chosen: Sequence[np.ndarray], partner: Sequence[np.ndarray], reference: int) -> float:
    """Return Φ of the sets of several seeds, in the units of one of them.

    Args:
        chosen: of each seed, which of its live units it chooses, (unit) of booleans.
        partner: of each seed, which unit of the reference each of its live units is matched to, −1 for none, (unit);
            of the reference itself every unit's own number.
        reference: the seed whose units are the features.
    """
    own = len(chosen[reference])
    strangers = [int((sets & (to < 0)).sum()) for sets, to in zip(chosen, partner, strict=True)]
    table = np.zeros((len(chosen), own + sum(strangers)), dtype=bool)
    for seed, (sets, to) in enumerate(zip(chosen, partner, strict=True)):
        table[seed, to[sets & (to >= 0)]] = True
        start = own + sum(strangers[:seed])
        table[seed, start : start + strangers[seed]] = True
    return nogueira(table)


def matched_stability(
    dominant: Sequence[np.ndarray], matching: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]]
) -> float:
    """Return Φ of the seeds' dominant sets under a matching of their units, mean over classes and references.

    Args:
        dominant: of each seed (class, place, unit) of booleans; a unit keeps its place under the matching.
        matching: of every pair (a, b), a < b, units of a and their partners in b.
    """
    found = []
    for reference, own in enumerate(dominant):
        classes, places, units = own.shape
        partner = [_partners(seed, reference, dominant[seed].shape[2], matching) for seed in range(len(dominant))]
        flat = [np.where(to < 0, -1, np.arange(places)[:, None] * units + to).ravel() for to in partner]
        found += [
            stability_from([sets[k].ravel() for sets in dominant], flat, reference)
            for k in range(classes)
            if any(sets[k].any() for sets in dominant)
        ]
    return float(np.mean(found)) if found else float("nan")


def _partners(
    seed: int, reference: int, units: int, matching: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return which unit of the reference each unit of a seed is matched to, −1 for none."""
    if seed == reference:
        return np.arange(units)
    to = np.full(units, -1)
    rows, columns = matching[min(seed, reference), max(seed, reference)]
    own, other = (rows, columns) if seed < reference else (columns, rows)
    to[own] = other
    return to
