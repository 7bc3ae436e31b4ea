"""Group the votes of each class's pictures (see :meth:`seedscope.lenses.patterns.Patterns.measure`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from seedscope.formulas.clusters import (
    adjusted_information,
    contingency,
    gaps,
    groups_by_gap,
    groups_of,
    information_with,
    spread_evenly,
    stability,
    ward_tree,
)
from seedscope.formulas.components import effective_dimension, principal_components
from seedscope.formulas.decisions import predicted_class
from seedscope.formulas.subcells import subcells
from seedscope.lenses.replica import Replica
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

_MOST = 9  # groups
_PICTURES = 300  # of a class
_EVEN = 10  # references of the stability
_DRAWS = 1000  # of places
_PERMUTATIONS = 20  # of the votes of each unit


def measure(replica: Replica, features: str, head: str) -> xr.Dataset:
    """Return into how many groups the votes of each class fall, and whether these are places."""
    votes, label = votes_of(replica, features, head), replica.probe.label.values
    decided, weight = predicted_class(replica.activations["logit"].values), votes.class_weight(centred=True)
    n_classes, live = len(replica.class_names), votes.live
    place = None
    if "square_y" in replica.probe and "square_x" in replica.probe:
        place = subcells(replica.probe.square_y.values, replica.probe.square_x.values, label)
    found: dict[str, list[Any]] = {}
    score, shown = np.full((len(label), 2), np.nan), np.zeros(len(label), dtype=bool)
    for k in range(n_classes):
        whole = np.flatnonzero(label == k)
        own = whole[decided[whole] == k][:_PICTURES]
        values = votes.activation[own][:, live] * weight[k, live]
        one = _of_class(values, k) | (_of_places(values, k, place, whole, own) if place is not None else {})
        for name, value in one.items():
            found.setdefault(name, []).append(value)
        if len(own) and live.any():
            score[own], shown[own] = principal_components(values, 2)[0], True
    dims = {"gap": ("true", "groups"), "gap_error": ("true", "groups"), "information_null": ("true", "draw")}
    known = {name: ("sample", replica.probe[name].values) for name in ("square_y", "square_x") if place is not None}
    return xr.Dataset(
        {
            **{name: (dims.get(name, ("true",)), np.stack(values)) for name, values in found.items()},
            "score": (("sample", "axis"), score),
            "shown": ("sample", shown),
            "label": ("sample", label),
            **known,
        },
        coords={"groups": np.arange(1, _MOST + 1), "true": np.arange(n_classes)},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, features).attributes(),
            "class_names": list(replica.class_names),
        },
    )


def _of_class(values: np.ndarray, k: int) -> dict[str, Any]:
    """Return how many groups votes (picture, unit) fall into, and how stable these are; NaN of too few pictures."""
    gap = gaps(values, _MOST, np.random.default_rng([0, k])) if values.size else np.full((2, _MOST), np.nan)
    patterns = groups_by_gap(gap)
    found = {"gap": gap[0], "gap_error": gap[1], "patterns": float(patterns or np.nan)} | _dimension(values, k)
    nothing = {"stability": np.nan, "stability_null_even": np.nan}
    if not patterns:
        return found | nothing
    groups, rng = max(2, patterns), np.random.default_rng([1, k])
    even = [stability(spread_evenly(values, rng), groups) for _ in range(_EVEN)]
    return found | {"stability": stability(values, groups), "stability_null_even": float(np.mean(even))}


def _dimension(values: np.ndarray, k: int) -> dict[str, float]:
    """Return in how many directions votes (picture, unit) spread, and where each unit's are permuted by themselves."""
    rng = np.random.default_rng([3, k])
    null = [effective_dimension(rng.permuted(values, axis=0)) for _ in range(_PERMUTATIONS)] if len(values) > 1 else []
    known = bool(null) and len(values) > _MOST
    return {
        "vote_dimension": effective_dimension(values) if known else float("nan"),
        "vote_dimension_null_permuted": float(np.mean(null)) if known else float("nan"),
    }


def _of_places(values: np.ndarray, k: int, place: np.ndarray, whole: np.ndarray, own: np.ndarray) -> dict[str, Any]:
    """Return how far as many groups as there are places (of all pictures) are these, and where places are permuted."""
    nothing = {"place_information": np.nan, "information": np.nan, "information_null": np.full(_DRAWS, np.nan)}
    parts = len(np.unique(place[own]))
    if len(own) <= _MOST or parts < 2 or not np.ptp(values, axis=0).max(initial=0) > 0:
        return nothing
    group = groups_of(ward_tree(values), parts)
    # The same permutations in every seed, of all pictures of the class: seeds share pictures.
    drawn = np.random.default_rng([2, k]).permuted(np.tile(place[whole], (_DRAWS, 1)), axis=1)
    return {
        "place_information": adjusted_information(contingency(group, place[own])),
        "information": float(information_with(group, place[own][None])[0]),
        "information_null": information_with(group, drawn[:, np.searchsorted(whole, own)]),
    }


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return means over the classes with a value, how many have several patterns, and how many are uneven."""
    names = ["patterns", "stability", "stability_null_even", "vote_dimension", "vote_dimension_null_permuted"]
    names += ["place_information"] if "place_information" in measured else []
    found = {name: _mean(measured[name].values) for name in names}
    found["vote_dimension_gain_permuted"] = found["vote_dimension"] - found["vote_dimension_null_permuted"]
    several = measured.patterns.values
    known = np.isfinite(several)
    if not known.any():
        unknown = ("classes_with_several", "classes_with_several_share", "classes_spread_unevenly")
        return found | dict.fromkeys(unknown, float("nan"))
    gap, error = measured.gap.values[known], measured.gap_error.values[known]
    uneven = (gap[:, 1:] - error[:, 1:] > gap[:, :1]).any(1)
    return {
        **found,
        "classes_with_several": float((several[known] > 1).sum()),
        "classes_with_several_share": float((several[known] > 1).mean()),
        "classes_spread_unevenly": float(uneven.sum()),
    }


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
