"""What in a picture, or in a layer's maps, speaks for a class? Three methods, used by the lenses that draw heat maps.

    grad_cam              activations of a layer, weighed by the score's mean gradients
    occlusion             how far the score falls when a part of the picture is covered
    integrated_gradients  what each pixel adds to the score on the way from an even picture

Each gives a signed map (sample, y, x) of the score (``scores.py``) of one class for each picture.
"""

from __future__ import annotations

from collections.abc import Iterable

from seedscope.files.errors import SettingError

PICTURE = "picture"
"""The group of what was measured of the picture itself, beside those of layers."""

WINDOW = 0.1875
"""Width of the occluding window, share of the picture's shorter side."""

STEPS = 16
"""Points at which integrated gradients take the gradient."""


def refuse_layer_called_picture(layers: Iterable[str], key: str) -> None:
    """Refuse a layer that could not be told from the picture; ``key`` is the setting that names the layers."""
    if PICTURE in layers:
        raise SettingError(key, f"{PICTURE!r} means the picture itself here: give that layer another name")
