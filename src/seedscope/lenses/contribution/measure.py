"""The votes of one replica, and what follows from them.

    activation(sample, unit) · weight(target, unit) → contribution;   their sum over units + bias(target) → logit
    dominance(version, true, unit) → top(version, true, rank): unit numbers, −1 where there are fewer

``label`` and ``predicted`` are classes by sample; ``true`` is the class whose own probe pictures are meant.
``exhibit_position(true, shown)`` are positions along ``sample``, −1 where a class has fewer exhibits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import predicted_class
from seedscope.formulas.overlap import busiest_share, busiest_share_by_chance, top_overlap, top_overlap_by_chance
from seedscope.formulas.ranks import top_units
from seedscope.formulas.votes import VERSIONS, dominance, largest_vote_class, positive_share
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.replica import Replica

_GAUGES = ("raw", "centred")


def measure(replica: Replica, features: str, head: str, top: int) -> xr.Dataset:
    """Return the factors of every vote and what follows from them.

    Raises:
        SeedscopeError: votes and bias do not add up to the network's own logits.
    """
    import xarray as xr

    votes = votes_of(replica, features, head)
    label = replica.probe.label.values
    network_logit = replica.activations["logit"].values.astype(np.float64)
    n_classes = len(replica.class_names)
    ranked = dominance(votes, label, n_classes)
    sample = replica.probe.sample.values
    shown = _exhibit_table(replica.exhibits, sample, label, n_classes)
    own_mean = class_means(votes.activation, label, n_classes)
    shares = [positive_share(votes, label, centred=gauge == "centred") for gauge in _GAUGES]
    largest = [largest_vote_class(votes, centred=gauge == "centred") for gauge in _GAUGES]
    return xr.Dataset(
        {
            "activation": (("sample", "unit"), votes.activation.astype(np.float32)),
            "weight": (("target", "unit"), votes.weight.astype(np.float32)),
            "bias": ("target", votes.bias.astype(np.float32)),
            "logit": (("sample", "target"), network_logit.astype(np.float32)),
            "label": ("sample", label),
            "predicted": ("sample", predicted_class(network_logit)),
            "completeness_error": ("sample", np.abs(votes.logit() - network_logit).max(1)),
            "live": ("unit", votes.live),
            "mean_vote": (("true", "target", "unit"), own_mean[:, None, :] * votes.weight),
            "dominance": (("version", "true", "unit"), ranked),
            "top": (("version", "true", "rank"), top_units(ranked, votes.live, top)),
            "positive_share": (("gauge", "sample"), shares),
            "largest_vote_class": (("gauge", "sample"), largest),
            "exhibit_position": (("true", "shown"), shown),
            "exhibit_image": (("true", "shown", "channel", "y", "x"), _exhibit_images(replica, shown)),
        },
        coords={"sample": sample, "version": list(VERSIONS), "gauge": list(_GAUGES)},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, features).attributes(),
            "head": head,
            "class_names": list(replica.class_names),
        },
    )


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return completeness, how votes are shared out, and whether the versions of dominance agree.

    ``busiest_unit_share`` is the share of the classes in whose top set the unit stands that does so for most.
    Its chance: as many sets of the same size, each drawn anew from the live units; of many draws one unit is always in
    more than its share of them. Pictures that no unit votes on and classes without pictures do not count. Two random
    sets of t of L live units share t²/L by chance.
    """
    voted = (measured.activation != 0).any("unit")
    loses = (measured.largest_vote_class != measured.predicted).astype(np.float64).where(voted)
    share = measured.positive_share.mean("sample")
    summary = {"completeness_error": float(measured.completeness_error.max())}
    for gauge in _GAUGES:
        summary[f"positive_share_{gauge}"] = float(share.sel(gauge=gauge))
        summary[f"largest_vote_loses_{gauge}"] = float(loses.sel(gauge=gauge).mean())
    live, top = int(measured.live.sum()), measured.sizes["rank"]
    seen = np.isin(np.arange(measured.sizes["true"]), measured.label) & (live > 0)
    reference = measured.top.sel(version="centred").values[seen]
    for version in VERSIONS:
        if version != "centred":
            both = top_overlap(reference, measured.top.sel(version=version).values[seen])
            summary[f"top{top}_shared_with_{version}"] = float(both.mean()) if len(both) else float("nan")
        summary[f"busiest_unit_share_{version}"] = busiest_share(measured.top.sel(version=version).values[seen])
    summary[f"top{top}_shared_null_chance"] = top_overlap_by_chance(top, live)
    chance = busiest_share_by_chance(int(seen.sum()), top, live)
    summary["busiest_unit_share_null_chance"] = chance
    for version in VERSIONS:
        name = f"busiest_unit_share_{version}"
        summary[f"{name}_gain_chance"] = summary[name] - chance
    return summary


def _exhibit_table(exhibits: np.ndarray, sample: np.ndarray, label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the exhibits' positions by class, (true, shown); −1 where a class has fewer."""
    position = np.searchsorted(sample, exhibits)
    rows = [position[label[position] == k] for k in range(n_classes)]
    table = np.full((n_classes, max(len(row) for row in rows)), -1)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


def _exhibit_images(replica: Replica, shown: np.ndarray) -> np.ndarray:
    images = np.full((*shown.shape, *replica.probe.image.shape[1:]), np.nan, dtype=np.float32)
    images[shown >= 0] = replica.probe.image.values[shown[shown >= 0]]
    return images
