"""Does training make early layers see edges and later ones whole shapes, whatever the seed?

By seed: each layer's number before and after training, and the step from the first layer to the last. Means carry
95 % t intervals over seeds. Of the steps' gains p is that of no gain (t test over seeds), Holm-corrected for all of
them. The saying asks for steps below 0 of orientation selectivity, above 0 of class selectivity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import AGAINST, FOR, NEUTRAL, Axis, Dots, Facts, Grid, Mark, Panel, Rule, Sheet, Spans, Words
from seedscope.figures.over import BEFORE_AND_AFTER, before_and_after, in_words
from seedscope.formulas.intervals import holm, mean_interval, p_of_zero
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.tuning.layers import CLASS, MEASURES, ORIENTATION, summarize

if TYPE_CHECKING:
    import xarray as xr

_WORDS = {
    "orientation_selectivity": "orientation selectivity",
    "orientation_selectivity_of_mean": "orientation selectivity\nof the mean response",
    "effective_field": "effective receptive field (pixels)",
    "extent": "extent of the response (share of the map)",
    "class_selectivity": "class selectivity",
    "class_variance": "variance explained by class (η²)",
}
_STEPS = (*ORIENTATION, *CLASS)

Values = Mapping[str, np.ndarray]
"""Each scalar of the lens, (seed)."""


def compare(measured: xr.DataTree) -> Comparison:
    """Return the figures of all seeds; the intervals of the scalars are made with those of all lenses."""
    layers, about = list(measured.children), Facts.of(measured)
    summaries = [summarize(measured.sel(seed=seed)) for seed in about.seeds]
    values = {name: np.array([one[name] for one in summaries]) for name in summaries[0]}
    sheets = [_gains(values, layers, about)]
    if len(layers) > 1:
        sheets.append(_steps(values, layers[0], layers[-1], about))
    return Comparison({}, sheets)


def _gains(values: Values, layers: Sequence[str], about: Facts) -> Sheet:
    return Sheet(
        "what_training_changes",
        about,
        "What training changes in each layer",
        "Each line is a seed: the median over the live channels of a layer, before training (grey) and after (blue), "
        "with mean and 95 % interval over seeds. The number above is the mean change with its interval: where that "
        "holds 0, training made no change that these seeds could show.",
        Grid([_measure(values, layers, name) for name in MEASURES], 3, gap=0.25),
        note=f"{BEFORE_AND_AFTER}; above: mean change",
    )


def _measure(values: Values, layers: Sequence[str], name: str) -> Panel:
    """Show one measure of every layer, before and after, with the gain above."""
    before, after = (
        np.stack([values[f"{layer}_{name}{which}"] for layer in layers]) for which in ("_null_untrained", "")
    )
    gains = [in_words(values[f"{layer}_{name}_gain_untrained"]).replace(" [", "\n[") for layer in layers]
    known = np.isfinite(before).any() or np.isfinite(after).any()
    return Panel(
        before_and_after(layers, before, after),
        _WORDS[name].replace("\n", " "),
        Axis("", range(len(layers)), layers, -0.5, len(layers) - 0.5, size=9),
        Axis(low=0),
        top=Axis(ticks=range(len(layers)), names=gains, size=7.5),
        width=max(3.0, len(layers)),
        height=1.85,
        empty="" if known else "no seed has a value",
    )


def _steps(values: Values, first: str, last: str, about: Facts) -> Sheet:
    gains = [values[f"{first}_to_{last}_{name}_gain_untrained"] for name in _STEPS]
    own = [values[f"{first}_to_{last}_{name}"] for name in _STEPS]
    panels = [
        _step(own, "all of the trained network", [""] * len(own)),
        _step(gains, "gain: less the untrained network's", [_in_words(p) for p in _no_gain(gains)]),
    ]
    return Sheet(
        "early_and_late",
        about,
        f"From {first} to {last}: fewer edges, more classes?",
        f"The number of {last} minus that of {first}, each the median over live channels: dots are seeds, the diamond "
        "is their mean with its 95 % interval. At the right the step of the untrained network is taken off, for a "
        "later layer differs from an earlier one even before training; p is that of no gain, corrected for the "
        "four. Orientation selectivity should fall (left of 0) and class selectivity rise (right of 0) if early "
        "layers see edges and later ones whole shapes.",
        Grid(panels, 2, share_y=True, x_label=f"{last} − {first}", gap=0.25),
        note='The saying "edges early, whole shapes late" asks for orange at the left of 0 and blue at the right',
    )


def _in_words(p: float) -> str:
    return f", p {p:.2g}" if np.isfinite(p) else ""


def _step(rows: Sequence[np.ndarray], title: str, endings: Sequence[str]) -> Panel:
    """Show the step of each measure, (seed), with its mean and interval in words that end as ``endings`` say."""
    marks: list[Mark] = [Rule(0, NEUTRAL, across=False)]
    reach = max((float(np.nanmax(np.abs(one))) for one in rows if np.isfinite(one).any()), default=0.0) or 1.0
    for row, (name, values, ending) in enumerate(zip(_STEPS, rows, endings, strict=True)):
        interval = mean_interval(values)
        color = FOR if name in CLASS else AGAINST
        marks.append(Dots(values, np.full(len(values), row - 0.12), color, size=3.5, opacity=0.7))
        if interval.mean is not None:
            marks.append(Dots([interval.mean], [row + 0.12], "black", "D"))
        if interval.low is not None and interval.high is not None:
            marks.append(Spans([row + 0.12], [interval.low], [interval.high], width=1.2, across=True))
            reach = max(reach, abs(interval.low), abs(interval.high))
        marks.append(Words(0.5, row + 0.38, in_words(values) + ending, size=8, fraction="x", paper=True))
    return Panel(
        marks,
        title,
        Axis(low=-1.08 * reach, high=1.08 * reach),
        Axis(ticks=range(len(_STEPS)), names=[_WORDS[name] for name in _STEPS], low=len(_STEPS) - 0.4, high=-0.5),
        width=3.6,
        height=2.5,
    )


def _no_gain(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the p of mean 0 of each row, corrected for all that have one; NaN where there is none."""
    p = np.full(len(rows), np.nan)
    for index, interval in enumerate(map(mean_interval, rows)):
        if interval.low != interval.high:  # seeds that are all alike know no error
            p[index] = p_of_zero(interval)
    known = np.isfinite(p)
    p[known] = holm(p[known])
    return p
