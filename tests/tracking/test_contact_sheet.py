"""The contact sheet of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from seedscope.tracking.contact_sheet import contact_sheet


def picture(path: Path, colour: str, size: tuple[int, int] = (40, 30)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def test_the_same_figure_lies_at_the_same_place_of_every_contact_sheet(tmp_path: Path) -> None:
    names = [f"figures/lens/{name}.png" for name in "abcde"]
    red, blue = picture(tmp_path / "red.png", "red"), picture(tmp_path / "blue.png", "blue")
    one = np.asarray(contact_sheet(dict.fromkeys(names, red)))
    other = np.asarray(contact_sheet({**dict.fromkeys(names, red), "figures/lens/d.png": blue}))
    differing = (one != other).any(axis=2)
    rows, columns = np.nonzero(differing)
    assert one.shape == other.shape
    assert rows.min() >= one.shape[0] // 2  # the fourth of five in a grid of three columns
    assert columns.max() < one.shape[1] / 3


def test_a_contact_sheet_of_many_figures_stays_of_readable_size(tmp_path: Path) -> None:
    large = picture(tmp_path / "large.png", "red", (900, 600))
    sheet = contact_sheet({f"figures/lens/figure_{index:03d}.png": large for index in range(60)})
    assert sheet.width <= 1600
    assert sheet.height <= 1600


def test_a_contact_sheet_shows_the_last_frame_of_a_film(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    sheet = contact_sheet({"figures/film.gif": tmp_path / "film.gif"})
    assert sheet.getpixel((20, sheet.height - 20)) == (0, 0, 255)
