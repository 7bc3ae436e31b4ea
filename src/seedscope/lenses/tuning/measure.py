"""The numbers of the tuning lens: every channel of every layer, trained and untrained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.activations.receptive_field import (
    effective_fields,
    effective_side,
    receptive_fields,
    sees_the_picture,
)
from seedscope.formulas.classes import class_means, class_variance
from seedscope.formulas.gratings import ORIENTATIONS, at_best_period, periods
from seedscope.formulas.selectivity import class_selectivity, orientation_selectivity
from seedscope.lenses.replica import Replica
from seedscope.lenses.tuning.layers import NETWORKS
from seedscope.lenses.tuning.responses import to_gratings, to_pictures

if TYPE_CHECKING:
    import xarray as xr

_PICTURES = 1000
_SHUFFLES = 200
_INNER = {"tuning": ("orientation",), "class_mean": ("true",), "orientation_selectivity": ("period",)}


def measure(replica: Replica, layers: Sequence[str]) -> xr.DataTree:
    """Return a group per layer; see :meth:`seedscope.lenses.tuning.Tuning.measure`."""
    import torch
    import xarray as xr

    from seedscope.data import balanced

    label = replica.probe.label.values
    chosen = balanced(label, _PICTURES)
    pictures = torch.from_numpy(replica.probe.image.isel(sample=chosen).values)
    exhibits = torch.from_numpy(replica.probe.image.sel(sample=replica.exhibits).values)
    shape = (int(pictures.shape[1]), int(pictures.shape[2]), int(pictures.shape[3]))
    with replica.network() as trained:
        fields = receptive_fields(trained, layers, shape)
    found: dict[str, list[dict[str, np.ndarray]]] = {layer: [] for layer in layers}
    for frame in (None, 0):
        with replica.network(frame) as network:
            tunings = to_gratings(network, {name: field.inside for name, field in fields.items()}, shape)
            seen = to_pictures(network, layers, pictures)
            for layer in layers:
                effective = effective_fields(network, layer, exhibits, fields[layer].centre)
                numbers = _by_picture(*seen[layer], label[chosen], len(replica.class_names))
                stripes = _by_orientation(*tunings[layer], shape)
                found[layer].append({**stripes, **numbers, "effective_field": effective_side(effective)})
    groups = {}
    for layer, both in found.items():
        variables = {
            name: (("network", "channel", *_INNER.get(name, ())), np.stack([one[name] for one in both]))
            for name in both[0]
        }
        variables["receptive_field"] = (("axis",), np.array(fields[layer].size))
        variables["stride"] = (("axis",), np.array(fields[layer].stride))
        kernel = replica.weights.get(f"{layer}.weight")
        if kernel is not None and sees_the_picture(kernel, fields[layer], shape):
            variables["kernel"] = (("channel", "y", "x"), kernel.sum(1))
        groups[layer] = xr.Dataset(
            variables,
            {
                "network": list(NETWORKS),
                "channel": np.arange(len(both[0]["extent"])),
                "orientation": ORIENTATIONS,
                "period": periods(shape),
                "axis": ["y", "x"],
            },
        )
    attributes = {
        "experiment": replica.experiment,
        "seed": replica.seed,
        "class_names": list(replica.class_names),
        "pictures": len(chosen),
        "exhibits": len(exhibits),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), **groups})


def _by_orientation(response: np.ndarray, mean: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    (tuning, best), (of_mean, _) = at_best_period(response), at_best_period(mean)
    index, preferred = orientation_selectivity(tuning, ORIENTATIONS)
    period = np.where(np.isfinite(index), periods(shape)[best], np.nan)
    return {
        "tuning": tuning,
        "orientation_selectivity": orientation_selectivity(response, ORIENTATIONS)[0],
        "orientation_selectivity_at_best_period": index,
        "orientation_selectivity_of_mean_at_best_period": orientation_selectivity(of_mean, ORIENTATIONS)[0],
        "preferred_orientation": preferred,
        "best_period": period,
    }


def _by_picture(
    mean: np.ndarray, extent: np.ndarray, active: np.ndarray, label: np.ndarray, classes: int
) -> dict[str, np.ndarray]:
    answered = np.isfinite(extent)
    count = answered.sum(0)
    means = class_means(mean, label, classes)
    shuffled, shuffled_variance = _shuffled(mean, label, classes)
    return {
        "extent": np.divide(np.nansum(extent, 0), count, out=np.full(len(count), np.nan), where=count > 0),
        "active_share": active.mean(0),
        "class_mean": means.T,
        "class_selectivity": class_selectivity(means),
        "class_selectivity_null_shuffled": shuffled,
        "class_variance": class_variance(means, mean, label),
        "class_variance_null_shuffled": shuffled_variance,
    }


def _shuffled(mean: np.ndarray, label: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return class selectivity and class variance (channel) under shuffled labels: means over the same shuffles."""
    rng = np.random.default_rng(0)
    selectivity, variance = np.zeros(mean.shape[1]), np.zeros(mean.shape[1])
    for _ in range(_SHUFFLES):
        other = rng.permutation(label)
        means = class_means(mean, other, classes)
        selectivity += class_selectivity(means)
        variance += class_variance(means, mean, other)
    return selectivity / _SHUFFLES, variance / _SHUFFLES
