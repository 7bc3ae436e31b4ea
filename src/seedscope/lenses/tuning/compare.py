"""Does training make early layers see edges and later ones whole shapes, whatever the seed?

By seed: each layer's number before and after training, at each period of stripes and of all measures, and the step from
the first layer to the last. Means carry 95 % intervals over seeds. p is that of no gain (t test over seeds), corrected
by Holm for all gains of the lens. The saying asks for steps below 0 of orientation selectivity, above 0 of class
selectivity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import AGAINST, FOR, NEUTRAL, Axis, Dots, Facts, Grid, Mark, Panel, Rule, Sheet, Spans, Words
from seedscope.figures.over import BEFORE_AND_AFTER, before_and_after, in_words
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses.beside_nulls import with_p_of_gains
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.lens import is_gain
from seedscope.lenses.tuning.layers import AT_BEST, CLASS, MEASURES, SHARES, at_periods, summarize

if TYPE_CHECKING:
    import xarray as xr

_WORDS = {
    "orientation_selectivity_at_best_period": "orientation selectivity\nat its best period",
    "orientation_selectivity_of_mean_at_best_period": "orientation selectivity of\nthe mean, at its best period",
    "effective_field": "effective receptive field (pixels)",
    "extent": "extent of the response (share of the map)",
    "class_selectivity": "class selectivity",
    "class_variance": "variance explained by class (η²)",
}
Values = Mapping[str, np.ndarray]
"""Each scalar of the lens, (seed)."""
P = Mapping[str, float | None]
"""The corrected p of each gain."""


def compare(measured: xr.DataTree) -> Comparison:
    """Return the figures of all seeds; the intervals of the scalars are made with those of all lenses."""
    layers, about = list(measured.children), Facts.of(measured)
    summaries = [summarize(measured.sel(seed=seed)) for seed in about.seeds]
    values = {name: np.array([one[name] for one in summaries]) for name in summaries[0]}
    gains = {name: mean_interval(row).as_dict() for name, row in values.items() if is_gain(name)}
    p = {name: found["p"] for name, found in with_p_of_gains(gains).items()}
    sheets = [_gains(values, p, layers, about), _by_period(values, p, measured, about)]
    if len(layers) > 1:
        steps = (*at_periods(measured), *AT_BEST, *CLASS)
        sheets.append(_steps(values, p, steps, (layers[0], layers[-1]), about))
    return Comparison({}, sheets)


def _gains(values: Values, p: P, layers: Sequence[str], about: Facts) -> Sheet:
    return Sheet(
        "what_training_changes",
        about,
        "What training changes in each layer",
        "Each line is a seed: the median over the live channels of a layer, before training (grey) and after (blue), "
        f"with mean and 95 % interval over seeds. Above is the mean change with its interval and p. {_family(p)} At "
        "its best period a channel may be held against another period than before training; see orientation_by_period.",
        Grid([_measure(values, p, layers, name) for name in MEASURES], 3, gap=0.25),
        note=f"{BEFORE_AND_AFTER}; above: mean change",
    )


def _family(p: P) -> str:
    tested = sum(one is not None for one in p.values())
    return (
        f"p is that of no change, corrected for the {tested} gains of this lens; the intervals are of one number each."
    )


def _measure(values: Values, p: P, layers: Sequence[str], name: str) -> Panel:
    """Show one measure of every layer, before and after, with the gain above."""
    return _panel(values, p, {layer: f"{layer}_{name}" for layer in layers}, _WORDS[name].replace("\n", " "), name)


def _by_period(values: Values, p: P, measured: xr.DataTree, about: Facts) -> Sheet:
    fixed, layers = at_periods(measured), list(measured.children)
    periods = next(iter(measured.children.values())).period.values.flat
    ticks = [f"{period:.3g}" for period in periods]
    panels = [
        _panel(
            values,
            p,
            {tick: f"{layer}_{name}" for tick, name in zip(ticks, fixed, strict=True)},
            f"{layer}: orientation selectivity",
            "orientation_selectivity",
            "period of the stripes (pixels)",
        )
        for layer in layers
    ]
    return Sheet(
        "orientation_by_period",
        about,
        "What training changes in orientation selectivity, at each period of stripes",
        "Each line is a seed: the median over the live channels of a layer, before training (grey) and after (blue), "
        "both at the same period, with mean and 95 % interval over seeds. Above is the mean change with its interval "
        f"and p. {_family(p)}",
        Grid(panels, min(2, len(panels)), gap=0.25),
        note=f"{BEFORE_AND_AFTER}; above: mean change",
    )


def _panel(values: Values, p: P, shown: Mapping[str, str], title: str, measure: str, label: str = "") -> Panel:
    """Show numbers by their name on the x axis, before and after, with the gains above."""
    before, after = (
        np.stack([values[f"{name}{which}"] for name in shown.values()]) for which in ("_null_untrained", "")
    )
    gains = [f"{name}_gain_untrained" for name in shown.values()]
    above = [(in_words(values[gain]) + _in_words(p[gain]).replace(", ", "\n")).replace(" [", "\n[") for gain in gains]
    known = np.isfinite(before).any() or np.isfinite(after).any()
    return Panel(
        before_and_after(list(shown), before, after, share=measure in SHARES or measure in AT_BEST),
        title,
        Axis(label, range(len(shown)), list(shown), -0.5, len(shown) - 0.5, size=9),
        Axis(low=0),
        top=Axis(ticks=range(len(shown)), names=above, size=7.5),
        width=max(3.0, len(shown)),
        height=1.85,
        empty="" if known else "no seed has a value",
    )


def _steps(values: Values, p: P, steps: Sequence[str], ends: tuple[str, str], about: Facts) -> Sheet:
    first, last = ends
    names = [f"{first}_to_{last}_{name}" for name in steps]
    gains = [f"{name}_gain_untrained" for name in names]
    panels = [
        _step(steps, [values[name] for name in names], "all of the trained network", [""] * len(steps)),
        _step(
            steps,
            [values[name] for name in gains],
            "gain: less the untrained network's",
            [_in_words(p[name]) for name in gains],
        ),
    ]
    return Sheet(
        "early_and_late",
        about,
        f"From {first} to {last}: fewer edges, more classes?",
        f"The number of {last} minus that of {first}, each the median over live channels: dots are seeds, the diamond "
        "is their mean with its 95 % interval. At the right the step of the untrained network is taken off, for a "
        f"later layer differs from an earlier one even before training. {_family(p)} Orientation selectivity should "
        "fall (left of 0) and class selectivity rise (right of 0) if early layers see edges and later ones whole "
        "shapes.",
        Grid(panels, 2, share_y=True, x_label=f"{last} − {first}", gap=0.25),
        note='The saying "edges early, whole shapes late" asks for orange at the left of 0 and blue at the right',
    )


def _in_words(p: float | None) -> str:
    return "" if p is None else f", p {p:.2g}"


def _words_of(name: str) -> str:
    return _WORDS.get(name) or f"orientation selectivity\nat period {name.rpartition('_')[2]} pixels"


def _step(steps: Sequence[str], rows: Sequence[np.ndarray], title: str, endings: Sequence[str]) -> Panel:
    """Show the step of each measure, (seed), with its mean and interval in words that end as ``endings`` say."""
    marks: list[Mark] = [Rule(0, NEUTRAL, across=False)]
    reach = max((float(np.nanmax(np.abs(one))) for one in rows if np.isfinite(one).any()), default=0.0) or 1.0
    for row, (name, values, ending) in enumerate(zip(steps, rows, endings, strict=True)):
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
        Axis(ticks=range(len(steps)), names=list(map(_words_of, steps)), low=len(steps) - 0.4, high=-0.5),
        width=3.6,
        height=0.62 * len(steps),
    )
