"""Means as dots: a panel for each measure, a row for each thing measured, a mark for each source of the number.

Where the table has ``low`` and ``high``, each mark has its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seedscope import drawing as figures

if TYPE_CHECKING:
    import pandas as pd

Marks = Mapping[str, tuple[str, str, str]]


def dot_rows(
    title: str,
    table: pd.DataFrame,
    measures: Mapping[str, str],
    rows: Mapping[str, str],
    marks: Marks,
    *,
    low: float,
    label: str,
    ticks: Sequence[float],
) -> Figure:
    """Draw a table with columns ``map``, ``source``, ``measure``, ``value`` and perhaps ``low``, ``high``.

    Args:
        title: the figure's title.
        table: the numbers.
        measures: the panels' titles by ``measure``.
        rows: the rows' names by ``map``, from the top.
        marks: words, marker and colour by ``source``; those that the table lacks are left out.
        low: the left end of the x axes, whose right end is 1.
        label: of the x axes.
        ticks: of the x axes.
    """
    figure = figures.canvas(title, 10.5, 0.42 * len(rows) + 2.0)
    axes = figures.panels(figure, 1, len(measures), left=2.3, top=1.05, bottom=0.9, wspace=0.12, share_y=True)
    places = {name: float(place) for place, name in enumerate(rows)}
    for ax, (measure, words) in zip(axes, measures.items(), strict=True):
        for source, (_, marker, color) in marks.items():
            part = table[(table["measure"] == measure) & (table["source"] == source)].dropna(subset=["value"])
            y = part["map"].map(places).to_numpy(dtype=float)
            ax.plot(part["value"], y, linestyle="", color=color, zorder=3, clip_on=False, **_shape(marker))
            if "low" in part:
                known = part["low"].notna().to_numpy()
                ax.hlines(y[known], part["low"][known], part["high"][known], color=color, linewidth=1.4)
        reach = 0.02 * (1 - low)
        ax.set_xlim(low - reach, 1 + reach)
        ax.set_xticks(list(ticks))
        ax.set_title(words, fontsize=9.5)
        ax.grid(axis="x", color="#e5e5e5", linewidth=0.8)
        ax.set_axisbelow(True)
    axes[0].set_yticks(range(len(rows)), list(rows.values()), fontsize=8.5)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    seen = set(table.dropna(subset=["value"])["source"])
    keys = [
        Line2D([], [], linestyle="", color=color, label=words, **_shape(marker))
        for source, (words, marker, color) in marks.items()
        if source in seen
    ]
    figure.legend(handles=keys, loc="lower center", ncols=len(keys), fontsize=8, frameon=False, columnspacing=1.2)
    figure.text(0.6, 0.42 / figure.get_figheight(), label, ha="center", fontsize=9)
    return figure


def _shape(marker: str) -> dict[str, Any]:
    return {"marker": marker, "markersize": 13.0 if marker == "|" else 6.0, "markeredgewidth": 1.6}
