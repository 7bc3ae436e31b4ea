"""Frames as a GIF: all with one palette, so that what stands still does not flicker.

A GIF has 256 colours. Those of all frames are gathered and, where there are more, brought together so that none moves
far (maximum coverage), however few pixels have it; each colour then always gets the same place in the palette. Nothing
is dithered. The last frame stays longest: it is the result.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

_DURATION, _LAST = 450, 3000  # milliseconds
_COLOURS = 255  # one place is left for pixels that a frame leaves as they were


def write_gif(path: Path, film: np.ndarray, comment: str) -> None:
    """Write frames (frame, y, x, 4), bytes, as a GIF that repeats; the same frames give the same bytes.

    Nothing shines through them. Frames that are equal become one, which stays as long as they did together.
    """
    from PIL import Image

    palette, film = paletted(film)
    images = [Image.fromarray(frame) for frame in film]
    for image in images:
        image.putpalette(palette.tobytes())
    images[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[_DURATION] * (len(images) - 1) + [_LAST],
        loop=0,
        comment=comment.encode(),
        optimize=True,
    )


def paletted(film: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a palette (colour, 3), and frames (frame, y, x) of places in it, of frames (frame, y, x, 4)."""
    from PIL import Image

    place = np.zeros(1 << 24, dtype=np.uint8)
    for frame in film:
        place[_packed(frame)] = 1
    eights = np.flatnonzero(place.view(np.uint64))[:, None] * 8 + np.arange(8)  # most of 16 million are no one's
    colours = eights[place[eights] > 0]
    every = np.stack([colours & 255, colours >> 8 & 255, colours >> 16], -1).astype(np.uint8)
    if len(every) <= _COLOURS:
        palette, place[colours] = every, np.arange(len(every))
    else:
        few = Image.fromarray(every[None]).quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        palette = np.array(few.getpalette(), dtype=np.uint8).reshape(-1, 3)
        place[colours] = np.asarray(few)[0]
    return palette, np.stack([place[_packed(frame)] for frame in film])


def _packed(frame: np.ndarray) -> np.ndarray:
    """Return each pixel's red, green and blue as one number."""
    red_first = np.ascontiguousarray(frame).view("<u4")[..., 0]
    return red_first & 0xFFFFFF
