"""Show the network one square at every place (see :meth:`seedscope.lenses.place_fields.PlaceFields.measure`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from seedscope.data.squares import Corners, Squares
from seedscope.files.components import build
from seedscope.formulas.classes import class_means, class_variance
from seedscope.formulas.fields import field_correlations, residual_fields
from seedscope.formulas.votes import centred_dominance
from seedscope.lenses.replica import Replica
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    from seedscope.lenses.place_fields import PlaceFields

_PLACES = 27  # along an axis
_DRAWS = 8  # of the noise, half of them for each half
_STREAM = 3  # of the data set's seed; its pictures and variations have 0 to 2
_BATCH = 243


def measure(lens: PlaceFields, replica: Replica) -> xr.Dataset:
    """Return every unit's field, and its activations for the probe pictures with an even place."""
    source: Squares = build(lens.data)
    votes = votes_of(replica, lens.features, lens.head)
    label, n_classes = replica.probe.label.values, len(replica.class_names)
    along = _places(source.size - source.side + 1)
    y, x = (axis.ravel() for axis in np.meshgrid(along, along, indexing="ij"))
    shape = (2, len(votes.live), len(along), len(along))
    square = replica.probe.square_y.values.astype(np.int64) + replica.probe.square_x.values
    even = np.flatnonzero(square % 2 == 0)
    return xr.Dataset(
        {
            "field": (("half", "unit", "place_y", "place_x"), _fields(lens, replica, source, y, x).reshape(shape)),
            "activation": (("matched_sample", "unit"), votes.activation[even].astype(np.float32)),
            "matched_label": ("matched_sample", label[even]),
            "weight": (("true", "unit"), votes.class_weight(centred=True)),
            "live": ("unit", votes.live),
            "total_dominance": ("unit", np.nansum(np.abs(centred_dominance(votes, label, n_classes)), axis=0)),
            "label_of_place": (("place_y", "place_x"), source.label(y, x).reshape(shape[2:])),
        },
        coords={"place_y": along, "place_x": along},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, lens.features).attributes(),
            "class_names": list(replica.class_names),
            "noise_draws": _DRAWS,
        },
    )


def _places(count: int) -> np.ndarray:
    """Return which of the places along an axis are looked at: all, or of many every third, fifth, …: odd and even."""
    step = -(-count // _PLACES)
    return np.arange(0, count, step if step % 2 else step + 1)


def _fields(lens: PlaceFields, replica: Replica, source: Squares, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the mean response of each unit to a square at each place, (half, unit, place), float32."""
    import torch

    from seedscope.activations.capture import activations

    sums: list[Any] = [0.0, 0.0]
    with replica.network() as network:
        for draw in range(_DRAWS):
            rng = np.random.default_rng(np.random.SeedSequence(source.seed, spawn_key=(_STREAM, draw)))
            # The halves have as many dark squares as bright ones, where there are both.
            image = source.render(Corners(y, x, np.full(len(y), _sign(source, draw // 2), dtype=np.int8)), rng)
            pictures = torch.from_numpy(image[:, None])
            batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
            parts = [one[lens.features].flatten(1).numpy() for one in activations(network, [lens.features], batches)]
            sums[draw % 2] = sums[draw % 2] + np.concatenate(parts).T.astype(np.float64)
    return (np.stack(sums) / (_DRAWS // 2)).astype(np.float32)


def _sign(source: Squares, turn: int) -> int:
    if source.polarity == "both":
        return 1 if turn % 2 else -1
    return 1 if source.polarity == "bright" else -1


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return means over live units: R of a unit's own field, beyond classes and whole, and η² of classes."""
    live = measured.live.values
    fields = measured.field.values[:, live].astype(np.float64)
    label = measured.label_of_place.values.ravel()
    if not live.any():
        return dict.fromkeys(("field_reliability", "whole_field_reliability", "field_class_share"), float("nan"))
    flat = fields.reshape(*fields.shape[:2], -1)
    residual, mean = residual_fields(flat, label), flat.mean(0).T
    share = class_variance(class_means(mean, label, int(label.max()) + 1), mean, label)
    return {
        "field_reliability": float(np.diag(field_correlations(residual, residual)).mean()),
        "whole_field_reliability": float(np.diag(field_correlations(flat, flat)).mean()),
        "field_class_share": float(share[np.isfinite(share)].mean()) if np.isfinite(share).any() else float("nan"),
    }
