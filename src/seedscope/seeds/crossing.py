"""Compare the cells of a crossing of random streams: its figures, tables, sentences and metrics.

runs/sweeps/<sweep>/cells.nc → reports/figures/sweeps/<sweep>/, as :mod:`seedscope.seeds.crossed` looks at them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures.renderer import save
from seedscope.files.arrays import read_dataset
from seedscope.files.experiment import Sweep
from seedscope.files.writing import write_json, write_text
from seedscope.formulas.head_swap import Swap
from seedscope.formulas.intervals import Interval
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.comparison import as_csv
from seedscope.seeds.crossed import BY_NUMBER, LIKENESS, NUMBERS, Alike, Found, Source, look, numbers, swap_rows
from seedscope.seeds.crossing_sheets import sheets

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def compare_crossing(sweep: Sweep) -> None:
    """Write the figures, tables and metrics of a crossing."""
    with read_dataset(sweep.at.cells, needs=("live", "tuning", "head_at_start")) as cells:
        comparison = compare_cells(sweep.at.sweep, cells.load(), sweep.levels)
    shutil.rmtree(sweep.at.figures, ignore_errors=True)
    for sheet in comparison.sheets:
        save(sheet, sweep.at.figures)
    for name, table in comparison.tables.items():
        write_text(sweep.at.figures / f"{name}.csv", as_csv(table))
    write_json(sweep.at.metrics, comparison.metrics)


def compare_cells(name: str, cells: xr.Dataset, levels: Mapping[str, int]) -> Comparison:
    """Compare the cells of a crossing.

    Args:
        name: of the crossing.
        cells: as :mod:`seedscope.looks.cells` describes them.
        levels: how many each stream has, in the order in which cells are numbered.
    """
    found = look(cells, levels)
    return Comparison(
        metrics=_metrics(found),
        sheets=sheets(name, found),
        tables={"summary": _summary(found), "trends": _sentences(found), "cells": _cells(cells, levels)},
    )


def _metrics(found: Found) -> dict[str, dict[str, dict[str, Any]]]:
    metrics: dict[str, dict[str, dict[str, Any]]] = {}
    for name, sources in found.sources.items():
        own = metrics.setdefault(f"variance of {name}", {})
        for one in sources:
            own[one.words] = one.share.as_dict() | ({} if one.verdict is None else {"verdict": one.verdict})
            if one.total is not None:
                own[f"{one.words} total"] = one.total.as_dict()
    for name, pairs in found.pairs.items():
        for pair in pairs:
            metrics.setdefault(f"pairs, {name}", {})[f"sharing {pair.words}"] = {
                **pair.mean.as_dict(),
                **({"verdict": pair.verdict} if name in BY_NUMBER else {}),
                **({} if pair.gain is None else _held_against(pair, pairs[0].mean)),
            }
    if found.swap is not None:
        metrics["swap"] = {
            **{name: interval.as_dict() for name, interval in swap_rows(found.swap).items()},
            "given": {
                **found.swap.given.as_dict(),
                "null": found.swap.unrelated.mean,
                "null_rows": found.swap.rows.mean,
                "p": _known(found.swap.p),
                "verdict": found.swap.verdict,
            },
        }
    return metrics


def _held_against(one: Alike, nothing: Interval) -> dict[str, Any]:
    assert one.gain is not None
    return {"null": nothing.mean, "gain": one.gain.as_dict(), "p": _known(one.p), "p_holm": _known(one.p_holm)}


def _known(p: float) -> float | None:
    return None if np.isnan(p) else p


def _summary(found: Found) -> pd.DataFrame:
    """Return every share and every similarity as a table, which the page of a sweep shows."""
    import pandas as pd

    rows = [
        {"metric": f"share of the variance: {NUMBERS[name]}", "condition": one.words, **one.share.as_dict()}
        for name, sources in found.sources.items()
        for one in sources
    ]
    rows += [
        {
            "metric": f"pairs: {LIKENESS[name]}",
            "condition": f"sharing {one.words}",
            **one.mean.as_dict(),
            **({} if one.gain is None else {"null": pairs[0].mean.mean, "p_holm": one.p_holm}),
        }
        for name, pairs in found.pairs.items()
        for one in pairs
    ]
    if found.swap is not None:
        rows += [
            {"metric": "swap of heads: r with the final tuning", "condition": name.replace("_", " "), **one.as_dict()}
            for name, one in swap_rows(found.swap).items()
        ]
    return pd.DataFrame(rows, columns=["metric", "condition", "n", "mean", "low", "high", "null", "p_holm"])


def _cells(cells: xr.Dataset, levels: Mapping[str, int]) -> pd.DataFrame:
    """Return the numbers of each cell that are one of a replica."""
    import pandas as pd

    values = numbers(cells, levels)
    scalars = {name: values[name].ravel() for name in ("accuracy", "live_units", "gini")}
    return pd.DataFrame({stream: cells[stream].values for stream in levels} | scalars)


def _sentences(found: Found) -> pd.DataFrame:
    import pandas as pd

    rows = [(name, _of_shares(name, sources)) for name, sources in found.sources.items()]
    rows += [(name, _of_pairs(name, found.pairs[name])) for name in BY_NUMBER]
    rows.append(("matched", f"{_at_most('matched', found.pairs['matched'])}."))
    if found.swap is not None:
        rows.append(("swap", of_swap(found.swap)))
    return pd.DataFrame(rows, columns=["metric", "sentence"])


def _of_shares(name: str, sources: Sequence[Source]) -> str:
    words = NUMBERS[name][0].upper() + NUMBERS[name][1:]
    alone = [one for one in sources if one.verdict is not None]
    if alone[0].share.mean is None:
        return f"{words}: it does not vary, or has no value in some cell."
    said = {"decides": "decides", "does not": "does not decide", "undecided": "undecided"}
    parts = [f"{one.words} {_percent(one.share)}, {said[one.verdict]}" for one in alone if one.verdict is not None]
    left = max(0.0, 1 - sum(one.share.mean or 0.0 for one in alone))
    return f"{words}: of its variance {'; '.join(parts)}; their interplay {100 * left:.0f} %."


def _of_pairs(name: str, pairs: Sequence[Alike]) -> str:
    _, *others = pairs
    enough = [one.words for one in others if one.verdict == "same"]
    unsure = [one.words for one in others if one.verdict == "undecided"]
    start = f"{_at_most(name, pairs)}. For a unit's number to mean the same unit"
    if enough:
        return f"{start} it is enough to share: {'; '.join(enough)}."
    if unsure:
        return f"{start}, sharing nothing less than all is known to be enough (undecided: {'; '.join(unsure)})."
    return f"{start}, all streams must be shared."


def _at_most(name: str, pairs: Sequence[Alike]) -> str:
    nothing, *others = pairs
    words = LIKENESS[name][0].upper() + LIKENESS[name][1:]
    most = max(others, key=lambda one: one.mean.mean if one.mean.mean is not None else -np.inf)
    return (
        f"{words}: {_plain(nothing.mean)} of pairs that share nothing, {_plain(most.mean)} of those that share "
        f"{most.words}, at the most"
    )


def of_swap(swap: Swap) -> str:
    """Return what became of the swap in a sentence."""
    return (
        f"Swap of heads: a live unit's tuning goes with its row of the initial head that it was given, r "
        f"{_plain(swap.given)} (p {swap.p:.2g}), with its row of the head that its weights would have come with, r "
        f"{_plain(swap.other)}; its own tuning at step 0, r {_plain(swap.start)}: {swap.verdict}."
    )


def _percent(one: Interval) -> str:
    mean, low, high = (100 * part for part in one.numbers)
    return f"{mean:.0f} % [{low:.0f} %, {high:.0f} %]" if np.isfinite(low) else f"{mean:.0f} %"


def _plain(one: Interval) -> str:
    mean, low, high = one.numbers
    text = f"{mean:.2f} [{low:.2f}, {high:.2f}]" if np.isfinite(low) else f"{mean:.2f}"
    return text.replace("-", "−")
