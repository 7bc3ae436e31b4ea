"""Textures: is the round object filled with dots or with stripes? On cluttered colour, with all truth known.

For a picture of side S, with pixel centres p = (y, x), colours in RGB and brightness in [0, 1]:

    u = (p − centre) · (sin θ, cos θ),   v = (p − centre) · (cos θ, −sin θ)       along and across the orientation θ
    stripes   t(p) = 1 where  |frac(f·u + φ) − ½| < s/2                           f cycles per pixel, phase φ
    dots      t(p) = 1 where  (frac(f·u + φ) − ½)² + (frac(f·v + ψ) − ½)² < s/π   the same period along and across
    object    m(p) = 1 where  |p − centre| < side/2
    picture       = m · (t · bright(hue) + (1 − t) · dark(hue)) + (1 − m) · background + noise · z,  clipped to [0, 1]

Both textures cover the same share s of the object, so its mean colour says nothing of the class: only shape does. The
background is a coarse grid of random colours, interpolated bilinearly, on the mean as bright as objects are: neither
a brightest nor a darkest part of the picture is where the object is. z is standard normal, for every channel of every
pixel. A place where nothing but background is seen holds no information on the class, so a heat map can be
held against the object's place. Class 0 is dots, class 1 stripes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Interval

from seedscope.data import pictures, train_and_validation
from seedscope.files.errors import SettingError

if TYPE_CHECKING:
    import xarray as xr

_SHARE = 0.28  # of the object that the bright part of a texture covers
_SATURATION, _BRIGHT, _DARK = 0.7, 0.95, 0.3
_GREY = (_SHARE * _BRIGHT + (1 - _SHARE) * _DARK) * (1 - _SATURATION / 2)  # mean brightness of objects of all hues
_GRID = 6  # colours along each side of the background
_AT_ONCE = 64  # pictures; bounds the memory
_PROBE, _TRAINING = 0, 1


@dataclass(frozen=True)
class Textures:
    """Pictures of textured objects.

    Attributes:
        n_train: training pictures, those for validation included.
        n_probe: probe pictures.
        size: side of a picture, pixels.
        object_size: smallest and largest side of the object's box, pixels.
        periods: shortest and longest period of a texture, pixels.
        hues: lowest and highest hue of an object, in turns of the colour circle from red; [0, 1] is all of them.
        clutter: how far the background's colours lie from grey, as a share of that grey; 0 is plain grey.
        noise: standard deviation of the noise.
        validation: share of the training pictures that is held back from learning.
        seed: chooses the pictures; a replica's seed does not change it.

    Raises:
        SettingError: the object is larger than the picture, a range is empty, or the share leaves a split empty.
    """

    n_train: Annotated[int, Ge(1)] = 512
    n_probe: Annotated[int, Ge(1)] = 100
    size: Annotated[int, Ge(16)] = 150
    object_size: tuple[int, int] = (80, 120)
    periods: tuple[float, float] = (9.0, 14.0)
    hues: tuple[float, float] = (0.0, 0.15)
    clutter: Annotated[float, Interval(ge=0, le=1)] = 0.8
    noise: Annotated[float, Ge(0)] = 0.05
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse ranges that are none, and an object that does not fit."""
        train_and_validation(self.n_train, self.validation)
        for key, (low, high), least in (("object_size", self.object_size, 4), ("periods", self.periods, 2)):
            if not least <= low <= high:
                raise SettingError(key, f"{low:g} to {high:g} is no range from {least} on")
        if not 0 <= self.hues[0] <= self.hues[1] <= 1:
            raise SettingError("hues", f"{self.hues[0]:g} to {self.hues[1]:g} is no range within 0 to 1")
        if self.object_size[1] > self.size:
            raise SettingError("object_size", f"{self.object_size[1]} is more than the picture's {self.size} pixels")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (3, self.size, self.size)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the two textures."""
        return ["dots", "stripes"]

    @property
    def inputs(self) -> Sequence[Path]:
        """Return nothing: the pictures are generated."""
        return ()

    def training(self, draw: int) -> xr.Dataset:
        """Return the ``draw``-th training set, the pictures for validation last."""
        rng = np.random.default_rng([self.seed, _TRAINING, draw])
        return self._make(rng, self.n_train, train_and_validation(self.n_train, self.validation))

    def probe(self) -> xr.Dataset:
        """Return the probe pictures."""
        return self._make(np.random.default_rng([self.seed, _PROBE]), self.n_probe, "probe")

    def _make(self, rng: np.random.Generator, n: int, split: str | np.ndarray) -> xr.Dataset:
        """Return ``n`` pictures with ``orientation`` (radians), ``frequency`` (cycles per pixel), ``hue`` in [0, 1).

        The object's box is ``object_y``, ``object_x`` (top-left pixel), ``object_height``, ``object_width``;
        ``object(sample, y, x)`` is 1 where it is seen.
        """
        label = rng.permutation(np.arange(n) % 2)
        orientation, hue = rng.uniform(0, np.pi, n), rng.uniform(*self.hues, n)
        frequency = 1 / rng.uniform(*self.periods, n)
        phase = rng.uniform(0, 1, (n, 2))
        side = rng.integers(self.object_size[0], self.object_size[1] + 1, n)
        y, x = (rng.integers(0, self.size - side + 1) for _ in range(2))
        image = np.empty((n, *self.shape), dtype=np.float32)
        seen = np.empty((n, self.size, self.size), dtype=np.int8)
        for start in range(0, n, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            down, right = offsets(self.size, y[part] + side[part] / 2, x[part] + side[part] / 2)
            inside = down**2 + right**2 < (side[part, None, None] / 2) ** 2
            bright = texture(down, right, label[part], orientation[part], frequency[part], phase[part])
            image[part] = np.where(
                inside[:, None],
                np.where(bright[:, None], *(colour(hue[part], value) for value in (_BRIGHT, _DARK))),
                background(rng, len(inside), self.size, self.clutter),
            )
            image[part] += self.noise * rng.standard_normal(image[part].shape, dtype=np.float32)
            seen[part] = inside
        made = pictures(
            image.clip(0, 1),
            label,
            split,
            orientation=orientation,
            frequency=frequency,
            hue=hue,
            object_y=y,
            object_x=x,
            object_height=side,
            object_width=side,
        )
        return made.assign(object=(("sample", "y", "x"), seen))


def offsets(size: int, centre_y: np.ndarray, centre_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each pixel's centre lies below and right of the objects' centres, (sample, y, x) each."""
    pixel = np.arange(size) + 0.5
    down = pixel[None, :, None] - centre_y[:, None, None]
    right = pixel[None, None, :] - centre_x[:, None, None]
    whole = (len(centre_y), size, size)
    return np.broadcast_to(down, whole), np.broadcast_to(right, whole)


def texture(
    down: np.ndarray,
    right: np.ndarray,
    label: np.ndarray,
    orientation: np.ndarray,
    frequency: np.ndarray,
    phase: np.ndarray,
) -> np.ndarray:
    """Return where a texture is bright, (sample, y, x).

    Args:
        down: (sample, y, x), from the object's centre, pixels.
        right: (sample, y, x), from the object's centre, pixels.
        label: (sample); 0 dots, 1 stripes.
        orientation: (sample), of the direction across the stripes, radians from the x axis towards y.
        frequency: (sample), cycles per pixel.
        phase: (sample, 2), along and across, in cycles.
    """
    sine, cosine, f = (values[:, None, None] for values in (np.sin(orientation), np.cos(orientation), frequency))
    along = (f * (down * sine + right * cosine) + phase[:, 0, None, None]) % 1 - 0.5
    across = (f * (down * cosine - right * sine) + phase[:, 1, None, None]) % 1 - 0.5
    stripes = np.abs(along) < _SHARE / 2
    dots = along**2 + across**2 < _SHARE / np.pi
    return np.where(label[:, None, None] == 1, stripes, dots)


def colour(hue: np.ndarray, value: float) -> np.ndarray:
    """Return RGB (sample, channel, 1, 1) of hues in [0, 1) at this brightness: HSV with a fixed saturation."""
    k = (np.array([5.0, 3.0, 1.0]) + 6 * hue[:, None]) % 6
    return (value * (1 - _SATURATION * np.clip(np.minimum(k, 4 - k), 0, 1)))[:, :, None, None]


def background(rng: np.random.Generator, n: int, size: int, clutter: float) -> np.ndarray:
    """Return ``n`` fields of random colour, (sample, channel, y, x): a coarse grid, interpolated bilinearly."""
    coarse = _GREY * (1 + clutter * (2 * rng.random((n, 3, _GRID, _GRID), dtype=np.float32) - 1))
    place = np.linspace(0, _GRID - 1, size)
    weight = np.clip(1 - np.abs(place[:, None] - np.arange(_GRID)), 0, None).astype(np.float32)
    return np.asarray(weight @ coarse @ weight.T)
