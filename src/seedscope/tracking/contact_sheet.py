"""One picture of all pictures of a run, laid out so that those of two runs can be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from seedscope.files.errors import SeedscopeError

_WIDTH = 1600  # at most, in pixels
_CELL = 480
_GAP = 8


def contact_sheet(pictures: Mapping[str, Path]) -> Image.Image:
    """Return all pictures as thumbnails with their names, in a grid as wide as it has rows.

    The sheets of two runs with the same figures have each figure at the same place. A film shows its last frame.

    Args:
        pictures: files by name, ``figures/<lens>/<figure>.png``.

    Raises:
        SeedscopeError: a file is no picture.
    """
    columns = max(1, math.ceil(math.sqrt(len(pictures))))
    cell = min(_CELL, _WIDTH // columns)
    letter = max(11, cell // 20)
    font, caption = ImageFont.load_default(size=letter), letter + _GAP
    drawn = [(name, _thumbnail(path, cell - _GAP)) for name, path in sorted(pictures.items())]
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    heights = [caption + _GAP + max(thumbnail.height for _, thumbnail in row) for row in rows]
    sheet = Image.new("RGB", (columns * cell, sum(heights) or cell), "white")
    draw = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        y = sum(heights[:index])
        for column, (name, thumbnail) in enumerate(row):
            x = column * cell + _GAP // 2
            label = name.removeprefix("figures/").rpartition(".")[0]
            while draw.textlength(label, font) > cell - _GAP:  # names begin alike, so their ends stay
                label = f"…{label[2:]}"
            draw.text((x, y), label, fill="black", font=font)
            sheet.paste(thumbnail, (x, y + caption), thumbnail)
    return sheet


def _thumbnail(path: Path, side: int) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.seek(getattr(picture, "n_frames", 1) - 1)
            # A palette has no colours between its own; any other picture is shrunk before it is converted.
            thumbnail = picture.copy() if picture.mode in ("RGB", "RGBA") else picture.convert("RGBA")
    except OSError as error:
        raise SeedscopeError(f"{path} is no picture ({error}): delete it and run `dvc repro`") from error
    thumbnail.thumbnail((side, side), reducing_gap=2)
    return thumbnail.convert("RGBA")
