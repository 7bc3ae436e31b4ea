"""Does the heat lie on the object?

For a heat map h ≥ 0 and the mask M of the object in a picture of H × W pixels:

    pointing   is the hottest pixel inside M?                                       Zhang et al. 2018
    mass       Σ_{M} h / Σ h                                                        Arras et al. 2022
    rank       share of the |M| hottest pixels that lie inside M                    Arras et al. 2022
    iou        |T ∩ M| / |T ∪ M|,  T: the hottest n cells of the map in its own resolution

The first three look at the map enlarged to H × W (bilinear, as it is shown). A cell of a map of h × w cells covers
H/h × W/w pixels; n is the number of cells whose best choice overlaps M most, and the IoU of that best choice is the
**ceiling**: a coarse map cannot do better. For 6 × 6 squares in 32 × 32 pixels, averaged over all places, it is 0.57
with 8 × 8 cells and 0.79 with 16 × 16. The object itself as heat (its pixels in each cell) reaches it; what that map
gets in the other three (0.98, 0.55 and 0.89 with 8 × 8 cells) says how much of them a coarse map can be asked for.

Where pixels tie, each counts with its chance to be chosen. So a constant map gets what chance gives: the share of the
picture that M covers. A map without any heat counts as constant.

Sources: Zhang et al. 2018, "Top-down Neural Attention by Excitation Backprop" (without its tolerance of 15 pixels);
Arras, Osman and Samek 2022, "CLEVR-XAI".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEASURES = ("pointing", "mass", "rank", "iou")
_CELLS = 32
_TIE = 1e-6  # of the largest heat: enlarging in float32 tears equal pixels that far apart


def normalised(heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each map of heat (sample, y, x) divided by its largest value, and which are constant: those become 0."""
    low, high = heat.min((1, 2), keepdims=True), heat.max((1, 2), keepdims=True)
    constant = high - low <= _TIE * np.abs(high)
    scaled = np.divide(heat, high, out=np.zeros_like(heat), where=~constant & (high > 0))
    return scaled, constant[:, 0, 0]


@dataclass(frozen=True)
class Objects:
    """The objects of pictures, and what of them maps with cells of one size can find.

    Attributes:
        inside: which pixels are theirs, (sample, pixel) of bool.
        covered: pixels of the object in each cell, (sample, cell).
        cells: how many cells the best choice has, (sample).
        cell: pixels of a cell.
    """

    inside: np.ndarray
    covered: np.ndarray
    cells: np.ndarray
    cell: float

    @classmethod
    def of(cls, mask: np.ndarray, size: tuple[int, int]) -> Objects:
        """Take masks (sample, y, x) in the pictures' resolution, for maps of this (height, width)."""
        inside = np.asarray(mask, dtype=bool).reshape(len(mask), -1)
        covered = reduced(mask, size).reshape(len(mask), -1)
        cell = inside.shape[1] / covered.shape[1]
        return cls(inside, covered, best_cells(covered, inside.sum(1), cell)[0], cell)

    @property
    def area(self) -> np.ndarray:
        """Return the pixels of each object, (sample)."""
        return np.asarray(self.inside.sum(1))

    def by_chance(self) -> np.ndarray:
        """Return what a constant map gets, (measure, sample): all its pixels tie, and so do its cells."""
        share, found = self.area / self.inside.shape[1], self.cells / self.covered.shape[1] * self.area
        return np.stack([share, share, share, found / (self.area + self.cells * self.cell - found)])


def localized(scaled: np.ndarray, enlarged: np.ndarray, objects: Objects) -> np.ndarray:
    """Return the measures of heat maps, (measure, sample) as ``MEASURES``.

    Args:
        scaled: (sample, y, x) in the maps' own resolution, as :func:`normalised` returns them.
        enlarged: the same in the pictures' resolution.
        objects: what is to be found.
    """
    n, area, inside = len(scaled), objects.area, objects.inside
    pixels = enlarged.reshape(n, -1)
    total, share = pixels.sum(1), area / inside.shape[1]
    at = np.flatnonzero(inside)
    within = np.bincount(at // inside.shape[1], pixels.ravel()[at], n)
    mass = np.divide(within, total, out=share.copy(), where=total > 0)
    cells = objects.cells
    found = _top_sum(scaled.reshape(n, -1), objects.covered, cells)
    return np.stack(
        [
            _top_sum(pixels, inside, np.ones(n, dtype=np.int64)),
            mass,
            _top_sum(pixels, inside, area) / area,
            found / (area + cells * objects.cell - found),
        ]
    )


def reduced(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return maps (sample, y, x) with this (height, width): a cell holds the sum of what lies in it.

    Of a mask that is how many of the object's pixels lie in each cell.
    """
    rows, columns = (_overlap(cells, pixels) for cells, pixels in zip(size, maps.shape[1:], strict=True))
    return np.einsum("ay,syx,bx->sab", rows, np.asarray(maps, dtype=np.float64), columns, optimize=True)


def added_up(maps: np.ndarray) -> np.ndarray:
    """Return maps (sample, y, x) with at most 32 cells a side: of a finer map a cell holds the sum of its pixels."""
    height, width = maps.shape[1:]
    if max(height, width) <= _CELLS:
        return maps
    return reduced(maps, (min(height, _CELLS), min(width, _CELLS))).astype(maps.dtype)


def best_cells(covered: np.ndarray, area: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many cells give the largest IoU (the fewest, where several do), and that IoU.

    All cells are of one size, so the best n are those that hold most of the object.

    Args:
        covered: pixels of the object in each cell, (sample, cell).
        area: pixels of the object, (sample).
        cell: pixels of a cell.
    """
    taken = np.cumsum(-np.sort(-covered, axis=1), axis=1)
    iou = taken / (area[:, None] + np.arange(1, covered.shape[1] + 1) * cell - taken)
    best = (iou >= iou.max(1, keepdims=True) - 1e-12).argmax(1)
    return best + 1, np.take_along_axis(iou, best[:, None], 1)[:, 0]


def _overlap(cells: int, pixels: int) -> np.ndarray:
    """Return which share of each pixel lies in each of ``cells`` equal parts of a side, (cell, pixel)."""
    edges = np.arange(cells + 1)[:, None] * pixels / cells
    pixel = np.arange(pixels)
    return np.clip(np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel), 0, None)


def _top_sum(values: np.ndarray, worth: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return what the ``count`` largest of ``values`` are worth, (sample), from (sample, item).

    Those that tie for the last places each count with their chance to be taken.
    """
    largest, last = values.max(1, keepdims=True), np.empty((len(values), 1), dtype=values.dtype)
    for k in np.unique(count):
        own, place = count == k, values.shape[1] - k
        last[own] = largest[own] if k == 1 else np.partition(values[own], place, axis=1)[:, place, None]
    tie = _TIE * np.abs(largest)
    # Only these few can be taken: to look at all items again and again would take most of the time.
    at = np.flatnonzero(values >= last - tie)
    row, value = at // values.shape[1], worth.ravel()[at]
    above = values.ravel()[at] > (last + tie)[row, 0]

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(row, weights, len(values))

    tied, taken = total(~above), total(above)
    return total(value * above) + (count - taken) / tied * total(value * ~above)
