"""Exact votes by place beside heat maps, by channel, and how well heat maps agree with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    DIVERGING,
    Axis,
    Bar,
    Facts,
    Panel,
    Scale,
    Sheet,
    centred,
    grey_or_rgb,
    heat_map,
    named,
    shared_cells,
)
from seedscope.figures.rows import PictureRows
from seedscope.files.names import class_in_a_sentence
from seedscope.lenses.attribution import PICTURE
from seedscope.lenses.places.agreed import COMPARED, description, dots, table, title
from seedscope.lenses.places.summary import SIGNS, share

if TYPE_CHECKING:
    import xarray as xr

_WIDE = 7.2  # of the panel of channels, inches
_MOST_NAMED = 30, 80  # classes and channels that can be read beside each other


def sheets(measured: xr.DataTree, maps: str) -> Iterator[Sheet]:
    """Yield the places of a few pictures beside their heat maps, the channels by class, and the agreement."""
    measured = measured.load()
    yield _places(measured, maps)
    yield _channels(measured, maps)
    yield _agreement(measured, maps)


def _places(measured: xr.DataTree, maps: str) -> Sheet:
    """Show the exact places of a few pictures beside heat maps brought to the same cells."""
    root, of_maps, pictures = measured.dataset, measured.children[maps].dataset, measured.children[PICTURE].dataset
    columns = ["picture", "exact votes", *(COMPARED[str(name)] for name in of_maps.by.values)]
    words = [_asked(root, e) for e in range(root.sizes["shown_sample"])]
    rows = PictureRows(columns, words, (pictures.sizes["y"], pictures.sizes["x"]))
    for row in range(len(words)):
        rows.show(row, 0, grey_or_rgb(pictures.image.values[row]))
        shown = [of_maps.place_vote.values[row], *of_maps.heat.values[:, row]]
        for column, values in enumerate(shown, start=1):
            rows.show(row, column, values, centred(values))
        for column in range(len(columns)) if "box" in root else ():
            rows.outline(row, column, root.box.values[row])
    framed = f" The frame is where the object is. {_on_object(of_maps)}" if "box" in root else ""
    return Sheet(
        "places",
        Facts.of(measured),
        f"Which places of {maps} fed the answer?",
        "Each row is a picture and the network's answer. The second column is exact: how much each place of "
        f"{maps} gave to the centred logit, blue for, red against; with the biases it adds up to that logit. Beside "
        f"it are heat maps, brought to the same cells. Each map has its own scale, 0 is white.{framed}",
        rows.panel(Bar(Scale(-1, 1, DIVERGING), "value ÷ the map's largest, by size")),
    )


def _on_object(of_maps: xr.Dataset) -> str:
    """Say how much of the votes comes from the object's cells, and of which votes."""
    net, positive, absolute = (f"{share(of_maps, 'on_object', sign):.0%}" for sign in SIGNS)
    return (
        f"Of all pictures' votes {net} come from cells that the object touches, net: votes against the answer are "
        f"taken off. Of the votes for the answer it is {positive}, of all votes by size {absolute}."
    )


def _channels(measured: xr.DataTree, maps: str) -> Sheet:
    """Show how much each channel gives to each class when that class is the answer."""
    vote = measured.children[maps].dataset.channel_vote.values
    classes, channels = vote.shape
    order = np.argsort(-np.nansum(np.abs(vote), axis=0), kind="stable")
    scale = centred(vote)
    words = f"channels of {maps}, by the size of their votes"
    names = np.atleast_1d(measured.attrs["class_names"]).tolist()
    panel = Panel(
        [heat_map(vote[:, order], _WIDE, scale)],
        x=named(order.tolist(), words) if channels <= _MOST_NAMED[1] else Axis(words, low=-0.5, high=channels - 0.5),
        y=named(names, "answer", turned=0, size=8) if classes <= _MOST_NAMED[0] else Axis("answer"),
        width=_WIDE,
        height=3.0,
        bar=Bar(scale, "mean vote (logit units)"),
    )
    silent = int((~(np.abs(vote) > 0).any(0)).sum())
    return Sheet(
        "place_channels",
        Facts.of(measured),
        f"What each channel of {maps} gives to the answer",
        f"The mean exact vote of each channel of {maps}, all places together, for the class that was the network's "
        f"answer: blue for, red against; {silent} of {channels} channels give nothing."
        + (" A grey row is a class that was never the answer." if np.isnan(vote).any() else "")
        + shared_cells(channels, _WIDE),
        panel,
    )


def _agreement(measured: xr.DataTree, maps: str) -> Sheet:
    """Show how well heat maps agree with the exact places."""
    agreement = measured.children[maps].dataset.agreement
    means = table(agreement)
    about = Facts.of(measured)
    return Sheet("places_agreement", about, title(maps), description(agreement, maps), dots(means), means)


def _asked(root: xr.Dataset, exhibit: int) -> str:
    names = np.atleast_1d(root.attrs["class_names"])
    answer, label = int(root.answer[exhibit]), int(root.label[exhibit])
    truth = "" if label in (answer, -1) else f", in truth {class_in_a_sentence(label, str(names[label]))}"
    words = f"{class_in_a_sentence(answer, str(names[answer]))}: centred logit {float(root.score[exhibit]):.2f}"
    return f"{words}  (sample {int(root.shown_sample[exhibit])}{truth})"
