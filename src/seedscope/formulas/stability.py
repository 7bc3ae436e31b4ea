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

from collections.abc import Sequence

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
