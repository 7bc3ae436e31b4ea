"""Transplants between all seeds, or a balanced sample of pairs, beside their nulls.

Each number is a mean over pairs with a jackknife interval whose unit is the seed. ``null`` is what the draws of the
null give on average and ``p`` the share of draws, each a mean over the same pairs, that give as much; of a gain ``p``
is that of the null it is a gain over. Where pairs are independent the jackknife is too wide, so p is the test. Class
means are not drawn: their gain has an interval alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.intervals import Interval, pair_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.pairs import balanced_pairs
from seedscope.formulas.transplants import mixed_means
from seedscope.lenses.comparison import Comparison, Pairs
from seedscope.lenses.transplants.operations import DRAWN, FIXED, MAPS, draws_of, transplant
from seedscope.lenses.transplants.seeds import SeedLayer
from seedscope.lenses.transplants.shown import layer_sheet, unit_sheet

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PAIRS, _MIXTURES = 12, 2000
OF_UNITS = tuple(f"{what}_{how}" for how in ("singly", "together") for what in ("recovered", "restored", "kept"))
OF_LAYERS = ("accuracy", "agreement", "recovered_together", "restored_together")
UNIT_NULLS = {"random": "random", "within_class": "permutation_within_class", "class_mean": "class_mean"}


def compare(measured: xr.Dataset) -> Comparison:
    """See :meth:`seedscope.lenses.transplants.Transplants.compare`."""
    found = _Found.of(measured)
    metrics = {**_unit_metrics(found), **_layer_metrics(found)}
    table = _table(found)
    return Comparison(
        metrics,
        [unit_sheet(measured, found.values, found.refused), layer_sheet(measured, found.values, found.refused)],
        {"transplants_by_pair": table} if len(table) else {},
        _all_pairs(found),
    )


@dataclass(frozen=True)
class _Found:
    """What was read from the transplants of all pairs.

    Attributes:
        seeds: how many seeds there are.
        names: their numbers.
        pairs: those that were transplanted between.
        values: by way and what is read, (pair, draw).
        refused: why there is nothing, if there is nothing.
    """

    seeds: int
    names: Sequence[int]
    pairs: Sequence[tuple[int, int]]
    values: Mapping[str, Mapping[str, np.ndarray]]
    refused: str

    @classmethod
    def of(cls, measured: xr.Dataset) -> _Found:
        """Transplant between the seeds."""
        from threadpoolctl import threadpool_limits

        seeds = measured.sizes["seed"]
        names = measured.seed.values.tolist()
        if measured.attrs["unit_kind"] == "pixel":
            return cls(seeds, names, (), {}, "every seed has the same pixels")
        layers = [SeedLayer.measured(measured.isel(seed=at)) for at in range(seeds)]
        there = [at for at, layer in enumerate(layers) if layer.activation.shape[1]]
        pairs = [(there[a], there[b]) for a, b in balanced_pairs(len(there), _PAIRS)]
        if not pairs:
            return cls(seeds, names, (), {}, "one seed has no other" if seeds == 1 else "nothing is ever active")
        draws = draws_of(len(pairs))
        with threadpool_limits(limits=1, user_api="blas"):  # matrices are small, and threads may sum in another order
            done = [transplant(layers[a], layers[b], np.random.default_rng([a, b]), draws) for a, b in pairs]
        read = {way: [one.read(way) for one in done] for way in (*FIXED, *DRAWN)}
        values = {
            way: {what: np.stack([one[what] for one in by_pair]) for what in by_pair[0]}
            for way, by_pair in read.items()
        }
        return cls(seeds, names, pairs, values, "")

    def mean(self, way: str, what: str) -> np.ndarray:
        """Return a value of each pair, a mean over draws."""
        return self.values[way][what].mean(1)

    def interval(self, values: np.ndarray) -> dict[str, Any]:
        """Return the mean over pairs (pair) with its jackknife interval over seeds."""
        return _interval(values, self.pairs, self.seeds).as_dict()


def _unit_metrics(found: _Found) -> dict[str, dict[str, Any]]:
    """Return what partners give back, singly and together, beside each null."""
    metrics: dict[str, dict[str, Any]] = {}
    for what in OF_UNITS:
        metrics[what] = _beside(found, "permutation", what, "permutation_within_class")
        for null, way in UNIT_NULLS.items():
            metrics[f"{what}_null_{null}"] = _plain(found, way, what)
            metrics[f"{what}_gain_{null}"] = _gain(found, what, "permutation", way)
    return metrics


def _layer_metrics(found: _Found) -> dict[str, dict[str, Any]]:
    """Return what a head makes of another seed's layer, by the freedom that maps it."""
    metrics: dict[str, dict[str, Any]] = {}
    for what in OF_LAYERS:
        name = f"layer_{what.removesuffix('_together')}"
        for way in MAPS:
            metrics[f"{name}_{way}"] = _beside(found, way, what, f"{way}_within_class")
            metrics[f"{name}_{way}_gain_within_class"] = _gain(found, what, way, f"{way}_within_class")
        metrics[f"{name}_null_unmapped"] = _plain(found, "unmapped", what)
        for more, less in (("linear_map", "rotation"), ("rotation", "permutation")):
            metrics[f"{name}_{more}_gain_{less}"] = _gain(found, what, more, less)
    metrics["layer_accuracy_intact"] = _plain(found, "intact", "accuracy")
    return metrics


def _plain(found: _Found, way: str, what: str) -> dict[str, Any]:
    if not found.pairs:
        return Interval(None, None, None, found.seeds).as_dict()
    return found.interval(found.mean(way, what))


def _beside(found: _Found, way: str, what: str, null: str) -> dict[str, Any]:
    """Return a way's mean with its interval, beside a null that is drawn."""
    metric = {**_plain(found, way, what), "null": None, "p": None}
    if metric["mean"] is None:
        return metric
    return {**metric, "null": _plain(found, null, what)["mean"], **_tested(found, way, what, null)}


def _gain(found: _Found, what: str, way: str, less: str) -> dict[str, Any]:
    """Return how much more one way gives than another, pair by pair, with p where the other is drawn."""
    if not found.pairs:
        return {**Interval(None, None, None, found.seeds).as_dict(), "p": None}
    gain = {**found.interval(found.mean(way, what) - found.mean(less, what)), "p": None}
    return {**gain, **_tested(found, way, what, less)} if less in DRAWN and gain["mean"] is not None else gain


def _tested(found: _Found, way: str, what: str, null: str) -> dict[str, Any]:
    """Return the share of draws of the mean over pairs that give as much; pairs without a value do not count."""
    own, draws = found.mean(way, what), found.values[null][what]
    known = np.isfinite(own) & np.isfinite(draws).all(1)
    drawn = mixed_means(draws[known], np.random.default_rng(0), _MIXTURES)
    return {"p": permutation_p(float(own[known].mean()), drawn), "draws": len(drawn)}


def _interval(values: np.ndarray, pairs: Sequence[tuple[int, int]], seeds: int) -> Interval:
    """Return the mean over pairs that have a value (pair), with its jackknife interval over the seeds of these."""
    known = np.isfinite(values)
    if not known.any():
        return Interval(None, None, None, seeds)
    matrix = _matrix(values, pairs, seeds)
    member = np.isfinite(matrix).any(1)
    return pair_interval(matrix[np.ix_(member, member)])


def _matrix(values: np.ndarray, pairs: Sequence[tuple[int, int]], seeds: int) -> np.ndarray:
    """Return the numbers of pairs, (seed, seed); NaN of those that were not transplanted between."""
    matrix = np.full((seeds, seeds), np.nan)
    for (a, b), value in zip(pairs, values, strict=True):
        matrix[a, b] = matrix[b, a] = value
    return matrix


def _table(found: _Found) -> pd.DataFrame:
    """Return every way's numbers for every pair, means over draws."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"seed": found.names[a], "other": found.names[b], "way": way}
            | {what: float(values[at].mean()) for what, values in by.items()}
            for way, by in found.values.items()
            for at, (a, b) in enumerate(found.pairs)
        ]
    )


def _all_pairs(found: _Found) -> dict[str, Pairs]:
    """Return the numbers of all pairs of seeds, where all were transplanted between and have one."""
    if not found.pairs or len(found.pairs) < found.seeds * (found.seeds - 1) // 2:
        return {}
    own, null = (found.mean(way, "restored_singly") for way in ("permutation", "permutation_within_class"))
    if not np.isfinite(own + null).all():
        return {}
    value, chance = (_matrix(one, found.pairs, found.seeds) for one in (own, null))
    return {"restored_singly": Pairs(value, chance, 1.0)}
