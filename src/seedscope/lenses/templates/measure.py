"""What the weights of dense layers resemble, at a few steps of the training, and whether their winners are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Replica
from seedscope.lenses.templates.evidence import look
from seedscope.lenses.templates.readings import JUDGED, NULLS, OTHERS, PARTS, READINGS, ROW_NULLS
from seedscope.lenses.templates.resemblance import MEASURES, mean_of
from seedscope.lenses.templates.winners import Pictures

if TYPE_CHECKING:
    import xarray as xr

_FRAMES = 7
_PROBE = 2000


def measure(replica: Replica, layers: Mapping[str, str], head: str) -> xr.DataTree:
    """Return a group for each layer, whose attribute ``source`` is what it takes.

    ``similarity`` (frame, version, measure, reading), ``null_similarity`` and its Monte Carlo error ``null_error``
    (null, measure, reading), ``weight`` (unit, input), ``nearest`` (measure, unit), ``template`` (unit) and the
    Monte Carlo error of their share, and what the figures show.
    """
    import xarray as xr

    if replica.frames is None:
        raise SeedscopeError(f"seed {replica.seed} has no frames of its training: run `dvc repro` to make them")
    chosen = _log_spaced(replica.frames.step.values, _FRAMES)
    pictures = Pictures.of(replica, _PROBE)
    groups = {
        layer: xr.Dataset(
            look(replica, pictures, layer, source, chosen, is_head=layer == head),
            attrs={"source": source, "is_head": int(layer == head)},
        )
        for layer, source in layers.items()
    }
    _, first = np.unique(pictures.probe_label, return_index=True)
    root = xr.Dataset(
        {"exhibit_label": ("exhibit", pictures.probe_label[first])},
        coords={
            "exhibit": pictures.sample[first],
            "step": ("frame", replica.frames.step.values[chosen]),
            "epoch": ("frame", replica.frames.epoch.values[chosen]),
            "measure": list(MEASURES),
            "version": ["in_span", "whole"],
            "reading": [*READINGS, *OTHERS],
            "null": list(NULLS),
            "row_null": list(ROW_NULLS),
            "gauge": ["raw", "centred"],
            "part": list(PARTS),
            "by": ["product", "product_and_bias"],
        },
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            "class_names": list(replica.class_names),
        },
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return, of each layer, its three readings and their strongest null, how near and how soon, and who wins."""
    summary: dict[str, float] = {}
    epoch = measured.epoch.values
    for layer, group in measured.children.items():
        own = group.to_dataset()
        found: dict[str, float] = {}
        last = own.similarity.isel(frame=-1)
        for reading in READINGS:
            value = float(last.sel(version="in_span", measure="pearson", reading=reading))
            null, error = strongest_null(own, reading)
            found |= {reading: value, f"{reading}_null_strongest": null, f"{reading}_gain_strongest": value - null}
            found[f"{reading}_monte_carlo_error"] = error
        curve = own.similarity.sel({**JUDGED, "reading": "nearest"}).values
        peak = int(np.argmax(np.nan_to_num(curve, nan=-np.inf)))
        found["nearest_at_its_peak"] = float(curve[peak])
        found["nearest_peak_epoch"] = float(epoch[peak]) if np.isfinite(curve[peak]) else np.nan
        found["nearest_of_a_probe_input"] = float(own.probe_nearest.sel(measure="pearson"))
        found["templates"] = float(mean_of(own.template.values))
        found["templates_monte_carlo_error"] = float(own.template_error)
        found["input_rank"] = float(own["rank"][-1])
        found["outside_span_at_start"] = float(own.outside[0])
        found["outside_span"] = float(own.outside[-1])
        agreement = own.agreement.isel(frame=-1, chance=0)
        found["winner_is_cosine_winner"] = float(agreement.sel(by="product"))
        found["biased_winner_is_cosine_winner"] = float(agreement.sel(by="product_and_bias"))
        size = own.products.sel(part="size", gauge="raw").values
        found["losers_size_at_start"] = float(size[0])
        found["losers_size"] = float(size[-1])
        found["units_that_never_win"] = float((own.wins == 0).sum())
        found["units_not_live"] = float((~own.live).sum())
        summary |= {f"{layer}_{name}": value for name, value in found.items()}
    return summary


def _log_spaced(step: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of at most ``count`` steps, ascending: the first, and the nearest to log-spaced ones."""
    size = np.log(np.maximum(step, 1))
    wanted = np.linspace(size[min(1, len(size) - 1)], size[-1], count - 1)
    later = np.abs(size[1:, None] - wanted).argmin(0) + 1 if len(step) > 1 else []
    return np.unique([0, *later])


def strongest_null(own: xr.Dataset, reading: str) -> tuple[float, float]:
    """Return the largest null of a layer's reading as it is judged, and its Monte Carlo error; NaN if there is none."""
    judged = {"measure": "pearson", "reading": reading}
    values, errors = own.null_similarity.sel(judged).values, own.null_error.sel(judged).values
    if not np.isfinite(values).any():
        return float("nan"), float("nan")
    largest = int(np.nanargmax(values))
    return float(values[largest]), float(errors[largest])
