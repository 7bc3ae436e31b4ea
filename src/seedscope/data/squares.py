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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval

from seedscope.data import pictures
from seedscope.files.errors import SettingError

if TYPE_CHECKING:
    import xarray as xr

_TRAINING, _PROBE, _VARIATIONS = 0, 1, 2
_PLACES, _NOISES, _PAIRED = 10, 8, 23  # of the variations: places and noise fields crossed, pairs; per class
_REACH = 4  # pixels that a shifted square starts before a border
_CROSSED_NOISE = (0.125, 0.25, 0.5, 0.75, 1.0)  # in contrasts: noise levels at which pictures are crossed again
_CENTRAL = (0.25, 0.5)  # of a cell's width: ranges of places at which they are crossed again
_MORE_NOISE = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)  # in contrasts
_CONTRASTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # in contrasts
_CHUNK = 512  # pictures worked on at a time: 2 MB of 32×32, so that the passes over them stay in cache


@dataclass(frozen=True)
class Corners:
    """Where the squares are: top-left pixel and sign of the contrast, one entry per picture."""

    y: np.ndarray
    x: np.ndarray
    sign: np.ndarray

    def take(self, which: np.ndarray) -> Corners:
        """Return those of the pictures at these positions."""
        return Corners(self.y[which], self.x[which], self.sign[which])


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

    def variations(self) -> xr.Dataset:
        """Return pictures in which one thing changes at a time, each ``design`` with a generator of its own.

        crossed   10 places of each class × 8 fields of noise, the same 8 for all places and classes.
        noise     23 pictures of each class, each with its own noise field, drawn with a standard deviation that is
                  larger by 0, ⅛, ¼, ½, ¾, 1 times the contrast.
        contrast  the same 23 places and noise fields, drawn with ¼, ½, ¾, 1, 1½, 2 times the contrast.
        shift     23 squares of each class that walk straight into a neighbouring cell, pixel by pixel, while the noise
                  stands still: from 4 pixels before the border (0) over its last place in its class (3) and its
                  first in the next (4) to 7; fewer where a cell is narrower. The label is that of where it is.
        crossed_noise  the crossed pictures at other noise, ⅛, ¼, ½, ¾, 1 times the contrast (the data set's own left
                  out): the same places, the same fields.
        crossed_range  the crossed pictures with their places drawn together to the middle ¼, ½ of their cell.

        Places are drawn as those of the probe pictures are (a walk keeps the coordinate along the border), and every
        picture is clipped to [0, 1] as they are: at another noise, contrast or place the same field may clip
        elsewhere. A grid of one cell has no border and no ``shift``.

        Beside what :meth:`probe` gives: ``design``; ``level``, what was changed, in the unit that its attribute of
        the design's name says (NaN where crossed; an attribute ``<design>_base`` says at which level of the design the
        crossed pictures are); ``base``, whether it is the data set's own level; ``place`` and
        ``noise_draw``, numbers of the place (walk) and of the noise field within a design. Pictures of a design
        with the same two numbers are pairs.
        """
        import xarray as xr

        stream = np.random.SeedSequence(self.seed, spawn_key=(_VARIATIONS,)).spawn(6)
        n_classes = self.grid**2
        crossed = self.corners(_PLACES * n_classes, np.random.default_rng(stream[0]))
        each = np.arange(_PLACES * n_classes)
        place, noise_draw = np.repeat(each, _NOISES), np.tile(np.arange(_NOISES), len(each))

        def cross(source: Squares, corners: Corners, design: str, level: float) -> xr.Dataset:
            of_places = [corners.take(np.repeat(one, _NOISES)) for one in each]
            image = np.concatenate([source.render(one, _noise(stream[1])) for one in of_places])
            return self._described(corners.take(place), image, design, level, False, place, noise_draw)

        parts = [cross(self, crossed, "crossed", np.nan)]
        paired = self.corners(_PAIRED * n_classes, np.random.default_rng(stream[2]))
        pair = np.arange(_PAIRED * n_classes)
        for more in _MORE_NOISE:
            source = replace(self, noise=self.noise + more * self.contrast)
            image = source.render(paired, _noise(stream[3]))
            parts.append(self._described(paired, image, "noise", source.noise, more == 0, pair, pair))
        for factor in _CONTRASTS:
            source = replace(self, contrast=factor * self.contrast)
            image = source.render(paired, _noise(stream[3]))
            parts.append(self._described(paired, image, "contrast", source.contrast, factor == 1, pair, pair))
        if self.grid > 1:
            walkers = self.corners(_PAIRED * n_classes, np.random.default_rng(stream[4]))
            for shift, walked in enumerate(self._walks(walkers)):
                image = self.render(walked, _noise(stream[5]))
                parts.append(self._described(walked, image, "shift", shift, shift == 0, pair, pair))
        for share in _CROSSED_NOISE:
            noise = share * self.contrast
            if not np.isclose(noise, self.noise):
                parts.append(cross(replace(self, noise=noise), crossed, "crossed_noise", noise))
        parts += [cross(self, self._drawn_together(crossed, share), "crossed_range", share) for share in _CENTRAL]
        varied = xr.concat(parts, dim="sample")
        varied.level.attrs = {
            "noise": "standard deviation of the noise (brightness)",
            "contrast": "contrast of the square (brightness)",
            "shift": "way into a neighbouring cell (pixels)",
            "crossed_noise": "standard deviation of the noise (brightness)",
            "crossed_noise_base": self.noise,
            "crossed_range": "range of places (share of the cell's width)",
            "crossed_range_base": 1.0,
        }
        return varied

    def label(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the class of a square with this top-left pixel."""
        return self.grid * self._cell(y) + self._cell(x)

    def corners(self, n: int, rng: np.random.Generator) -> Corners:
        """Draw ``n`` corners: classes balanced and in random order, uniform within a class."""
        label = rng.permutation(np.arange(n) % self.grid**2)
        firsts, counts = self._cells()
        row, column = np.divmod(label, self.grid)
        y = firsts[row] + rng.integers(counts[row])
        x = firsts[column] + rng.integers(counts[column])
        if self.polarity == "both":
            sign = rng.choice(np.array([-1, 1], dtype=np.int8), size=n)
        else:
            sign = np.full(n, 1 if self.polarity == "bright" else -1, dtype=np.int8)
        return Corners(y, x, sign)

    def render(self, corners: Corners, rng: np.random.Generator) -> np.ndarray:
        """Draw the pictures, float32 (sample, y, x) in [0, 1]; ``rng`` makes the noise and nothing else."""
        n = len(corners.y)
        image = np.empty((n, self.size, self.size), dtype=np.float32)
        inside = np.arange(self.side)
        for start in range(0, n, _CHUNK):
            chunk = image[start : start + _CHUNK]
            rng.standard_normal(dtype=np.float32, out=chunk)
            chunk *= np.float32(self.noise)
            chunk += np.float32(self.background)
            here = slice(start, start + _CHUNK)
            rows = corners.y[here, None, None] + inside[:, None]
            columns = corners.x[here, None, None] + inside
            added = np.float32(self.contrast) * corners.sign[here, None, None].astype(np.float32)
            chunk[np.arange(len(chunk))[:, None, None], rows, columns] += added
            np.clip(chunk, 0, 1, out=chunk)
        return image

    def _cell(self, top: np.ndarray) -> np.ndarray:
        return self.grid * (top + self.side // 2) // self.size

    def _split(self, split: str, n: int, key: tuple[int, ...]) -> xr.Dataset:
        corners_seed, noise_seed = np.random.SeedSequence(self.seed, spawn_key=key).spawn(2)
        corners = self.corners(n, np.random.default_rng(corners_seed))
        return self._labelled(corners, self.render(corners, _noise(noise_seed)), split)

    def _labelled(self, corners: Corners, image: np.ndarray, split: str, **known: np.ndarray) -> xr.Dataset:
        return pictures(
            image[:, None],
            self.label(corners.y, corners.x),
            split,
            square_y=corners.y.astype(np.int16),
            square_x=corners.x.astype(np.int16),
            square_side=np.full(len(image), self.side, dtype=np.int16),
            square_sign=corners.sign,
            **known,
        )

    def _described(
        self,
        corners: Corners,
        image: np.ndarray,
        design: str,
        level: float,
        base: bool,
        place: np.ndarray,
        noise_draw: np.ndarray,
    ) -> xr.Dataset:
        n = len(image)
        return self._labelled(
            corners,
            image,
            "probe",
            design=np.full(n, design, dtype=object),
            level=np.full(n, level, dtype=np.float64),
            base=np.full(n, base),
            place=place,
            noise_draw=noise_draw,
        )

    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first place of each cell along an axis, and how many it has."""
        counts = np.bincount(self._cell(np.arange(self.size - self.side + 1)), minlength=self.grid)
        return np.concatenate([[0], np.cumsum(counts)[:-1]]), counts

    def _drawn_together(self, corners: Corners, share: float) -> Corners:
        """Return the corners moved to the middle ``share`` of their cells, to whole pixels."""
        firsts, counts = self._cells()
        cells = np.divmod(self.label(corners.y, corners.x), self.grid)

        def moved(top: np.ndarray, cell: np.ndarray) -> np.ndarray:
            middle = firsts[cell] + (counts[cell] - 1) / 2
            return np.rint(middle + share * (top - middle)).astype(np.int64)

        return Corners(moved(corners.y, cells[0]), moved(corners.x, cells[1]), corners.sign)

    def _walks(self, start: Corners) -> list[Corners]:
        """Return the corners of walks across a border, one entry per pixel of the way.

        A class's walks take turns in the directions that lead to a neighbour.
        """
        firsts, counts = self._cells()
        reach = min(_REACH, int(counts.min()))
        label = self.label(start.y, start.x)
        coordinates = np.stack([start.y, start.x])
        step = np.zeros_like(coordinates)
        for k in np.unique(label):
            cell = np.divmod(k, self.grid)
            ways = [(axis, sign) for axis in (0, 1) for sign in (1, -1) if 0 <= cell[axis] + sign < self.grid]
            for turn, walk in enumerate(np.flatnonzero(label == k)):
                axis, sign = ways[turn % len(ways)]
                edge = firsts[cell[axis]] + (counts[cell[axis]] - 1 if sign > 0 else 0)
                coordinates[axis, walk] = edge - sign * (reach - 1)
                step[axis, walk] = sign
        walked = [coordinates + way * step for way in range(2 * reach)]
        return [Corners(y, x, start.sign) for y, x in walked]


def _noise(seed: np.random.SeedSequence) -> np.random.Generator:
    # SFC64 draws a normal in 7 ns, a seventh less than the default generator; the noise is most of the work.
    return np.random.Generator(np.random.SFC64(seed))
