"""Integrated gradients: how much does each pixel add to the score on the way from an even picture?

    map[s, y, x] = Σ_c (x − x0)[s, c, y, x] · ∫₀¹ ∂ score[s, k] / ∂ x[s, c, y, x] at x0 + t · (x − x0) dt

x0 is everywhere as bright as the picture's mean, channel by channel. The map adds up to score(x) − score(x0); what is
missing is the error of the sum that stands for the integral (Gauss and Legendre's), and is reported.

Source: Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks"; captum's ``IntegratedGradients``
gives the same. Departures: none; the channels of a pixel are added, which keeps the sum.
"""

from __future__ import annotations

import numpy as np
import torch

from seedscope.lenses.attribution import STEPS
from seedscope.lenses.attribution.occlusion import mean_picture
from seedscope.lenses.attribution.scores import Scores, in_batches


def integrated_gradients(
    scores: Scores, pictures: np.ndarray, target: np.ndarray, batch_size: int, *, steps: int = STEPS
) -> np.ndarray:
    """Return the signed map of each picture for its class, (sample, y, x).

    Args:
        scores: the network and its scores.
        pictures: (sample, channel, y, x).
        target: the class of each picture.
        batch_size: pictures on the way at a time.
        steps: points on the way.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    images = torch.from_numpy(np.ascontiguousarray(pictures))
    along, weight = (torch.from_numpy(values / 2).to(images.dtype) for values in (points + 1, weights))
    even, classes = mean_picture(images), torch.from_numpy(np.asarray(target, dtype=np.int64))
    total = torch.zeros_like(images)
    pairs = torch.cartesian_prod(torch.arange(len(images)), torch.arange(steps))
    for sample, step in (part.T for part in torch.split(pairs, batch_size)):
        way = along[step, None, None, None]
        here = (even[sample] + way * (images - even)[sample]).contiguous(memory_format=torch.channels_last)
        with torch.enable_grad():
            chosen = scores(here.requires_grad_()).gather(1, classes[sample, None])
            (gradient,) = torch.autograd.grad(chosen.sum(), here)
        total.index_add_(0, sample, weight[step, None, None, None] * gradient)
    return np.asarray(((images - even) * total).sum(1).numpy())


def lacking(scores: Scores, pictures: np.ndarray, target: np.ndarray, batch_size: int, maps: np.ndarray) -> float:
    """Return how far maps are from adding up: Σ |score(x) − score(x0) − Σ map| ÷ Σ |score(x) − score(x0)|.

    NaN where no picture differs from the even one in score.
    """
    even = np.concatenate([mean_picture(images).numpy() for images in in_batches(pictures, batch_size)])
    rows = np.arange(len(pictures))
    whole = (scores.of(pictures, batch_size) - scores.of(even, batch_size))[rows, target]
    size = float(np.abs(whole).sum())
    return float(np.abs(whole - maps.sum((1, 2))).sum()) / size if size else float("nan")
