"""Where the object is: a mask for each picture, from what the generator of the pictures knows.

    mask[s, y, x] = top[s] ≤ y < top[s] + height[s]  and  left[s] ≤ x < left[s] + width[s]

Each of the four is the name of a variable of the data, one value per sample, or a fixed number of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedscope.errors import SeedscopeError, SettingError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

Side = Literal["top", "left", "height", "width"]
_SIDES: tuple[Side, ...] = ("top", "left", "height", "width")


@dataclass(frozen=True)
class Boxes:
    """The object of each picture: its top-left pixel and its size, pixels, one entry per sample."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray

    @classmethod
    def read(cls, truth: Mapping[Side, str | int], pictures: xr.Dataset) -> Boxes:
        """Return the boxes that ``truth`` describes; a variable that the data lacks is named."""
        sides = {}
        for side in _SIDES:
            source = truth[side]
            if isinstance(source, str) and source not in pictures:
                known = [str(name) for name, values in pictures.items() if values.dims == ("sample",)]
                raise SeedscopeError(
                    f"the data has no variable {source!r} to say where objects are; {did_you_mean(source, known)}"
                )
            values = pictures[source].values if isinstance(source, str) else np.full(pictures.sizes["sample"], source)
            sides[side] = np.asarray(values, dtype=np.int64)
        return cls(**sides)

    def take(self, which: np.ndarray) -> Boxes:
        """Return the boxes at these positions."""
        return Boxes(self.top[which], self.left[which], self.height[which], self.width[which])

    def masks(self, extent: tuple[int, int]) -> np.ndarray:
        """Return the masks (sample, y, x) for pictures of this height and width.

        Raises:
            SeedscopeError: a picture has no pixel of its object.
        """
        y, x = np.arange(extent[0])[:, None], np.arange(extent[1])
        top, left, height, width = (side[:, None, None] for side in (self.top, self.left, self.height, self.width))
        mask = (top <= y) & (y < top + height) & (left <= x) & (x < left + width)
        empty = np.flatnonzero(~mask.any((1, 2)))
        if len(empty):
            raise SeedscopeError(f"{len(empty)} pictures hold no pixel of their object, the first at {empty[0]}")
        return mask


def require_boxes(truth: Mapping[Side, str | int]) -> None:
    """Refuse a description of the boxes that lacks one of its four numbers."""
    for side in _SIDES:
        if side not in truth:
            raise SettingError("truth", f"it lacks {side!r}: name a variable of the data, or a number of pixels")
