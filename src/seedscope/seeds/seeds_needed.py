"""How many seeds do I need? The half-width of a 95 % interval against the number of seeds, and where it will do.

The expected half-width is that of :mod:`seedscope.formulas.spread`. How badly the seeds at hand know their own spread
bounds the answer: "12 [5, 95]" says that 12 is the best guess and that 5 or 95 are possible. Beside the curve stand
realised half-widths: those of subsets of the seeds at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.formulas.spread import MOST, Spread, realised
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.headlines import Headline

if TYPE_CHECKING:
    import pandas as pd


def seeds_needed(experiment: str, numbers: Sequence[Headline]) -> Comparison:
    """Say for each headline number how many seeds it needs; a number with too few seeds to know is left out."""
    import pandas as pd

    metrics: dict[str, dict[str, Any]] = {}
    shown: list[tuple[Headline, pd.DataFrame]] = []
    for number in numbers:
        values = number.values if number.of_pairs else number.values[np.isfinite(number.values)]
        spread = Spread.of(values)
        interval = number.interval()
        if spread is None or interval.mean is None or interval.high is None:
            continue
        low, high = spread.bounds()
        needed = spread.seeds_for(number.wanted)
        metrics[number.metric] = {
            "mean": needed,
            "low": spread.seeds_for(number.wanted, low),
            "high": spread.seeds_for(number.wanted, high),
            "n": spread.n,
            "half_width": interval.high - interval.mean,
            "half_width_wanted": number.wanted,
        }
        shown.append((number, _curve(number.metric, values, spread, _reach(needed, spread.n))))
    if not shown:
        return Comparison({})
    answers = pd.DataFrame([{"metric": metric, **answer} for metric, answer in metrics.items()])
    return Comparison(
        metrics=metrics,
        drawings=[_figure(experiment, shown, metrics)],
        tables={"seeds_needed_summary": answers.rename(columns={"mean": "seeds_needed"})},
    )


def _reach(needed: int | None, n: int) -> int:
    """Return up to how many seeds a curve is drawn."""
    return max(2 * n, 20, min(2 * (needed or 0), 400))


def _curve(metric: str, values: np.ndarray, spread: Spread, reach: int) -> pd.DataFrame:
    import pandas as pd

    low, high = spread.bounds()
    near = np.arange(spread.fewest, max(spread.n, 10) + 1)
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
    rng = np.random.default_rng(0)
    found = {int(size): realised(values, int(size), rng) for size in n if size <= spread.n}
    rows = [
        (size, widths.mean(), *np.quantile(widths, (0.1, 0.9)), len(widths))
        for size, widths in found.items()
        if len(widths)
    ]
    names = ["seeds", "realised_mean", "realised_10_percent", "realised_90_percent", "subsets"]
    return table.merge(pd.DataFrame(rows, columns=names), how="left", on="seeds")


def _figure(
    experiment: str, shown: Sequence[tuple[Headline, pd.DataFrame]], metrics: Mapping[str, Mapping[str, Any]]
) -> Drawing:
    import pandas as pd

    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    most = max(answer["n"] for answer in metrics.values())
    figure = figures.canvas(
        f"How many seeds do I need? Half-width of the 95 % interval ({experiment}, n = {most} seeds)",
        4.2 * columns,
        3.3 * rows + 0.4,
    )
    axes = figures.panels(figure, rows, columns, len(shown), top=1.0, hspace=0.62, wspace=0.28, left=0.75)
    for ax, (number, curve) in zip(axes, shown, strict=True):
        n = curve["seeds"].to_numpy()
        ax.fill_between(n, curve["low"], curve["high"], color=figures.FOR, alpha=0.15, linewidth=0)
        ax.plot(n, curve["expected"], color=figures.FOR, linewidth=1.4, label="expected")
        known = curve["realised_mean"].notna().to_numpy()
        ax.plot(n[known], curve["realised_mean"][known], "o", color="black", markersize=3.5, label="subsets of these")
        bounds = (curve[f"realised_{share}_percent"][known].to_numpy() for share in (10, 90))
        figures.spans(ax, n[known], *bounds)
        ax.axhline(number.wanted, color=figures.AGAINST, linewidth=1.1, label="wanted")
        ax.set_xscale("log")
        ax.set_yscale("log")
        _plain_ticks(ax, int(n[-1]))
        ax.set_title(
            f"{number.words}\n±{number.wanted:.2g} asks for {_range(metrics[number.metric])} seeds", fontsize=9
        )
        ax.set_xlabel("seeds", fontsize=9)
        ax.set_ylabel("half-width", fontsize=9)
    axes[0].legend(fontsize=8, frameon=False)
    return Drawing(
        "seeds_needed",
        figure,
        "The half-width to be expected of a 95 % interval over more or fewer seeds, from the spread of the seeds at "
        "hand (line; shaded: where it may lie, since few seeds know their own spread badly); dots: half-widths that "
        "subsets of these seeds have, mean and middle 80 %. Where the line meets the wanted half-width, there are "
        "seeds enough; in brackets the range of that answer.",
        pd.concat([curve for _, curve in shown], ignore_index=True),
    )


def _range(answer: Mapping[str, Any]) -> str:
    seeds, low, high = (f"> {MOST:,}" if answer[key] is None else f"{answer[key]:,}" for key in ("mean", "low", "high"))
    return f"{seeds} [{low}, {high}]"


def _plain_ticks(ax: Any, last: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ticks = [tick for tick in (2, 5, 10, 20, 50, 100, 200, 400) if tick <= last]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
