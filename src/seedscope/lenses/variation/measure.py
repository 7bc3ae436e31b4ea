"""Measure what makes votes vary, and how much change is borne; neither is drawn here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.variance import shares
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.lenses.replica import Replica
from seedscope.lenses.variation.designs import SOURCES, designs_of
from seedscope.lenses.variation.robustness import robustness
from seedscope.lenses.variation.sources import sources
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

_THRESHOLD = 0.9


def measure(replica: Replica, features: str, head: str, top: int) -> xr.Dataset:
    """Return the variance of votes and margins by source, and every condition's accuracy, margin and voters.

    Raises:
        SeedscopeError: the crossed design lacks a picture, or the levels of another are not the same pairs.
    """
    import xarray as xr

    varied = replica.variations
    if varied is None:
        raise SeedscopeError(f"{replica.experiment}: data.nc has no variations: run `dvc repro`")
    probe = votes_of(replica, features, head)
    activation = replica.activations[f"{features}_variations"].values
    votes = Votes(activation.reshape(len(activation), -1).astype(np.float64), probe.weight, probe.bias)
    logit = replica.activations["logit_variations"].values.astype(np.float64)
    design, n_classes = varied["design"].values.astype(str), len(replica.class_names)
    attrs = {
        "experiment": replica.experiment,
        "seed": replica.seed,
        "features": features,
        "class_names": list(replica.class_names),
    }
    parts = [xr.Dataset({"live": ("unit", probe.live)}, attrs=attrs)]
    if (design == "crossed").any():
        parts.append(sources(varied, votes, logit, probe.live, n_classes))
    if (design != "crossed").any():
        usual = centred_dominance(probe, replica.probe.label.values, n_classes)
        parts.append(robustness(varied, votes, logit, probe.live, usual, top))
    return xr.merge(parts, combine_attrs="no_conflicts")


def summarize(measured: xr.Dataset, top: int) -> dict[str, float]:
    """Return the shares of variance, and how much change the decision bears.

    Of each design: the lowest accuracy at any level, and the level at which it falls below 90 % (NaN: never). Of
    the first: how many of their top voters two pictures of a class share at the base level, and by chance.
    """
    summary: dict[str, float] = {}
    if "component" in measured:
        votes, margin = measured["component"].values.sum((1, 2)), measured["margin_component"].values.sum(1)
        for prefix, parts in (("", votes), ("margin_", margin)):
            of_sources = zip(SOURCES, shares(parts), strict=True)
            summary |= {f"{prefix}{name}_share": float(share) for name, share in of_sources}
    shared = f"top{top}_shared_by_two_pictures"
    for design, part in designs_of(measured):
        accuracy, base = part["accuracy"].values, int(np.flatnonzero(part["base"].values)[0])
        if shared not in summary:
            summary[shared] = float(part["picture_overlap_null_another_picture"].values[base])
            summary[f"{shared}_null_chance"] = float(measured["overlap_null_chance"])
        summary[f"lowest_accuracy_{design}"] = float(accuracy.min())
        summary[f"{design}_below_90_percent"] = level_below(part["level"].values, accuracy, base, _THRESHOLD)
    return summary


def level_below(level: np.ndarray, accuracy: np.ndarray, base: int, threshold: float) -> float:
    """Return the level nearest the base at which accuracy, linear between levels, falls to ``threshold``.

    Args:
        level: ascending.
        accuracy: at each level.
        base: position of the base level.
        threshold: an accuracy.

    Returns:
        The base level itself where accuracy is below ``threshold`` already; NaN where it never is.
    """
    if accuracy[base] < threshold:
        return float(level[base])
    found = []
    for step in (1, -1):
        at = base
        while 0 <= at + step < len(level):
            before, after = accuracy[at], accuracy[at + step]
            if after < threshold:
                share = (before - threshold) / (before - after)
                found.append(level[at] + share * (level[at + step] - level[at]))
                break
            at += step
    return float(min(found, key=lambda there: abs(there - level[base]))) if found else float("nan")
