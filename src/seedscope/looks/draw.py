"""Draw what one lens measured of one replica: from the written numbers, so that what is seen is what is kept."""

from __future__ import annotations

from pathlib import Path

from seedscope.figures.renderer import save
from seedscope.files.arrays import read_measured
from seedscope.lenses.lens import Lens


def draw(name: str, lens: Lens, measured: Path, folder: Path) -> list[Path]:
    """Write the figures of ``lens``, and their tables, into ``folder``; return the files."""
    with read_measured(measured) as numbers:
        return [path for sheet in lens.draw(numbers) for path in save(sheet, folder, name)]
