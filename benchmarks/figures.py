"""One figure of nine panels, by the renderer and by matplotlib's own figures, in turn, time and bytes.

All show the same bars, lines and words. The renderer hands marks to Agg and lays out by the font's widths; matplotlib's
engines draw a figure to lay it out.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import Row, seconds
from seedscope.figures import Axis, Bars, Facts, Grid, Panel, Rule, Sheet, named, sign_colours
from seedscope.figures.renderer import save

_ENGINES = ("constrained", "tight", "compressed")
_SIDE, _BARS, _ROUNDS = 3, 26, 5
_WIDE, _TALL = 3.6, 1.7  # of a panel, inches


def measure() -> list[Row]:
    """Return the time of the renderer, and what each engine takes of it round by round; then the bytes."""
    values = np.sort(np.random.default_rng(0).normal(size=(_SIDE**2, _BARS)))[:, ::-1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)

        def own() -> None:
            save(_sheet(values), path)

        own()
        for engine in _ENGINES:
            _drawn(values, engine)
        times: dict[str, list[float]] = {"own": [], **{engine: [] for engine in _ENGINES}}
        for _ in range(_ROUNDS):
            times["own"].append(seconds(own))
            for engine in _ENGINES:
                times[engine].append(seconds(lambda engine=engine: _drawn(values, engine)))  # type: ignore[misc]
        size = (path / "benchmark.png").stat().st_size
    rows = [Row.of("figure of nine panels, the renderer's own layout", times["own"], "s")]
    for engine in _ENGINES:
        ratios = [a / b for a, b in zip(times[engine], times["own"], strict=True)]
        rows.append(Row.of(f"figure of nine panels: {engine} ÷ own layout", ratios, "×"))
        rows.append(Row(f"bytes of that figure: {engine} ÷ own layout", len(_drawn(values, engine)) / size, "×"))
    return rows


def _sheet(values: np.ndarray) -> Sheet:
    panels = [
        Panel(
            [Bars(range(_BARS), own, sign_colours(own)), Rule(0, "black", width=0.6)],
            f"class {k}",
            named(range(_BARS), "unit"),
            Axis("vote"),
            _WIDE,
            _TALL,
        )
        for k, own in enumerate(values)
    ]
    return Sheet("benchmark", Facts("benchmark", 0), "Who votes for each class?", "Bars.", Grid(panels, _SIDE))


def _drawn(values: np.ndarray, engine: str) -> bytes:
    """Return the same figure as matplotlib lays it out, PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIDE * (_WIDE + 0.6), _SIDE * (_TALL + 0.7)), dpi=100, layout=engine)  # type: ignore[arg-type]
    figure.suptitle("Who votes for each class? (benchmark, seed 0)")
    grid = figure.add_gridspec(_SIDE, _SIDE)
    for k, own in enumerate(values):
        ax = figure.add_subplot(grid[k // _SIDE, k % _SIDE])
        ax.bar(range(_BARS), own, color=sign_colours(own))
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set_title(f"class {k}", fontsize=9.5)
        ax.set_xticks(range(_BARS), [str(unit) for unit in range(_BARS)], rotation=90, fontsize=7)
        ax.set_xlabel("unit", fontsize=9)
        ax.set_ylabel("vote", fontsize=9)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100, pil_kwargs={"compress_level": 3})
    return written.getvalue()
