"""Handwritten digits, 8×8, as bundled with scikit-learn (1,797 pictures, offline).

Source: Alpaydin and Kaynak (1998), *Optical recognition of handwritten digits*, UCI; the test part. Brightness
0…16 is scaled to [0, 1]. Larger pictures are interpolated, linearly along each axis between the centres of pixels and
constant beyond the outermost: pixel i of ``size`` lies at (i + ½) · 8 / size − ½ of the 8.
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


@dataclass(frozen=True)
class Digits:
    """Digits split into a fixed probe set and a pool that training draws from, without replacement.

    Attributes:
        n_train, n_probe: number of training and probe pictures; the rest of the pool stays unused by a draw.
        validation: share of the training pictures that is held back from learning.
        size: width of a picture, pixels; 8 leaves them as they are.
        seed: chooses the probe set and the draws; a replica's seed does not change it.

    Raises:
        SettingError: more pictures asked for than there are, or too few for the validation share.
    """

    n_train: Annotated[int, Ge(1)] = 1200
    n_probe: Annotated[int, Ge(1)] = 400
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    size: Annotated[int, Ge(8)] = 8
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse more pictures than there are, and a share that leaves a split empty."""
        if self.n_train + self.n_probe > 1797:
            raise SettingError(
                "n_train",
                f"n_train + n_probe = {self.n_train + self.n_probe} exceeds the 1797 digits there are",
            )
        train_and_validation(self.n_train, self.validation)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (1, self.size, self.size)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the ten digits."""
        return [str(digit) for digit in range(10)]

    @property
    def inputs(self) -> Sequence[Path]:
        """Return nothing: the pictures come with a library."""
        return ()

    def training(self, draw: int) -> xr.Dataset:
        """Return the ``draw``-th training set out of the pool, the pictures for validation last."""
        pool = self._shuffled()[self.n_probe :]
        rng = np.random.default_rng([self.seed, 1, draw])
        return self._take(rng.permutation(pool)[: self.n_train], train_and_validation(self.n_train, self.validation))

    def probe(self) -> xr.Dataset:
        """Return the probe pictures."""
        return self._take(self._shuffled()[: self.n_probe], "probe")

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng([self.seed, 0]).permutation(1797)

    def _take(self, index: np.ndarray, split: str | np.ndarray) -> xr.Dataset:
        from sklearn.datasets import load_digits

        digits = load_digits()
        image = _enlarged(digits.images[index] / 16, self.size).astype(np.float32)
        return pictures(image[:, None], digits.target[index], split)


def _enlarged(image: np.ndarray, size: int) -> np.ndarray:
    """Interpolate pictures (sample, y, x) to (sample, size, size), as the module says; equal sizes change no bit."""
    pixels = image.shape[-1]
    place = np.clip((np.arange(size) + 0.5) * pixels / size - 0.5, 0, pixels - 1)
    low = np.minimum(place.astype(int), pixels - 2)
    part = place - low
    # Elementwise, not as a matrix product: the sums are then the same bits on every processor.
    rows = image[:, low] * (1 - part)[:, None] + image[:, low + 1] * part[:, None]
    return rows[..., low] * (1 - part) + rows[..., low + 1] * part
