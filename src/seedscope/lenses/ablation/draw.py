"""Draw what removals cost one replica."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    FOR,
    Above,
    Axis,
    Band,
    Bar,
    Dots,
    Facts,
    Grid,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    centred,
    class_names,
    grid_shape,
    heat_map,
    named,
    shared_cells,
)
from seedscope.lenses.ablation.panels import ORDERS, RANDOM, ROWS, curve_grid, spread
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAMED = 80  # more units than that are not named one by one
_WIDTH = 8.0  # of a panel of all units, inches
_NEVER = "nothing is ever active"


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.ablation.Ablation.draw`."""
    measured = measured.load()
    yield _effects(measured)
    yield _predicted(measured)
    yield _curves(measured)


def _effects(measured: xr.Dataset) -> Sheet:
    """Show what the removal of each live unit costs the pictures of each class."""
    units, live = Units.measured(measured), np.flatnonzero(measured.live.values)
    lost = _over_halves(measured.lost.sel(reference="mean").values[..., live])
    by = dict(zip(measured.measure.values.tolist(), lost, strict=True))
    order = np.argsort(-np.nansum(np.abs(by["log_probability"]), axis=0), kind="stable")
    titles = {"log_probability": "log p of the true class lost (nats)", "accuracy": "accuracy lost"}
    panels = [_effect_panel(by[name][:, order], words, units, live[order]) for name, words in titles.items()]
    return Sheet(
        "ablation_units",
        Facts.of(measured),
        f"What does a decision lose without one of the {len(live)} {units.live}?",
        f"Each of the {units.live} alone is set to its mean over the probe pictures: what the pictures of each class "
        "lose, blue, or gain, red; largest sum over classes first." + shared_cells(max(1, len(live)), _WIDTH),
        Above(panels),
        _unit_table(measured, units, live),
    )


def _effect_panel(values: np.ndarray, words: str, units: Units, unit: np.ndarray) -> Panel:
    scale, end = centred(values), max(values.shape[1], 1) - 0.5
    below = f"{units.live}{units.key if len(unit) <= _NAMED else ', by rank'}"
    few = named(units.names(unit), below, low=-0.5, high=end)
    return Panel(
        [heat_map(values, _WIDTH, scale)] if len(unit) else [],
        words,
        few if len(unit) <= _NAMED else Axis(below, whole=True, low=-0.5, high=end),
        Axis("class", range(len(values)), low=len(values) - 0.5, high=-0.5),
        width=_WIDTH,
        height=0.2 * len(values) + 0.3,
        empty="" if len(unit) else _NEVER,
        bar=Bar(scale, ""),
    )


def _predicted(measured: xr.Dataset) -> Sheet:
    """Show dominance on one half of the pictures against what the removal costs on the other, class by class."""
    units, live = Units.measured(measured), measured.live.values
    lost = measured.lost.sel(reference="mean", measure="log_probability").values[::-1][..., live]
    dominance, rho = (
        measured.dominance.values[..., live],
        measured.rho.sel(reference="mean", predictor="centred").values,
    )
    panels = []
    for k, name in enumerate(class_names(measured)):
        x, y = dominance[:, k].ravel(), lost[:, k].ravel()
        unseen = not np.isfinite(x + y).any()
        marks: list[Mark] = [Rule(0, "#cccccc"), Rule(0, "#cccccc", across=False), Dots(x, y, FOR, opacity=0.6)]
        told = f", ρ = {round(rho[k], 2) + 0.0:.2f}".replace("-", "−") if np.isfinite(rho[k]) else ""
        empty = "" if not unseen else "no probe picture" if live.any() else _NEVER
        panels.append(Panel(marks, f"class {name}{told}", width=2.3, height=1.7, empty=empty))
    return Sheet(
        "ablation_dominance",
        Facts.of(measured),
        "Does a unit's dominance say what its removal costs?",
        f"Each point is one of the {units.live}: its mean centred vote for the class on one half of the class's probe "
        "pictures, and the log-probability of the class that the other half loses when it is set to its mean; both "
        "ways. ρ: Spearman's.",
        Grid(
            panels,
            grid_shape(len(panels))[1],
            x_label="mean centred vote for the class (logit units)",
            y_label="log p of the class lost (nats)",
        ),
    )


def _curves(measured: xr.Dataset) -> Sheet:
    """Show what is left as more and more units are removed at once."""
    units, live = Units.measured(measured), int(measured.live.sum())
    steps = np.minimum(measured.removed.values, live)

    def marks(null: str, kept: str) -> Sequence[Mark]:
        draws = measured[f"removal_null_{null}"].sel(kept=kept).values
        found: list[Mark] = [
            Band(steps, *spread(draws), RANDOM[1]),
            Line(steps, draws.mean(0), RANDOM[1], "--", label=RANDOM[0]),
        ]
        for order in ROWS[null]:
            words, colour = ORDERS[order]
            found.append(
                Line(steps, measured.removal.sel(order=order, kept=kept).values, colour, shape="o", label=words)
            )
        return found

    return Sheet(
        "ablation_curves",
        Facts.of(measured),
        f"What is left without the first 1, 2, … of {live} {units.live}?",
        f"The first m {units.live} of an order are set to their means at once: log-probability, accuracy and share of "
        "flipped decisions. Orders are chosen on one half of the pictures and scored on the other, both ways. Above: "
        "by the class of each picture; below: the same units for every picture. Dashed: random orders, with what 95 % "
        "of them give.",
        curve_grid(marks, live, units.live),
        _curve_table(measured),
    )


def _over_halves(lost: np.ndarray) -> np.ndarray:
    """Return the mean over halves of what is known, (measure, half, true, unit) → (measure, true, unit)."""
    known = np.isfinite(lost)
    count = known.sum(1)
    return np.divide(np.where(known, lost, 0).sum(1), count, out=np.full(count.shape, np.nan), where=count > 0)


def _unit_table(measured: xr.Dataset, units: Units, live: np.ndarray) -> pd.DataFrame:
    """Return what the removal of each live unit costs each class, by reference and measure."""
    import pandas as pd

    measures = measured.measure.values.tolist()
    tables = []
    for reference in measured.reference.values.tolist():
        lost = _over_halves(measured.lost.sel(reference=reference).values[..., live])
        k, unit = np.indices(lost.shape[1:]).reshape(2, -1)
        about = {"reference": reference, "class": k, "unit": live[unit], "name": units.names(live[unit])}
        values = {
            f"{name}_lost" if name != "flips" else name: of.ravel() for name, of in zip(measures, lost, strict=True)
        }
        tables.append(pd.DataFrame({**about, **values}))
    return pd.concat(tables, ignore_index=True)


def _curve_table(measured: xr.Dataset) -> pd.DataFrame:
    return measured.removal.to_series().unstack("kept").reset_index()
