"""Numbers of pairs of seeds, drawn: each pair beside the nulls, and as a matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seedscope.figures import (
    DIVERGING,
    SILENT,
    Axis,
    Bar,
    Dots,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Spans,
    Words,
    heat_map,
    named,
)
from seedscope.lenses.pair_numbers import PairNumbers

_WRITTEN = 8  # seeds of which every pair's number can be read
_SIDE = 2.1  # of a matrix, inches

PAIRS_IN_WORDS = "grey dots are pairs of seeds, black their mean with a jackknife interval over seeds"


def beside_their_nulls(
    found: Mapping[str, PairNumbers],
    shown: Mapping[str, str],
    nulls: Mapping[str, tuple[str, str]],
    label: str,
    width: float = 1.5,
) -> Panel:
    """Show numbers of pairs, their means and what nulls expect.

    Args:
        found: the numbers by name.
        shown: what each that is shown is called, from the left.
        nulls: words and colour by null.
        label: of the y axis.
        width: for each number, inches.
    """
    marks: list[Mark] = [Rule(0.0, width=0.6)]
    unnamed = dict(nulls)
    for at, one in enumerate(found[name] for name in shown):
        if not one.defined:
            marks.append(Words(at, 0.5, "no value", fraction="y"))
            continue
        values = one.value[one.looked_at]
        marks.append(Dots(at + np.linspace(-0.2, 0.2, len(values) + 2)[1:-1], values, SILENT, size=4.0))
        mean, low, high = one.interval(one.value).numbers
        marks += [Line([at - 0.25, at + 0.25], [mean, mean], "black", width=1.6)]
        marks += [Spans([at], [low], [high], width=1.4)] if np.isfinite(low) else []
        for null, expected in one.null.items():
            if null in nulls:
                level, (words, color) = expected[one.looked_at].mean(), nulls[null]
                label_of = words if unnamed.pop(null, None) else ""
                marks.append(Line([at - 0.33, at + 0.33], [level, level], color, "--", 1.6, label=label_of))
    return Panel(
        marks,
        x=named(list(shown.values()), turned=0, size=8, low=-0.5, high=len(shown) - 0.5),
        y=Axis(label),
        width=width * len(shown),
        height=2.8,
        key=Key("below", columns=2 if width * len(shown) > 4 else 1) if len(unnamed) < len(nulls) else None,
    )


def matrix(one: PairNumbers, title: str) -> Panel:
    """Show a number of every pair of seeds, from −1 to 1."""
    value = one.sampled(one.value)
    if not one.defined:
        return Panel(title=title, width=_SIDE, height=_SIDE, empty="no value")
    scale, names = Scale(-1, 1, DIVERGING), [str(seed) for seed in one.seeds]
    every = -(-len(names) // 12)
    marks: list[Mark] = [heat_map(value, _SIDE, scale)]
    if len(names) <= _WRITTEN:
        marks += [
            Words(b, a, f"{value[a, b]:.2f}".replace("-", "−"), 7, color="white" if abs(value[a, b]) > 0.6 else "black")
            for a, b in np.argwhere(np.isfinite(value))
        ]
    ticks, said = range(0, len(names), every), names[::every]
    return Panel(
        marks,
        title,
        Axis("seed", ticks, said, size=7.0),
        Axis("seed", ticks, said, len(names) - 0.5, -0.5, size=7.0),
        width=_SIDE,
        height=_SIDE,
        bar=Bar(scale),
    )
