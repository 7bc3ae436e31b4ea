"""Decode picture files of any kind into colour, and cut them to one size so that the cut can be undone.

    file → upright (EXIF) → RGB in [0, 1] → crop → resized to (size, size)
    crop pixel (i, j) lies at   y = crop_y + (i + ½) · crop_height / size,   x = crop_x + (j + ½) · crop_width / size

Grey, palette, RGBA, CMYK and 16 bit are taken; what is transparent lies on white. Normalisation is left to the network
(see :mod:`seedscope.models.chain`): the picture stays as it is seen, and what a lens finds at a pixel of it belongs at
the place above of the original. Pictures are resized by Pillow's bilinear filter, which averages where it makes
smaller (it is antialiased).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from seedscope.files.errors import SeedscopeError, in_one_line

Fit = Literal["crop", "stretch"]
Unreadable = Literal["refuse", "skip"]


@dataclass(frozen=True)
class Decoded:
    """Pictures of one size, and what was cut out of each file.

    Attributes:
        image: (sample, channel, y, x), RGB in [0, 1].
        files: the file of each.
        box: (sample, 4), the crop's top, left, height and width in pixels of the upright original.
        extent: (sample, 2), height and width of the upright original, pixels.
        skipped: files that could not be read, each with the reason.
    """

    image: np.ndarray
    files: tuple[Path, ...]
    box: np.ndarray
    extent: np.ndarray
    skipped: tuple[str, ...]


def picture_files(folder: Path) -> list[Path]:
    """Return the files that lie directly in a folder, by name; hidden ones are no pictures of the user's.

    All others are, whatever they are called: what cannot be decoded is told, not passed over.
    """
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def upright_rgb(path: Path) -> Image.Image:
    """Return one picture as it is meant to be seen: turned as EXIF says, in RGB, on white.

    Of an animation this is the first frame.

    Raises:
        SeedscopeError: the file cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
        if picture.mode.startswith(("I", "F")):  # 16 bit or more, grey: Pillow itself would cut off what is above 255
            return Image.fromarray(_eight_bit(np.asarray(picture), path)).convert("RGB")
        if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            return Image.alpha_composite(white, picture).convert("RGB")
        return picture.convert("RGB")
    except SeedscopeError:
        raise
    except Exception as error:  # a broken file makes Pillow's decoders fail in any way
        raise SeedscopeError(f"{path} cannot be read as a picture ({in_one_line(error)})") from error


def _eight_bit(values: np.ndarray, path: Path) -> np.ndarray:
    top = 65535 if np.issubdtype(values.dtype, np.integer) else 1.0
    if values.min() < 0 or values.max() > top or not np.isfinite(values).all():
        raise SeedscopeError(f"{path} holds numbers from {values.min():g} to {values.max():g}, not brightness")
    return np.asarray(np.round(values.astype(np.float64) * (255 / top)), dtype=np.uint8)


def cut(picture: Image.Image, size: int, resize: int, fit: Fit) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Return a picture (channel, y, x) of one size, and the box (top, left, height, width) that it shows.

    Args:
        picture: in RGB.
        size: its side afterwards, pixels.
        resize: ``crop`` takes the square in the middle that is ``size`` long where the shorter side is ``resize``.
        fit: ``stretch`` takes the whole picture instead, with its sides changed.
    """
    width, height = picture.size
    box = (0.0, 0.0, float(height), float(width))
    if fit == "crop":
        side = min(width, height) * size / resize
        box = ((height - side) / 2, (width - side) / 2, side, side)
    top, left, tall, wide = box
    seen = (left, top, left + wide, top + tall)
    resized = picture.resize((size, size), Image.Resampling.BILINEAR, box=seen)
    values = np.asarray(resized, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(values.transpose(2, 0, 1)), box


def decode(files: Iterable[Path], size: int, resize: int, fit: Fit, unreadable: Unreadable) -> Decoded:
    """Decode files to one size.

    Args:
        files: the files.
        size: side of the pictures, pixels.
        resize: see :func:`cut`.
        fit: see :func:`cut`.
        unreadable: whether files that cannot be read are all refused together, or left out.

    Raises:
        SeedscopeError: files cannot be read, and ``unreadable`` is ``refuse``; the sentence names each.
    """
    files = list(files)
    image = np.empty((len(files), 3, size, size), dtype=np.float32)  # filled in place: a list would double the memory
    boxes, extents = [], []
    read: list[Path] = []
    failures: list[str] = []
    for path in files:
        try:
            picture = upright_rgb(path)
        except SeedscopeError as error:
            failures.append(str(error))
            continue
        image[len(read)], box = cut(picture, size, resize, fit)
        boxes.append(box)
        extents.append((picture.height, picture.width))
        read.append(path)
    if failures and unreadable == "refuse":
        raise SeedscopeError(f"{'; '.join(failures)}: remove them, or set data.unreadable: skip")
    return Decoded(
        image[: len(read)],
        tuple(read),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(extents, dtype=np.int64).reshape(-1, 2),
        tuple(failures),
    )


def truth_of(decoded: Decoded, folder: Path) -> dict[str, np.ndarray]:
    """Return, by name, what is known of each sample: its file below ``folder``, and where it lies in it."""
    names: Sequence[str] = [path.relative_to(folder).as_posix() for path in decoded.files]
    boxes = dict(zip(("crop_y", "crop_x", "crop_height", "crop_width"), decoded.box.T, strict=True))
    extents = dict(zip(("file_height", "file_width"), decoded.extent.T, strict=True))
    return {"file": np.array(names, dtype=object), **boxes, **extents}
