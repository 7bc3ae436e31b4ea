"""Transplants between all seeds, or a balanced sample of pairs, beside nulls and baselines.

Each number is a mean over pairs with a jackknife interval whose unit is the seed; ``pairs`` is how many were looked at.
``null`` is what the draws of the strictest null give on average and ``p`` the share of draws, each a mean over the same
pairs, that give as much, no smaller than 1 / (1 + ``draws``); of a gain ``p`` is that of the null it is a gain over.
Where pairs are independent the jackknife is too wide, so p is the test. What is above a baseline has an interval alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.intervals import Interval, pair_interval
from seedscope.formulas.pairs import balanced_pairs
from seedscope.formulas.transplants import mixed_p
from seedscope.lenses.at_once import AtOnce, in_turn
from seedscope.lenses.comparison import Comparison, Pairs
from seedscope.lenses.transplants.operations import MAPS, UNIT_NULLS, transplant
from seedscope.lenses.transplants.seeds import SeedLayer
from seedscope.lenses.transplants.shown import layer_sheet, unit_sheet

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MIXTURES = 5000
OF_UNITS = tuple(f"{what}_{how}" for how in ("singly", "together") for what in ("recovered", "restored", "kept"))
OF_LAYERS = ("accuracy", "agreement", "recovered_together", "restored_together")
UNIT_BASELINES = ("random", "class_mean")


def compare(measured: xr.Dataset, at_once: AtOnce = in_turn) -> Comparison:
    """See :meth:`seedscope.lenses.transplants.Transplants.compare`."""
    found = _Found.of(measured, at_once)
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
    def of(cls, measured: xr.Dataset, at_once: AtOnce = in_turn) -> _Found:
        """Transplant between the seeds."""
        from threadpoolctl import threadpool_limits

        seeds = measured.sizes["seed"]
        names = measured.seed.values.tolist()
        if measured.attrs["unit_kind"] == "pixel":
            return cls(seeds, names, (), {}, "every seed has the same pixels")
        layers = [SeedLayer.measured(measured.isel(seed=at)) for at in range(seeds)]
        there = [at for at, layer in enumerate(layers) if layer.activation.shape[1]]
        pairs = [(there[a], there[b]) for a, b in balanced_pairs(len(there))]
        if not pairs:
            return cls(seeds, names, (), {}, "one seed has no other" if seeds == 1 else "nothing is ever active")
        with threadpool_limits(limits=1, user_api="blas"):  # matrices are small, and threads may sum in another order
            done = at_once(
                [partial(transplant, layers[a], layers[b], np.random.default_rng([a, b]), len(pairs)) for a, b in pairs]
            )
        read = {way: [one.read(way) for one in done] for way in done[0].sums}
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
        looked = {"pairs": int(np.isfinite(values).sum())}
        return _interval(values, self.pairs, self.seeds).as_dict() | looked


def _unit_metrics(found: _Found) -> dict[str, dict[str, Any]]:
    """Return what partners give back, singly and together, beside each null and above each baseline."""
    metrics: dict[str, dict[str, Any]] = {}
    nulls = [null for null in UNIT_NULLS if f"permutation_{null}" in found.values] or UNIT_NULLS[:1]
    for what in OF_UNITS:
        metrics[what] = _beside(found, "permutation", what, f"permutation_{nulls[-1]}")
        for null in nulls:
            metrics[f"{what}_null_{null}"] = _plain(found, f"permutation_{null}", what)
            metrics[f"{what}_gain_{null}"] = _gain(found, what, "permutation", f"permutation_{null}")
        for baseline in UNIT_BASELINES:
            metrics[f"{what}_baseline_{baseline}"] = _plain(found, baseline, what)
            metrics[f"{what}_above_{baseline}"] = _difference(found, what, "permutation", baseline)
    return metrics


def _layer_metrics(found: _Found) -> dict[str, dict[str, Any]]:
    """Return what a head makes of another seed's layer, by the freedom that maps it."""
    metrics: dict[str, dict[str, Any]] = {}
    for what in OF_LAYERS:
        name = f"layer_{what.removesuffix('_together')}"
        for way in MAPS:
            metrics[f"{name}_{way}"] = _beside(found, way, what, f"{way}_within_class")
            metrics[f"{name}_{way}_gain_within_class"] = _gain(found, what, way, f"{way}_within_class")
        metrics[f"{name}_baseline_unmapped"] = _plain(found, "unmapped", what)
        for more, less in (("linear_map", "rotation"), ("rotation", "permutation")):
            metrics[f"{name}_{more}_above_{less}"] = _difference(found, what, more, less)
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


def _difference(found: _Found, what: str, way: str, less: str) -> dict[str, Any]:
    """Return how much more one way gives than another, pair by pair."""
    if not found.pairs:
        return Interval(None, None, None, found.seeds).as_dict()
    return found.interval(found.mean(way, what) - found.mean(less, what))


def _gain(found: _Found, what: str, way: str, null: str) -> dict[str, Any]:
    """Return how much more a way gives than its null, pair by pair, with p."""
    gain = {**_difference(found, what, way, null), "p": None}
    return gain if gain["mean"] is None else {**gain, **_tested(found, way, what, null)}


def _tested(found: _Found, way: str, what: str, null: str) -> dict[str, Any]:
    """Return p of the mean over pairs among the draws of a null; pairs without a value do not count."""
    own, draws = found.mean(way, what), found.values[null][what]
    known = np.isfinite(own) & np.isfinite(draws).all(1)
    if not known.any():
        return {"p": None}
    p = mixed_p(own[known], draws[known], np.random.default_rng(0), _MIXTURES)
    return {"p": p, "draws": int(draws[known].size)}


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
