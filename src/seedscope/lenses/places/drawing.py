"""Places, channels, and how well heat maps agree with the exact answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.dots import dot_rows
from seedscope.drawing.rows import PictureRows, grey_or_rgb
from seedscope.files.names import in_a_sentence

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from seedscope.lenses.comparison import Comparison

_COMPARED = {
    "grad_cam": "Grad-CAM",
    "grad_cam_of_logit": "Grad-CAM\nof the logit",
    "occlusion": "occlusion",
    "integrated_gradients": "integrated\ngradients",
}
_MEASURES = {
    "rank_correlation": "rank correlation\nof the places",
    "cosine": "cosine of\nthe maps",
    "same_place": "hottest place\nis the same",
}
_MARKS = {
    "own": ("heat map of the picture", "o", figures.FOR),
    "same_answer": ("of another picture, same answer", "x", figures.AGAINST),
    "other_answer": ("of a picture with another answer", "s", figures.NEUTRAL),
}


def places(measured: xr.Dataset) -> Drawing:
    """Draw the exact places of a few pictures beside heat maps brought to the same cells."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    compared = [str(name) for name in measured.compared.values]
    layer = measured.attrs["maps"]
    words = [_asked(measured, e) for e in range(measured.sizes["exhibit"])]
    rows = PictureRows(
        f"Which places of {layer} fed the answer? ({_where(measured)})",
        ["picture", "exact votes", *(_COMPARED[name] for name in compared)],
        words,
        (measured.sizes["y"], measured.sizes["x"]),
    )
    for row in range(len(words)):
        rows.show(row, 0, grey_or_rgb(measured.image.values[row]))
        maps = [measured.place.values[row], *measured.heat.values[:, row]]
        for column, values in enumerate(maps, start=1):
            rows.show(
                row, column, values, norm=figures.centred(values), cmap=figures.DIVERGING, interpolation="nearest"
            )
        for column in range(len(maps) + 1) if "box" in measured else ():
            rows.outline(row, column, measured.box.values[row])
    rows.color_bar(ScalarMappable(Normalize(-1, 1), colormaps[figures.DIVERGING]), "value ÷ the map's largest, by size")
    framed = " The frame is where the object is." if "box" in measured else ""
    return Drawing(
        "places",
        rows.figure,
        "Each row is a picture and the network's answer. The second column is exact: how much each place of "
        f"{layer} gave to the centred logit, blue for, red against; with the biases it adds up to that logit. Beside "
        f"it are heat maps, brought to the same cells. Each map has its own scale, 0 is white.{framed}",
    )


def channels(measured: xr.Dataset) -> Drawing:
    """Draw how much each channel gives to each class when that class is the answer."""
    vote = measured.channel_vote.values
    order = np.argsort(-np.nansum(np.abs(vote), axis=0), kind="stable")
    layer = measured.attrs["maps"]
    figure = figures.canvas(f"What each channel of {layer} gives to the answer ({_where(measured)})", 10, 4.2)
    (ax,) = figures.panels(figure, 1, 1, right=1.4, bottom=0.65, left=1.4)
    ax.set_facecolor("#d9d9d9")  # classes that were never the answer
    image = figures.heat_map(ax, vote[:, order], figures.centred(vote))
    figures.color_bar(figure, image, (0.885, 0.16, 0.015, 0.7), "mean vote (logit units)")
    names = [str(name) for name in np.atleast_1d(measured.attrs["class_names"])]
    if len(vote) <= 30:
        ax.set_yticks(range(len(vote)), names, fontsize=8)
    ax.set_ylabel("answer", fontsize=9)
    if vote.shape[1] <= 80:
        figures.label_units(ax, order)
    ax.set_xlabel(f"channels of {layer}, by the size of their votes", fontsize=9)
    silent = int((~(np.abs(vote) > 0).any(0)).sum())
    return Drawing(
        "place_channels",
        figure,
        f"The mean exact vote of each channel of {layer}, all places together, for the class that was the network's "
        f"answer: blue for, red against; {silent} of {vote.shape[1]} channels give nothing."
        + (" A grey row is a class that was never the answer." if np.isnan(vote).any() else "")
        + figures.shared_cells(ax, vote.shape[1]),
    )


def agreement_figure(measured: xr.Dataset) -> Drawing:
    """Draw how well heat maps agree with the exact places in one replica."""
    table = _table(measured)
    title = f"Do heat maps show the places of {measured.attrs['maps']} that fed the answer? ({_where(measured)})"
    return Drawing("places_agreement", _dots(title, table), _described(measured), table)


def agreement_across_seeds(parts: Sequence[xr.Dataset]) -> Comparison:
    """Return the agreement over seeds: figure, table, and metrics of its nulls."""
    from seedscope.lenses.beside_nulls import beside_nulls
    from seedscope.lenses.comparison import Comparison

    table, metrics = beside_nulls([_table(part) for part in parts], "own", ["same_answer", "other_answer"])
    title = (
        f"Do heat maps show the places of {parts[0].attrs['maps']} that fed the answer? "
        f"(mean and 95 % interval over {len(parts)} seeds of {parts[0].attrs['experiment']})"
    )
    figure = Drawing("places_agreement", _dots(title, table), _described(parts[0]))
    return Comparison(metrics=metrics, drawings=[figure], tables={"places_agreement": table.drop(columns="value")})


def _where(measured: xr.Dataset) -> str:
    return f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"


def _asked(measured: xr.Dataset, exhibit: int) -> str:
    names = list(np.atleast_1d(measured.attrs["class_names"]))
    answer, label = int(measured.answer[exhibit]), int(measured.label[exhibit])
    called = [f"class {k}" if names[k] == str(k) else str(names[k]) for k in (answer, label)]
    truth = "" if answer == label else f", in truth {called[1]}"
    score = float(measured.score[exhibit])
    return f"{called[0]}: centred logit {score:.2f}  (sample {int(measured.exhibit[exhibit])}{truth})"


def _described(measured: xr.Dataset) -> str:
    return (
        f"How well heat maps agree with the exact votes of the places of {measured.attrs['maps']}, on "
        f"{measured.sizes['compared_sample']} pictures; 1 is full agreement. Crosses and squares are nulls: the heat "
        "map of another picture with the same answer, and of one with another answer. Of maps that are constant "
        "neither correlation nor cosine is counted as agreement."
    )


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return the means as a tidy table: map, source, measure, value."""
    series = measured.agreement.mean("compared_sample").to_series().rename("value").reset_index()
    return series.rename(columns={"compared": "map", "agreement_measure": "measure"})


def _dots(title: str, table: pd.DataFrame) -> Figure:
    present = set(table["map"])
    called = {name: words.replace("\n", " ") for name, words in _COMPARED.items() if name in present}
    label = "mean over pictures"
    return dot_rows(title, table, _MEASURES, called, _MARKS, low=-1, label=label, ticks=[-1, -0.5, 0, 0.5, 1])
