"""How well heat maps agree with the exact votes, as a table and as dots: of one replica, or over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedscope.figures import AGAINST, FOR, NEUTRAL, Grid
from seedscope.figures.dots import Source, dot_rows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

COMPARED = {
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
_SOURCES = {
    "own": Source("heat map of the picture", "o", FOR),
    "same_answer": Source("of another picture, same answer", "x", AGAINST),
    "other_answer": Source("of a picture with another answer", "s", NEUTRAL),
}


def table(agreement: xr.DataArray) -> pd.DataFrame:
    """Return the means over pictures of one replica as a tidy table: map, source, measure, value."""
    series = agreement.mean("compared_picture").to_series().rename("value").reset_index()
    return series.rename(columns={"by": "map"})


def dots(means: pd.DataFrame) -> Grid:
    """Show a table: a panel for each measure, a row for each heat map."""
    present = set(means["map"])
    rows = {name: words.replace("\n", " ") for name, words in COMPARED.items() if name in present}
    label = "mean over pictures"
    return dot_rows(means, _MEASURES, rows, _SOURCES, low=-1, label=label, ticks=[-1, -0.5, 0, 0.5, 1])


def title(maps: str) -> str:
    """Return what the figure asks."""
    return f"Do heat maps show the places of {maps} that fed the answer?"


def description(agreement: xr.DataArray, maps: str) -> str:
    """Return how to read the figure."""
    return (
        f"How well heat maps agree with the exact votes of the places of {maps}, on "
        f"{agreement.sizes['compared_picture']} pictures; 1 is full agreement. Crosses and squares are nulls: the heat "
        "map of another picture with the same answer, and of one with another answer. Of maps that are constant "
        "neither correlation nor cosine is counted as agreement."
    )
