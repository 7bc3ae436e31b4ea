"""Say how alike the seeds' layers are (see :meth:`seedscope.lenses.alignment.Alignment.compare`).

Of each number ``<what>`` the mean over pairs of seeds; ``<what>_null_<which>``, the mean over pairs and draws of a
null; ``<what>_gain_<which>``, what is above it. p is the share of draws whose mean over pairs reaches what was
observed, and counts that as one of them. The interval of a gain is the jackknife over seeds: it says how much seeds
differ, p is the test. Untrained networks are no draws but the same seeds, so that their gain has the p of its interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from seedscope.formulas.intervals import mean_interval, p_of_zero, pair_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.universal import by_chance
from seedscope.lenses.alignment.numbers import Found, look, names_matched
from seedscope.lenses.comparison import Comparison, Pairs

Metrics = dict[str, dict[str, Any]]
FEWEST = 19  # draws that a test needs


def compare(measured: xr.DataTree, features: str, top: int, draws: int) -> Comparison:
    """Return metrics, figures and the table of pairs."""
    from threadpoolctl import threadpool_limits

    if measured.sizes["seed"] < 2:
        return Comparison({name: pair_interval(np.zeros((1, 1))).as_dict() for name in names_matched(top).values()})
    from seedscope.lenses.alignment.sheets import sheets, table

    with threadpool_limits(1):  # these matrices are small: threads would wait for each other
        found = look(measured, top, draws)
    metrics: Metrics = {}
    for name in found.value:
        metrics |= _metrics_of(name, found)
    metrics |= _whole_metrics(found) | _universal_metrics(found)
    return Comparison(metrics, sheets(measured, found, features, top), {"alignment": table(found)}, _pairs(found))


def _metrics_of(name: str, found: Found) -> Metrics:
    """Return a number over pairs of seeds, beside each of its nulls."""
    metrics: Metrics = {name: pair_interval(matrix(found, found.value[name])).as_dict()}
    observed = float(found.value[name].mean())
    for which, null in found.null.get(name, {}).items():
        level = null.mean(0)
        metrics[f"{name}_null_{which}"] = pair_interval(matrix(found, level)).as_dict() | {"draws": len(null)}
        gain = pair_interval(matrix(found, found.value[name] - level))
        p = p_of_zero(gain) if which == "untrained" else _tested(observed, null.mean(1))
        more = {"null": _known(float(level.mean())), "p": None if p is None else _known(p)}
        metrics[f"{name}_gain_{which}"] = gain.as_dict() | more | {"draws": len(null)}
    return metrics


def _whole_metrics(found: Found) -> Metrics:
    """Return what only all seeds together have: it has no interval, and a p under each null."""
    metrics: Metrics = {}
    for name, value in found.whole.items():
        single = {"mean": _known(value), "low": None, "high": None, "n": len(found.seeds)}
        metrics[name] = single
        for which, null in found.whole_null[name].items():
            level, p = float(null.mean()), _tested(value, null)
            metrics[f"{name}_null_{which}"] = {**single, "mean": _known(level), "draws": len(null)}
            metrics[f"{name}_gain_{which}"] = {**single, "mean": _known(value - level), "p": p, "draws": len(null)}
    return metrics


def _tested(observed: float, drawn: np.ndarray) -> float | None:
    """Return p; ``None`` of so few draws that it could not be small."""
    return permutation_p(observed, drawn) if len(drawn) >= FEWEST else None


def _known(number: float) -> float | None:
    return number if np.isfinite(number) else None


def matrix(found: Found, values: np.ndarray) -> np.ndarray:
    """Return numbers of pairs as (seed, seed); NaN where a pair was not looked at."""
    square = np.full((len(found.seeds), len(found.seeds)), np.nan)
    for (a, b), value in zip(found.pairs, values, strict=True):
        square[a, b] = square[b, a] = value
    return square


def _universal_metrics(found: Found) -> Metrics:
    """Return how many units every seed has, over seeds, and how many cliques there are."""
    if found.universal is None:
        return {}
    count = np.array([of.sum() for of in found.universal.universal], dtype=np.float64)
    looked = [sum(one in pair for pair in found.pairs) for one in range(len(found.seeds))]
    chance = np.array([by_chance(n, others) for n, others in zip(found.units, looked, strict=True)])
    units = np.maximum(1, found.units)
    metrics = {
        "universal_units": mean_interval(count).as_dict() | {"null": _known(float(chance.mean()))},
        "universal_share": mean_interval(count / units).as_dict() | {"null": _known(float((chance / units).mean()))},
    }
    if found.universal.cliques is not None:
        metrics["cliques"] = {"mean": float(found.universal.cliques), "low": None, "high": None, "n": len(found.seeds)}
    return metrics


def _pairs(found: Found) -> dict[str, Pairs]:
    """Return the numbers of pairs by metric, with the strongest of the nulls that were drawn."""
    result = {}
    for name, values in found.value.items():
        levels = [null.mean(0) for which, null in found.null.get(name, {}).items() if which != "untrained"]
        if levels and np.isfinite(values).all():
            result[name] = Pairs(matrix(found, values), matrix(found, np.max(levels, axis=0)), 1.0)
    return result
