"""Is a unit tuned to what its head's initial row said? The head's first draw, swapped between networks.

    r[cell, h] = mean over the live units i of Pearson(tuning[·, i], head_h[·, i]) over classes, both centred over them

``tuning[k, i]`` is the mean activation of unit i over the pictures of class k at the end of training, ``head_h`` the
initial weights of the last layer as level h draws them. A network (a, b) has the initial weights of level a, but the
head of level b. If the head's draw decides what a surviving unit will mean,

    given      r[(a, b), b], a ≠ b      is high        the head that it was given
    other      r[(a, b), a], a ≠ b      is not         the head that its weights would have come with
    unrelated  mean of r[(a, b), h], h ∉ {a, b}        neither: what any head says

Intervals are jackknifes over levels (:func:`~seedscope.formulas.intervals.pair_interval`): a level is left out as the
weights' and as the head's. p: the heads' labels are permuted, one order for all networks. Rows: the rows of the head
given are shuffled among the live units, of which the mean over all orders is exact, r over all pairs of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np

from seedscope.formulas.correlation import directions
from seedscope.formulas.intervals import Interval, mean_interval, pair_interval
from seedscope.formulas.nulls import permutation_p

HIGH = 0.5
_TIMES = 5000


@dataclass(frozen=True)
class Swap:
    """What became of the swap; intervals over levels.

    Attributes:
        given: r with the head that a network was given, of those that were given another's.
        other: r with the head of its weights' level.
        unrelated: r with the heads of third levels; ``None`` values where there are only two.
        difference: given − other.
        own: r with its head, of networks that were given none.
        start: r with the unit's own tuning at step 0, of those that were given another's head.
        rows: what rows shuffled among live units give, of the head given.
        p: of ``given``, heads permuted.
        verdict: ``follows the head`` where given lies above ``HIGH`` and other below, each with its interval, and p is
            at most 0.05; ``does not`` where given lies below; else ``undecided``.
    """

    given: Interval
    other: Interval
    unrelated: Interval
    difference: Interval
    own: Interval
    start: Interval
    rows: Interval
    p: float
    verdict: str


def row_correlations(tuning: np.ndarray, rows: np.ndarray, live: np.ndarray) -> tuple[float, float]:
    """Return the mean r over live units, and that of rows shuffled among them; NaN where no unit has one.

    Args:
        tuning: (class, unit).
        rows: (class, unit).
        live: (unit).
    """
    seen = np.isfinite(tuning).all(1) & np.isfinite(rows).all(1)
    a, b = (directions(one[seen][:, live].T, "pearson") for one in (tuning, rows))
    r = a @ b.T
    known = np.isfinite(np.diag(r)) if len(r) else np.zeros(0, dtype=bool)
    if not known.any():
        return float("nan"), float("nan")
    r = r[known][:, known]
    return float(np.diag(r).mean()), float(r.mean())


def swapped(r: np.ndarray, start: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> Swap:
    """Return what became of the swap.

    Args:
        r: (weights level, head level, head h), means over whatever else was crossed.
        start: (weights level, head level), r with the tuning at step 0.
        rows: (weights level, head level), the head given with its rows shuffled.
        rng: draws the permutations where there are too many to try all.
    """
    n = len(r)
    a, b = np.indices((n, n))
    given, other = r[a, b, b], r[a, b, a]
    third = np.array([[_mean_without(r[i, j], {i, j}) for j in range(n)] for i in range(n)])
    found = {"given": given, "other": other, "unrelated": third, "difference": given - other, "start": start}
    over = {name: _over_levels(table) for name, table in (*found.items(), ("rows", rows))}
    p = _p_of_heads(r, rng)
    return Swap(**over, own=mean_interval(np.diagonal(given)), p=p, verdict=_verdict(over["given"], over["other"], p))


def _verdict(given: Interval, other: Interval, p: float) -> str:
    if given.low is None or given.high is None or other.high is None:
        return "undecided"
    if given.low > HIGH and other.high < HIGH and p <= 0.05:
        return "follows the head"
    return "does not" if given.high < HIGH else "undecided"


def _over_levels(table: np.ndarray) -> Interval:
    """Return the mean off the diagonal, jackknifed; levels are left out as the weights' and as the head's at once."""
    both = (table + table.T) / 2
    n = len(both)
    if n < 2 or not np.isfinite(both[np.triu_indices(n, 1)]).all():
        return Interval(None, None, None, n)
    return pair_interval(both)


def _mean_without(values: np.ndarray, left_out: set[int]) -> float:
    kept = [value for h, value in enumerate(values) if h not in left_out]
    return float(np.mean(kept)) if kept else float("nan")


def _p_of_heads(r: np.ndarray, rng: np.random.Generator) -> float:
    n = len(r)
    a, b = np.nonzero(~np.eye(n, dtype=bool))

    def given(order: np.ndarray) -> float:
        return float(r[a, b, order[b]].mean())

    observed = given(np.arange(n))
    if factorial(n) > _TIMES:
        return permutation_p(observed, np.array([given(rng.permutation(n)) for _ in range(_TIMES)]))
    others = [order for order in permutations(range(n)) if order != tuple(range(n))]
    return permutation_p(observed, np.array([given(np.array(order)) for order in others]))
