"""Does a claim hold? A rule that is older than its results.

    holds           the whole 95 % interval lies beyond the bound, and where there is a test p ≤ 0.05, corrected
    does not hold   the whole interval lies short of what would be worth saying
    undecided       anything else, and whatever has no interval

of one number over seeds. A bound lies on one side: *above* it or *below* it. What is worth saying is the bound itself,
or for a gain over a null, whose bound is 0, the smallest that anyone would call one: without it a null result could
never be more than undecided. A claim with several conditions holds where all do, and does not where one does not.

p-values of one experiment's claims are one family, corrected by Holm (1979). A test of pairs of seeds is a permutation;
its interval is the jackknife over seeds (:mod:`seedscope.formulas.intervals`), which is wide where seeds are unrelated:
it errs towards ``undecided``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "does not hold", "undecided"]
LEVEL = 0.05


@dataclass(frozen=True)
class Bound:
    """What a number over seeds must lie beyond.

    Attributes:
        at: the bound.
        above: whether the number must lie above it, else below.
        worth: what is worth saying: a number whose interval lies wholly short of it refutes the claim.
    """

    at: float
    above: bool
    worth: float

    def verdict(self, low: float | None, high: float | None, p: float | None) -> Verdict:
        """Return the verdict on an interval; ``p`` is corrected, ``None`` where nothing is tested."""
        if low is None or high is None:
            return "undecided"
        beyond, short = (low > self.at, high < self.worth) if self.above else (high < self.at, low > self.worth)
        if beyond and (p is None or p <= LEVEL):
            return "holds"
        return "does not hold" if short else "undecided"


def all_of(verdicts: Collection[Verdict]) -> Verdict:
    """Return the verdict on a claim of which every condition must hold."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if verdicts and set(verdicts) == {"holds"} else "undecided"
