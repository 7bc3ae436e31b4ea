"""The figures of the ``templates`` lens: what a layer takes beside its weights, and what that resemblance is worth.

Pictures are drawn as pictures, other inputs as the rectangle of their number that is most square (128: 16×8, row by
row). Weights have one scale in a figure, symmetric around 0. Of colour pictures the weights of each channel stand
below one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.mosaic import MapGrid
from seedscope.lenses.templates.resemblance import RESEMBLES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {
    "winning_input": "winner's row and the input\nthat it wins",
    "class_mean": "winner's row and the mean\ninput of the class",
    "nearest": "each live row and its\nnearest training input",
}
_NULLS = {
    "untrained": ("untrained", figures.PALETTE[4]),
    "shuffled": ("winners shuffled", figures.PALETTE[3]),
    "mixture": ("random mixtures of inputs", figures.PALETTE[1]),
    "turned": ("turned: signs at random", figures.PALETTE[2]),
}
_PAIRS = 5  # in a row


def winners(measured: xr.Dataset, layer: str, source: str) -> Drawing:
    """Draw one input of each class beside the weights of the unit that wins it."""
    inputs, winner = measured[f"{layer}_exhibit_input"].values, measured[f"{layer}_exhibit_winner"].values
    weights, shape = measured[f"{layer}_weight"].values, measured[f"{layer}_shape"].values
    r = measured[f"{layer}_exhibit_similarity"].sel(measure="pearson").values
    names, label = _names(measured), measured.exhibit_label.values
    tall = _maps(weights[:1], shape).shape[1] / _maps(weights[:1], shape).shape[2]
    rows = -(-len(inputs) // _PAIRS)
    height = rows * (0.85 * min(tall, 2.5) + 0.5)
    figure = figures.canvas(
        _title(f"Inputs of {layer} beside the weights of the unit that wins", measured), 10.2, 1.1 + height
    )
    axes = figures.panels(
        figure,
        rows,
        2 * _PAIRS,
        2 * len(inputs),
        top=0.95,
        bottom=0.15,
        left=0.15,
        right=1.15,
        wspace=0.12,
        hspace=0.45,
    )
    size = figure.get_figheight()
    figure.text(
        0.5,
        1 - 0.42 / size,
        f"left: {_taken(measured, layer, source)}; right: weights",
        ha="center",
        va="top",
        fontsize=9,
    )
    norm = figures.centred(weights[winner[winner >= 0]])
    reach = float(inputs.max()) or 1.0
    image = None
    for at, (left, right) in enumerate(zip(axes[::2], axes[1::2], strict=True)):
        _show_input(left, inputs[at], shape, reach)
        left.set_title(f"class {names[label[at]]}", fontsize=8)
        if winner[at] < 0:
            right.set_axis_off()
            right.set_title("no unit\nis active", fontsize=8)
            continue
        image = right.imshow(
            _maps(weights[winner[at]][None], shape)[0], norm=norm, cmap=figures.DIVERGING, interpolation="nearest"
        )
        right.set_axis_off()
        right.set_title(f"unit {winner[at]}\n{'no r' if np.isnan(r[at]) else f'r {r[at]:.2f}'}", fontsize=8)
    if image is not None:
        figures.color_bar(figure, image, (1 - 0.95 / 10.2, 0.25, 0.012, 0.5), "weight")
    return Drawing(
        f"{layer}_winners",
        figure,
        f"One probe picture of each class, as {layer} takes it, and beside it the weights of the unit with the largest "
        f"output; r is their Pearson correlation.{_gauge(measured, layer)} All weights have one scale around 0."
        f"{_left_out(measured, layer)}",
    )


def rows(measured: xr.Dataset, layer: str, source: str) -> Drawing:
    """Draw all rows of a layer on one scale."""
    maps = _maps(measured[f"{layer}_weight"].values, measured[f"{layer}_shape"].values)
    grid = MapGrid(*maps.shape)
    width, height = grid.size
    figure = figures.canvas(
        _title(f"The {len(maps)} rows of {layer}, weights on {_taken(measured, layer, source)}", measured),
        max(width + 1.9, 8.0),
        height + 1.25,
    )
    wide, high = figure.get_size_inches()
    ax = figure.add_axes((0.65 / wide, 0.6 / high, width / wide, height / high))
    image = ax.imshow(
        grid.tile(maps), norm=figures.centred(maps), cmap=figures.DIVERGING, interpolation="nearest", aspect="auto"
    )
    grid.label(ax, "unit")
    reach = max(height, 1.2)
    box = ((0.65 + width + 0.15) / wide, (0.6 + height - reach) / high, 0.12 / wide, reach / high)
    figures.color_bar(figure, image, box, "weight")
    dead = int((~measured[f"{layer}_live"]).sum())
    return Drawing(
        f"{layer}_rows",
        figure,
        f"The weights of every unit of {layer}, on one scale around 0.{_gauge(measured, layer)}"
        f"{f' {dead} of {len(maps)} units are never active or have no weights, and are drawn too.' if dead else ''}"
        + grid.shared_words(),
    )


def nearest(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw how near each row is to its nearest training input, beside the nulls, and the nearest pairs."""
    import pandas as pd

    own = measured[f"{layer}_nearest"].sel(measure="pearson").values
    kinds = {"trained": own} | {
        str(name): measured[f"{layer}_null_nearest"].sel(row_null=name, measure="pearson").values
        for name in measured.row_null.values
    }
    best = measured[f"{layer}_best"].values
    shape, weights = measured[f"{layer}_shape"].values, measured[f"{layer}_weight"].values
    figure = figures.canvas(_title(f"Rows of {layer} and their nearest training input", measured), 9, 5.6)
    ax = figure.add_axes((0.24, 0.53, 0.72, 0.36))
    ax.spines[["top", "right"]].set_visible(False)
    rng = np.random.default_rng(0)
    for place, (name, values) in enumerate(kinds.items()):
        values = values[np.isfinite(values)]
        color = figures.FOR if name == "trained" else _NULLS[name][1]
        ax.plot(values, place + rng.uniform(-0.22, 0.22, len(values)), ".", color=color, markersize=4, alpha=0.6)
        if len(values):
            ax.plot([values.mean()] * 2, [place - 0.36, place + 0.36], color="black", linewidth=1.5)
    ax.axvline(RESEMBLES, color=figures.NEUTRAL, linestyle=":", linewidth=1.2)
    probe = float(measured[f"{layer}_probe_nearest"].sel(measure="pearson"))
    if np.isfinite(probe):
        ax.axvline(probe, color=figures.NEUTRAL, linestyle="--", linewidth=1.2)
    ax.set_ylim(len(kinds) - 0.4, -0.6)
    ax.set_yticks(range(len(kinds)), ["trained rows", *(_NULLS[name][0] for name in list(kinds)[1:])], fontsize=9)
    finite = np.concatenate([values[np.isfinite(values)] for values in kinds.values()])
    ax.set_xlim(min(0.0, float(finite.min(initial=0)) - 0.02), 1.02)
    ax.tick_params(axis="x", labelsize=8)
    ax.set_xlabel("Pearson correlation with the nearest training input, rows in the span", fontsize=9)
    if not np.isfinite(own).any():
        figures.say(ax, "no live row")
    norm = figures.centred(weights[best])
    inputs = measured[f"{layer}_best_input"].values
    reach = float(inputs.max(initial=0)) or 1.0
    for at, unit in enumerate(best):
        left = 0.1 + 0.11 * at
        above, below = (figure.add_axes((left, bottom, 0.1, 0.155)) for bottom in (0.215, 0.015))
        above.imshow(_maps(weights[[unit]], shape)[0], norm=norm, cmap=figures.DIVERGING, interpolation="nearest")
        above.set_axis_off()
        above.set_title(f"unit {unit}\nr {own[unit]:.2f}", fontsize=8, pad=2)
        _show_input(below, inputs[at], shape, reach)
        below.set_title(f"class {_names(measured)[int(measured[f'{layer}_best_label'][at])]}", fontsize=8, pad=2)
    for words, y in (("nearest\nrows", 0.29), ("their\ninputs", 0.09)):
        if len(best):
            figure.text(0.012, y, words, fontsize=8, va="center")
    table = pd.DataFrame(
        {
            "unit": np.arange(len(own)),
            "live": measured[f"{layer}_live"].values,
            "wins": measured[f"{layer}_wins"].values,
            "nearest_pearson": own,
            "nearest_cosine": measured[f"{layer}_nearest"].sel(measure="cosine").values,
        }
    )
    return Drawing(
        f"{layer}_nearest",
        figure,
        f"Above: each dot is a row; where it lies says how well it correlates with the training input that is nearest "
        f"to it. Black: means. Dotted: {RESEMBLES}, "
        f"from where a row counts as resembling. Dashed: what unseen inputs reach ({probe:.2f}). Untrained: the same "
        "network at step 0. Mixtures: random sums of all training inputs. Turned: the rows with random signs along the "
        f"inputs' principal directions. Below: the nearest rows, and the inputs that they are nearest to."
        f"{_left_out(measured, layer)}",
        table,
    )


def readings(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw the three readings of the claim over frames, by Pearson and by cosine, with their nulls."""
    step = measured.step.values
    figure = figures.canvas(_title(f"Do the rows of {layer} come to resemble inputs?", measured), 10, 6.2)
    axes = figures.panels(figure, 2, 3, top=0.95, bottom=1.15, left=0.75, wspace=0.22, hspace=0.2, share_x=True)
    for at, ax in enumerate(axes):
        measure, reading = ("pearson", "cosine")[at // 3], list(WORDS)[at % 3]
        found = measured[f"{layer}_reading"].sel(measure=measure, reading=reading)
        values = found.sel(version="in_span").values
        null = measured[f"{layer}_null"].sel(measure=measure, reading=reading)
        if np.isfinite(values).any():
            ax.plot(range(len(step)), values, "o-", color=figures.FOR, markersize=4, label="trained, rows in the span")
            whole = found.sel(version="whole").values
            ax.plot(range(len(step)), whole, "o", mfc="none", color=figures.FOR, markersize=8, label="whole rows")
        else:
            figures.say(ax, "no value")
        if reading == "class_mean":
            other = measured[f"{layer}_reading"].sel(version="in_span", measure=measure, reading="other_class_mean")
            ax.plot(
                range(len(step)),
                other.values,
                "s:",
                color=figures.NEUTRAL,
                markersize=3,
                label="most similar other class",
            )
        for name, (words, color) in _NULLS.items():
            value = float(null.sel(null=name))
            if np.isfinite(value):
                ax.axhline(value, color=color, linestyle="--", linewidth=1.2, label=words)
        if measure == "pearson":
            ax.axhline(RESEMBLES, color=figures.NEUTRAL, linewidth=0.8, linestyle=":")
            ax.set_title(WORDS[reading], fontsize=9)
        step_axis(ax, step)
        if at < 3:
            ax.set_xlabel("")
        if at % 3 == 0:
            ax.set_ylabel({"pearson": "Pearson correlation", "cosine": "cosine"}[measure], fontsize=9)
    for row in (axes[:3], axes[3:]):
        limits = [ax.get_ylim() for ax in row]
        for ax in row:
            ax.set_ylim(min(0.0, *(low for low, _ in limits)), max(high for _, high in limits))
    legend_below(figure, axes)
    last = measured[f"{layer}_reading"].isel(frame=-1)
    table = last.to_series().rename("similarity").reset_index()[["version", "measure", "reading", "similarity"]]
    return Drawing(
        f"{layer}_readings",
        figure,
        f"Blue: similarity at some steps of the training, filled for rows of {layer} projected on the span of its "
        f"training inputs (rank {int(measured[f'{layer}_rank'][-1])} of {measured[f'{layer}_weight'].shape[1]}), "
        "hollow for whole rows at the first and last step. Dashed: what nulls reach at the end of "
        f"training, choosing winner and nearest input in the same way. Dotted: {RESEMBLES}. Of the squared length "
        f"of the rows {_share(measured[f'{layer}_outside'].values[0])} lies outside the span at step 0, "
        f"{_share(measured[f'{layer}_outside'].values[-1])} at the end.{_left_out(measured, layer)}",
        table,
    )


def steps(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw the argument's own steps over frames: who wins by cosine, and where the losers' products go."""
    step, at = measured.step.values, np.arange(measured.sizes["frame"])
    is_head = layer == measured.attrs["head"]
    figure = figures.canvas(_title(f"The argument's own steps in {layer}", measured), 10, 4.3)
    axes = figures.panels(figure, 1, 3, top=0.8, bottom=1.15, left=0.7, wspace=0.3)
    agreement = measured[f"{layer}_agreement"].values  # (frame, by, observed or by chance)
    ax = axes[0]
    if np.isfinite(agreement).any():
        ax.plot(at, agreement[:, 0, 0], "o-", color=figures.FOR, markersize=4, label="largest product")
        ax.plot(at, agreement[:, 1, 0], "s-", color=figures.MARK, markersize=4, label="largest output (with bias)")
        ax.plot(at, agreement[:, 0, 1], "--", color=figures.AGAINST, linewidth=1.1, label="by chance")
    else:
        figures.say(ax, "no row has weights")
    ax.set_ylim(-0.03, 1.05)
    ax.set_title("… is that of the largest cosine", fontsize=9.5)
    ax.set_ylabel("share of probe pictures", fontsize=9)
    products = measured[f"{layer}_products"]
    ax = axes[1]
    raw = {part: products.sel(gauge="raw", part=part).values for part in products.part.values}
    ax.plot(at, raw["winner"], "^-", color=figures.PALETTE[6], markersize=4, label="winners' mean product")
    ax.plot(at, raw["losers"], "v-", color=figures.PALETTE[7], markersize=4, label="losers' mean product, 5 % to 95 %")
    if np.isfinite(raw["low"]).any():
        ax.fill_between(at, raw["low"], raw["high"], color=figures.PALETTE[7], alpha=0.2, linewidth=0)
    ax.axhline(0, color=figures.NEUTRAL, linewidth=0.8)
    ax.set_title("inner products w · x", fontsize=9.5)
    ax.set_ylabel("product, raw rows without bias", fontsize=9)
    ax = axes[2]
    if np.isfinite(raw["size"]).any():
        ax.plot(at, raw["size"], "o-", color=figures.PALETTE[7], markersize=4, label="losers' size, share of winners'")
        if is_head:
            centred = products.sel(gauge="centred", part="size").values
            ax.plot(
                at,
                centred,
                "o--",
                mfc="none",
                color=figures.PALETTE[7],
                markersize=5,
                label="… rows centred over classes",
            )
        silent = measured[f"{layer}_silent"].values
        if np.isfinite(silent).any():
            ax.plot(
                at, silent, "s-", color=figures.NEUTRAL, markersize=4, label="share of losers that the ReLU silences"
            )
        ax.set_ylim(0, max(1.05, 1.05 * float(np.nanmax(products.sel(part="size").values))))
    else:
        figures.say(ax, "no losers")
    ax.set_title("do the losers go to 0?", fontsize=9.5)
    ax.set_ylabel("share", fontsize=9)
    for ax in axes:
        step_axis(ax, step)
    legend_below(figure, axes)
    spread = np.linalg.norm(measured[f"{layer}_weight"].values[measured[f"{layer}_live"].values], axis=1)
    lengths = f"The live rows' lengths run from {spread.min():.2f} to {spread.max():.2f}. " if len(spread) else ""
    return Drawing(
        f"{layer}_steps",
        figure,
        "Left: how often the unit with the largest inner product is the one with the largest cosine, without and with "
        f"bias; by chance two independent winners agree as often as the dashed line says. {lengths}Middle: "
        "inner products of winners and of all other units. Right: mean size of the losers' products as a share of "
        "the winners'; the argument says that it goes to 0."
        + (
            " Centred over classes the losers' mean is a fixed share of the winner's; their size is not."
            if is_head
            else ""
        ),
    )


def _maps(weights: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return rows (row, input) as maps (row, y, x); the channels of a picture below one another."""
    return weights.reshape(len(weights), -1, int(shape[-1]))


def _show_input(ax: Axes, values: np.ndarray, shape: np.ndarray, reach: float) -> None:
    if len(shape) == 3:
        figures.show_picture(ax, values.reshape(shape))
        return
    ax.imshow(values.reshape(shape), cmap=figures.SEQUENTIAL, vmin=0, vmax=reach, interpolation="nearest")
    ax.set_axis_off()


def step_axis(ax: Axes, step: np.ndarray) -> None:
    """Label frames, which stand at equal distances, by their steps."""
    ax.set_xticks(range(len(step)), [str(one) for one in step], fontsize=7.5)
    ax.set_xlim(-0.3, len(step) - 0.7)
    ax.set_xlabel("optimiser step (frames at equal distances)", fontsize=9)


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend for all panels below them."""
    found: dict[str, Any] = {}
    for ax in axes:
        found |= {str(label): handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=3, fontsize=8, frameon=False)


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, seed {measured.attrs['seed']})"


def _names(measured: xr.Dataset) -> list[str]:
    return [str(name) for name in np.atleast_1d(measured.attrs["class_names"])]


def _taken(measured: xr.Dataset, layer: str, source: str) -> str:
    """Return what a layer takes, in words, with the shape that it is drawn in."""
    shape = measured[f"{layer}_shape"].values
    if len(shape) == 3:
        return f"pictures of {shape[1]}×{shape[2]}"
    return f"the {shape.prod()} outputs of {source} as {shape[0]}×{shape[1]}"


def _gauge(measured: xr.Dataset, layer: str) -> str:
    return f" Rows of {layer} are centred over classes." if layer == measured.attrs["head"] else ""


def _share(value: float) -> str:
    return "no share" if np.isnan(value) else f"{100 * value:.1f} %"


def _left_out(measured: xr.Dataset, layer: str) -> str:
    """Return what takes no part, in words."""
    units = measured.sizes[f"{layer}_unit"]
    counts = {
        f"of {units} units are not live (never active, or without weights)": int((~measured[f"{layer}_live"]).sum()),
        f"of {units} units never win": int((measured[f"{layer}_wins"] == 0).sum()),
        "probe pictures have no winner": int(measured[f"{layer}_unwon"]),
        "probe inputs are constant and have no Pearson correlation": int(measured[f"{layer}_constant"]),
    }
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return f" Left out where they have no value: {'; '.join(said)}." if said else ""
