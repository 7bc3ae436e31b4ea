"""What is explained, and how: the score, the class of each picture that is asked for, and the map of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from seedscope.lenses.attribution.grad_cam import grad_cam
from seedscope.lenses.attribution.integrated_gradients import integrated_gradients
from seedscope.lenses.attribution.occlusion import occlusion
from seedscope.lenses.attribution.scores import Scores, laid_out
from seedscope.lenses.heat_maps.maps import Map

if TYPE_CHECKING:
    from seedscope.lenses.heat_maps import HeatMaps


def scores_of(lens: HeatMaps, network: nn.Module) -> Scores:
    """Return the scores of a network that the lens explains."""
    return Scores(laid_out(network), centred=lens.score == "centred")


def asked(lens: HeatMaps, score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the classes (sample, rank) whose scores are explained."""
    if lens.target == "answer":
        return np.argsort(-score, axis=1, kind="stable")[:, : lens.ranks]
    return label[:, None] if lens.target == "label" else np.full((len(score), 1), lens.target)


def attribution(lens: HeatMaps, scores: Scores, one: Map, pictures: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the signed map of each picture for its class, (sample, y, x)."""
    if one.method == "grad_cam":
        return grad_cam(scores, one.layer, pictures, target, lens.batch_size)
    if one.method == "occlusion":
        return occlusion(scores, pictures, target, lens.batch_size, window=lens.window)
    return integrated_gradients(scores, pictures, target, lens.batch_size, steps=lens.steps)
