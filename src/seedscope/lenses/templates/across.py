"""The verdict on each layer, over seeds: see :mod:`seedscope.lenses.templates` for its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.formulas.intervals import Interval, mean_interval
from seedscope.formulas.verdict import CODE, SEEDS, Finding, Verdict, any_of, find
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.templates.drawing import WORDS, legend_below, step_axis
from seedscope.lenses.templates.evidence import READINGS
from seedscope.lenses.templates.resemblance import RESEMBLES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def compare(measured: Sequence[xr.Dataset], layers: Sequence[str]) -> Comparison:
    """Judge every layer by its three readings."""
    findings = {layer: {reading: _find(measured, layer, reading) for reading in READINGS} for layer in layers}
    verdicts = {layer: any_of([one.verdict for one in found.values()]) for layer, found in findings.items()}
    metrics = {
        f"{layer}_verdict": {
            "mean": CODE[verdict],
            "low": None,
            "high": None,
            "n": max(one.similarity.n for one in findings[layer].values()),
            "verdict": verdict,
        }
        for layer, verdict in verdicts.items()
    }
    drawings = [verdict_figure(measured, findings, verdicts), readings_over_seeds(measured, layers)]
    return Comparison(metrics=metrics, drawings=drawings)


def _find(measured: Sequence[xr.Dataset], layer: str, reading: str) -> Finding:
    last = [one[f"{layer}_reading"].isel(frame=-1).sel(version="in_span", measure="pearson") for one in measured]
    similarity = [float(one.sel(reading=reading)) for one in last]
    nulls = [one[f"{layer}_null"].sel(measure="pearson", reading=reading).values for one in measured]
    return find(np.array(similarity), np.array(nulls), RESEMBLES)


def verdict_figure(
    measured: Sequence[xr.Dataset],
    findings: Mapping[str, Mapping[str, Finding]],
    by_layer: Mapping[str, Verdict],
) -> Drawing:
    """Draw similarity and strongest null of every layer and reading over seeds, with the verdicts in words."""
    import pandas as pd

    first, n = measured[0], len(measured)
    title = f"Do weights become templates? ({first.attrs['experiment']}, n = {n} seed{'s' if n != 1 else ''})"
    figure = figures.canvas(title, max(8.0, 4.6 * len(findings)), 4.6)
    axes = figures.panels(figure, 1, len(findings), top=1.0, bottom=1.2, left=0.75, wspace=0.18)
    table = []
    for ax, (layer, found) in zip(axes, findings.items(), strict=True):
        for at, (reading, finding) in enumerate(found.items()):
            last = [
                one[f"{layer}_reading"].isel(frame=-1).sel(version="in_span", measure="pearson") for one in measured
            ]
            values = np.array([float(one.sel(reading=reading)) for one in last])
            ax.plot(np.full(n, at - 0.12), values, "o", color=figures.NEUTRAL, markersize=3, alpha=0.7)
            _interval(ax, at - 0.12, finding.similarity, figures.FOR, "o", "trained rows" if not at else None)
            _interval(ax, at + 0.12, finding.null, figures.AGAINST, "D", "strongest null" if not at else None)
            table.append(
                {"layer": layer, "reading": reading}
                | {
                    f"{name}_{key}": value
                    for name, interval in (
                        ("similarity", finding.similarity),
                        ("null", finding.null),
                        ("excess", finding.excess),
                    )
                    for key, value in interval.as_dict().items()
                    if key != "n" or name == "similarity"
                }
                | {"verdict": finding.verdict, "verdict_on_layer": by_layer[layer]}
            )
        ax.axhline(RESEMBLES, color=figures.NEUTRAL, linestyle=":", linewidth=1.2, label=f"{RESEMBLES}: resembles")
        names = {"winning_input": "winning input", "class_mean": "class mean", "nearest": "nearest input"}
        labels = [f"{names[reading]}\n{finding.verdict}" for reading, finding in found.items()]
        ax.set_xticks(range(len(found)), labels, fontsize=8)
        ax.set_xlim(-0.5, len(found) - 0.5)
        ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.0)
        ax.set_title(f"{layer}: {by_layer[layer]}", fontsize=11, fontweight="bold")
    axes[0].set_ylabel("Pearson correlation, rows in the span", fontsize=9)
    legend_below(figure, axes)
    few = f" With fewer than {SEEDS} seeds nothing is decided." if n < SEEDS else ""
    said = ", ".join(f"{layer}: {verdict}" for layer, verdict in by_layer.items())
    return Drawing(
        "templates_verdicts",
        figure,
        f"The claim that each row comes to resemble an input, {said}. Grey: each seed; blue and orange: means with "
        "95 % t intervals over seeds, of the trained rows and of each seed's strongest null. A reading is supported "
        f"if the intervals of similarity minus null and of the similarity lie above 0 and above {RESEMBLES}, not "
        "supported if one of them lies wholly below; a layer is supported if one of its readings is, and not supported "
        f"if all three are not.{few}",
        pd.DataFrame(table),
    )


def readings_over_seeds(measured: Sequence[xr.Dataset], layers: Sequence[str]) -> Drawing:
    """Draw the three readings of every layer over frames, each seed and their mean with its interval."""
    import pandas as pd

    step = measured[0].step.values
    figure = figures.canvas(
        f"Resemblance through training ({measured[0].attrs['experiment']}, n = {len(measured)})",
        10,
        0.9 + 2.7 * len(layers),
    )
    axes = figures.panels(figure, len(layers), 3, top=0.9, bottom=0.7, left=0.95, wspace=0.2, hspace=0.25, share_x=True)
    table = []
    for at, ax in enumerate(axes):
        layer, reading = layers[at // 3], list(WORDS)[at % 3]
        chosen = {"version": "in_span", "measure": "pearson", "reading": reading}
        curves = np.array([one[f"{layer}_reading"].sel(chosen).values for one in measured])
        for curve in curves:
            ax.plot(range(len(step)), curve, color=figures.NEUTRAL, linewidth=0.7, alpha=0.7)
        intervals = [mean_interval(column) for column in curves.T]
        for place, interval in enumerate(intervals):
            _interval(ax, place, interval, figures.FOR, "o", None)
            table.append({"layer": layer, "reading": reading, "step": int(step[place]), **interval.as_dict()})
        if not np.isfinite(curves).any():
            figures.say(ax, "no value")
        ax.axhline(RESEMBLES, color=figures.NEUTRAL, linestyle=":", linewidth=1)
        ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.0)
        step_axis(ax, step)
        if at < 3:
            ax.set_title(WORDS[reading], fontsize=9)
        if at < len(axes) - 3:
            ax.set_xlabel("")
        if at % 3 == 0:
            ax.set_ylabel(f"{layer}\nPearson correlation", fontsize=9)
    return Drawing(
        "templates_through_training",
        figure,
        "Similarity of rows, projected on the span of the training inputs, at some steps of the training. Grey: each "
        f"seed; blue: mean with its 95 % t interval over seeds. Dotted: {RESEMBLES}. At step 0 nothing is learned: "
        "the winner is like the input that it wins because it was chosen so.",
        pd.DataFrame(table),
    )


def _interval(ax: Axes, at: float, interval: Interval, color: str, marker: str, label: str | None) -> None:
    if interval.mean is None:
        return
    ax.plot([at], [interval.mean], marker, color=color, markersize=5, label=label, linestyle="none")
    if interval.low is not None and interval.high is not None:
        figures.spans(
            ax, np.array([at]), np.array([interval.low]), np.array([interval.high]), colors=color, linewidths=1.6
        )
