"""How well heat maps agree with the exact votes, over seeds: with its nulls, and what is left above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedscope.figures import Facts, Sheet
from seedscope.lenses.beside_nulls import beside_nulls
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.places.agreed import description, dots, table, title
from seedscope.lenses.places.agreement import SHARES

if TYPE_CHECKING:
    import xarray as xr


def comparison(measured: xr.DataTree, maps: str) -> Comparison:
    """Compare replicas."""
    agreement = measured.children[maps].dataset.agreement
    by_seed = [table(of_seed) for of_seed in agreement.drop_vars("seed")]
    means, metrics = beside_nulls(by_seed, "own", ["same_answer", "other_answer"], SHARES)
    sheet = Sheet(
        "places_agreement",
        Facts.of(measured),
        f"{title(maps)} Mean and 95 % interval over seeds",
        f"{description(agreement, maps)} What a map has above a null is tested in summary.csv; p is corrected for "
        "all gains of this lens.",
        dots(means),
    )
    return Comparison(metrics, [sheet], {"places_agreement": means.drop(columns="value")})
