"""What is explained, and how: the score, the class of each picture that is asked for, and the map of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from seedscope.lenses.attribution.grad_cam import grad_cam
from seedscope.lenses.attribution.integrated_gradients import integrated_gradients
from seedscope.lenses.attribution.kept import kept
from seedscope.lenses.attribution.occlusion import occlusion
from seedscope.lenses.attribution.scores import Scores
from seedscope.lenses.heat_maps.maps import Map

if TYPE_CHECKING:
    from seedscope.lenses.heat_maps import HeatMaps
    from seedscope.lenses.replica import Replica


def scores_of(lens: HeatMaps, network: nn.Module) -> Scores:
    """Return the scores of a network that the lens explains."""
    return Scores(network, centred=lens.score == "centred")


def asked(lens: HeatMaps, score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the classes (sample, rank) whose scores are explained."""
    if lens.target == "answer":
        return np.argsort(-score, axis=1, kind="stable")[:, : lens.ranks]
    return label[:, None] if lens.target == "label" else np.full((len(score), 1), lens.target)


def attributions(
    lens: HeatMaps,
    replica: Replica,
    frame: int | None,
    scores: Scores,
    maps: Sequence[Map],
    which: np.ndarray,
    target: np.ndarray,
) -> dict[Map, np.ndarray]:
    """Return by kind the signed maps (sample, y, x) of probe pictures for a class each; Grad-CAM's in one pass.

    Args:
        lens: its settings.
        replica: whose probe pictures they are.
        frame: at which frame of the training; ``None``: as trained.
        scores: of the network at that frame.
        maps: the kinds.
        which: positions of the pictures.
        target: the class of each.
    """
    layers = [one.layer for one in maps if one.method == "grad_cam"]
    pictures = replica.probe.image.values[which]
    cams = grad_cam(scores, layers, pictures, target, lens.batch_size) if layers else {}
    found: dict[Map, np.ndarray] = {}
    for one in maps:
        if one.method == "grad_cam":
            found[one] = cams[one.layer]
        elif one.method == "occlusion":
            found[one] = kept(replica, frame, scores, occlusion, which, target, lens.batch_size, window=lens.window)
        else:
            found[one] = kept(
                replica, frame, scores, integrated_gradients, which, target, lens.batch_size, steps=lens.steps
            )
    return found
