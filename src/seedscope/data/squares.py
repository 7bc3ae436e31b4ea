"""Where is the square? A faint square in a picture of noise, with its place known.

    image = clip(N(background, noise) + sign · contrast · [inside the square], 0, 1)
    centre = (top + side // 2, left + side // 2);  cell = ⌊grid · centre / size⌋
    label = grid · row + column of the cell of the centre

With the defaults (size 32, side 6, grid 3) an axis has 8, 11 and 8 top-left places for its three cells, 27² = 729
places in all. Classes are balanced (their counts differ by one at most) and places uniform within their class,
so every class has the same weight although the middle cells hold more places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval

from seedscope.data import pictures
from seedscope.errors import SettingError

if TYPE_CHECKING:
    import xarray as xr

_TRAINING, _PROBE = 0, 1
_CHUNK = 512  # pictures worked on at a time: 2 MB of 32×32, so that the passes over them stay in cache


@dataclass(frozen=True)
class Places:
    """Where the squares are: top-left pixel and sign of the contrast, one entry per picture."""

    y: np.ndarray
    x: np.ndarray
    sign: np.ndarray


@dataclass(frozen=True)
class Squares:
    """Pictures of noise with one square each.

    Attributes:
        n_train, n_probe: number of training and probe pictures.
        size, side: width of the picture and of the square, pixels.
        grid: cells per axis; there are grid² classes.
        background, noise: mean and standard deviation of the background.
        contrast: brightness that the square adds (bright) or takes away (dark).
        polarity: ``bright``, ``dark``, or ``both`` (either sign, by a fair coin).
        seed: the data set's own seed; a replica's seed does not change it.

    Raises:
        SettingError: the square does not fit, or a cell of the grid holds no place of it.
    """

    n_train: Annotated[int, Ge(1)] = 9216
    n_probe: Annotated[int, Ge(1)] = 2304
    size: Annotated[int, Ge(4)] = 32
    side: Annotated[int, Ge(1)] = 6
    grid: Annotated[int, Ge(1)] = 3
    background: Annotated[float, Interval(ge=0, le=1)] = 0.5
    noise: Annotated[float, Ge(0)] = 0.2
    contrast: Annotated[float, Gt(0)] = 0.4
    polarity: Literal["bright", "dark", "both"] = "bright"
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse geometry in which some class could never occur."""
        if self.side > self.size:
            raise SettingError("side", f"a square of {self.side} pixels does not fit a picture of {self.size}")
        if len(np.unique(self._cell(np.arange(self.size - self.side + 1)))) < self.grid:
            raise SettingError(
                "grid", f"some of {self.grid} cells per axis hold no place of a {self.side}-pixel square"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (1, self.size, self.size)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the cells' names: in words for a 3×3 grid, else by row and column."""
        if self.grid == 3:
            rows, columns = ("top", "middle", "bottom"), ("left", "centre", "right")
            return [f"{row} {column}" for row in rows for column in columns]
        return [f"row {row}, column {column}" for row in range(self.grid) for column in range(self.grid)]

    @property
    def inputs(self) -> Sequence[Path]:
        """Return nothing: it reads no file."""
        return ()

    def training(self, draw: int) -> xr.Dataset:
        """Return the ``draw``-th set of training pictures."""
        return self._split("train", self.n_train, (_TRAINING, draw))

    def probe(self) -> xr.Dataset:
        """Return the probe pictures."""
        return self._split("probe", self.n_probe, (_PROBE,))

    def label(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the class of a square with this top-left pixel."""
        return self.grid * self._cell(y) + self._cell(x)

    def places(self, n: int, rng: np.random.Generator) -> Places:
        """Draw ``n`` places: classes balanced and in random order, uniform within a class."""
        label = rng.permutation(np.arange(n) % self.grid**2)
        tops = np.arange(self.size - self.side + 1)
        counts = np.bincount(self._cell(tops), minlength=self.grid)
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        row, column = np.divmod(label, self.grid)
        y = firsts[row] + rng.integers(counts[row])
        x = firsts[column] + rng.integers(counts[column])
        if self.polarity == "both":
            sign = rng.choice(np.array([-1, 1], dtype=np.int8), size=n)
        else:
            sign = np.full(n, 1 if self.polarity == "bright" else -1, dtype=np.int8)
        return Places(y, x, sign)

    def render(self, places: Places, rng: np.random.Generator) -> np.ndarray:
        """Draw the pictures, float32 (sample, y, x) in [0, 1]; ``rng`` makes the noise and nothing else."""
        n = len(places.y)
        image = np.empty((n, self.size, self.size), dtype=np.float32)
        inside = np.arange(self.side)
        for start in range(0, n, _CHUNK):
            chunk = image[start : start + _CHUNK]
            rng.standard_normal(dtype=np.float32, out=chunk)
            chunk *= np.float32(self.noise)
            chunk += np.float32(self.background)
            here = slice(start, start + _CHUNK)
            rows = places.y[here, None, None] + inside[:, None]
            columns = places.x[here, None, None] + inside
            added = np.float32(self.contrast) * places.sign[here, None, None].astype(np.float32)
            chunk[np.arange(len(chunk))[:, None, None], rows, columns] += added
            np.clip(chunk, 0, 1, out=chunk)
        return image

    def _cell(self, top: np.ndarray) -> np.ndarray:
        return self.grid * (top + self.side // 2) // self.size

    def _split(self, split: str, n: int, key: tuple[int, ...]) -> xr.Dataset:
        places_seed, noise_seed = np.random.SeedSequence(self.seed, spawn_key=key).spawn(2)
        places = self.places(n, np.random.default_rng(places_seed))
        # SFC64 draws a normal in 7 ns, a seventh less than the default generator; the noise is most of the work.
        image = self.render(places, np.random.Generator(np.random.SFC64(noise_seed)))
        return pictures(
            image[:, None],
            self.label(places.y, places.x),
            split,
            square_y=places.y.astype(np.int16),
            square_x=places.x.astype(np.int16),
            square_sign=places.sign,
        )
