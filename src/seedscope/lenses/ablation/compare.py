"""Predictions and removal curves of all seeds together, beside their controls and nulls.

A number of each seed is a mean over seeds with its interval. ``null`` is what the draws of all seeds give on average,
and ``p`` the share of draws, each a mean over the same seeds, that do as well. ``…_gain_…`` is a difference within each
seed, with the p of 0 by its t interval; ``p_holm`` corrects these for all gains of the lens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import NEUTRAL, Axis, Band, Facts, Grid, Line, Mark, Panel, Rule, Sheet, Spans, named
from seedscope.figures.over import over_seeds
from seedscope.formulas.intervals import holm, mean_interval, p_of_zero, share_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.ablation.curves import NULL_OF, READ, read_curves
from seedscope.lenses.ablation.panels import ORDERS, RANDOM, ROWS, curve_grid, spread
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PREDICTORS = {
    "centred": "dominance for the class",
    "mean_subtracted": "… means subtracted",
    "other_class": "… for another class",
    "weight_size": "size of head weights",
    "activation": "mean activation",
}
_REFERENCES = {"mean": "a unit at its mean", "zero": "a unit at zero", "another": "a unit of another picture"}
_CONTROLS = {"class": ("other_class",), "mean_subtracted": (), "overall": ("weight_size", "activation")}
_FEWER = "units_to_halve"  # of which fewer is more


def compare(measured: xr.Dataset) -> Comparison:
    """See :meth:`seedscope.lenses.ablation.Ablation.compare`."""
    gains: dict[str, np.ndarray] = {}
    metrics = {**_predictions(measured, gains), **_removals(measured, gains)}
    table = _curve_table(measured)
    return Comparison(
        {**metrics, **_corrected(gains)},
        [_prediction_sheet(measured), _curve_sheet(measured, table)],
        {"ablation_curves_over_seeds": table},
    )


def _predictions(measured: xr.Dataset, gains: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return how well each predictor foretells what a removal costs; adds what dominance has beyond the controls."""
    metrics: dict[str, dict[str, Any]] = {}
    for kind in _REFERENCES:
        rho, null = _rho(measured, kind)
        metrics |= {f"rho_{name}_{kind}": _beside(rho[name], null[name]) for name in _PREDICTORS}
        for control in ("other_class", "weight_size", "activation"):
            gains[f"rho_centred_{kind}_gain_{control}"] = rho["centred"] - rho[control]
        gains[f"rho_centred_{kind}_gain_mean_subtracted"] = rho["centred"] - rho["mean_subtracted"]
    return metrics


def _rho(measured: xr.Dataset, kind: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return ρ of each seed, the mean over classes, and with units shuffled (seed, shuffle), by predictor."""
    part = measured.sel(reference=kind)
    rho = {name: _known_mean(part.rho.sel(predictor=name).values, 1) for name in _PREDICTORS}
    return rho, {name: part.rho_null_shuffled.sel(predictor=name).values for name in _PREDICTORS}


def _removals(measured: xr.Dataset, gains: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return what is read from the removal curves, beside random orders; adds what is more than controls and chance."""
    read, null = _read(measured)
    metrics: dict[str, dict[str, Any]] = {}
    for what in READ:
        sign = -1.0 if what == _FEWER else 1.0
        for name in ROWS:
            metrics[f"{what}_null_{name}"] = mean_interval(null[name][what].mean(1)).as_dict()
        for order, name in NULL_OF.items():
            metrics[f"{what}_{order}"] = _beside(read[order][what], null[name][what], sign)
        for order, controls in _CONTROLS.items():
            own = read[order][what]
            gains[f"{what}_{order}_gain_{NULL_OF[order]}"] = sign * (own - null[NULL_OF[order]][what].mean(1))
            for control in controls:
                gains[f"{what}_{order}_gain_{control}"] = sign * (own - read[control][what])
    return metrics


def _read(
    measured: xr.Dataset,
) -> tuple[Mapping[str, Mapping[str, np.ndarray]], Mapping[str, Mapping[str, np.ndarray]]]:
    """Return what curves say: of each order (seed), and of each null (seed, draw)."""
    seeds = [measured.isel(seed=at) for at in range(measured.sizes["seed"])]
    read = {
        order: _together([read_curves(one.removal.sel(order=order).values, one) for one in seeds]) for order in NULL_OF
    }
    null = {
        name: _together([read_curves(one[f"removal_null_{name}"].transpose("draw", ...).values, one) for one in seeds])
        for name in ROWS
    }
    return read, null


def _together(by_seed: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {what: np.stack([one[what] for one in by_seed]) for what in READ}


def _beside(values: np.ndarray, draws: np.ndarray, sign: float = 1.0) -> dict[str, Any]:
    """Return mean and interval of values (seed) beside the null's draws (seed, draw); ``sign`` −1: less is more."""
    metric: dict[str, Any] = {**mean_interval(values).as_dict(), "null": None, "p": None}
    known = np.isfinite(values) & np.isfinite(draws).all(1)
    if known.any():
        drawn = draws[known].mean(0)
        metric["null"] = float(drawn.mean())
        metric["draws"] = len(drawn)
        metric["p"] = permutation_p(sign * values[known].mean(), sign * drawn)
    return metric


def _corrected(gains: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return gains (seed) as metrics, with p of 0 and p corrected for all of them."""
    intervals = {name: mean_interval(values) for name, values in gains.items()}
    p = {name: p_of_zero(interval) for name, interval in intervals.items()}
    tested = [name for name, value in p.items() if value is not None]
    corrected = dict(zip(tested, holm(np.array([p[name] for name in tested], dtype=float)).tolist(), strict=True))
    return {
        name: {**interval.as_dict(), "p": p[name], "p_holm": corrected.get(name)}
        for name, interval in intervals.items()
    }


def _prediction_sheet(measured: xr.Dataset) -> Sheet:
    """Show how well each predictor foretells what removals cost, beside shuffled units, by what a unit is set to."""
    return Sheet(
        "ablation_prediction_across_seeds",
        Facts.of(measured),
        "What says how much a unit matters?",
        "Spearman's ρ over live units between a predictor on one half of the pictures and the log-probability of a "
        "class that its pictures in the other half lose when a unit alone is set to its mean, to zero, or to what it "
        "is for another picture; mean over classes and both ways. A dot per seed, the mean and its 95 % t interval "
        "over seeds; grey: 95 % of what shuffled units give.",
        Grid([_prediction_panel(*_rho(measured, kind), words) for kind, words in _REFERENCES.items()], 3, share_y=True),
    )


def _prediction_panel(rho: Mapping[str, np.ndarray], null: Mapping[str, np.ndarray], title: str) -> Panel:
    marks: list[Mark] = [Rule(0, NEUTRAL, width=0.6)]
    for at, name in enumerate(_PREDICTORS):
        drawn = null[name][np.isfinite(null[name]).all(1)]
        if len(drawn):
            low, high = spread(drawn.mean(0))
            marks.append(Band([at - 0.4, at + 0.4], [low] * 2, [high] * 2, NEUTRAL, 0.3))
        marks += over_seeds(at, rho[name])
    return Panel(
        marks,
        title,
        named(list(_PREDICTORS.values()), low=-0.6, high=len(_PREDICTORS) - 0.4),
        Axis("Spearman's ρ with the loss"),
        width=2.6,
        height=3.0,
        empty="" if any(np.isfinite(values).any() for values in rho.values()) else "no value",
    )


def _curve_sheet(measured: xr.Dataset, table: pd.DataFrame) -> Sheet:
    """Show the removal curves over seeds, with random orders."""
    units, reach = Units.measured(measured), int(measured.live.sum("unit").max())
    steps = np.minimum(measured.removed.values, reach)

    def marks(null: str, kept: str) -> Sequence[Mark]:
        draws = measured[f"removal_null_{null}"].sel(kept=kept).mean("seed").values
        found: list[Mark] = [Band(steps, *spread(draws), RANDOM[1])]
        for name in (null, *ROWS[null]):
            words, colour = ORDERS.get(name, RANDOM)
            part = table[(table["order"] == name) & (table["kept"] == kept)]
            mean, low, high = (part[column].to_numpy(float) for column in ("mean", "low", "high"))
            style, shape = ("--", "") if name == null else ("-", "o")
            found.append(Line(steps, mean, colour, style, shape=shape, label=words))
            found.append(Spans(steps * _beside_each_other(len(found)), low, high, colour, width=1.0))
        return found

    return Sheet(
        "ablation_curves_across_seeds",
        Facts.of(measured),
        f"What is left without the first 1, 2, … {units.live}?",
        f"The first m {units.live} of an order are set to their means at once; orders are chosen on one half of the "
        "pictures and scored on the other. Above: by the class of each picture; below: the same units for every "
        "picture. Lines: means with 95 % t intervals over seeds; dashed: random orders; grey: where 95 % of their "
        "draws lie, each a mean over seeds. Where all live units of a seed are removed, its curve stays. Of few seeds "
        "intervals may reach beyond what there can be.",
        curve_grid(marks, reach, units.live),
        table,
    )


def _beside_each_other(index: int) -> float:
    """Return by what steps are multiplied so that intervals of several curves do not hide each other."""
    return 1 + 0.02 * (index // 2 - 1)


def _curve_table(measured: xr.Dataset) -> pd.DataFrame:
    """Return mean and interval over seeds of every curve at every step."""
    import pandas as pd

    return pd.DataFrame(list(_rows(measured)))


def _rows(measured: xr.Dataset) -> Iterator[dict[str, Any]]:
    for order in (*NULL_OF, *ROWS):
        curves = (
            measured.removal.sel(order=order) if order in NULL_OF else measured[f"removal_null_{order}"].mean("draw")
        )
        for kept in measured.kept.values.tolist():
            for m, values in zip(
                measured.removed.values, curves.sel(kept=kept).transpose("removed", "seed").values, strict=True
            ):
                interval = (mean_interval if kept == "log_probability" else share_interval)(values)
                yield {"order": order, "kept": kept, "removed": int(m), **interval.as_dict()}


def _known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.divide(np.where(known, values, 0).sum(axis), count, out=np.full(count.shape, np.nan), where=count > 0)
