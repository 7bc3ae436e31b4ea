"""What a crossing of random streams looks like: shares of the variance, pairs by what they share, the swap of heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    NEUTRAL,
    Axis,
    Bars,
    Dots,
    Facts,
    Grid,
    Key,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
    named,
)
from seedscope.formulas.intervals import Interval
from seedscope.formulas.variance_components import BOUND
from seedscope.seeds.crossed import LIKENESS, NUMBERS, swap_rows

if TYPE_CHECKING:
    from seedscope.formulas.head_swap import Swap
    from seedscope.seeds.crossed import Alike, Found, Source

_SWAP = {
    "given": "the head\nit was given",
    "other": "the head of\nits weights",
    "unrelated": "another\nhead",
    "rows_shuffled": "the given,\nrows shuffled",
    "own": "its own head,\nnone swapped",
    "start": "its tuning\nat step 0",
}


def sheets(name: str, found: Found) -> list[Sheet]:
    """Return the figures of a crossing."""
    shown = [_shares(name, found), _pairs(name, found)]
    return shown if found.swap is None else [*shown, _swap(name, found.swap)]


def _design(found: Found) -> str:
    return " × ".join(f"{n} {stream}" for stream, n in found.levels.items())


def _shares(name: str, found: Found) -> Sheet:
    return Sheet(
        "shares_of_variance",
        Facts(name),
        "Which randomness decides?",
        "The share of the variance of each number that a stream moves by itself (blue), that two of them move together "
        "and that is left (grey), with 95 % intervals whose unit is the level of a stream; clipped at 0 and 1. Rings: "
        "what still varies when only this stream does, its interplay with the others included. A stream decides where "
        "its own share lies above the dotted line, with its interval. The lower row is of every unit by its number.",
        Grid(
            [_share_panel(NUMBERS[number], of) for number, of in found.sources.items()], 3, key=Key("below", columns=3)
        ),
        note=f"levels: {_design(found)}, one replica in each cell",
    )


def _share_panel(words: str, sources: Sequence[Source]) -> Panel:
    at = np.arange(len(sources), dtype=np.float64)
    mean, low, high = np.array([one.share.numbers for one in sources]).T
    alone = [index for index, one in enumerate(sources) if one.total is not None]
    total = np.array([one.total.numbers for one in sources if one.total is not None]).T
    colours = [FOR if index in alone else NEUTRAL for index in range(len(sources))]
    beside = at[alone] + 0.25
    marks: list[Mark] = [
        Rule(BOUND, NEUTRAL, ":", 1.0),
        Bars(at, np.nan_to_num(mean), colours),
        Spans(at, low, high, width=1.2),
        Spans(beside, total[1], total[2], AGAINST, width=0.9),
        Dots(beside, total[0], AGAINST, filled=False, label="total of a stream"),
    ]
    return Panel(
        marks,
        words,
        named([one.words for one in sources]),
        Axis("share of the variance", low=0, high=1.02),
        width=2.7,
        height=1.9,
        empty="" if np.isfinite(mean).any() else "it does not vary, or has no value in some cell",
    )


def _pairs(name: str, found: Found) -> Sheet:
    return Sheet(
        "pairs_by_what_they_share",
        Facts(name),
        "What must two replicas share for unit 39 to be the same unit?",
        "How alike two replicas are, unit by unit of the same number: the mean over pairs that share the levels of the "
        "streams named below and of no other, with its 95 % interval whose unit is the level. Dashed: pairs that share "
        "nothing. Orange: more alike than these (p < 0.05 after Holm, levels permuted).",
        Grid([_pair_panel(LIKENESS[one], pairs) for one, pairs in found.pairs.items()], 2),
        note=f"levels: {_design(found)}",
    )


def _pair_panel(words: str, pairs: Sequence[Alike]) -> Panel:
    at = np.arange(len(pairs), dtype=np.float64)
    mean, low, high = np.array([one.mean.numbers for one in pairs]).T
    colours = [AGAINST if one.p_holm < 0.05 else FOR for one in pairs]
    marks: list[Mark] = [
        Rule(BOUND, NEUTRAL, ":", 1.0),
        *([Rule(float(mean[0]), NEUTRAL, "--", 1.0)] if np.isfinite(mean[0]) else []),
        Spans(at, low, high, width=1.2),
        Dots(at, mean, colours, size=5.5),
    ]
    lowest = np.nanmin([*low, *mean, 0.0])
    return Panel(
        marks,
        words,
        named([one.words for one in pairs], low=-0.5, high=len(pairs) - 0.5),
        Axis(low=float(lowest) - 0.03, high=1.03),
        width=3.2,
        height=2.0,
        empty="" if np.isfinite(mean).any() else "no value",
    )


def _swap(name: str, swap: Swap) -> Sheet:
    rows = swap_rows(swap)
    intervals: list[Interval] = [rows[key] for key in _SWAP]
    mean, low, high = np.array([one.numbers for one in intervals]).T
    at = np.arange(len(intervals), dtype=np.float64)
    colours = [AGAINST, FOR, NEUTRAL, NEUTRAL, AGAINST, FOR]
    lowest = float(np.nanmin([*low, *mean, 0.0]))
    return Sheet(
        "swap_of_heads",
        Facts(name),
        "Does a unit's tuning follow the initial head that it was given?",
        "Pearson's r over classes, mean over live units, of a unit's final tuning and its row of an initial head, in "
        "networks whose head was drawn from another seed than their other weights; means over pairs of seeds with "
        "jackknife 95 % intervals over seeds. At the right, what such a network's tuning owes to its tuning at step 0, "
        "and networks whose head was not swapped.",
        Panel(
            [Rule(0.0, NEUTRAL), Spans(at, low, high, width=1.4), Dots(at, mean, colours, size=6.5)],
            x=named(list(_SWAP.values()), "", turned=0.0, size=8.0, low=-0.5, high=len(at) - 0.5),
            y=Axis("r with the final tuning", low=lowest - 0.05, high=1.03),
            width=6.6,
            height=2.8,
            empty="" if np.isfinite(mean).any() else "no live unit has a tuning",
        ),
        note=f"{swap.verdict}: heads permuted, p = {swap.p:.2g}; n = {swap.given.n} seeds",
    )
