"""Where the object is: a mask for each picture, from what the generator of the pictures knows.

    mask[s, y, x] = top[s] ≤ y < top[s] + height[s]  and  left[s] ≤ x < left[s] + width[s]

Each of the four is the name of a variable of the data, one value per sample, or a fixed number of pixels. An object
that does not fill its box, such as a round one, is one variable ``(sample, y, x)`` instead, not 0 on the object; its
box is then the smallest that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

Side = Literal["top", "left", "height", "width"]
Truth = Mapping[Side, str | int] | str
_SIDES: tuple[Side, ...] = ("top", "left", "height", "width")


@dataclass(frozen=True)
class Boxes:
    """The object of each picture: its top-left pixel and its size, pixels, one entry per sample.

    ``filled`` (sample, y, x) says which pixels it takes; ``None`` where these are all of its box.
    """

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray
    filled: np.ndarray | None = None

    @classmethod
    def read(cls, truth: Truth, pictures: xr.Dataset) -> Boxes:
        """Return the boxes that ``truth`` describes; a variable that the data lacks is named."""
        if isinstance(truth, str):
            return cls.around(_variable(truth, pictures, ("sample", "y", "x")) != 0)
        sides = {}
        for side in _SIDES:
            source = truth[side]
            values = (
                _variable(source, pictures, ("sample",))
                if isinstance(source, str)
                else np.full(pictures.sizes["sample"], source)
            )
            sides[side] = np.asarray(values, dtype=np.int64)
        return cls(**sides)

    @classmethod
    def around(cls, filled: np.ndarray) -> Boxes:
        """Return the smallest boxes that hold masks (sample, y, x); that of an empty mask has no size."""
        ends = []
        for axis in (2, 1):  # rows, then columns
            line = np.asarray(filled.any(axis))
            first, last = line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)
            ends.append((first, np.where(line.any(1), last - first, 0)))
        (top, height), (left, width) = ends
        return cls(top, left, height, width, filled)

    def take(self, which: np.ndarray) -> Boxes:
        """Return the boxes at these positions."""
        filled = None if self.filled is None else self.filled[which]
        return Boxes(self.top[which], self.left[which], self.height[which], self.width[which], filled)

    def masks(self, extent: tuple[int, int]) -> np.ndarray:
        """Return the masks (sample, y, x) for pictures of this height and width.

        Raises:
            SeedscopeError: a picture has no pixel of its object.
        """
        y, x = np.arange(extent[0])[:, None], np.arange(extent[1])
        top, left, height, width = (side[:, None, None] for side in (self.top, self.left, self.height, self.width))
        mask = (top <= y) & (y < top + height) & (left <= x) & (x < left + width)
        if self.filled is not None:
            mask = self.filled
        empty = np.flatnonzero(~mask.any((1, 2)))
        if len(empty):
            raise SeedscopeError(f"{len(empty)} pictures hold no pixel of their object, the first at {empty[0]}")
        return mask


def _variable(name: str, pictures: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    if name not in pictures:
        known = [str(other) for other, values in pictures.items() if values.dims == dims]
        raise SeedscopeError(f"the data has no variable {name!r} to say where objects are; {did_you_mean(name, known)}")
    found = pictures[name].dims
    if found != dims:
        raise SeedscopeError(f"{name!r} of the data cannot say where objects are: it is {found}, not {dims}")
    return np.asarray(pictures[name].values)


def require_boxes(truth: Truth) -> None:
    """Refuse a description of the boxes that lacks one of its four numbers."""
    for side in () if isinstance(truth, str) else _SIDES:
        if side not in truth:
            raise SettingError("truth", f"it lacks {side!r}: name a variable of the data, or a number of pixels")
