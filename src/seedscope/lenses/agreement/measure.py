"""What each picture's logits are (see :meth:`seedscope.lenses.agreement.Agreement.measure`)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.subcells import subcells
from seedscope.lenses.replica import Replica


def measure(replica: Replica) -> xr.Dataset:
    """Return labels, logits and, where places are known, the part of its class's region that each picture is in."""
    label = replica.probe.label.values
    places = {}
    if "square_y" in replica.probe and "square_x" in replica.probe:
        y, x = (replica.probe[name].values for name in ("square_y", "square_x"))
        places["subcell"] = ("sample", subcells(y, x, label))
    return xr.Dataset(
        {
            "label": ("sample", label),
            "logit": (("sample", "target"), replica.activations["logit"].values.astype(np.float32)),
            **places,
        },
        coords={"sample": replica.probe.sample.values},
        attrs={"experiment": replica.experiment, "seed": replica.seed, "class_names": list(replica.class_names)},
    )


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return how many mistakes there are, and the median margin."""
    logit, label = measured.logit.values.astype(np.float64), measured.label.values
    return {
        "mistakes": float((predicted_class(logit) != label).sum()),
        "median_margin": float(np.median(true_margin(logit, label))),
    }
