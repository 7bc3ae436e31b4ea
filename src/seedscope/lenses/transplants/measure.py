"""What transplants between replicas need of each: see :mod:`seedscope.lenses.transplants`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.ablation import of_classes
from seedscope.formulas.halves import halves
from seedscope.formulas.subcells import subcells
from seedscope.formulas.transplants import live_in_both
from seedscope.formulas.votes import Votes
from seedscope.lenses.transplants.seeds import SeedLayer
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.replica import Replica

_PICTURES = 1024


def measure(replica: Replica, features: str, head: str) -> xr.Dataset:
    """See :meth:`seedscope.lenses.transplants.Transplants.measure`."""
    import xarray as xr

    from seedscope.data import balanced

    whole = of_classes(votes_of(replica, features, head))
    chosen = balanced(replica.probe.label.values, _PICTURES)
    votes = Votes(whole.activation[chosen], whole.weight, whole.bias)
    label, units = replica.probe.label.values[chosen], Units.of(replica, features)
    half = halves(label)
    taking_part = live_in_both(units.folded(votes.activation), half)
    divergence = np.full((2, len(taking_part)), np.nan)
    divergence[:, taking_part] = SeedLayer.of(votes, units, taking_part, label, half).divergences()
    place = {}
    if "square_y" in replica.probe and "square_x" in replica.probe:
        y, x = (replica.probe[name].values for name in ("square_y", "square_x"))
        place["place"] = ("sample", subcells(y, x, replica.probe.label.values)[chosen])
    return xr.Dataset(
        {
            "activation": (("sample", "unit"), votes.activation.astype(np.float32)),
            "weight": (("target", "unit"), votes.weight),
            "bias": ("target", votes.bias),
            "label": ("sample", label),
            "half": ("sample", half),
            "taking_part": ("channel", taking_part),
            "divergence": (("way", "channel"), divergence),
            **place,
        },
        coords={"sample": replica.probe.sample.values[chosen], "way": ["ablated", "class_mean"]},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **units.attributes(),
            "class_names": list(replica.class_names),
        },
    )


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return how many units (channels) take part, and how far answers move in all with one at a time at its mean."""
    moved = measured.divergence.sel(way="ablated").values[measured.taking_part.values]
    return {"taking_part": float(len(moved)), "divergence_singly": float(moved.sum()) if len(moved) else float("nan")}
