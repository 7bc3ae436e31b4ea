"""Which claims hold of these replicas: ``reports/metrics/<experiment>.findings.json``.

    {"<claim>": {"claim", "verdict", "because", "decided_by", "p", "p_corrected", "lens",
                 "conditions": {"<metric>": {"is", "mean", "low", "high", "n", "same", "null", "p", "draws",
                                             "asked", "bound", "worth", "verdict"}}}}

    claim        the sentence; ``lens`` says it
    verdict      ``holds``, ``does not hold`` or ``undecided``, by :mod:`seedscope.formulas.finding`
    because      why it does not hold, or is undecided, in words; "" where it holds
    decided_by   the metric that decides: of a claim that holds the one nearest to not holding, of one that does not the
                 one furthest short, of an undecided one the undecided one furthest from holding; all in half-widths of
                 its interval. Where all hold and the test of the claim says no, the one with the largest p.
    p            the largest of its tested conditions; ``null`` without a test, and where one has no p
    p_corrected  … by Holm, for all claims of the experiment that have a p
    conditions   their numbers, each with its own verdict and, where it is tested, its raw ``p`` and the ``draws`` that
                 this is of; what is ``asked``, in words: beyond which ``bound``, and a mean that is ``worth`` saying

The lenses say what they claim, and what would have to be true (:mod:`seedscope.lenses.claims`); here their numbers are
put in, and the rule applied. A claim of a number that there is not, such as places where none are known, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.finding import LEVEL, Verdict, all_of, p_of_all, passes, smallest_p
from seedscope.formulas.intervals import Interval, holm
from seedscope.lenses.claims import Claim, ClaimingLens, Condition
from seedscope.lenses.lens import Lens

if TYPE_CHECKING:
    import pandas as pd

Metrics = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Numbers over seeds, ``{"<lens>": {"<name>": {"mean", "low", "high", "n", …}}}``."""
Findings = dict[str, dict[str, Any]]


def findings_of(lenses: Mapping[str, Lens], metrics: Metrics) -> Findings:
    """Return the verdict on every claim that these lenses make."""
    judged = [
        _judged(name, claim, metrics.get(name, {}))
        for name, lens in lenses.items()
        if isinstance(lens, ClaimingLens)
        for claim in lens.claims()
    ]
    known = [one for one in judged if one is not None]
    family = np.array([one.p for one in known if one.p is not None])
    corrected = iter(holm(family).tolist())
    return {one.key: _finding(one, None if one.p is None else next(corrected), family) for one in known}


def findings_table(findings: Findings) -> pd.DataFrame:
    """Return a row for each condition of each claim."""
    import pandas as pd

    of_claim = {"sentence": "claim", "verdict of the claim": "verdict", "p of the claim": "p"}
    of_claim |= {name: name for name in ("p_corrected", "because", "decided_by")}
    rows = [
        {"claim": key, **{column: of[name] for column, name in of_claim.items()}, "metric": metric, **condition}
        for key, of in findings.items()
        for metric, condition in of["conditions"].items()
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Number:
    """A condition with the number that there is."""

    condition: Condition
    found: Interval
    p: float | None
    draws: int | None
    null: float | None

    @classmethod
    def of(cls, condition: Condition, number: Mapping[str, Any]) -> _Number:
        found = Interval(number["mean"], number["low"], number["high"], number["n"], number.get("same", False))
        if not condition.tested or found.same:
            return cls(condition, found, None, None, number.get("null"))
        p = number.get("p")
        known = None if p is None or math.isnan(p) else float(p)
        return cls(condition, found, known, number.get("draws"), number.get("null"))

    @property
    def tested(self) -> bool:
        """Return whether its p is asked for; what no seed changes is no sample to be tested."""
        return self.condition.tested and not self.found.same

    @property
    def verdict(self) -> Verdict:
        return self.condition.bound.verdict(self.found, passed=not self.tested or passes(self.p))

    @property
    def room(self) -> float:
        return self.condition.bound.room(self.found)

    @property
    def because(self) -> str:
        """Return why this condition does not hold, or is undecided."""
        bound, ends = self.condition.bound, self.found.ends
        if ends is None:
            return "no interval"
        low, high = ends
        beyond = low > bound.at if bound.above else high < bound.at
        short, sides = ("below", "above") if bound.above else ("above", "below")
        if self.verdict == "does not hold":
            small = f": {sides} {bound.at:g}, and too little to be worth saying" if beyond else ""
            all_of_it = "in every seed it" if self.found.same else "all of the interval"
            return f"{all_of_it} is {short} {bound.worth:g}{small}"
        if not beyond:
            return f"the interval reaches {bound.at:g}"
        if self.room < 0:
            return f"the mean is {short} {bound.worth:g}, which would be worth saying"
        return "there is no p" if self.p is None else f"p is {self.p:.2g}"

    def as_dict(self) -> dict[str, Any]:
        same = {"same": True} if self.found.same else {}
        bound = self.condition.bound
        return {
            "is": self.condition.words,
            **{name: getattr(self.found, name) for name in ("mean", "low", "high", "n")},
            **same,
            **{name: getattr(self, name) for name in ("null", "p", "draws")},
            "asked": bound.asked,
            "bound": bound.at,
            "worth": bound.worth,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class _Claimed:
    """A claim with all its numbers."""

    key: str
    sentence: str
    lens: str
    numbers: tuple[_Number, ...]

    @property
    def tested(self) -> list[_Number]:
        return [one for one in self.numbers if one.tested]

    @property
    def p(self) -> float | None:
        return p_of_all([one.p for one in self.tested])


def _judged(lens: str, claim: Claim, metrics: Mapping[str, Mapping[str, Any]]) -> _Claimed | None:
    """Return a claim with its numbers, as far as known; ``None`` where one is missing that must be there."""
    there = [one for one in claim.conditions if one.metric in metrics]
    if not there or any(one not in there and not one.where_known for one in claim.conditions):
        return None
    return _Claimed(claim.key, claim.sentence, lens, tuple(_Number.of(one, metrics[one.metric]) for one in there))


def _finding(of: _Claimed, corrected: float | None, family: np.ndarray) -> dict[str, Any]:
    verdict = all_of([one.verdict for one in of.numbers], passed=not of.tested or passes(corrected))
    deciding = _deciding(of, verdict)
    return {
        "claim": of.sentence,
        "verdict": verdict,
        "because": _because(of, verdict, deciding, corrected, family),
        "decided_by": deciding.condition.metric,
        "p": of.p,
        "p_corrected": corrected,
        "lens": of.lens,
        "conditions": {one.condition.metric: one.as_dict() for one in of.numbers},
    }


def _deciding(of: _Claimed, verdict: Verdict) -> _Number:
    """Return the number that decides; of equal ones the first."""
    alike = [one for one in of.numbers if one.verdict == verdict]
    if verdict == "does not hold":
        return max(alike, key=lambda one: one.condition.bound.shortfall(one.found))
    if alike:  # the one with the least room: of numbers that hold, and of numbers that do not yet
        return min(alike, key=lambda one: one.room)
    return max(of.tested, key=lambda one: one.p or 0.0)  # all hold, and their test, corrected, does not


def _because(of: _Claimed, verdict: Verdict, deciding: _Number, corrected: float | None, family: np.ndarray) -> str:
    if verdict == "holds":
        return ""
    if verdict == "does not hold":
        return deciding.because
    reasons = []
    if deciding.verdict == "undecided":
        reasons.append(deciding.because)
    elif corrected is not None:
        reasons.append(f"p is {corrected:.2g}, corrected for {len(family)} claims")
    return "; ".join([*reasons, *_too_few_draws(of, family)])


def _too_few_draws(of: _Claimed, family: np.ndarray) -> list[str]:
    """Return, of a claim whose draws could not make it hold, that they could not.

    Its p is taken for the smallest that so many draws can give, and corrected with the others as they are.
    """
    least = max((smallest_p(one.p, one.draws) for one in of.tested), default=0.0)
    if not least:
        return []
    others = family.tolist()
    if of.p is not None:
        others.remove(of.p)
    could = float(holm(np.array([least, *others]))[0])
    if could <= LEVEL:
        return []
    fewest = round(1 / least) - 1
    return [
        f"too few draws to hold: the smallest p of {fewest}, corrected for {len(others) + 1} claims, is {could:.2g}"
    ]
