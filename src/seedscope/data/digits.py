"""Handwritten digits, 8×8, as bundled with scikit-learn (1,797 pictures, offline).

Source: Alpaydin and Kaynak (1998), *Optical recognition of handwritten digits*, UCI; the test part. Brightness
0…16 is scaled to [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from seedscope.data import pictures
from seedscope.errors import SettingError

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Digits:
    """Digits split into a fixed probe set and a pool that training draws from, without replacement.

    Attributes:
        n_train, n_probe: number of training and probe pictures; the rest of the pool stays unused by a draw.
        seed: chooses the probe set and the draws; a replica's seed does not change it.

    Raises:
        SettingError: more pictures asked for than there are.
    """

    n_train: Annotated[int, Ge(1)] = 1200
    n_probe: Annotated[int, Ge(1)] = 400
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse more pictures than there are."""
        if self.n_train + self.n_probe > 1797:
            raise SettingError(
                "n_train",
                f"n_train + n_probe = {self.n_train + self.n_probe} exceeds the 1797 digits there are",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (1, 8, 8)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the ten digits."""
        return [str(digit) for digit in range(10)]

    @property
    def inputs(self) -> Sequence[Path]:
        """Return nothing: the pictures come with a library."""
        return ()

    def training(self, draw: int) -> xr.Dataset:
        """Return the ``draw``-th training set out of the pool."""
        pool = self._shuffled()[self.n_probe :]
        rng = np.random.default_rng([self.seed, 1, draw])
        return self._take(rng.permutation(pool)[: self.n_train], "train")

    def probe(self) -> xr.Dataset:
        """Return the probe pictures."""
        return self._take(self._shuffled()[: self.n_probe], "probe")

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng([self.seed, 0]).permutation(1797)

    @staticmethod
    def _take(index: np.ndarray, split: str) -> xr.Dataset:
        from sklearn.datasets import load_digits

        digits = load_digits()
        image = (digits.images[index] / 16).astype(np.float32)
        return pictures(image[:, None], digits.target[index], split)
