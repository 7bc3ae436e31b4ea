"""Data sets: pictures, labels, and the ground truth where a generator knows it.

A data set is one class with ``training(draw)`` and ``probe()``; ``conf/data/<name>.yaml`` names it by
``_target_``. The probe set is the same for every seed. ``training(0)`` is the draw that all replicas share
unless ``vary`` names ``draw``; then each replica trains on ``training(seed)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from seedscope.files.errors import SeedscopeError, SettingError

if TYPE_CHECKING:
    import xarray as xr


class DataSource(Protocol):
    """What a data set offers. Pictures are float32 in [0, 1] with shape (channel, y, x)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""

    @property
    def class_names(self) -> Sequence[str]:
        """Return one name per class, in the order of the labels."""

    @property
    def inputs(self) -> Sequence[Path]:
        """Return the external files and folders that it reads; their content enters the configuration."""

    def training(self, draw: int) -> xr.Dataset:
        """Return the draw's training pictures (and validation, where there is one) as :func:`pictures` does."""

    def probe(self) -> xr.Dataset:
        """Return the probe pictures, the same whatever the draw."""


@runtime_checkable
class UnlabelledSource(Protocol):
    """A data set that may not say of which class its pictures are: for networks whose weights are given.

    Its labels are then all −1. ``class_names`` are those among which the network decides; a network that ends before
    it decides needs none.
    """

    @property
    def labelled(self) -> bool:
        """Return whether the class of each picture is known."""


@runtime_checkable
class VariedSource(Protocol):
    """A data set that can change one thing of a picture at a time."""

    def variations(self) -> xr.Dataset:
        """Return further pictures as :func:`pictures` does (split ``probe``), with what was varied by sample.

        They are the same for every seed. The ``variation`` lens says which designs it reads.
        """


def pictures(image: np.ndarray, label: np.ndarray, split: str | np.ndarray, **truth: np.ndarray) -> xr.Dataset:
    """Return labelled pictures: ``image(sample, channel, y, x)``, ``label(sample)``, ``split(sample)``.

    ``split`` is one of train, validation, probe, for all or by sample; ``truth`` adds what else is known of each
    sample, such as ``square_y``.
    """
    import xarray as xr

    n = len(label)
    splits = np.full(n, split, dtype=object) if isinstance(split, str) else np.asarray(split, dtype=object)
    return xr.Dataset(
        {
            "image": (("sample", "channel", "y", "x"), np.ascontiguousarray(image, dtype=np.float32)),
            "label": ("sample", np.asarray(label, dtype=np.int64)),
            "split": ("sample", splits),
            **{name: ("sample", values) for name, values in truth.items()},
        }
    )


def train_and_validation(n: int, share: float) -> np.ndarray:
    """Return the split of each of ``n`` training pictures in random order: the last ``share`` is for validation.

    Raises:
        SettingError: a share that is not 0 leaves one of the splits empty.
    """
    held_back = round(share * n)
    if share and not 0 < held_back < n:
        split = "validation" if not held_back else "training"
        raise SettingError("validation", f"a share of {share:g} of {n} pictures leaves none for {split}")
    return np.repeat(["train", "validation"], [n - held_back, held_back])


def assemble(source: DataSource) -> xr.Dataset:
    """Return the whole data set: the shared training draw, then the probe set, numbered by ``sample``.

    Raises:
        SeedscopeError: pictures or labels are not what the source says of them.
    """
    import xarray as xr

    parts = [part for part in (source.training(0), source.probe()) if part.sizes["sample"]]
    if not parts:
        raise SeedscopeError("the data set has no pictures")
    whole = xr.concat(parts, dim="sample", data_vars="minimal", coords="minimal")
    if whole.image.shape[1:] != tuple(source.shape):
        raise SeedscopeError(f"the data set makes pictures of shape {whole.image.shape[1:]}, not {tuple(source.shape)}")
    if not np.isfinite(whole.image.values).all():
        raise SeedscopeError("the data set has pictures with values that are no numbers")
    label, n_classes = whole.label.values, len(source.class_names)
    if not is_labelled(source):
        if (label != -1).any():
            raise SeedscopeError("the data set says that its pictures have no labels, and some are not −1")
    elif label.min() < 0 or label.max() >= n_classes:
        raise SeedscopeError(
            f"the data set has labels from {label.min()} to {label.max()}, and names {n_classes} classes: 0 to "
            f"{n_classes - 1}"
        )
    whole = whole.assign_coords(sample=np.arange(whole.sizes["sample"]))
    whole.image.attrs = {"long_name": "brightness", "units": "1"}
    whole.attrs["class_names"] = list(source.class_names) or np.array([], dtype=np.int64)  # of no names, no type
    return whole


def is_labelled(source: DataSource) -> bool:
    """Return whether a data set says of which class its pictures are."""
    return source.labelled if isinstance(source, UnlabelledSource) else True


def vary(source: DataSource) -> xr.Dataset | None:
    """Return the pictures in which one thing changes at a time, numbered by ``sample``; ``None`` if it makes none."""
    if not isinstance(source, VariedSource):
        return None
    varied = source.variations()
    return varied.assign_coords(sample=np.arange(varied.sizes["sample"]))


def exhibits(label: np.ndarray, per_class: int) -> np.ndarray:
    """Return the positions of the first ``per_class`` samples of each class, by class and then by position."""
    return np.concatenate([np.flatnonzero(label == k)[:per_class] for k in np.unique(label)])


def balanced(label: np.ndarray, count: int) -> np.ndarray:
    """Return the positions, ascending, of ``count`` samples: the first of each class, then the second, and so on."""
    turn = np.empty(len(label), dtype=np.int64)
    for k in np.unique(label):
        own = np.flatnonzero(label == k)
        turn[own] = np.arange(len(own))
    return np.sort(np.lexsort((label, turn))[:count])
