"""Match the units of two seeds and compare their fields (see :mod:`seedscope.lenses.place_fields`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from seedscope.formulas.classes import class_means
from seedscope.formulas.fields import field_correlations, shuffled_matchings
from seedscope.formulas.matching import Matching, matched, standardised
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.pair_numbers import PairNumbers, pair_table
from seedscope.lenses.place_fields.draw import sheets_over_seeds
from seedscope.lenses.place_fields.shown import Seeds

Matchings = Mapping[tuple[int, int], Matching]
"""By pair of seeds."""


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


def draws_of(pairs: int) -> int:
    """Return how many shuffles are drawn: 1000; of more than ten pairs fewer, each being a mean over more, but 200."""
    return int(np.clip(10_000 // max(1, pairs), 200, 1000))


def fields_of_matched(seeds: Seeds) -> tuple[PairNumbers, PairNumbers]:
    """Return R of matched units by pair of seeds, beyond class tuning and of whole fields."""
    n = len(seeds.seeds)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    if not pairs or not all(one.shape[1] for one in seeds.activation):
        nothing = np.full((n, n), np.nan)
        none = PairNumbers(nothing, dict.fromkeys(("random", "class_means", "within_class"), nothing), {}, seeds.seeds)
        return none, none
    _, code = np.unique(seeds.label, return_inverse=True)
    means = [class_means(one, code, int(code.max()) + 1) for one in seeds.activation]
    units = {(a, b): matched(seeds.activation[a], seeds.activation[b]) for a, b in pairs}
    by_means = {(a, b): matched(means[a], means[b]) for a, b in pairs}
    shuffled = _shuffled(seeds, pairs)
    beyond, whole = (
        _scored(seeds, seeds.at_scored(residual=residual), units, by_means, shuffled) for residual in (True, False)
    )
    return beyond, whole


def _scored(
    seeds: Seeds, fields: list[np.ndarray], units: Matchings, by_means: Matchings, shuffled: list[Matchings]
) -> PairNumbers:
    """Return the mean R of matched units, and that by each null."""
    tables = {(a, b): field_correlations(fields[a], fields[b]) for a, b in units}
    found = {pair: float(table[units[pair]].mean()) for pair, table in tables.items()}
    drawn = np.array([[tables[pair][of].mean() for pair, of in draw.items()] for draw in shuffled])
    null = {
        "random": {pair: float(table.mean()) for pair, table in tables.items()},
        "class_means": {pair: float(tables[pair][of].mean()) for pair, of in by_means.items()},
        "within_class": dict(zip(units, drawn.mean(0).tolist(), strict=True)),
    }
    p = permutation_p(float(np.mean(list(found.values()))), drawn.mean(1))
    return PairNumbers(
        _square(found, len(seeds.seeds)),
        {name: _square(of, len(seeds.seeds)) for name, of in null.items()},
        {"within_class": p},
        seeds.seeds,
    )


def _square(by_pair: Mapping[tuple[int, int], float], n: int) -> np.ndarray:
    """Return numbers of pairs as (seed, seed), symmetric."""
    square = np.full((n, n), np.nan)
    for (a, b), value in by_pair.items():
        square[a, b] = square[b, a] = value
    return square


def _shuffled(seeds: Seeds, pairs: list[tuple[int, int]]) -> list[Matchings]:
    """Return the matchings of every draw in which pictures are shuffled within their class."""
    rng, units = np.random.default_rng(0), [standardised(one) for one in seeds.activation]
    return [
        dict(zip(pairs, shuffled_matchings(units, seeds.label, pairs, rng), strict=True))
        for _ in range(draws_of(len(pairs)))
    ]
