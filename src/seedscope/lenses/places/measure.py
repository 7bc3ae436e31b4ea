"""The exact votes of all probe pictures by place and channel, and heat maps of some held against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from torch import nn

from seedscope.activations.capture import activations
from seedscope.data import balanced
from seedscope.files.errors import SeedscopeError
from seedscope.formulas.boxes import Boxes
from seedscope.formulas.classes import class_means
from seedscope.formulas.concentration import cumulative_share, reaching
from seedscope.formulas.localization import reduced
from seedscope.formulas.nulls import another_of_its_class, one_of_another_class
from seedscope.lenses import Replica
from seedscope.lenses.attribution import PICTURE, STEPS, WINDOW
from seedscope.lenses.attribution.grad_cam import grad_cam
from seedscope.lenses.attribution.integrated_gradients import integrated_gradients
from seedscope.lenses.attribution.kept import kept
from seedscope.lenses.attribution.occlusion import occlusion
from seedscope.lenses.attribution.scores import Scores, class_scores, in_batches
from seedscope.lenses.places.agreement import AGREEMENTS, agreement
from seedscope.lenses.places.votes import DenseEnd, dense_layers
from seedscope.lenses.truth import boxes_of

if TYPE_CHECKING:
    from seedscope.lenses.places import Places

SOURCES = ("own", "same_answer", "other_answer")
_ROUNDING = 1e-3  # of the largest score: what float32 may leave of the sum rule

Variables = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class _Votes:
    """The exact votes for each picture's answer.

    Attributes:
        place: (sample, y, x).
        channel: (sample, channel).
        rest: (sample), what biases give.
        score: (sample, class), centred.
        error: how far they are from adding up to the scores, share of the largest.
    """

    place: np.ndarray
    channel: np.ndarray
    rest: np.ndarray
    score: np.ndarray
    error: float

    @property
    def answer(self) -> np.ndarray:
        """Return the class with the largest score, (sample)."""
        return self.score.argmax(1)


def measured(lens: Places, replica: Replica) -> xr.DataTree:
    """Return what the lens measures of a replica."""
    pictures, sample = replica.probe.image.values, replica.probe.sample.values
    shown = replica.positions(replica.first_exhibits(lens.shown))
    with replica.network() as network:
        votes = _exact(lens, replica, network, pictures)
        answer = votes.answer
        few = balanced(answer, lens.pictures)
        size = (votes.place.shape[1], votes.place.shape[2])
        logits = len(replica.weights[f"{lens.head}.weight"])
        heat, heat_shown = (
            {name: reduced(maps, size) for name, maps in _heat(lens, replica, network, logits, which, answer).items()}
            for which in (few, shown)
        )
    agreed = [_agreements(votes.place[few], values, answer[few]) for values in heat.values()]
    of_maps = _votes_variables(votes, shown) | {
        "sample": ("sample", sample),
        "by": ("by", list(heat)),
        "heat": (("by", "shown_sample", "y", "x"), np.stack(list(heat_shown.values()))),
        "source": ("source", list(SOURCES)),
        "measure": ("measure", list(AGREEMENTS)),
        "agreement": (("by", "source", "measure", "compared_picture"), np.stack(agreed)),
        "compared_sample": ("compared_picture", sample[few]),
    }
    root: Variables = {
        "shown_sample": ("shown_sample", sample[shown]),
        "label": ("shown_sample", replica.probe.label.values[shown]),
        "answer": ("shown_sample", answer[shown]),
        "score": ("shown_sample", votes.score.max(1)[shown]),
    }
    if lens.truth is not None:
        boxes = boxes_of(lens.truth, replica.probe)
        root["box"] = (("shown_sample", "side"), boxes.sides[shown])
        of_maps |= _on_object(votes, _covered(boxes, pictures, size, lens.batch_size))
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(root),
            PICTURE: xr.Dataset({"image": (("shown_sample", "channel", "y", "x"), pictures[shown])}),
            lens.maps: xr.Dataset(of_maps).set_coords("compared_sample"),
        }
    )
    tree.attrs = {"experiment": replica.experiment, "seed": replica.seed, "class_names": list(replica.class_names)}
    return tree


def _exact(lens: Places, replica: Replica, network: nn.Module, pictures: np.ndarray) -> _Votes:
    """Push the centred logit of each picture's answer back to the maps."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    end: DenseEnd | None = None
    parts = []
    for captured in activations(network, [lens.maps], in_batches(pictures, lens.batch_size)):
        score = class_scores(captured["logit"], centred=True).numpy().astype(np.float64)
        if end is None:
            layers = dense_layers(shapes, captured[lens.maps][0].numel(), lens.head)
            assert layers is not None  # checked
            end = DenseEnd.of(replica.weights, layers)
        votes, rest = end.votes(captured[lens.maps].numpy(), score.argmax(1))
        parts.append((votes.sum(1), votes.sum((2, 3)), rest, score))
    place, channel, rest, score = (np.concatenate(values) for values in zip(*parts, strict=True))
    off = np.abs(place.sum((1, 2)) + rest - score.max(1)).max()
    error = float(off / (np.abs(score.max(1)).max() or 1))
    if not error <= _ROUNDING:
        raise SeedscopeError(
            f"{replica.experiment}: the votes of {lens.maps!r} do not add up to the logits (off by {error:.2g} of "
            "the largest): something else than dense layers and ReLUs stands behind it"
        )
    return _Votes(place, channel, rest, score, error)


def _heat(
    lens: Places, replica: Replica, network: nn.Module, logits: int, which: np.ndarray, answer: np.ndarray
) -> dict[str, np.ndarray]:
    """Return heat maps (sample, y, x) of each picture's answer, each in its own resolution."""
    pictures, target = replica.probe.image.values[which], answer[which]
    centred = Scores(network, centred=True)
    maps = {"grad_cam": grad_cam(centred, [lens.maps], pictures, target, lens.batch_size)[lens.maps]}
    if logits > 1:
        of_logit = grad_cam(Scores(network), [lens.maps], pictures, target, lens.batch_size)
        maps["grad_cam_of_logit"] = of_logit[lens.maps]
    made = (replica, None, centred)
    maps["occlusion"] = kept(*made, occlusion, which, target, lens.batch_size, window=WINDOW)
    maps["integrated_gradients"] = kept(*made, integrated_gradients, which, target, lens.batch_size, steps=STEPS)
    return maps


def _votes_variables(votes: _Votes, shown: np.ndarray) -> Variables:
    return {
        "place_vote": (("shown_sample", "y", "x"), votes.place[shown]),
        "channel_vote": (("target", "channel"), class_means(votes.channel, votes.answer, votes.score.shape[1])),
        "rest": ("sample", votes.rest),
        "completeness_error": ((), votes.error),
        "places_for_80_percent": ("sample", _for_80_percent(votes.place.reshape(len(votes.place), -1))),
        "channels_for_80_percent": ("sample", _for_80_percent(votes.channel)),
    }


def _on_object(votes: _Votes, covered: np.ndarray) -> Variables:
    """Return the votes of the cells that are covered (sample, y, x), of those near them, and of all, by sample.

    Of the votes as they add up, of those for the answer, and of all by size.
    """
    partner = another_of_its_class(votes.answer)
    cells = {"on_object": covered, "near_object": _with_neighbours(covered)}
    found: Variables = {f"cells_{name}": ("sample", which.mean((1, 2))) for name, which in cells.items()}
    signs = {"": votes.place, "_positive": np.maximum(votes.place, 0), "_absolute": np.abs(votes.place)}
    for sign, place in signs.items():
        total = place.sum((1, 2))
        found[f"votes{sign}"] = ("sample", total)
        found[f"votes{sign}_same_answer"] = ("sample", np.where(partner >= 0, total[partner], np.nan))
        for name, which in cells.items():
            same_answer = np.where(partner >= 0, (place[partner] * which).sum((1, 2)), np.nan)
            found[f"votes_{name}{sign}"] = ("sample", (place * which).sum((1, 2)))
            found[f"votes_{name}{sign}_same_answer"] = ("sample", same_answer)
    return found


def _covered(boxes: Boxes, pictures: np.ndarray, size: tuple[int, int], batch_size: int) -> np.ndarray:
    """Return the cells that hold a part of the object, (sample, y, x)."""
    extent = (pictures.shape[2], pictures.shape[3])
    parts = np.split(np.arange(len(pictures)), range(batch_size, len(pictures), batch_size))
    # A part at a time: in float64 the masks are larger than the pictures.
    return np.concatenate([reduced(boxes.take(part).masks(extent), size) > 0 for part in parts])


def _agreements(place: np.ndarray, heat: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return the agreement of exact places with heat maps and with the two nulls, (source, measure, picture)."""
    result = np.full((len(SOURCES), len(AGREEMENTS), len(answer)), np.nan)
    result[0] = agreement(place, heat)
    for source, partner in ((1, another_of_its_class(answer)), (2, one_of_another_class(answer))):
        known = np.flatnonzero(partner >= 0)
        result[source][:, known] = agreement(place[known], heat[partner[known]])
    return result


def _for_80_percent(votes: np.ndarray) -> np.ndarray:
    """Return how many of the largest votes (sample, item) hold 80 % of those for the class; NaN where none is."""
    return reaching(cumulative_share(np.maximum(votes, 0)), 0.8)


def _with_neighbours(cells: np.ndarray) -> np.ndarray:
    """Return cells (sample, y, x) with the eight around each."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(cells, size=(1, 3, 3), mode="constant"))
