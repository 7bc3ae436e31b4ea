"""The figures of one replica: outputs, weights, who votes for each class, and the votes in single pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import NEUTRAL, Axis, Bar, Dots, Grid, Panel, Sheet, centred, heat_map, shared_cells
from seedscope.lenses.contribution.one_picture import votes_for_all_classes, waterfall
from seedscope.lenses.contribution.outputs import outputs, outputs_by_place, votes_by_place
from seedscope.lenses.contribution.rankings import ranking_of_classes, ranking_of_pictures
from seedscope.lenses.contribution.seen import Seen

if TYPE_CHECKING:
    import xarray as xr

_WIDTH = 9.0  # of the heat maps of weights, inches


def draw(measured: xr.Dataset, watch: Sequence[int]) -> Iterator[Sheet]:
    """Yield the figures; those of one class only where the class has exhibits."""
    seen = Seen.of(measured.load())
    if seen.units.kind == "dense":
        yield outputs(seen)
    else:
        yield outputs_by_place(seen)
        yield votes_by_place(seen)
    yield head_weights(seen)
    yield ranking_of_classes(seen, watch)
    for k in range(len(seen.classes)):
        if seen.exhibits(k):
            yield ranking_of_pictures(seen, k, watch)
            yield votes_for_all_classes(seen, k)
            yield waterfall(seen, k)


def head_weights(seen: Seen) -> Sheet:
    """Show the head's weights as they are and centred over classes, on one scale."""
    head, units = seen.measured.attrs["head"], seen.units
    raw, relative = seen.votes.class_weight(centred=False), seen.votes.class_weight(centred=True)
    scale = centred(raw)
    dead = np.flatnonzero(~seen.measured.live.values)
    n_classes = len(raw)
    below = n_classes - 0.5 + 0.05 * n_classes  # a row of its own under the weights
    classes = Axis("class voted for", range(n_classes), low=n_classes - 0.5 + 0.1 * n_classes, high=-0.5)
    number = Axis(f"number of the {units.words}", whole=True, low=-0.5, high=units.count - 0.5)
    panels = [
        Panel(
            [heat_map(weight, _WIDTH, scale), Dots(dead, np.full(len(dead), below), NEUTRAL, "x")],
            f"{words} (× : {units.silent})",
            number,
            classes,
            width=_WIDTH,
            height=2.0,
        )
        for words, weight in (("as trained", raw), ("centred over classes", relative))
    ]
    return Sheet(
        f"{head}_weights",
        seen.about,
        f"Weights of {head}",
        f"Weights of {head}, one row per class and one column per unit. The lower panel takes away what a unit gives "
        "to all classes alike, which changes no decision." + shared_cells(units.count, _WIDTH),
        Grid(panels, 1, share_x=True, bar=Bar(scale, "weight")),
    )
