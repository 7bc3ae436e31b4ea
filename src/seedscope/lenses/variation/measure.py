"""Measure what makes votes vary, and how much change is borne; neither is drawn here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.variance import shares
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.lenses.replica import Replica
from seedscope.lenses.variation.designs import CROSSED, SOURCES, designs_of, is_crossed, settings_of
from seedscope.lenses.variation.robustness import robustness
from seedscope.lenses.variation.sources import settings, sources
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
    if (design == CROSSED).any():
        parts.append(sources(varied, votes, logit, probe.live, n_classes))
        at_others = settings(varied, votes, probe.live)
        parts += [] if at_others is None else [at_others]
    if not is_crossed(design).all():
        usual = centred_dominance(probe, replica.probe.label.values, n_classes)
        parts.append(robustness(varied, votes, logit, probe.live, usual, top))
    return xr.merge(parts, combine_attrs="no_conflicts")


def summarize(measured: xr.Dataset, top: int) -> dict[str, float]:
    """Return the shares of variance, and how much change the decision bears.

    Of each setting at which pictures were crossed: the share of place there, and the level at which place and noise
    have the same share (NaN: at none between the levels). Of each design in pairs: the lowest accuracy at any level,
    and the level at which it falls below 90 % (NaN: never). Of the first: how many of their top voters two pictures of
    a class share at the base level, two of different classes asked for the class of the first, and by chance.
    """
    summary: dict[str, float] = {}
    if "component" in measured:
        votes, margin = measured["component"].values.sum((1, 2)), measured["margin_component"].values.sum(1)
        for prefix, parts in (("", votes), ("margin_", margin)):
            of_sources = zip(SOURCES, shares(parts), strict=True)
            summary |= {f"{prefix}{name}_share": float(share) for name, share in of_sources}
    for design, part in settings_of(measured):
        level, share = part["setting_level"].values, part["setting_share"].values
        name = design.removeprefix(f"{CROSSED}_")
        for one, place in zip(level, share[0], strict=True):
            summary[f"place_share_at_{name}_{one:g}".replace(".", "_")] = float(place)
        summary[f"{name}_at_which_place_and_noise_are_even"] = level_of_zero(level, share[0] - share[1])
    shared = f"top{top}_shared_by_two_pictures"
    for design, part in designs_of(measured):
        accuracy, base = part["accuracy"].values, int(np.flatnonzero(part["base"].values)[0])
        if shared not in summary:
            summary[shared] = float(part["picture_overlap_null_another_picture"].values[base])
            stranger = float(part["picture_overlap_null_other_class"].values[base])
            summary[f"{shared}_null_other_class"] = stranger
            summary[f"{shared}_gain_other_class"] = summary[shared] - stranger
            summary[f"{shared}_null_chance"] = float(measured["overlap_null_chance"])
        summary[f"lowest_accuracy_{design}"] = float(accuracy.min())
        summary[f"{design}_below_90_percent"] = level_below(part["level"].values, accuracy, base, _THRESHOLD)
    return summary


def level_of_zero(level: np.ndarray, values: np.ndarray) -> float:
    """Return the lowest level, ascending, at which values, linear between levels, change sign; NaN where none."""
    for at in np.flatnonzero(np.isfinite(values[:-1]) & np.isfinite(values[1:])):
        before, after = values[at], values[at + 1]
        if before == 0 or before * after < 0:
            return float(level[at] + before / (before - after) * (level[at + 1] - level[at]) if before else level[at])
    return float(level[-1]) if len(values) and values[-1] == 0 else float("nan")


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
