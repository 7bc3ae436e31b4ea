"""Where the object is: a mask for each picture.

    mask[s, y, x] = top[s] ≤ y < top[s] + height[s]  and  left[s] ≤ x < left[s] + width[s]

An object that does not fill its box, such as a round one, is its own mask, and its box the smallest that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.files.errors import SeedscopeError


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
    def around(cls, filled: np.ndarray) -> Boxes:
        """Return the smallest boxes that hold masks (sample, y, x); that of an empty mask has no size."""
        ends = []
        for axis in (2, 1):  # rows, then columns
            line = np.asarray(filled.any(axis))
            first, last = line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)
            ends.append((first, np.where(line.any(1), last - first, 0)))
        (top, height), (left, width) = ends
        return cls(top, left, height, width, filled)

    @property
    def sides(self) -> np.ndarray:
        """Return top, left, height and width, (sample, side)."""
        return np.stack([self.top, self.left, self.height, self.width], 1)

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
