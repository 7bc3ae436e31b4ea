"""What a lens claims of the replicas of an experiment, and what would have to be true.

A lens with ``claims()`` returns sentences, each with conditions on the lens's own numbers over seeds. They are written
down before the numbers are there: whether a claim holds is then found by the rule of :mod:`seedscope.formulas.finding`,
by nobody's reading.
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
        tested: whether its p, corrected for all claims of the experiment, must be small too.
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
    """Return the condition that a number is above its null: a gain above 0, of which ``worth`` would be one, tested."""
    return Condition(metric, words, Bound(0.0, True, worth), tested=True, where_known=where_known)


def loss(metric: str, worth: float, words: str, *, where_known: bool = False) -> Condition:
    """Return the condition that a number is below its null: a gain below 0, worth −``worth``, tested."""
    return Condition(metric, words, Bound(0.0, False, -worth), tested=True, where_known=where_known)
