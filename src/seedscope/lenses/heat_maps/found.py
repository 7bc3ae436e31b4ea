"""How well heat finds the object, as a table and as dots, beside what it has to beat: of one replica, or over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import AGAINST, FOR, MARK, NEUTRAL, Grid
from seedscope.figures.dots import Source, dot_rows
from seedscope.formulas.localization import MEASURES
from seedscope.lenses.attribution import PICTURE
from seedscope.lenses.heat_maps.maps import Map

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

METHODS = {"grad_cam": "Grad-CAM", "occlusion": "occlusion", "integrated_gradients": "integrated gradients"}
_MEASURED = {
    "pointing": "pointing game:\nhottest pixel inside",
    "mass": "share of the heat\ninside",
    "rank": "share of the hottest\npixels inside",
    "iou": "IoU of the\nhottest cells",
}
_PRIORS = {"centre_prior": "middle of the picture", "brightest_window": "brightest window"}
_SOURCES = {
    "trained": Source("this network", "o", FOR),
    "untrained": Source("before training", "s", NEUTRAL),
    "same_class": Source("map of another picture, same class", "x", AGAINST),
    "baseline": Source("without a network", "D", MARK),
    "chance": Source("chance", "|", "#9a9a9a"),
    "ceiling": Source("the object itself at this map size", "|", "black"),
}


def in_a_line(one: Map) -> str:
    """Return what a map is called in a line of words: its method, and its layer where there is one."""
    return METHODS[one.method] if one.layer == PICTURE else f"{METHODS[one.method]} {one.layer}"


def table(measured: xr.DataTree, maps: Sequence[Map]) -> pd.DataFrame:
    """Return the means over pictures of one replica as a tidy table: map, source, measure, value."""
    import pandas as pd

    rows: list[tuple[str, str, str, float]] = []
    for one in maps:
        mean = one.of(measured, "inside").mean("sample")
        bounds = {bound: one.of(measured, bound) for bound in ("chance", "ceiling")}
        for measure in MEASURES:
            sources = [*((str(name), mean.sel(source=name)) for name in mean.source.values), *bounds.items()]
            rows += [(one.name, source, measure, float(values.sel(measure=measure))) for source, values in sources]
    baseline = measured.dataset.baseline
    for prior in baseline.prior.values:
        rows += [(str(prior), "baseline", name, float(baseline.sel(prior=prior, measure=name))) for name in MEASURES]
    return pd.DataFrame(rows, columns=["map", "source", "measure", "value"])


def dots(measured: xr.DataTree, maps: Sequence[Map], means: pd.DataFrame) -> Grid:
    """Show a table: a row for each map, then for what is made without a network, with their numbers of pictures."""
    rows = {one.name: f"{in_a_line(one)} (n = {int(one.of(measured, 'count').max())})" for one in maps}
    every = maps[0].of(measured, "inside").sizes["sample"]
    rows |= {str(prior): f"{_PRIORS[str(prior)]} (n = {every})" for prior in measured.dataset.prior.values}
    label = "share, mean over pictures"
    return dot_rows(means, _MEASURED, rows, _SOURCES, low=0, label=label, ticks=[0, 0.5, 1])


DESCRIPTION = (
    "How well the heat maps of the probe pictures find the object, by four measures, larger is better. Filled: this "
    "network. Squares: the same network before training, asked for the same class. Crosses: the map of another picture "
    "of the same class, which shows what merely knowing the class gives. The grey tick is chance, a constant map; the "
    "black tick is what the object itself gives as heat in cells of the map's size, for the IoU the best that can be. "
    "The rows below are maps made without any network, pixel by pixel."
)


def constant_words(measured: xr.DataTree, maps: Sequence[Map]) -> str:
    """Return a sentence on how many maps are constant, the mean over seeds where there are several."""
    found = []
    for source, words in (("trained", "this network"), ("untrained", "the network before training")):
        share = np.array([one.of(measured, "constant_share").sel(source=source).values.mean() for one in maps])
        worst = int(np.argmax(share))
        if np.isfinite(share).all() and share[worst] > 0:
            found.append(f"of {words} among those of {in_a_line(maps[worst])} ({100 * share[worst]:.2g} %)")
    return f" Constant maps count as chance; most are {', '.join(found)}." if found else " No map is constant."
