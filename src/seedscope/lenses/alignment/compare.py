"""Say how alike the seeds' layers are (see :meth:`seedscope.lenses.alignment.Alignment.compare`).

Of each number ``<what>`` the mean over pairs of seeds; ``<what>_null_<which>``, the mean over pairs and draws of a
null; ``<what>_gain_<which>``, what is above it. p is the share of draws whose mean over pairs reaches what was
observed, and counts that as one of them. The interval of a gain is the jackknife over seeds: it says how much seeds
differ, p is the test. Untrained networks are no draws but the same seeds, so that their gain has the p of its interval;
they are compared with as many units as live when trained, chosen at random, mean over a few choices.

A pair in which a layer has no live unit has no number: it is left out, a seed without any pair is not counted in n, and
``left_out`` says how many pairs there are of these. The intervals of universal units are the jackknife, too, each seed
left out with all of its pairs and what is universal found anew: counts of seeds that share pairs are not independent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from seedscope.formulas.intervals import Interval, alike, p_of_zero, pair_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.universal import by_chance, universal_units, without
from seedscope.lenses.alignment.numbers import Found, look, names_matched
from seedscope.lenses.at_once import AtOnce, in_turn
from seedscope.lenses.comparison import Comparison, Pairs

Metrics = dict[str, dict[str, Any]]
FEWEST = 19  # draws that a test needs


def compare(measured: xr.DataTree, features: str, top: int, draws: int, at_once: AtOnce = in_turn) -> Comparison:
    """Return metrics, figures and the table of pairs."""
    from threadpoolctl import threadpool_limits

    if measured.sizes["seed"] < 2:
        return Comparison({name: pair_interval(np.zeros((1, 1))).as_dict() for name in names_matched(top).values()})
    from seedscope.lenses.alignment.sheets import sheets, table

    with threadpool_limits(1):  # these matrices are small: threads would wait for each other
        found = look(measured, top, draws, at_once)
    metrics: Metrics = {}
    for name in found.value:
        metrics |= _metrics_of(name, found)
    metrics |= _whole_metrics(found) | _universal_metrics(found)
    return Comparison(metrics, sheets(measured, found, features, top), {"alignment": table(found)}, _pairs(found))


def _metrics_of(name: str, found: Found) -> Metrics:
    """Return a number over pairs of seeds, beside each of its nulls."""
    metrics: Metrics = {name: _of_pairs(found, found.value[name])}
    for which, null in found.null.get(name, {}).items():
        level = null.mean(0)
        metrics[f"{name}_null_{which}"] = _of_pairs(found, level) | {"draws": len(null)}
        gain = found.value[name] - level
        there = np.isfinite(gain)
        p, expected = None, None
        if there.any():
            expected = float(level[there].mean())
            drawn = null[:, there].mean(1)
            untrained = which == "untrained"
            p = (
                p_of_zero(_interval(found, gain))
                if untrained
                else _tested(float(found.value[name][there].mean()), drawn)
            )
        metrics[f"{name}_gain_{which}"] = _of_pairs(found, gain) | {"null": expected, "p": p, "draws": len(null)}
    return metrics


def _interval(found: Found, values: np.ndarray) -> Interval:
    """Return the mean over the pairs that have a number, its unit the seeds that have such pairs."""
    square = matrix(found, values)
    there = np.isfinite(square).any(1)
    return pair_interval(square[np.ix_(there, there)])


def _of_pairs(found: Found, values: np.ndarray) -> dict[str, Any]:
    left_out = int((~np.isfinite(values)).sum())
    return _interval(found, values).as_dict() | ({"left_out": left_out} if left_out else {})


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
    everyone = range(len(found.seeds))
    whole = _universal_numbers(found, None)
    parts = [_universal_numbers(found, seed) for seed in everyone] if len(everyone) > 2 else []
    metrics: Metrics = {}
    for name, value in whole.items():
        metrics[name] = _jackknifed(value, np.array([part[name] for part in parts]), len(everyone)).as_dict()
    for name in ("units", "share"):
        metrics[f"universal_{name}"]["null"] = metrics.pop(f"universal_{name}_by_chance")["mean"]
    if found.universal.cliques is not None:
        metrics["cliques"] = {"mean": float(found.universal.cliques), "low": None, "high": None, "n": len(found.seeds)}
    return metrics


def _universal_numbers(found: Found, leaving: int | None) -> dict[str, float]:
    """Return how many units are universal, mean over seeds, and how many chance gives at most, one seed left out."""
    assert found.universal is not None
    likes = found.universal.likes if leaving is None else without(found.universal.likes, leaving)
    pairs = [pair for pair in found.pairs if leaving not in pair]
    seeds = [seed for seed in range(len(found.seeds)) if seed != leaving]
    count = universal_units(likes, found.units).universal
    own = np.array([count[seed].sum() for seed in seeds], dtype=np.float64)
    chance = np.array([by_chance([found.units[pair[0]] for pair in pairs if seed in pair]) for seed in seeds])
    units = np.maximum(1, [found.units[seed] for seed in seeds])
    return {
        "universal_units": float(own.mean()),
        "universal_units_by_chance": float(chance.mean()),
        "universal_share": float((own / units).mean()),
        "universal_share_by_chance": float((chance / units).mean()),
        "universal_share_gain_by_chance": float(((own - chance) / units).mean()),
    }


def _jackknifed(value: float, parts: np.ndarray, n: int) -> Interval:
    """Return a number of all seeds with its jackknife interval, from what it is with each seed left out."""
    from scipy.stats import t

    mean = _known(value)
    if mean is None or n < 3 or not np.isfinite(parts).all():
        return Interval(mean, None, None, n)
    if alike(np.append(parts, value)):
        return Interval(mean, None, None, n, same=True)
    half = float(t.ppf(0.975, n - 1) * np.sqrt((n - 1) / n * ((parts - parts.mean()) ** 2).sum()))
    return Interval(mean, mean - half, mean + half, n)


def _pairs(found: Found) -> dict[str, Pairs]:
    """Return the numbers of pairs by metric, with the strongest of the nulls that were drawn."""
    result = {}
    for name, values in found.value.items():
        levels = [null.mean(0) for which, null in found.null.get(name, {}).items() if which != "untrained"]
        if levels and np.isfinite(values).any():
            result[name] = Pairs(matrix(found, values), matrix(found, np.max(levels, axis=0)), 1.0)
    return result
