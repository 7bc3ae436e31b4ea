"""How well heat finds the object, over seeds: with its nulls, and what is left above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seedscope.figures import Facts, Sheet
from seedscope.formulas.localization import MEASURES
from seedscope.lenses.beside_nulls import beside_nulls
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.heat_maps.found import DESCRIPTION, constant_words, dots, table
from seedscope.lenses.heat_maps.maps import Map

if TYPE_CHECKING:
    import xarray as xr


def comparison(measured: xr.DataTree, maps: Sequence[Map]) -> Comparison:
    """Compare replicas; where no one knows the objects there is nothing to compare."""
    if "baseline" not in measured.dataset:
        return Comparison(metrics={})
    by_seed = [table(measured.isel(seed=index), maps) for index in range(measured.sizes["seed"])]
    means, metrics = beside_nulls(by_seed, "trained", ["untrained", "same_class"], MEASURES)
    sheet = Sheet(
        "localization",
        Facts.of(measured),
        "Does the heat lie on the object? Mean and 95 % interval over seeds",
        f"{DESCRIPTION}{constant_words(measured, maps)} What a map has above a null is tested in summary.csv; p is "
        "corrected for all gains of this lens.",
        dots(measured, maps, means),
    )
    return Comparison(metrics, [sheet], {"localization": means.drop(columns="value")})
