"""Does the heat lie on the object? The measures of :mod:`seedscope.formulas.localization`, of maps as shown."""

from __future__ import annotations

import numpy as np

from seedscope.formulas.localization import localized, normalised


def enlarged(maps: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """Return maps (sample, y, x) at this height and width, bilinear; each cell's value stands at its centre."""
    import torch

    grown = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(maps))[:, None], size=extent, mode="bilinear", align_corners=False
    )
    return grown[:, 0].numpy()


def localization(heat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the measures of heat maps (sample, y, x), none negative, against masks: (measure, sample).

    The masks are (sample, y, x) in the pictures' resolution, the maps in their own.
    """
    scaled, _ = normalised(heat)
    return localized(scaled, enlarged(scaled, (mask.shape[1], mask.shape[2])), mask)
