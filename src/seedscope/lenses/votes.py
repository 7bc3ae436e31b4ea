"""The votes of a replica, as the lenses read them: see :mod:`seedscope.formulas.votes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.votes import Votes

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses import Replica


def votes_of(replica: Replica, features: str, head: str) -> Votes:
    """Read the votes of one replica; a feature map's places and channels each count as a unit.

    Raises:
        SeedscopeError: votes and bias do not add up to the network's own logits.
    """
    activation = replica.activations[features].values
    weight = replica.weights[f"{head}.weight"].astype(np.float64)
    bias = replica.weights.get(f"{head}.bias", np.zeros(len(weight)))
    votes = Votes(activation.reshape(len(activation), -1).astype(np.float64), weight, bias.astype(np.float64))
    return votes.adding_up(replica.activations["logit"].values, features, head)


def measured_votes(measured: xr.Dataset) -> Votes:
    """Take the votes back out of a data set that has ``activation``, ``weight`` and ``bias``."""
    return Votes(*(measured[name].values.astype(np.float64) for name in ("activation", "weight", "bias")))
