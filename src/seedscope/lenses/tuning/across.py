"""Does training make early layers see edges and later ones whole shapes, whatever the seed?

By seed: each layer's number before and after training, and the step from the first layer to the last. Means carry
95 % t intervals over seeds. Of the steps' changes p is that of no change (t test over seeds), Holm-corrected for all of
them. The saying asks for steps below 0 of orientation selectivity, above 0 of class selectivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.before_after import KEY, before_and_after, in_words
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


def compare(measured: Mapping[int, xr.Dataset]) -> Comparison:
    """Return the figures of all seeds; the intervals of the scalars are made with those of all lenses."""
    any_one = measured[min(measured)]
    layers = any_one.of.values.tolist()
    summaries = [summarize(measured[seed]) for seed in sorted(measured)]
    values = {name: np.array([one[name] for one in summaries]) for name in summaries[0]}
    about = f"({any_one.attrs['experiment']}, n = {len(summaries)} seeds)"
    drawings = [_changes(values, layers, about)]
    if len(layers) > 1:
        drawings.append(_steps(values, layers[0], layers[-1], about))
    return Comparison({}, drawings)


def _changes(values: Mapping[str, np.ndarray], layers: list[str], about: str) -> Drawing:
    figure = figures.canvas(f"What training changes in each layer {about}", 11, 6.6)
    axes = figures.panels(figure, 2, 3, top=0.95, bottom=0.75, left=0.45, wspace=0.2, hspace=0.55)
    for ax, name in zip(axes, MEASURES, strict=True):
        before, after = (np.stack([values[f"{layer}_{name}{when}"] for layer in layers]) for when in ("_untrained", ""))
        before_and_after(ax, layers, before, after)
        for index, layer in enumerate(layers):
            words = in_words(values[f"{layer}_{name}_change"])
            ax.annotate(words, (index, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=7.5)
        ax.set_title(_WORDS[name].replace("\n", " "), fontsize=9, pad=16)
        ax.set_ylim(bottom=0)
        if not (np.isfinite(before).any() or np.isfinite(after).any()):
            figures.say(ax, "no seed has a value")
            ax.set_xticks(range(len(layers)), layers, fontsize=9)
    figure.text(0.5, 0.3 / 6.6, f"{KEY}; above: mean change", ha="center", va="center", fontsize=9)
    return Drawing(
        "what_training_changes",
        figure,
        "Each line is a seed: the median over the live channels of a layer, before training (grey) and after (blue), "
        "with mean and 95 % interval over seeds. The number above is the mean change with its interval: where that "
        "holds 0, training made no change that these seeds could show.",
    )


def _steps(values: Mapping[str, np.ndarray], first: str, last: str, about: str) -> Drawing:
    names = (*ORIENTATION, *CLASS)
    change = [values[f"{first}_to_{last}_{name}_change"] for name in names]
    tests = _no_change(change)
    figure = figures.canvas(f"From {first} to {last}: fewer edges, more classes? {about}", 10, 4.2)
    axes = figures.panels(figure, 1, 2, top=0.95, bottom=0.75, left=2.3, wspace=0.12, right=0.3, share_y=True)
    for ax, title, rows in (
        (axes[0], "all of the trained network", [values[f"{first}_to_{last}_{name}"] for name in names]),
        (axes[1], "change: less the untrained network's", change),
    ):
        ax.axvline(0, color=figures.NEUTRAL, linewidth=0.8)
        for row, one in enumerate(rows):
            color = figures.FOR if names[row] in CLASS else figures.AGAINST
            interval = mean_interval(one)
            ax.plot(one, np.full(len(one), row - 0.12), "o", color=color, markersize=3.5, alpha=0.7, markeredgewidth=0)
            if interval.mean is not None:
                ax.plot(interval.mean, row + 0.12, "D", color="black", markersize=4)
            if interval.low is not None and interval.high is not None:
                ax.plot([interval.low, interval.high], [row + 0.12] * 2, color="black", linewidth=1.2)
            words = in_words(one)
            if ax is axes[1] and np.isfinite(tests[row]):
                words += f", p {tests[row]:.2g}"
            ax.annotate(
                words,
                (0.5, row + 0.38),
                xycoords=("axes fraction", "data"),
                ha="center",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        ax.set_title(title, fontsize=9.5)
        reach = max((float(np.nanmax(np.abs(one))) for one in rows if np.isfinite(one).any()), default=0.0) or 1.0
        reach = max([reach, *(abs(edge) for one in rows for edge in _edges(one))])
        ax.set_xlim(-1.08 * reach, 1.08 * reach)
        ax.set_xlabel(f"{last} − {first}", fontsize=9)
    axes[0].set_yticks(range(len(names)), [_WORDS[name] for name in names], fontsize=8.5)
    axes[0].set_ylim(len(names) - 0.4, -0.5)
    figure.text(
        0.5,
        0.2 / 4.2,
        'The saying "edges early, whole shapes late" asks for orange at the left of 0 and blue at the right',
        ha="center",
        va="center",
        fontsize=9,
    )
    return Drawing(
        "early_and_late",
        figure,
        f"The number of {last} minus that of {first}, each the median over live channels: dots are seeds, the diamond "
        "is their mean with its 95 % interval. At the right the step of the untrained network is taken off, for a "
        "later layer differs from an earlier one even before training; p is that of no change, corrected for the "
        "four. Orientation selectivity should fall (left of 0) and class selectivity rise (right of 0) if early "
        "layers see edges and later ones whole shapes.",
    )


def _edges(values: np.ndarray) -> list[float]:
    interval = mean_interval(values)
    return [] if interval.low is None or interval.high is None else [interval.low, interval.high]


def _no_change(rows: list[np.ndarray]) -> np.ndarray:
    """Return the p of mean 0 of each row, corrected for all that have one; NaN where there is none."""
    p = np.full(len(rows), np.nan)
    for index, interval in enumerate(map(mean_interval, rows)):
        if interval.low != interval.high:  # seeds that are all alike know no error
            p[index] = p_of_zero(interval)
    known = np.isfinite(p)
    p[known] = holm(p[known])
    return p
