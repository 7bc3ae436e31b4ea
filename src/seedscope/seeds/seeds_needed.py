"""How many seeds do I need? The half-width of a 95 % interval against the number of seeds, and where it will do.

The expected half-width is that of :mod:`seedscope.formulas.spread`. How badly the seeds at hand know their own spread
bounds the answer: "12 [5, 95]" says that 12 is the best guess and that 5 or 95 are possible. Beside the curve stand
realised half-widths: those of subsets of the seeds at hand. Numbers of pairs of seeds, and numbers that are the same in
every seed, are not asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import Facts
from seedscope.formulas.spread import FEWEST, MOST, Spread, realised
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.headlines import Followed
from seedscope.seeds.sheets import seeds_needed_sheet

if TYPE_CHECKING:
    import pandas as pd


def seeds_needed(about: Facts, numbers: Sequence[Followed]) -> Comparison:
    """Say for each headline number of seeds how many it needs; one whose spread these do not show is left out."""
    import pandas as pd

    metrics: dict[str, dict[str, Any]] = {}
    shown: list[tuple[Followed, pd.DataFrame]] = []
    for number in numbers:
        if number.of_pairs:
            continue
        values, interval = number.values[np.isfinite(number.values)], number.interval()
        spread = Spread.of(values, share=number.share)
        if spread is None or interval.low is None or interval.high is None:
            continue
        low, high = spread.bounds()
        needed = spread.seeds_for(number.wanted)
        metrics[number.metric] = {
            "mean": needed,
            "low": spread.seeds_for(number.wanted, low),
            "high": spread.seeds_for(number.wanted, high),
            "n": spread.n,
            "half_width": (interval.high - interval.low) / 2,
            "half_width_wanted": number.wanted,
        }
        shown.append((number, _curve(number.metric, values, spread, _reach(needed, spread.n))))
    if not shown:
        return Comparison({})
    answers = pd.DataFrame([{"metric": metric, **answer} for metric, answer in metrics.items()])
    return Comparison(
        metrics=metrics,
        sheets=[seeds_needed_sheet(about, shown, {metric: _range(answer) for metric, answer in metrics.items()})],
        tables={"seeds_needed_summary": answers.rename(columns={"mean": "seeds_needed"})},
    )


def _reach(needed: int | None, n: int) -> int:
    """Return up to how many seeds a curve is drawn."""
    return max(2 * n, 20, min(2 * (needed or 0), 400))


def _curve(metric: str, values: np.ndarray, spread: Spread, reach: int) -> pd.DataFrame:
    import pandas as pd

    low, high = spread.bounds()
    near = np.arange(FEWEST, max(spread.n, 10) + 1)
    n = np.unique([*near, *np.round(np.geomspace(near[-1], reach, 12)).astype(int)])
    table = pd.DataFrame(
        {
            "metric": metric,
            "seeds": n,
            "expected": spread.half_width(n),
            "low": spread.half_width(n, low),
            "high": spread.half_width(n, high),
        }
    )
    rng, share = np.random.default_rng(0), spread.share is not None
    found = {int(size): realised(values, int(size), rng, share=share) for size in n if size <= spread.n}
    rows = [
        (size, widths.mean(), *np.quantile(widths, (0.1, 0.9)), len(widths))
        for size, widths in found.items()
        if len(widths)
    ]
    names = ["seeds", "realised_mean", "realised_10_percent", "realised_90_percent", "subsets"]
    return table.merge(pd.DataFrame(rows, columns=names), how="left", on="seeds")


def _range(answer: Mapping[str, Any]) -> str:
    """Return how many seeds are needed, and between which numbers that lies, in words."""
    seeds, low, high = (f"> {MOST:,}" if answer[key] is None else f"{answer[key]:,}" for key in ("mean", "low", "high"))
    return f"{seeds} [{low}, {high}]"
