"""Does the evidence of several seeds support a claim that two things resemble each other?

    s_i   the similarity in seed i                e_i = s_i − max over the nulls of their similarity in seed i
    p     max of the one-sided p of e ≤ 0 and of s ≤ bound, t tests over seeds: both must be refused

    supported        p < 0.025: the 95 % intervals over seeds of e and of s lie above 0 and above the bound
    not supported    one of them lies wholly below: e below 0, or s below the bound
    undecided        anything else, and whenever fewer than ``SEEDS`` = 3 seeds have a value

A null that beats the similarity shows that selection, or smoothness, or chance is enough. The bound says what
"resemble" means. Intervals are those of :func:`~seedscope.formulas.intervals.mean_interval`.

A claim of which any one of several readings may be true has several chances to be right by chance. So of several
readings p is corrected by Holm (1979) before it is held against 0.025, and the claim is

    supported        if a reading is, p corrected; those readings *carry* the verdict
    not supported    if all readings are not supported: none may be missing, so nothing is corrected
    undecided        else
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seedscope.formulas.intervals import Interval, holm, mean_interval, p_of_zero

SEEDS = 3
LEVEL = 0.025  # one-sided, as of a 95 % interval

Verdict = Literal["supported", "undecided", "not supported"]
CODE: dict[Verdict, float] = {"supported": 1.0, "undecided": 0.0, "not supported": -1.0}


@dataclass(frozen=True)
class Finding:
    """What the seeds say of one reading of a claim.

    Attributes:
        similarity: over seeds.
        null: the strongest null of each seed, over seeds.
        excess: similarity minus the strongest null of the same seed, over seeds.
        p: by the module's rule, one-sided; of one of several readings corrected. ``None`` of too few seeds.
        verdict: by the module's rule.
    """

    similarity: Interval
    null: Interval
    excess: Interval
    p: float | None
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
    p = None
    if of_similarity.ends is not None and of_excess.ends is not None and of_similarity.n >= SEEDS:
        p = max(_p_below(of_excess, 0.0), _p_below(of_similarity, bound))
        if p < LEVEL:
            verdict = "supported"
        elif of_excess.ends[1] < 0 or of_similarity.ends[1] < bound:
            verdict = "not supported"
    return Finding(of_similarity, mean_interval(strongest), of_excess, p, verdict)


def any_of(readings: Mapping[str, Finding]) -> tuple[dict[str, Finding], Verdict]:
    """Return the findings with corrected p, and the verdict on a claim of which any one reading may be true."""
    known = [name for name, one in readings.items() if one.p is not None]
    corrected = dict(zip(known, holm(np.array([readings[name].p for name in known])).tolist(), strict=True))
    found = {
        name: replace(one, p=corrected.get(name), verdict=_corrected(one, corrected.get(name)))
        for name, one in readings.items()
    }
    verdicts = {one.verdict for one in found.values()}
    if "supported" in verdicts:
        return found, "supported"
    return found, "not supported" if verdicts == {"not supported"} else "undecided"


def _corrected(found: Finding, p: float | None) -> Verdict:
    return "undecided" if found.verdict == "supported" and (p is None or p >= LEVEL) else found.verdict


def _p_below(interval: Interval, bound: float) -> float:
    """Return the one-sided p of a mean that is no more than ``bound``; of seeds that are all alike 0 or 1."""
    assert interval.mean is not None
    if interval.low is None or interval.high is None:
        return float(interval.mean <= bound)
    moved = replace(interval, mean=interval.mean - bound, low=interval.low - bound, high=interval.high - bound)
    half = (p_of_zero(moved) or 0.0) / 2
    return half if interval.mean > bound else 1 - half
