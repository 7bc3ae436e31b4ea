"""Occlusion: how much does the score fall when a part of the picture is covered?

    fall[s, p]   = score[s, k] − score of the picture with window p replaced by the picture's mean, channel by channel
    map[s, y, x] = mean of fall[s, p] over the windows p that hold (y, x)

The windows are squares whose width is a share of the picture's shorter side; each starts half a width after the last,
and the last of a row or column may be narrower.

Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks"; captum's ``Occlusion`` gives the
same. Departure: covered with the picture's mean instead of grey, since another brightness would itself be a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from seedscope.lenses.attribution import WINDOW
from seedscope.lenses.attribution.scores import Scores


def occlusion(
    scores: Scores, pictures: np.ndarray, target: np.ndarray, batch_size: int, *, window: float = WINDOW
) -> np.ndarray:
    """Return the signed map of each picture for its class, (sample, y, x).

    Args:
        scores: the network and its scores.
        pictures: (sample, channel, y, x).
        target: the class of each picture.
        batch_size: pictures, covered or not, at a time.
        window: width of the window, share of the picture's shorter side.
    """
    covering = windows(pictures.shape[2:], window)
    images = torch.from_numpy(np.ascontiguousarray(pictures))
    even, classes = mean_picture(images), torch.from_numpy(np.asarray(target, dtype=np.int64))
    masks = torch.from_numpy(covering)[:, None]
    plain = torch.from_numpy(scores.of(pictures, batch_size)).gather(1, classes[:, None])
    covered = []
    pairs = torch.cartesian_prod(torch.arange(len(images)), torch.arange(len(masks)))
    with torch.no_grad():
        for sample, place in (part.T for part in pairs.split(batch_size)):
            batch = torch.where(masks[place], even[sample], images[sample])
            covered.append(scores(batch).gather(1, classes[sample, None]))
    fall = (plain - torch.cat(covered).reshape(len(images), len(masks))).numpy()
    maps = fall @ (covering / covering.sum(0)).reshape(len(covering), -1).astype(fall.dtype)
    return np.asarray(maps.reshape(len(images), *pictures.shape[2:]))


def windows(extent: Sequence[int], window: float) -> np.ndarray:
    """Return which pixels each window covers, (window, y, x), row by row: each pixel lies in at least one."""
    side = max(1, round(window * min(extent)))
    stride = max(1, side // 2)
    rows, columns = (_along(pixels, side, stride) for pixels in extent)
    return (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, *extent)


def _along(pixels: int, side: int, stride: int) -> np.ndarray:
    """Return which pixels of a row or column each window covers, (window, pixel); the last may be narrower."""
    starts = stride * np.arange(1 - (side - pixels) // stride)[:, None]  # rounded up
    return (np.arange(pixels) >= starts) & (np.arange(pixels) < starts + side)


def mean_picture(images: torch.Tensor) -> torch.Tensor:
    """Return pictures (sample, channel, y, x) that are everywhere as bright as the mean of each, channel by channel."""
    return images.mean((2, 3), keepdim=True).expand_as(images)
