"""The measurements behind every performance figure in README.md: ``python -m benchmarks`` (``make bench``)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the median.
        unit: its unit.
        asked: what was asked for, as words; empty where nothing was.
        low, high: smallest and largest of the runs.
        runs: how many there were.
    """

    name: str
    value: float
    unit: str
    asked: str = ""
    low: float | None = None
    high: float | None = None
    runs: int = 1

    @classmethod
    def of(cls, name: str, values: list[float], unit: str, asked: str = "") -> Row:
        """Return the median of several runs with their range."""
        return cls(name, statistics.median(values), unit, asked, min(values), max(values), len(values))


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
