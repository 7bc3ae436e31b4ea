"""Occlusion: how much does the score fall when a part of the picture is covered?

    fall[s, p]   = score[s, k] − score of the picture with window p replaced by the picture's mean, channel by channel
    map[s, y, x] = mean of fall[s, p] over the windows p that hold (y, x)

The windows are squares whose width is a share of the picture's shorter side; each starts half a width after the last,
and the last of a row or column may be narrower.

Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", through captum's ``Occlusion``.
Departure: covered with the picture's mean instead of grey, since another brightness would itself be a sign.
"""

from __future__ import annotations

import numpy as np
import torch

from seedscope.lenses.attribution.scores import Scores, in_batches


def occlusion(
    scores: Scores, pictures: np.ndarray, target: np.ndarray, batch_size: int, *, window: float = 0.1875
) -> np.ndarray:
    """Return the signed map of each picture for its class, (sample, y, x).

    Args:
        scores: the network and its scores.
        pictures: (sample, channel, y, x).
        target: the class of each picture.
        batch_size: pictures, covered or not, at a time.
        window: width of the window, share of the picture's shorter side.
    """
    from captum.attr import Occlusion

    channels, *extent = pictures.shape[1:]
    side = max(1, round(window * min(extent)))
    stride = max(1, side // 2)
    windows = int(np.prod([1 - (side - pixels) // stride for pixels in extent]))  # rounded up: the last is cut off
    method = Occlusion(scores)
    maps = []
    classes = torch.split(torch.from_numpy(np.asarray(target, dtype=np.int64)), batch_size)
    with torch.no_grad():
        for images, asked in zip(in_batches(pictures, batch_size), classes, strict=True):
            fall = method.attribute(
                images,
                sliding_window_shapes=(channels, side, side),
                strides=(channels, stride, stride),
                baselines=mean_picture(images),
                target=asked,
                perturbations_per_eval=min(max(1, batch_size // len(images)), windows),
            )
            maps.append(fall[:, 0].numpy())  # a window covers all channels, so they are alike
    return np.concatenate(maps)


def mean_picture(images: torch.Tensor) -> torch.Tensor:
    """Return pictures (sample, channel, y, x) that are everywhere as bright as the mean of each, channel by channel."""
    return images.mean((2, 3), keepdim=True).expand_as(images)
