"""Does a claim hold? The rule.

    a condition holds           the whole 95 % interval of its number lies beyond the bound, the mean is at least what
                                is worth saying, and where it is tested p ≤ 0.05
    a condition does not hold   the whole interval lies short of what is worth saying
    undecided                   anything else, and whatever has no interval

    a claim holds               all its conditions do, and where it is tested its p, corrected, is ≤ 0.05
    a claim does not hold       one of its conditions does not
    undecided                   anything else

A number is over seeds, a bound lies on one side: *above* it or *below* it. What is *worth* saying is the bound itself,
or of a gain over a null, whose bound is 0, the smallest that anyone would call one. A gain that is surely above 0 and
surely smaller than that is refuted: too small to be worth saying. One whose mean is smaller and whose interval reaches
that far is undecided, however small p is.

**The p of a claim.** All its conditions are asked, so it is tested by intersection and union (Berger 1982): its p is
the largest of its tested conditions, each tested at the full level. The claims of an experiment that have a p are one
family, corrected by Holm (1979). A p of n draws is 1 / (n + 1) at least: where even that, corrected, is above 0.05, no
result could make the claim hold, and the finding says that there are too few draws.

**The verdicts are no mirror images.** "Holds" needs interval and test, corrected for all claims. "Does not hold" says
that a number is short of what is worth saying: of a gain that it is *smaller than that*, not that it is 0. Its interval
says so; p has no part in it, for a large p proves nothing. It is not corrected: a claim whose k conditions all lie just
where they should is refuted in k · 2.5 % of the cases at most.

The interval of pairs of seeds is the jackknife's (:mod:`seedscope.formulas.intervals`), about twice too wide where
seeds are unrelated: it errs towards ``undecided``.

**What is older.** The claims, their bounds and this rule were written after the default five seeds (0 to 4) had been
looked at, so of these they describe more than they test. They are older than any result of the seeds of ``make study``
(100 and up).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from seedscope.formulas.intervals import Interval

Verdict = Literal["holds", "does not hold", "undecided"]
LEVEL = 0.05


@dataclass(frozen=True)
class Bound:
    """What a number over seeds must lie beyond.

    "Does not hold" of a gain means that it is smaller than ``worth``; see the module's text.

    Attributes:
        at: the bound, beyond which its whole interval must lie.
        above: whether the number must lie above it, else below.
        worth: what is worth saying, which its mean must reach: an interval wholly short of it refutes the claim.
    """

    at: float
    above: bool
    worth: float

    @property
    def asked(self) -> str:
        """Return what is asked, in words: ``> 0, mean ≥ 0.05``, or ``> 0.9`` where that is all."""
        beyond, reach = ("> ", "≥") if self.above else ("< ", "≤")
        also = "" if self.worth == self.at else f", mean {reach} {self.worth:g}"
        return f"{beyond}{self.at:g}{also}"

    def verdict(self, found: Interval, *, passed: bool = True) -> Verdict:
        """Return the verdict on a number; ``passed``: whether its test says yes, where there is one."""
        of = self._upwards(found)
        if of is None:
            return "undecided"
        mean, low, high = of
        at, worth = self._sign * self.at, self._sign * self.worth
        if high < worth:
            return "does not hold"
        return "holds" if low > at and mean >= worth and passed else "undecided"

    def room(self, found: Interval) -> float:
        """Return how far a number is beyond all that is asked, in half-widths of its interval.

        Below 0 is what it lacks; −∞ of one without an interval.
        """
        of = self._upwards(found)
        if of is None:
            return -math.inf
        mean, low, high = of
        return _ratio(min(low - self._sign * self.at, mean - self._sign * self.worth), (high - low) / 2)

    def shortfall(self, found: Interval) -> float:
        """Return how far a whole interval is short of what is worth saying, in its half-widths; −∞ without one."""
        of = self._upwards(found)
        return -math.inf if of is None else _ratio(self._sign * self.worth - of[2], (of[2] - of[1]) / 2)

    @property
    def _sign(self) -> int:
        return 1 if self.above else -1

    def _upwards(self, found: Interval) -> tuple[float, float, float] | None:
        """Return mean, low and high, mirrored where the number must lie below: asked is always more."""
        if found.mean is None or found.ends is None:
            return None
        low, high = sorted(self._sign * end for end in found.ends)
        return self._sign * found.mean, low, high


def _ratio(distance: float, half: float) -> float:
    return distance / half if half else math.copysign(math.inf, distance) if distance else 0.0


def passes(p: float | None) -> bool:
    """Return whether a test says yes; one without a p does not."""
    return p is not None and p <= LEVEL


def all_of(verdicts: Collection[Verdict], *, passed: bool = True) -> Verdict:
    """Return the verdict on a claim of which every condition must hold; ``passed``: whether its test says yes."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if passed and verdicts and set(verdicts) == {"holds"} else "undecided"


def p_of_all(p: Collection[float | None]) -> float | None:
    """Return the p of a claim from those of its tested conditions, the largest; ``None`` where one is not known."""
    known = [one for one in p if one is not None]
    return max(known) if known and len(known) == len(p) else None


def smallest_p(p: float | None, draws: int | None) -> float:
    """Return the smallest p that a test could have given: 1 / (draws + 1), and 0 of a test without draws.

    A p of draws is a whole number of that. One that is not, such as that of a t test over networks that were drawn
    once, does not owe its size to draws.
    """
    if draws is None or (p is not None and not math.isclose(p * (draws + 1), max(1, round(p * (draws + 1))))):
        return 0.0
    return 1 / (draws + 1)
