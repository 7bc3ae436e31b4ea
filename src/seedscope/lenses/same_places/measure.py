"""The exact votes of places for each picture's answer (see :meth:`seedscope.lenses.same_places.SamePlaces.measure`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from seedscope.activations.capture import activations
from seedscope.data import balanced
from seedscope.files.errors import SeedscopeError
from seedscope.formulas.same_maps import expected_correlation, map_directions
from seedscope.formulas.subcells import subcells
from seedscope.lenses.attribution.scores import class_scores, in_batches
from seedscope.lenses.places.votes import DenseEnd, dense_layers
from seedscope.lenses.replica import Replica

if TYPE_CHECKING:
    from seedscope.lenses.same_places import SamePlaces

_SHOWN = 6
_ROUNDING = 1e-3  # of the largest score: what float32 may leave of the sum rule


def measure(lens: SamePlaces, replica: Replica) -> xr.Dataset:
    """Return the exact map of each picture's answer, and a few of the pictures."""
    label, sample = replica.probe.label.values, replica.probe.sample.values
    shown = np.flatnonzero(np.isin(sample, replica.first_exhibits(_SHOWN)))
    chosen = np.union1d(balanced(label, lens.pictures), shown)
    pictures = replica.probe.image.values[chosen]
    place, answer = _exact(lens, replica, pictures)
    found = {
        "place_vote": (("sample", "y", "x"), place.astype(np.float32)),
        "answer": ("sample", answer),
        "image": (("shown_sample", "channel", "picture_y", "picture_x"), replica.probe.image.values[shown]),
    }
    if "square_y" in replica.probe and "square_x" in replica.probe:
        y, x = (replica.probe[name].values for name in ("square_y", "square_x"))
        found["subcell"] = ("sample", subcells(y, x, label)[chosen])
    return xr.Dataset(
        found,
        coords={"sample": sample[chosen], "shown_sample": sample[shown]},
        attrs={"experiment": replica.experiment, "seed": replica.seed, "class_names": list(replica.class_names)},
    )


def _exact(lens: SamePlaces, replica: Replica, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Push the centred logit of each picture's answer back to the places of the maps."""
    parts = []
    with replica.network() as network:
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        end: DenseEnd | None = None
        for captured in activations(network, [lens.maps], in_batches(pictures, lens.batch_size)):
            score = class_scores(captured["logit"], centred=True).numpy().astype(np.float64)
            if end is None:
                layers = dense_layers(shapes, captured[lens.maps][0].numel(), lens.head)
                assert layers is not None  # checked
                end = DenseEnd.of(replica.weights, layers)
            votes, rest = end.votes(captured[lens.maps].numpy(), score.argmax(1))
            parts.append((votes.sum(1), rest, score.max(1), score.argmax(1)))
    place, rest, score, answer = (np.concatenate(values) for values in zip(*parts, strict=True))
    error = np.abs(place.sum((1, 2)) + rest - score).max() / (np.abs(score).max() or 1)
    if not error <= _ROUNDING:
        raise SeedscopeError(
            f"{replica.experiment}: the votes of {lens.maps!r} do not add up to the logits (off by {error:.2g} of "
            "the largest): something else than dense layers and ReLUs stands behind it"
        )
    return place, answer


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return of how many pictures places differ in their votes, and how alike two of these with one answer are.

    That is the mean correlation of the maps of two different pictures; NaN without such.
    """
    unit = map_directions(measured.place_vote.values[None].astype(np.float64))
    answer, varied = measured.answer.values, np.isfinite(unit).all((0, 2))
    found = {"pictures_with_places": float(varied.sum()), "same_answer_correlation": float("nan")}
    kept = varied & (np.bincount(answer[varied], minlength=int(answer.max()) + 1)[answer] > 1)
    if not kept.any():
        return found
    unit, answer = unit[:, kept], answer[kept]
    groups = len(np.unique(answer))
    # The mean over ordered pairs of a group holds each picture with itself, of which r is 1.
    whole = float(expected_correlation(unit, answer)[0, 0]) * len(answer)
    return found | {"same_answer_correlation": (whole - groups) / (len(answer) - groups)}
