"""The renderer: sheets as PNG and GIF files. The only room that imports matplotlib, and stages call it.

Figures are drawn by Agg, matplotlib's drawer, without its figures and axes, so that nothing depends on a global state
or the user's ``matplotlibrc``; Pillow writes the words. A file carries its title and description as words, and all its
facts as JSON; equal numbers give equal bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from seedscope.figures.marks import DPI
from seedscope.figures.sheet import Film, Sheet
from seedscope.files.writing import keep_only, replacing, write_text

FACTS = "Seedscope"
"""The key of a PNG's text that holds its facts; a GIF has them as its comment."""
_COMPRESSION = 3  # 4 takes twice as long and makes files no smaller


def save_all(
    sheets: Iterable[tuple[str, Sheet]], folder: Path, texts: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write sheets with their tables, each with the lens that it comes from, and texts by file name, into ``folder``.

    What else lies there is removed.
    """
    written = [path for lens, sheet in sheets for path in save(sheet, folder, lens)]
    for name, text in texts.items():
        write_text(folder / name, text)
        written.append(folder / name)
    keep_only(folder, written)


def save(sheet: Sheet, folder: Path, lens: str = "") -> list[Path]:
    """Write a sheet, and its table where it has one, into ``folder``; return the files.

    ``lens`` is the lens that it comes from, for the facts that the file carries.
    """
    from seedscope.figures.renderer.layout import filmed, laid_out

    written = [folder / sheet.file]
    facts = json.dumps(sheet.facts(lens), ensure_ascii=False, sort_keys=True)
    with replacing(written[0]) as temporary:
        if isinstance(sheet, Film):
            from seedscope.figures.renderer.gif import write_gif

            film = filmed(sheet.heading, sheet.note, sheet.body, sheet.frames, sheet.captions)
            write_gif(temporary, film, facts)
        else:
            page, _ = laid_out(sheet.heading, sheet.note, sheet.body)
            words = {"Title": sheet.heading, "Description": sheet.description, FACTS: facts}
            _write_png(temporary, page.canvas.pixels, words)
    if sheet.table is not None:
        written.append(folder / f"{sheet.name}.csv")
        with replacing(written[1]) as temporary:
            sheet.table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    return written


def _write_png(path: Path, pixels: np.ndarray, words: Mapping[str, str]) -> None:
    """Write (y, x, 4) bytes, which nothing shines through, as a PNG with words.

    Its lines are left as they are: Pillow tries five filters on each, which takes three times as long, and of flat
    colours makes files no smaller.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo, putchunk

    info = PngInfo()
    for key, said in words.items():
        info.add_text(key, said) if said.isascii() else info.add_itxt(key, said)
    tall, wide = pixels.shape[:2]
    lines = np.zeros((tall, 1 + 3 * wide), dtype=np.uint8)  # each begins with its filter, 0: none
    lines[:, 1:] = np.asarray(Image.fromarray(pixels).convert("RGB")).reshape(tall, -1)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        putchunk(file, b"IHDR", struct.pack(">IIBBBBB", wide, tall, 8, 2, 0, 0, 0))  # 8 bits of red, green and blue
        putchunk(file, b"pHYs", struct.pack(">IIB", *[round(DPI / 0.0254)] * 2, 1))  # pixels a metre
        for name, said_in_bytes, *_ in info.chunks:
            putchunk(file, name, said_in_bytes)
        putchunk(file, b"IDAT", zlib.compress(lines.data, _COMPRESSION))
        putchunk(file, b"IEND", b"")
