"""What a lens claims of the replicas of an experiment, and what would have to be true.

A lens with ``claims()`` returns sentences, each with conditions on the lens's own numbers over seeds. They stand in the
code, where a commit dates them: whether a claim holds is found by the rule of :mod:`seedscope.formulas.finding`, by
nobody's reading. (Which seeds had been looked at when they were written is said there too.)

A number that is tested brings its ``p``, and beside it ``draws``, how many it is a p of; a p that is not one of draws
brings none. The claim is tested as a whole: its p is the largest of its conditions'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from seedscope.formulas.finding import Bound


@dataclass(frozen=True)
class Condition:
    """One number that must lie beyond a bound.

    Attributes:
        metric: its name among the lens's numbers over seeds.
        words: what the number is, and what it is held against.
        bound: where it must lie.
        tested: whether its p, raw and with the claim's corrected for all claims of the experiment, must be small too.
        where_known: whether there are experiments without this number, such as those whose places are not known; the
            claim then rests on the others.
    """

    metric: str
    words: str
    bound: Bound
    tested: bool = False
    where_known: bool = False


@dataclass(frozen=True)
class Claim:
    """A sentence about the replicas, true or not.

    Attributes:
        key: its name, the same in every experiment.
        sentence: what is claimed.
        conditions: what must be true, all of it.
    """

    key: str
    sentence: str
    conditions: tuple[Condition, ...]


@runtime_checkable
class ClaimingLens(Protocol):
    """A lens that claims something."""

    def claims(self) -> Sequence[Claim]:
        """Return its claims."""


def above(metric: str, bound: float, words: str, *, worth: float | None = None, tested: bool = False) -> Condition:
    """Return the condition that a number lies above a bound; ``worth`` is the bound where it is not given."""
    return Condition(metric, words, Bound(bound, True, bound if worth is None else worth), tested)


def below(metric: str, bound: float, words: str, *, worth: float | None = None, tested: bool = False) -> Condition:
    """Return the condition that a number lies below a bound; ``worth`` is the bound where it is not given."""
    return Condition(metric, words, Bound(bound, False, bound if worth is None else worth), tested)


def gain(metric: str, worth: float, words: str, *, where_known: bool = False) -> Condition:
    """Return the condition that a number is above its null: a gain above 0, tested, that is ``worth`` saying.

    It holds where the whole interval is above 0 and the mean at least ``worth``. That it does not hold means that the
    gain is smaller than ``worth``, by its whole interval, and not that there is none.
    """
    return Condition(metric, words, Bound(0.0, True, worth), tested=True, where_known=where_known)


def loss(metric: str, worth: float, words: str, *, where_known: bool = False) -> Condition:
    """Return the condition that a number is below its null: a gain below 0, worth −``worth``, tested."""
    return Condition(metric, words, Bound(0.0, False, -worth), tested=True, where_known=where_known)
