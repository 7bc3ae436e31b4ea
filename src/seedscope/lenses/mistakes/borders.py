"""Where classes meet: the class of each place of an object, and how far it is to a place of another class."""

from __future__ import annotations

import numpy as np


def border_distance(label_of_place: np.ndarray) -> np.ndarray:
    """Return, for each place, how many steps along an axis lead to a place of another class (1: a neighbour).

    Args:
        label_of_place: (y, x) class of each place; −1 where it is not known.
    """
    rows, columns = label_of_place.shape
    distance = np.full((rows, columns), max(rows, columns), dtype=np.int64)
    for step in range(1, max(rows, columns)):
        for axis, shift in ((0, step), (0, -step), (1, step), (1, -step)):
            other = np.full_like(label_of_place, -1)
            target: list[slice] = [slice(None), slice(None)]
            source: list[slice] = [slice(None), slice(None)]
            target[axis] = slice(max(0, -shift), label_of_place.shape[axis] - max(0, shift))
            source[axis] = slice(max(0, shift), label_of_place.shape[axis] - max(0, -shift))
            if target[axis].start >= label_of_place.shape[axis] or target[axis].stop <= 0:
                continue
            other[tuple(target)] = label_of_place[tuple(source)]
            differs = (other >= 0) & (other != label_of_place) & (distance > step)
            distance[differs] = step
    return distance


def borders(label_of_place: np.ndarray, axis: int) -> np.ndarray:
    """Return, for each step along ``axis``, whether two known places beside each other differ there in class."""
    along = np.moveaxis(label_of_place, axis, 0)
    before, after = along[:-1], along[1:]
    return np.asarray(((before >= 0) & (after >= 0) & (before != after)).any(1))


def filled(label_of_place: np.ndarray) -> np.ndarray:
    """Return the classes with those of places that no probe picture shows, where borders run straight across.

    Without them the neighbours of an unseen place would count as farther from the border than they are.
    """
    bands = [np.concatenate([[0], np.cumsum(borders(label_of_place, axis))]) for axis in (0, 1)]
    whole = label_of_place.copy()
    for row in range(bands[0][-1] + 1):
        for column in range(bands[1][-1] + 1):
            cell = np.ix_(bands[0] == row, bands[1] == column)
            known = np.unique(label_of_place[cell][label_of_place[cell] >= 0])
            if len(known) == 1:
                whole[cell] = known[0]
    return whole
