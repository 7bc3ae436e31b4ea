"""Match the units of two seeds and compare their fields (see :mod:`seedscope.lenses.place_fields`)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from seedscope.formulas.classes import class_means
from seedscope.formulas.fields import field_correlations
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.matched_units import MatchedUnits
from seedscope.lenses.pair_numbers import PairNumbers, pair_table
from seedscope.lenses.place_fields.draw import sheets_over_seeds
from seedscope.lenses.place_fields.shown import Seeds


def compare(measured: xr.Dataset) -> Comparison:
    """Return how alike the fields of matched units are, beyond class tuning and whole, with nulls."""
    seeds = Seeds.of(measured)
    beyond, whole = fields_of_matched(seeds)
    named = {"field_correlation": beyond, "whole_field_correlation": whole}
    return Comparison(
        {key: value for name, one in named.items() for key, value in one.metrics(name).items()},
        sheets_over_seeds(measured, seeds, named) if len(seeds.seeds) > 1 else [],
        {"place_fields_pairs": pair_table(named)},
        {name: one.pairs() for name, one in named.items() if one.defined},
    )


def fields_of_matched(seeds: Seeds) -> tuple[PairNumbers, PairNumbers]:
    """Return R of matched units by pair of seeds, beyond class tuning and of whole fields."""
    _, code = np.unique(seeds.label, return_inverse=True)
    means = [class_means(one, code, int(code.max()) + 1) for one in seeds.activation]
    units = MatchedUnits.of(seeds.seeds, seeds.activation, {"within_class": seeds.label}, {"class_means": means})
    found = []
    for residual in (True, False):
        fields = seeds.at_scored(residual=residual)
        found.append(units.numbers({(a, b): field_correlations(fields[a], fields[b]) for a, b in units.units}))
    return found[0], found[1]
