"""Confusion, accuracy by place, and who took part in each mistake of one replica.

    confusion(true, target): pictures of a class that were decided as another      place_hits, place_n(place_y, place_x)
    pull, shortfall(mistake, unit), margin(mistake): by how much the wrong class leads over the true one

``wrong_position(mistake)`` and ``shown_position(picture)`` are positions along ``sample``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.decisions import confusion, predicted_class, true_margin
from seedscope.formulas.votes import Votes
from seedscope.lenses.mistakes.named import NAMED
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.replica import Replica


def measure(replica: Replica, features: str, head: str, shown: int) -> xr.Dataset:
    """Return confusion, accuracy by place where places are known, and who took part in each mistake."""
    import xarray as xr

    votes = votes_of(replica, features, head)
    label = replica.probe.label.values
    logit = replica.activations["logit"].values.astype(np.float64)
    predicted = predicted_class(logit)
    wrong = np.flatnonzero(predicted != label)
    margin = -true_margin(logit[wrong], label[wrong])
    pull, shortfall = pull_and_shortfall(votes, label, predicted, wrong)
    confident = wrong[np.argsort(-margin, kind="stable")][:shown]
    known = [name for name in ("square_y", "square_x") if name in replica.probe]
    images = replica.probe.image.values[np.asarray(confident, dtype=np.int64)].astype(np.float32)
    measured = xr.Dataset(
        {
            "confusion": (("true", "target"), confusion(label, predicted, len(replica.class_names))),
            "label": ("sample", label),
            "predicted": ("sample", predicted),
            "live": ("unit", votes.live),
            "wrong_position": ("mistake", wrong),
            "margin": ("mistake", margin),
            "pull": (("mistake", "unit"), pull),
            "shortfall": (("mistake", "unit"), shortfall),
            "shown_position": ("picture", confident),
            "shown_image": (("picture", "channel", "y", "x"), images.reshape(-1, *replica.probe.image.shape[1:])),
            **{name: ("sample", replica.probe[name].values) for name in known},
        },
        coords={"sample": replica.probe.sample.values},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, features).attributes(),
            "class_names": list(replica.class_names),
        },
    )
    if len(known) == 2:
        hits, n = _by_place(measured)
        measured["place_hits"], measured["place_n"] = (("place_y", "place_x"), hits), (("place_y", "place_x"), n)
    return measured


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return accuracy, its worst class, and how much of a mistake is a false vote or a missing objection."""
    right = (measured.predicted == measured.label).values
    label = measured.label.values
    by_class = [right[label == k].mean() for k in np.unique(label)]
    live = measured.live.values
    # Of the votes that moved a mistaken picture, the part that is more support than usual for the wrong class.
    shift = measured.shortfall.values[:, live]
    concentration = np.sort(np.clip(shift, 0, None), axis=1)[:, ::-1]
    total = concentration.sum(1)
    share = concentration[:, :NAMED].sum(1)[total > 0] / total[total > 0]
    return {
        "accuracy": float(right.mean()),
        "mistakes": float((~right).sum()),
        "worst_class_accuracy": float(min(by_class)),
        f"shortfall_in_top{NAMED}_units": float(share.mean()) if len(share) else float("nan"),
    }


def pull_and_shortfall(
    votes: Votes, label: np.ndarray, predicted: np.ndarray, wrong: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``pull`` and ``shortfall`` of the pictures ``wrong``, each (picture, unit).

    Where no picture of a class was decided correctly there is nothing typical: the shortfall is NaN.
    """
    against = votes.preference(predicted[wrong], label[wrong])
    pull = votes.activation[wrong] * against
    usual = np.full((int(label.max(initial=0)) + 1, votes.activation.shape[1]), np.nan)
    for t in np.unique(label[wrong]):
        right = (label == t) & (predicted == t)
        if right.any():
            usual[t] = votes.activation[right].mean(0)
    return pull, pull - usual[label[wrong]] * against


def _by_place(measured: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return how many pictures with their square at each place were decided correctly, and how many there are."""
    y, x = measured.square_y.values.astype(int), measured.square_x.values.astype(int)
    right = (measured.predicted == measured.label).values
    shape = (int(y.max()) + 1, int(x.max()) + 1)
    hits, n = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    np.add.at(n, (y, x), 1)
    np.add.at(hits, (y, x), right)
    return hits, n
