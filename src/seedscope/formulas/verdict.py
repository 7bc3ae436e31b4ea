"""Does the evidence of several seeds support a claim that two things resemble each other?

    s_i   the similarity in seed i                e_i = s_i − max over the nulls of their similarity in seed i

    supported        the 95 % intervals over seeds of e and of s lie above 0 and above a bound
    not supported    one of them lies wholly below: e below 0, or s below the bound
    undecided        anything else, and whenever fewer than ``SEEDS`` = 3 seeds have a value

A null that beats the similarity shows that selection, or smoothness, or chance is enough. The bound says what
"resemble" means. Intervals are those of :func:`~seedscope.formulas.intervals.mean_interval`.

A claim of which any one of several readings may be true is supported if one of them is, not supported if none can
be, else undecided. This is again kind to the claim: nothing is corrected for there being several readings.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seedscope.formulas.intervals import Interval, mean_interval

SEEDS = 3

Verdict = Literal["supported", "undecided", "not supported"]
CODE: dict[Verdict, float] = {"supported": 1.0, "undecided": 0.0, "not supported": -1.0}


@dataclass(frozen=True)
class Finding:
    """What the seeds say of one reading of a claim.

    Attributes:
        similarity: over seeds.
        null: the strongest null of each seed, over seeds.
        excess: similarity minus the strongest null of the same seed, over seeds.
        verdict: by the module's rule.
    """

    similarity: Interval
    null: Interval
    excess: Interval
    verdict: Verdict


def find(similarity: np.ndarray, nulls: np.ndarray, bound: float) -> Finding:
    """Judge one reading of a claim.

    Args:
        similarity: (seed); NaN where a seed has no value.
        nulls: (seed, null); NaN where a null has no value.
        bound: from which similarity on things resemble each other.
    """
    known = np.isfinite(similarity) & np.isfinite(nulls).any(1)
    kept = similarity[known]
    strongest = np.nanmax(nulls[known], axis=1, initial=-np.inf)
    of_similarity, of_excess = mean_interval(kept), mean_interval(kept - strongest)
    verdict: Verdict = "undecided"
    if of_similarity.ends is not None and of_excess.ends is not None and of_similarity.n >= SEEDS:
        (low, high), (excess_low, excess_high) = of_similarity.ends, of_excess.ends
        if excess_low > 0 and low > bound:
            verdict = "supported"
        elif excess_high < 0 or high < bound:
            verdict = "not supported"
    return Finding(of_similarity, mean_interval(strongest), of_excess, verdict)


def any_of(readings: Collection[Verdict]) -> Verdict:
    """Return the verdict on a claim of which any one reading may be true."""
    if "supported" in readings:
        return "supported"
    return "not supported" if readings and set(readings) == {"not supported"} else "undecided"
