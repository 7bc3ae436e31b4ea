"""Images as pixels of the page: numbers keep their cells, pictures that get fewer pixels than they have are smoothed.

Numbers get their colours before they are enlarged: a map of 8 × 8 cells has 64 colours to find, not those of its pixels
on the page.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, Normalize
from PIL import Image as Pillow

from seedscope.figures.colours import Scale
from seedscope.figures.marks import Image
from seedscope.figures.renderer.area import Area, image_edges

_ENLARGED = 3  # times, from which on a picture's pixels may be seen


def coloured(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return numbers as the colours of a scale, (…, 4) bytes."""
    return np.asarray(_colours(scale)(Normalize(*scale.ends)(np.ma.masked_invalid(values)), bytes=True))


def on_page(image: Image, area: Area) -> tuple[np.ndarray, int, int]:
    """Return an image as (y, x, 4) bytes, and the pixel of the page where its upper left corner is."""
    values = np.asarray(image.values)
    rgba = coloured(values, image.scale) if image.scale is not None else _bytes(values)
    left, right, bottom, top = image_edges(image)
    x_edges, y_edges = area.across([left, right]), area.down([top, bottom])
    wide, tall = float(abs(np.diff(x_edges)[0])), float(abs(np.diff(y_edges)[0]))
    if image.scale is None and not _is_sharp(wide / values.shape[1], tall / values.shape[0]):
        size = max(1, round(wide)), max(1, round(tall))
        rgba = np.asarray(Pillow.fromarray(rgba).resize(size, Pillow.Resampling.HAMMING))
    columns, x = _nearest(x_edges, rgba.shape[1], area.box.left, area.box.right)
    rows, y = _nearest(y_edges, rgba.shape[0], area.box.top, area.box.bottom)
    whole = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]  # four bytes are moved at once
    shown = whole[rows[:, None], columns].view(np.uint8).reshape(len(rows), len(columns), 4)
    if image.opacity != 1:
        shown[..., 3] = np.round(shown[..., 3] * image.opacity)
    return shown, x, y


def _nearest(edges: np.ndarray, count: int, first: float, last: float) -> tuple[np.ndarray, int]:
    """Return which of ``count`` cells between two ``edges`` each pixel from ``first`` to ``last`` shows.

    Returns:
        the cells, and the first pixel that shows one.
    """
    begin, end = max(first, edges.min()), min(last, edges.max())
    pixels = np.arange(np.ceil(round(begin - 0.5, 6)), np.ceil(round(end - 0.5, 6)))
    cells = np.floor((pixels + 0.5 - edges[0]) / (edges[1] - edges[0]) * count).astype(int)
    return np.clip(cells, 0, count - 1), int(pixels[0]) if len(pixels) else 0


def _is_sharp(across: float, down: float) -> bool:
    """Return whether a picture's pixels, each that many of the page, are shown as they are."""
    return all(times > _ENLARGED or times in (1.0, 2.0) for times in (across, down))


def _bytes(values: np.ndarray) -> np.ndarray:
    """Return colours (y, x, 3) in [0, 1] as (y, x, 4) bytes."""
    rgba = np.full((*values.shape[:2], 4), 255, dtype=np.uint8)
    rgba[..., :3] = np.round(np.clip(values, 0, 1) * 255)
    return rgba


@lru_cache(64)
def _colours(scale: Scale) -> Colormap:
    extremes: dict[str, Any] = {"bad": scale.absent, "under": scale.below}
    return colormaps[scale.colours].with_extremes(**extremes)
