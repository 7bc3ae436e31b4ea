"""Put the spaces of several seeds together: their spectra, and their curves through training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from seedscope.figures import AGAINST, Axis, Beside, Facts, Line, Mark, Panel, Sheet
from seedscope.figures.over import BEFORE_AND_AFTER, before_and_after, curves_over_seeds, step_axis
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.space.shown import TRACKED, parts_panel, worth_seeing
from seedscope.lenses.space.spectrum import shares


def compare(measured: xr.Dataset) -> Comparison:
    """See :meth:`seedscope.lenses.space.Space.compare`."""
    sheets = [_sheet(measured)]
    if "untrained" in measured.network:
        sheets.append(_beside_untrained(measured))
    return Comparison({}, sheets)


def _beside_untrained(measured: xr.Dataset) -> Sheet:
    """Show dimensions and R² of the place, each beside the untrained network."""
    by_network = measured.transpose("network", ..., "seed")
    live = [mean_interval(row).mean for row in by_network.live_units.values]
    words = f"live units: {live[0]:.1f}; untrained: {live[1]:.1f}"
    panels = [parts_panel(by_network.dimension.values, len(np.atleast_1d(measured.attrs["class_names"])), words)]
    tables = {"effective dimension": (measured.part.values, by_network.dimension.values)}
    if "r2" in measured:
        panels.append(_place_panel(by_network.r2.values))
        tables["R²"] = (measured.reading.values, by_network.r2.values)
    return Sheet(
        "space_beside_untrained",
        Facts.of(measured),
        f"The space of {measured.attrs['features']}, before and after training",
        "The effective dimension of all probe pictures, of the class means alone (dashed: as many as they can span) "
        "and of the pictures less the mean of their class; and, where it is known, the cross-validated R² of the "
        f"square's place. {BEFORE_AND_AFTER[0].upper()}{BEFORE_AND_AFTER[1:]} over seeds.",
        Beside(panels),
        _network_table(tables, measured.network.values.tolist()),
        note=BEFORE_AND_AFTER,
    )


def _place_panel(values: np.ndarray) -> Panel:
    """Show R² of the place (network, reading, seed)."""
    names, seen = ("all\npictures", "within\nclasses"), bool(np.isfinite(values).any())
    return Panel(
        before_and_after(names, values[1], values[0]) if seen else [],
        "reading the place",
        Axis(ticks=range(len(names)), names=names, low=-0.6, high=len(names) - 0.4, size=9),
        Axis("cross-validated R²", high=1.02),
        width=2.4,
        height=2.9,
        empty="" if seen else "no value",
    )


def _network_table(values: Mapping[str, tuple[np.ndarray, np.ndarray]], networks: list[str]) -> pd.DataFrame:
    """Return mean and interval over seeds of each number (network, part, seed)."""
    rows = [
        {"measure": name, "of": str(part), "network": network, **mean_interval(of_network[at]).as_dict()}
        for name, (parts, of_networks) in values.items()
        for network, of_network in zip(networks, of_networks, strict=True)
        for at, part in enumerate(parts)
    ]
    return pd.DataFrame(rows)


def _sheet(measured: xr.Dataset) -> Sheet:
    spectra = [_spectrum(measured, seed) for seed in measured.seed.values]
    summed = _summed([variance for variance, _ in spectra])
    tracked = TRACKED if measured.attrs["trained"] else {}
    panels = [_spectra_panel(summed, max(worth_seeing(*one) for one in spectra))]
    panels += [_curves_panel(measured, name) for name in tracked]
    curves = {"spectrum": (np.arange(summed.shape[1]), summed)}
    curves |= {name: (measured.step.values, measured[name].values) for name in tracked}
    followed = (
        ", and through training: the between-class share of the variance, nearest-centroid accuracy and effective "
        "dimension; dashed: with labels shuffled"
        if tracked
        else "; training cannot change this layer"
    )
    return Sheet(
        "space_across_seeds",
        Facts.of(measured),
        f"The space of {measured.attrs['features']}",
        f"The variance that the leading principal components hold together{followed}. Grey: each seed; blue: mean with "
        "its 95 % t interval over seeds.",
        Beside(panels),
        _table(curves),
    )


def _spectrum(measured: xr.Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return variance (component) and its null (permutation, component) of the components that a seed has."""
    variance, null = (measured[name].sel(seed=seed).values for name in ("variance", "variance_null_permuted"))
    there = np.isfinite(variance)
    return variance[there], null[:, there]


def _summed(variances: list[np.ndarray]) -> np.ndarray:
    """Return the share that the leading 0, 1, … components hold together, (seed, component); NaN of nothing."""
    length = max(map(len, variances))
    spectra = np.full((len(variances), length + 1), 1.0)
    for row, variance in enumerate(variances):
        share = shares(variance)
        if share.sum() > 0:
            spectra[row, 0] = 0
            spectra[row, 1 : len(share) + 1] = np.cumsum(share)
        else:
            spectra[row] = np.nan
    return spectra


def _spectra_panel(summed: np.ndarray, shown: int) -> Panel:
    return Panel(
        curves_over_seeds(np.arange(summed.shape[1]), summed),
        x=Axis("principal components", low=-0.5, high=shown + 0.5, whole=True),
        y=Axis("share of the variance, summed", low=-0.02, high=1.04),
        width=2.6,
        height=2.7,
        empty="" if np.isfinite(summed).any() else "no value",
    )


def _curves_panel(measured: xr.Dataset, name: str) -> Panel:
    """Show a number through training, and the mean over seeds of its null where it has one."""
    values, step = measured[name].values, measured.step.values
    low, high = (0, None) if name == "effective_dimension" else (-0.02, 1.04)
    return Panel(
        [*curves_over_seeds(step, values), *_shuffled(measured, name)],
        x=step_axis(step),
        y=Axis(TRACKED[name], low=low, high=high),
        width=2.6,
        height=2.7,
        empty="" if np.isfinite(values).any() else "no value",
    )


def _shuffled(measured: xr.Dataset, name: str) -> list[Mark]:
    if f"{name}_null_shuffled" not in measured:
        return []
    null = np.stack([of_seed.mean(1) for of_seed in measured[f"{name}_null_shuffled"].values])
    seen = np.isfinite(null).any(0)
    return [Line(measured.step.values[seen], np.nanmean(null[:, seen], axis=0), AGAINST, "--", 1.1)]


def _table(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Return mean and interval over seeds at each place of each curve (seed, place)."""
    rows = [
        {"curve": name, "at": int(at), **mean_interval(column).as_dict()}
        for name, (position, values) in curves.items()
        for at, column in zip(position, values.T, strict=True)
    ]
    return pd.DataFrame(rows)
