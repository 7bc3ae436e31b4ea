"""Does the heat lie on the object? The measures of :mod:`seedscope.formulas.localization`, of maps as shown."""

from __future__ import annotations

import numpy as np

from seedscope.formulas.localization import Objects, localized, normalised


def enlarged(maps: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """Return maps (sample, y, x) at this height and width, bilinear; each cell's value stands at its centre."""
    import torch

    if maps.shape[1:] == extent:
        return maps
    # Pictures in the place of channels: of one channel each torch takes its slow way.
    wide = torch.from_numpy(np.ascontiguousarray(maps))[None]
    return torch.nn.functional.interpolate(wide, size=extent, mode="bilinear", align_corners=False)[0].numpy()


def localization(heat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the measures of heat maps (sample, y, x), none negative, against masks: (measure, sample).

    The masks are (sample, y, x) in the pictures' resolution, the maps in their own.
    """
    return found_by(heat, Objects.of(mask, (heat.shape[1], heat.shape[2])), (mask.shape[1], mask.shape[2]))


def found_by(heat: np.ndarray, objects: Objects, extent: tuple[int, int]) -> np.ndarray:
    """Return what :func:`localization` does, of objects for maps of this size in pictures of ``extent``."""
    scaled, _ = normalised(heat)
    return localized(scaled, enlarged(scaled, extent), objects)
