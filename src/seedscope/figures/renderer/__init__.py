"""The renderer: sheets as PNG and GIF files. The only room that imports matplotlib, and stages call it.

Figures are drawn with ``matplotlib.figure.Figure`` (no global state) under matplotlib's own defaults, whatever the
user's ``matplotlibrc`` says. A file carries its title and description as words, and all its facts as JSON; equal
numbers give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from seedscope.figures.marks import DPI
from seedscope.figures.sheet import Film, Sheet
from seedscope.files.writing import keep_only, replacing, write_text

FACTS = "Seedscope"
"""The key of a PNG's text that holds its facts; a GIF has them as its comment."""


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
    written = [folder / sheet.file]
    facts = json.dumps(sheet.facts(lens), ensure_ascii=False, sort_keys=True)
    with replacing(written[0]) as temporary, _own_defaults():
        if isinstance(sheet, Film):
            from seedscope.figures.renderer.gif import write_gif

            write_gif(temporary, _filmed(sheet), facts)
        else:
            from seedscope.figures.renderer.layout import laid_out

            page, _ = laid_out(sheet.heading, sheet.note, sheet.body)
            words = {"Software": None, "Title": sheet.heading, "Description": sheet.description, FACTS: facts}
            fast: dict[str, Any] = {"compress_level": 3}
            page.figure.savefig(temporary, format="png", dpi=DPI, metadata=words, pil_kwargs=fast)
    if sheet.table is not None:
        written.append(folder / f"{sheet.name}.csv")
        with replacing(written[1]) as temporary:
            sheet.table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    return written


def _own_defaults() -> Any:
    """Return a context in which matplotlib has the settings that it comes with."""
    from matplotlib import rc_context, rcParamsDefault

    own = {key: value for key, value in rcParamsDefault.items() if not key.startswith(("backend", "tk.", "webagg"))}
    return rc_context(own)


def _filmed(film: Film) -> np.ndarray:
    """Return all frames (frame, y, x, colour): what stands still is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from seedscope.figures.renderer.layout import laid_out

    longest = max(film.captions, key=len)
    page, caption = laid_out(film.heading, film.note, film.body, longest)
    figure = page.figure
    ax, image = next((ax, image) for ax in figure.axes for image in ax.images if image.get_gid() == "filmed")
    above = [one for one in (*ax.lines, *ax.texts, *ax.collections) if one.get_zorder() > image.get_zorder()]
    moving = [image, *sorted(above, key=lambda one: one.get_zorder()), caption]
    for artist in moving:
        artist.set_animated(True)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its methods untyped
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    frames = np.empty((len(film.frames), *np.shape(canvas.buffer_rgba())[:2], 3), dtype=np.uint8)
    for index, (values, words) in enumerate(zip(film.frames, film.captions, strict=True)):
        canvas.restore_region(still)
        image.set_data(values)
        caption.set_text(words)
        for artist in moving:
            figure.draw_artist(artist)
        frames[index] = np.asarray(canvas.buffer_rgba())[..., :3]
    return frames
