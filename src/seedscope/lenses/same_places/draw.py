"""Draw the mean exact map of each answer, and the maps of the same pictures in several seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from seedscope.figures import (
    AGAINST,
    DIVERGING,
    MARK,
    NO_TICKS,
    Bar,
    Beside,
    Facts,
    Grid,
    Image,
    Panel,
    Scale,
    Sheet,
    centred,
    class_names,
    grey_or_rgb,
    grid_shape,
)
from seedscope.figures.rows import PictureRows
from seedscope.formulas.classes import class_means
from seedscope.lenses.pair_figures import PAIRS_IN_WORDS, beside_their_nulls, matrix
from seedscope.lenses.pair_numbers import PairNumbers

_NULLS = {
    "same_answer": ("another picture, same answer", AGAINST),
    "within_place": ("… and same part of the class's region", MARK),
}
_SEEDS = 6  # whose maps are shown beside each other


def draw(measured: xr.Dataset, maps: str) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.same_places.SamePlaces.draw`."""
    names = class_names(measured)
    means = class_means(measured.place_vote.values.astype(np.float64), measured.answer.values, len(names))
    scale = centred(means)
    side = min(1.3, 8.0 / grid_shape(len(names))[1])
    tall = side * means.shape[1] / means.shape[2]
    panels = [
        Panel(
            [Image(mean, scale)],
            name,
            NO_TICKS,
            NO_TICKS,
            width=side,
            height=tall,
            empty="never the\nanswer" if np.isnan(mean).all() else "",
        )
        for mean, name in zip(means, names, strict=True)
    ]
    yield Sheet(
        "places_by_answer",
        Facts.of(measured),
        f"Which places of {maps} feed each answer?",
        f"The mean exact vote of each place of {maps} for the answer, over the {measured.sizes['sample']} pictures "
        "that are compared over seeds, by answer; blue for, red against, one scale for all.",
        Grid(panels, grid_shape(len(names))[1], bar=Bar(scale, "mean vote (logit units)"), gap=0.25),
    )


def sheets_over_seeds(measured: xr.Dataset, found: PairNumbers, pictures: int, maps: str) -> list[Sheet]:
    """Return how alike the maps of two seeds are, and the maps of a few pictures seed by seed."""
    shown = {"map_correlation": "one picture,\ntwo seeds"}
    numbers = beside_their_nulls({"map_correlation": found}, shown, _NULLS, "correlation of exact maps", width=3.0)
    body = Beside([numbers, matrix(found, "mean over pictures,\neach pair of seeds")], gap=0.5)
    about = Facts.of(measured)
    return [
        Sheet(
            "same_places",
            about,
            "Do two seeds look at the same places of a picture?",
            f"Correlation over the places of {maps} of two seeds' exact maps of the same picture, mean over the "
            f"{pictures} pictures that all seeds answer alike: {PAIRS_IN_WORDS}. Dashes: one seed's map against the "
            "other's map of another picture.",
            body,
        ),
        Sheet(
            "same_places_pictures",
            about,
            f"The places of {maps} that fed the answer, seed by seed",
            f"Each row is a picture, beside it the exact votes of the places of {maps} for the answer that each seed "
            "gives, blue for, red against. Each map has its own scale, 0 is white.",
            _pictures(measured),
        ),
    ]


def _pictures(measured: xr.Dataset) -> Panel:
    """Show a few pictures beside the maps of the first seeds."""
    seeds = measured.seed.values[:_SEEDS]
    image = measured.image.values
    image = image[0] if image.ndim == 5 else image  # the same for all seeds
    names = class_names(measured)
    columns, words = ["picture", *(f"seed {seed}" for seed in seeds)], []
    places = [int(np.flatnonzero(measured.sample.values == one)[0]) for one in measured.shown_sample.values]
    for at in places:
        answers = [names[int(answer)] for answer in measured.answer.values[: len(seeds), at]]
        said = answers[0] if len(set(answers)) == 1 else ", ".join(answers)
        words.append(f"sample {int(measured.sample[at])}: {said}")
    rows = PictureRows(columns, words, image.shape[-2:])
    for row, at in enumerate(places):
        rows.show(row, 0, grey_or_rgb(image[row]))
        for column in range(len(seeds)):
            values = measured.place_vote.values[column, at].astype(np.float64)
            rows.show(row, column + 1, values, centred(values))
    return rows.panel(Bar(Scale(-1, 1, DIVERGING), "vote ÷ the map's largest, by size"))
