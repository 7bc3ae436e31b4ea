"""Means as dots: a panel for each measure, a row for each thing measured, a mark for each source of the number.

Where the table has ``low`` and ``high``, each mark has its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures.marks import Dots, Mark, Rule, Spans
from seedscope.figures.sheet import Axis, Grid, Key, Panel

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Source:
    """Where a number comes from: what that is called, and its mark."""

    words: str
    shape: str
    color: str


def dot_rows(
    table: pd.DataFrame,
    measures: Mapping[str, str],
    rows: Mapping[str, str],
    sources: Mapping[str, Source],
    *,
    low: float,
    label: str,
    ticks: Sequence[float],
) -> Grid:
    """Show a table with columns ``map``, ``source``, ``measure``, ``value`` and perhaps ``low``, ``high``.

    Args:
        table: the numbers.
        measures: the panels' titles by ``measure``.
        rows: the rows' names by ``map``, from the top.
        sources: by ``source``; those that the table lacks are left out.
        low: the left end of the x axes, whose right end is 1.
        label: of the x axes.
        ticks: of the x axes.
    """
    reach = 0.02 * (1 - low)
    panels = [
        Panel(
            [*(Rule(tick, "#e5e5e5", across=False) for tick in ticks), *_marks(table, measure, rows, sources)],
            words,
            Axis(ticks=list(ticks), low=low - reach, high=1 + reach),
            Axis(ticks=range(len(rows)), names=list(rows.values()), low=len(rows) - 0.5, high=-0.5, size=8.5),
            width=max(1.2, 7.6 / len(measures)),
            height=0.42 * len(rows),
        )
        for measure, words in measures.items()
    ]
    seen = table.dropna(subset=["value"])["source"].nunique()
    return Grid(panels, len(panels), share_y=True, x_label=label, key=Key("below", columns=max(1, seen)))


def _marks(table: pd.DataFrame, measure: str, rows: Mapping[str, str], sources: Mapping[str, Source]) -> list[Mark]:
    places = {name: float(place) for place, name in enumerate(rows)}
    marks: list[Mark] = []
    for name, source in sources.items():
        part = table[(table["measure"] == measure) & (table["source"] == name)].dropna(subset=["value"])
        if not len(part):
            continue
        y = part["map"].map(places).to_numpy(dtype=float)
        if "low" in part:
            low, high = (part[end].to_numpy(dtype=float) for end in ("low", "high"))
            marks.append(Spans(y, low, high, source.color, width=1.4, across=True))
        x = part["value"].to_numpy(dtype=float)
        size = {"|": 13.0, "o": 7.0}.get(source.shape, 6.0)  # discs have no edge
        marks.append(Dots(x, np.asarray(y), source.color, source.shape, size, label=source.words, clipped=False))
    return marks
