"""Count the prototypes that matched units of two seeds share (see :mod:`seedscope.lenses.prototypes`)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from seedscope.figures import AGAINST, MARK, NEUTRAL, Facts, Sheet
from seedscope.formulas.overlap import membership
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.matched_units import MatchedUnits
from seedscope.lenses.pair_figures import PAIRS_IN_WORDS, beside_their_nulls
from seedscope.lenses.pair_numbers import PairNumbers, pair_table
from seedscope.lenses.units import Units

_NULLS = {
    "random": ("any two units", NEUTRAL),
    "within_class": ("matched on pictures\nshuffled within classes", AGAINST),
    "within_place": ("… and parts of their region", MARK),
}


def compare(measured: xr.Dataset) -> Comparison:
    """Return how many prototypes matched units share; of pixels, which are not matched, nothing."""
    units, top = Units.measured(measured), measured.sizes["rank"]
    if units.kind == "pixel":
        return Comparison({})
    found = shared_prototypes(measured)
    sheets = []
    if measured.sizes["seed"] > 1:
        what = "channels" if units.kind == "map" else "units"
        words = (
            f"How many of their {top} prototypes, in one half of the probe pictures, {what} of {units.layer} of two "
            f"seeds share that are matched by their activations in the other half: {PAIRS_IN_WORDS}; dashes: what is "
            "shared by chance."
        )
        shown = {"shared_prototypes": "matched"}
        panel = beside_their_nulls({"shared_prototypes": found}, shown, _NULLS, f"prototypes shared, of {top}", width=3)
        title = f"Do matched {what} of two seeds share their prototypes?"
        sheets = [Sheet("shared_prototypes", Facts.of(measured), title, words, panel)]
    return Comparison(
        found.metrics("shared_prototypes"),
        sheets,
        {"prototypes_pairs": pair_table({"shared_prototypes": found})},
        {"shared_prototypes": found.pairs(float(top))} if found.defined else {},
    )


def shared_prototypes(measured: xr.Dataset) -> PairNumbers:
    """Return the mean number of shared prototypes of matched units by pair of seeds."""
    live = measured.live.values.astype(bool)
    groups = {"within_class": measured.matched_label.values[0]}
    if "matched_group" in measured:
        groups["within_place"] = measured.matched_group.values[0]
    values = [of[:, units].astype(np.float64) for of, units in zip(measured.activation.values, live, strict=True)]
    tops = zip(measured.scored_top.values, live, strict=True)
    member = [membership(top[units], measured.sizes["scored_sample"]).astype(np.float64) for top, units in tops]
    units = MatchedUnits.of(measured.seed.values, values, groups, {})
    return units.numbers({(a, b): member[a] @ member[b].T for a, b in units.units})
