"""Independent calls of one comparison: by itself it makes them in turn, a stage makes them in several processes.

A lens whose ``compare`` takes ``at_once`` is given what the stage has. The results are the same: a call takes nothing
from another, and draws from generators of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class AtOnce(Protocol):
    """Makes calls that take nothing from each other, in any order and in any process."""

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return what each of ``calls``, which can be pickled, returns, in their order."""


def in_turn(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make the calls one after the other, in this process."""
    return [call() for call in calls]
