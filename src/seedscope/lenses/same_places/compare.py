"""Hold the exact maps of all seeds against each other (see :meth:`seedscope.lenses.same_places.SamePlaces.compare`)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.same_maps import expected_correlation, map_directions, mean_correlation, permuted_correlation
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.pair_numbers import PairNumbers, looked_at, pair_table
from seedscope.lenses.same_places.draw import sheets_over_seeds

_DRAWS = 1000


def compare(measured: xr.Dataset, maps: str) -> Comparison:
    """Return how alike the maps of one picture are in two seeds, and those of other pictures."""
    found, pictures = correlation(measured)
    sheets = sheets_over_seeds(measured, found, pictures, maps) if measured.sizes["seed"] > 1 else []
    return Comparison(
        found.metrics("map_correlation"),
        sheets,
        {"same_places_pairs": pair_table({"map_correlation": found})},
        {"map_correlation": found.pairs()} if found.defined else {},
    )


def correlation(measured: xr.Dataset) -> tuple[PairNumbers, int]:
    """Return the correlation of maps by pair of seeds, and over how many pictures it is."""
    answer = measured.answer.values
    unit = map_directions(measured.place_vote.values.astype(np.float64))
    kept = (answer == answer[0]).all(0) & np.isfinite(unit).all((0, 2))
    unit, answers = unit[:, kept], answer[0][kept]
    groups = {"same_answer": answers}
    if "subcell" in measured:
        both = np.stack([answers, measured.subcell.values[0][kept]])
        groups["within_place"] = np.unique(both, axis=1, return_inverse=True)[1].reshape(-1)
    seeds = measured.seed.values
    if len(seeds) < 2 or not kept.any():
        nothing = np.full((len(seeds), len(seeds)), np.nan)
        return PairNumbers(nothing, dict.fromkeys(groups, nothing), {}, seeds), int(kept.sum())
    value = mean_correlation(unit)
    looked = looked_at(len(seeds))
    observed = value[looked].mean()
    p = {
        name: permutation_p(observed, permuted_correlation(unit, group, looked, np.random.default_rng(index), _DRAWS))
        for index, (name, group) in enumerate(groups.items())
    }
    null = {name: expected_correlation(unit, group) for name, group in groups.items()}
    return PairNumbers(value, null, p, seeds), int(kept.sum())
