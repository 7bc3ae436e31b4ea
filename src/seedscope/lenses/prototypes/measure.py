"""Find the pictures that drive each unit most (see :meth:`seedscope.lenses.prototypes.Prototypes.measure`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from seedscope.data import balanced
from seedscope.formulas.halves import halves
from seedscope.formulas.ranks import top_units
from seedscope.formulas.subcells import subcells
from seedscope.formulas.votes import centred_dominance
from seedscope.lenses.replica import Replica
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

_SHOWN = 8
_MATCHED = 1024  # pictures of the half that units are matched on
_RANDOM = 20_000  # draws of random pictures


def measure(replica: Replica, features: str, head: str, top: int) -> xr.Dataset:
    """Return the prototypes of every unit, and what units are matched by."""
    votes, label, units = votes_of(replica, features, head), replica.probe.label.values, Units.of(replica, features)
    activation = votes.activation
    total = np.nansum(np.abs(centred_dominance(votes, label, len(replica.class_names))), axis=0)
    if units.kind == "map":
        activation, total = units.folded(activation).mean(-1), units.folded(total).sum(-1)
    live = (activation != 0).any(0)
    best = prototypes(activation, top)
    first = halves(label) == 0
    matched, scored = np.flatnonzero(first), np.flatnonzero(~first)
    matched = matched[balanced(label[matched], _MATCHED)]
    order = np.argsort(-np.where(live, total, -np.inf), kind="stable")[: min(_SHOWN, int(live.sum()))]
    shown = best[order]  # (shown_unit, rank)
    image = np.full((*shown.shape, *replica.probe.image.shape[1:]), np.nan, dtype=np.float32)
    there = np.argwhere(shown >= 0)
    pictures = replica.probe.image.isel(sample=np.unique(shown[shown >= 0])).values
    image[tuple(there.T)] = pictures[np.searchsorted(np.unique(shown[shown >= 0]), shown[shown >= 0])]
    found: dict[str, Any] = {
        "live": ("unit", live),
        "label": ("sample", label),
        "top_label": (("unit", "rank"), np.where(best >= 0, label[best], -1)),
        "shown_number": ("shown_unit", order),
        "shown_label": (("shown_unit", "rank"), np.where(shown >= 0, label[shown], -1)),
        "shown_activation": (("shown_unit", "rank"), _at(activation.T[order], shown)),
        "image": (("shown_unit", "rank", "channel", "y", "x"), image),
        "activation": (("matched_sample", "unit"), activation[matched].astype(np.float32)),
        "matched_label": ("matched_sample", label[matched]),
        "scored_label": ("scored_sample", label[scored]),
        "scored_top": (("unit", "rank"), prototypes(activation[scored], top)),
    }
    if "square_y" in replica.probe and "square_x" in replica.probe:
        group = subcells(replica.probe.square_y.values, replica.probe.square_x.values, label)
        found["matched_group"] = ("matched_sample", group[matched])
    return xr.Dataset(
        found,
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **units.attributes(),
            "class_names": list(replica.class_names),
        },
    )


def prototypes(activation: np.ndarray, top: int) -> np.ndarray:
    """Return the pictures with the largest activations (sample, unit) of each unit, (unit, rank); −1 for none."""
    return top_units(activation.T, activation.T != 0, top)


def _at(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return values (unit, sample) of the chosen samples (unit, rank), NaN where there is none."""
    return np.where(chosen >= 0, np.take_along_axis(values, np.maximum(chosen, 0), 1), np.nan)


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return the largest share of one class among a unit's prototypes, over live units, and of random pictures."""
    label, top = measured.label.values, measured.top_label.values[measured.live.values]
    size = (top >= 0).sum(1)
    if not len(top):
        return dict.fromkeys(("one_class_share", "one_class_share_null_random"), float("nan"))
    largest = np.stack([(top == k).sum(1) for k in np.unique(label)]).max(0)
    chance = {count: _random_share(label, count) for count in np.unique(size).tolist()}
    return {
        "one_class_share": float((largest / size).mean()),
        "one_class_share_null_random": float(np.mean([chance[count] for count in size.tolist()])),
    }


def _random_share(label: np.ndarray, count: int) -> float:
    """Return the mean largest share of one class among ``count`` random pictures."""
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_hypergeometric(np.unique(label, return_counts=True)[1], count, _RANDOM, method="count")
    return float(drawn.max(1).mean() / count)
