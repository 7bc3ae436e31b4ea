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
from seedscope.lenses.attribution.scores import Scores, class_scores


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
    extent = pictures.shape[2:]
    covering = windows(extent, window)
    images = torch.from_numpy(np.ascontiguousarray(pictures)).contiguous(memory_format=torch.channels_last)
    classes = torch.from_numpy(np.asarray(target, dtype=np.int64))
    with torch.no_grad():
        fall = torch.cat(
            [
                _falls(scores, some, own[:, None], covering, batch_size)
                for some, own in zip(torch.split(images, batch_size), torch.split(classes, batch_size), strict=True)
            ]
        ).numpy()
    held = masks(covering, extent)
    maps = fall @ (held / held.sum(0)).reshape(len(held), -1).astype(fall.dtype)
    return np.asarray(maps.reshape(len(images), *extent))


def _falls(
    scores: Scores, images: torch.Tensor, target: torch.Tensor, covering: np.ndarray, batch_size: int
) -> torch.Tensor:
    """Return how far each picture's score falls with each window covered, (sample, window)."""
    from seedscope.lenses.attribution.blocks import has_blocks
    from seedscope.lenses.attribution.part import logits_of_covered

    even, plain = mean_picture(images), scores(images).gather(1, target)
    if has_blocks(scores.network):
        logits = logits_of_covered(scores.network, images, even, covering)
        covered = [class_scores(one, centred=scores.centred).gather(1, target) for one in logits]
        return plain - torch.cat(covered, 1)
    held, covered = torch.from_numpy(masks(covering, images.shape[2:]))[:, None], []
    pairs = torch.cartesian_prod(torch.arange(len(images)), torch.arange(len(held)))
    for sample, place in (part.T for part in torch.split(pairs, batch_size)):
        batch = torch.where(held[place], even[sample], images[sample])
        covered.append(scores(batch).gather(1, target[sample]))
    return plain - torch.cat(covered).reshape(len(images), len(held))


def windows(extent: Sequence[int], window: float) -> np.ndarray:
    """Return where each window lies, (window, 4): its first row and the one behind its last, then its columns."""
    side = max(1, round(window * min(extent)))
    stride = max(1, side // 2)
    (top, bottom), (left, right) = (_along(pixels, side, stride) for pixels in extent)
    rows, columns = np.repeat([top, bottom], len(left), axis=1), np.tile([left, right], len(top))
    return np.concatenate([rows, columns]).T


def _along(pixels: int, side: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where windows start and end along a side; the last may be narrower."""
    start = stride * np.arange(1 - (side - pixels) // stride)  # rounded up
    return start, np.minimum(start + side, pixels)


def masks(covering: np.ndarray, extent: Sequence[int]) -> np.ndarray:
    """Return which pixels each window covers, (window, y, x)."""
    top, bottom, left, right = (side[:, None, None] for side in covering.T)
    y, x = np.arange(extent[0])[:, None], np.arange(extent[1])
    return np.asarray((top <= y) & (y < bottom) & (left <= x) & (x < right))


def mean_picture(images: torch.Tensor) -> torch.Tensor:
    """Return pictures (sample, channel, y, x) that are everywhere as bright as the mean of each, channel by channel."""
    return images.mean((2, 3), keepdim=True).expand_as(images)
