"""Figures of the ``learning_rule`` lens: what each layer learned, in which directions, and from which class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize

from seedscope import drawing as figures
from seedscope.drawing import Drawing

if TYPE_CHECKING:
    import xarray as xr

_SHOWN = 10  # rows whose parts are drawn
_DASHES = {"seen": "-", "end": "--"}
_WORDS = {"seen": "all inputs seen", "end": "inputs at the end"}


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, seed {measured.attrs['seed']})"


def _layers(measured: xr.Dataset) -> list[str]:
    names: list[str] = measured.layer.values.tolist()
    return names


def rule_and_span(measured: xr.Dataset) -> Drawing:
    """Draw the rule's error and the span share at every frame, and the change along the inputs' directions."""
    figure = figures.canvas(_title("The learning rule dW = doutᵀ·X, and where it leads", measured), 13, 4.6)
    error, span, leading = figures.panels(figure, 1, 3, top=0.85, wspace=0.28)
    step = measured.step.values
    for index, layer in enumerate(_layers(measured)):
        color = figures.PALETTE[index % len(figures.PALETTE)]
        error.plot(step, np.maximum(measured.rule_error.sel(layer=layer).values, 1e-18), ".-", color=color, label=layer)
        for inputs in _DASHES:
            own = measured.sel(layer=layer, inputs=inputs)
            share, rank, n = own.span_share.values, int(own["rank"]), int(own.n_inputs)
            words = f"{layer}, {_WORDS[inputs]}: rank {rank} of {n}"
            span.plot(step, share, _DASHES[inputs], color=color, marker=".", linewidth=1.3, label=words)
            span.axhline(rank / n, linestyle=":", color=color, linewidth=1)
        along = measured[f"along_{layer}"].values
        part = np.arange(len(along) + 1) / len(along)
        for values, style, what in ((along, "-", "change"), (measured[f"energy_{layer}"].values, "--", "inputs")):
            if not np.isnan(values).any():
                leading.plot(part, [0, *np.cumsum(values)], style, color=color, label=f"{layer}: {what}", linewidth=1.3)
    error.set_yscale("log")
    error.set_ylim(1e-18, max(1e-13, float(measured.rule_error.max()) * 10))
    error.set_title("error of the rule against automatic differentiation", fontsize=9.5)
    error.set_ylabel("largest difference / largest entry", fontsize=9)
    span.set_title("share of the learned change in the span of the inputs", fontsize=9.5)
    span.set_ylabel("share of ‖ΔW‖²", fontsize=9)
    if np.isnan(measured.span_share.values).all():
        figures.say(span, "nothing was learned")
    lowest = np.nanmin([*measured.span_share.values.ravel(), *(measured["rank"] / measured.n_inputs).values.ravel(), 1])
    span.set_ylim(max(0.0, float(lowest) - 0.35 * (1.02 - float(lowest)) - 0.01), 1.005)
    for ax in (error, span):
        ax.set_xscale("symlog", linthresh=1, linscale=0.35)
        ax.set_xlim(0, max(1, step[-1]))
        ax.set_xlabel("step of the optimiser", fontsize=9)
    leading.plot([0, 1], [0, 1], ":", color=figures.NEUTRAL, linewidth=1, label="a random change")
    leading.set_title("along the directions of the inputs, strongest first", fontsize=9.5)
    leading.set_xlabel("share of the directions", fontsize=9)
    leading.set_ylabel("share of the sum of squares, summed", fontsize=9)
    leading.set_ylim(0, 1.03)
    error.legend(fontsize=8, frameon=False, loc="upper left")
    span.legend(fontsize=7.5, frameon=False, loc="lower left")
    leading.legend(fontsize=8, frameon=False, loc="lower right")
    table = measured[["span_share", "rule_error"]].to_dataframe().reset_index()
    return Drawing(
        "rule_and_span",
        figure,
        "Left: how far the rule is from the gradient, at every frame; rounding is about 1e-15. Middle: how much of a "
        "layer's change since step 0 lies in the span of the inputs it ever took (solid) and of those it takes in the "
        "end (dashed); dotted: what a random change would have, 1 where the span is everything. Right: how much of the "
        "change (solid) and of the inputs themselves (dashed) lies along the strongest directions of the inputs.",
        table,
    )


def shares(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw which share of each row's change the samples of each class brought about."""
    head = layer == _layers(measured)[-1]
    share = measured[f"share_{layer}"].sel(labelling="class").values
    units = measured[f"unit_{layer}"].values
    rows, classes = share.shape
    what = "row of" if head else "unit of"
    height = 2.0 + 0.36 * max(rows, 3)
    figure = figures.canvas(
        _title(f"Whose samples changed each {what} {layer}?", measured), max(7.5, 2.6 + 0.62 * classes), height
    )
    (ax,) = figures.panels(figure, 1, 1, right=1.35, top=0.75, left=0.8)
    ax.set_facecolor(figures.SILENT)
    image = ax.imshow(share, norm=Normalize(-1, 1), cmap=figures.DIVERGING, aspect="auto", interpolation="nearest")
    for (row, k), value in np.ndenumerate(share if classes <= 20 and rows <= 40 else np.zeros((0, 0))):
        if np.isfinite(value):
            dark = abs(value) > 0.6
            ax.text(k, row, _number(value), ha="center", va="center", fontsize=8, color="white" if dark else "black")
    every = max(1, classes // 20)
    ax.set_xticks(range(0, classes, every))
    every = max(1, rows // 40)
    ax.set_yticks(range(0, rows, every), [str(unit) for unit in units[::every]])
    ax.set_xlabel("class of the samples", fontsize=9)
    ax.set_ylabel(f"{what} {layer}" + (" (centred over targets)" if head and rows > 1 else ""), fontsize=9)
    width = figure.get_size_inches()[0]
    figures.color_bar(figure, image, (1 - 1.15 / width, 0.15, 0.16 / width, 0.65), "share of the row's change")
    astray = float(measured.replay_error)
    unchanged = int(np.isnan(share[:, 0]).sum())
    words = "" if head else f" Of the hidden units the {rows} whose weights changed most are shown."
    if astray:
        words += f" The replay did not end in the same bits: it is off by {astray:.1g} of the largest weight."
    if unchanged:
        words += f" Grey rows: {unchanged} that did not change at all."
    return Drawing(
        f"change_by_class_{layer}",
        figure,
        "The training is split by the class of the sample: each number is the part of a row's learned change, "
        "projected on that change, that samples of one class brought about. A row adds up to 1 (but for the very first "
        "step, which is not split); a negative share pushed against what was learned. Colours end at −1 and 1. "
        f"Classes shuffled over samples: about {measured.class_share.values.mean():.2f} each." + words,
        measured[f"share_{layer}"].to_series().rename("share").reset_index(),
    )


def parts(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw the learned change of rows that look at pictures, beside what classes of sample put into it."""
    from seedscope.lenses.learning_rule import own_classes

    head = layer == _layers(measured)[-1]
    change = measured[f"change_{layer}"].values.astype(np.float64)
    part = measured[f"part_{layer}"].values.astype(np.float64)
    share = measured[f"share_{layer}"].sel(labelling="class").values
    units = measured[f"unit_{layer}"].values
    order = np.argsort(-np.linalg.norm(change, axis=1), kind="stable")[:_SHOWN]
    order = np.sort(order) if head else order
    order = order[~np.isnan(share[order, 0])]
    figure = figures.canvas(_title(f"What {layer} learned, and from which samples", measured), 13, 6.7)
    if not len(order):
        (ax,) = figures.panels(figure, 1, 1)
        figures.say(ax, "nothing was learned")
        ax.set_yticks([])
        return Drawing(f"parts_{layer}", figure, "Nothing was learned: no weight changed.")
    first = own_classes(measured)[order] if head else share[order].argmax(1)
    others = np.where(first[:, None] == np.arange(share.shape[1]), -np.inf, share[order])
    second = others.argmax(1)
    kinds = (
        ("learned change", change[order], [f"{'row' if head else 'unit'} {units[row]}" for row in order]),
        ("own class" if head else "largest class", part[first, order], _words(first, share, order)),
        ("largest other class", part[second, order], _words(second, share, order)),
        ("all but the first class", change[order] - part[first, order], _rest(first, share, order)),
    )
    norms = [figures.centred(change[order]), figures.centred(np.concatenate([values for _, values, _ in kinds[1:]]))]
    axes = figures.panels(figure, 4, _SHOWN, left=1.05, right=1.0, top=0.8, bottom=0.15, wspace=0.08, hspace=0.28)
    images: dict[bool, Any] = {}
    for line, (kind, values, words) in enumerate(kinds):
        for column in range(_SHOWN):
            ax = axes[line * _SHOWN + column]
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(column < len(order))
            if column < len(order):
                picture = values[column].reshape(measured.attrs["picture"]).mean(0)
                images[line > 0] = ax.imshow(
                    picture, norm=norms[line > 0], cmap=figures.DIVERGING, interpolation="nearest"
                )
                ax.set_title(words[column], fontsize=8.5, pad=3)
        axes[line * _SHOWN].set_ylabel(kind.replace(" class", "\nclass"), fontsize=9)
    figures.color_bar(figure, images[False], (1 - 0.85 / 13, 0.715, 0.012, 0.155), "weight")
    figures.color_bar(figure, images[True], (1 - 0.85 / 13, 0.035, 0.012, 0.62), "weight")
    colours = " Pictures in colour are averaged over their channels." if measured.attrs["picture"][0] > 1 else ""
    return Drawing(
        f"parts_{layer}",
        figure,
        "Top: what each row learned, W at the end minus W at step 0, as a picture; blue: brightness there speaks for "
        "the unit, red: against. Below, on a scale of their own: the part that samples of one class put into it, with "
        "its share of the change; at the bottom all classes but that of the second line. Second and last line add up "
        "to the first." + (" Rows are centred over targets." if head and len(change) > 1 else "") + colours,
    )


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # no -0.00


def _words(classes: np.ndarray, share: np.ndarray, order: np.ndarray) -> list[str]:
    return [f"class {k}: {_number(share[row, k])}" for k, row in zip(classes, order, strict=True)]


def _rest(classes: np.ndarray, share: np.ndarray, order: np.ndarray) -> list[str]:
    return [f"the rest: {_number(1 - share[row, k])}" for k, row in zip(classes, order, strict=True)]
