"""The user's own pictures: in a folder for each class, or in one folder without classes.

    folder/train/<class>/*.jpg, folder/probe/<class>/*.jpg    split as the user has split them
    folder/<class>/*.jpg                                      split here, in every class by the same share
    folder/*.jpg                                              without classes: for networks with given weights

How a file becomes a picture, and where a pixel of it lies in the file, :mod:`seedscope.data.decoding` says. Each sample
carries its ``file``, its crop and the size of the original. The content of the folder enters the configuration, so
another picture in it is noticed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Interval

from seedscope.data import pictures
from seedscope.data.decoding import Decoded, Fit, Unreadable, decode, picture_files, truth_of
from seedscope.files.errors import SettingError

if TYPE_CHECKING:
    import xarray as xr

_SPLITS = ("train", "probe")


@dataclass(frozen=True)
class ClassFolders:
    """Pictures in a folder for each class.

    Where the folder holds ``train`` and ``probe``, these are the splits; else ``probe_share`` of each class, chosen by
    ``seed``, is for the probe set.

    Attributes:
        folder: the folder, seen from the project.
        size: side of a picture, pixels.
        resize: see :func:`seedscope.data.decoding.cut`.
        fit: ``crop`` or ``stretch``.
        unreadable: whether files that cannot be read are refused, or skipped and listed.
        probe_share: share of each class for the probe set where the user has not split them.
        validation: share of the training pictures of each class that is held back from learning.
        seed: chooses the splits; a replica's seed does not change it.

    Raises:
        SettingError: the folder is not there, has no two classes, or a class has no picture for one of the splits.
    """

    folder: str
    size: Annotated[int, Ge(8)] = 150
    resize: Annotated[int, Ge(8)] = 150
    fit: Fit = "crop"
    unreadable: Unreadable = "refuse"
    probe_share: Annotated[float, Interval(gt=0, lt=1)] = 0.25
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse folders that cannot be learned from."""
        _check_size(self.size, self.resize, self.fit)
        if len(self.class_names) < 2:
            raise SettingError(
                "folder", f"{self.folder} has {len(self.class_names)} folders with pictures, and two classes are needed"
            )
        for split in _SPLITS:
            for name in self.class_names:
                if not self._files(split, name):
                    raise SettingError("folder", f"{self.folder} has no picture of {name!r} for {split}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (3, self.size, self.size)

    @cached_property
    def class_names(self) -> Sequence[str]:
        """Return the names of the folders, sorted."""
        root = _found(self.folder)
        roots = [root / split for split in _SPLITS] if self._is_split else [root]
        folders = [path for one in roots for path in one.iterdir() if path.is_dir()]
        return sorted({path.name for path in folders if picture_files(path)})

    @property
    def inputs(self) -> Sequence[Path]:
        """Return the folder."""
        return (_found(self.folder),)

    def training(self, draw: int) -> xr.Dataset:  # noqa: ARG002  # every draw is all that there is
        """Return the training pictures, those for validation last in each class."""
        return self._read("train")

    def probe(self) -> xr.Dataset:
        """Return the probe pictures."""
        return self._read("probe")

    @property
    def _is_split(self) -> bool:
        return all((_found(self.folder) / split).is_dir() for split in _SPLITS)

    def _files(self, split: str, name: str) -> list[Path]:
        """Return the files of one class for training or the probe set."""
        root = _found(self.folder)
        if self._is_split:
            return picture_files(root / split / name) if (root / split / name).is_dir() else []
        files = picture_files(root / name)
        # Each class has its own generator: pictures added to one leave the split of the others as it was.
        order = np.random.default_rng([self.seed, *name.encode()]).permutation(len(files))
        count = min(len(files) - 1, max(1, round(self.probe_share * len(files))))
        chosen = order[:count] if split == "probe" else order[count:]
        return [files[index] for index in sorted(chosen)]

    @cached_property
    def _decoded(self) -> Decoded:
        """Return the pictures of all classes and both splits: of files that cannot be read none is told of alone."""
        files = [file for split in _SPLITS for name in self.class_names for file in self._files(split, name)]
        decoded = decode(files, self.size, self.resize, self.fit, self.unreadable)
        _tell(decoded.skipped)
        return decoded

    def _read(self, split: str) -> xr.Dataset:
        import xarray as xr

        place = {file: index for index, file in enumerate(self._decoded.files)}
        truth = truth_of(self._decoded, _found(self.folder))
        parts = []
        for k, name in enumerate(self.class_names):
            own = np.array([place[file] for file in self._files(split, name) if file in place], dtype=np.int64)
            n = len(own)
            if not n:
                raise SettingError("folder", f"{self.folder} has no readable picture of {name!r} for {split}")
            held_back = min(n - 1, round(self.validation * n)) if split == "train" else 0
            splits = np.repeat([split, "validation"], [n - held_back, held_back])
            known = {variable: values[own] for variable, values in truth.items()}
            parts.append(pictures(self._decoded.image[own], np.full(n, k), splits, **known))
        return xr.concat(parts, dim="sample")


@dataclass(frozen=True)
class Album:
    """Pictures in one folder, of which nobody says what they show: for networks whose weights are given.

    Attributes:
        folder: the folder, seen from the project.
        size: side of a picture, pixels.
        resize: see :func:`seedscope.data.decoding.cut`.
        fit: ``crop`` or ``stretch``.
        unreadable: whether files that cannot be read are refused, or skipped and listed.
        classes: a text file with a line for each class that the network decides among, in the order of its logits; a
            name without a folder is also looked for in ``$SEEDSCOPE_DATA`` and its folder ``labels``. ``None`` for a
            network that ends before it decides.

    Raises:
        SettingError: the folder is not there or holds no picture, or the file of classes is not there.
    """

    folder: str
    size: Annotated[int, Ge(8)] = 224
    resize: Annotated[int, Ge(8)] = 256
    fit: Fit = "crop"
    unreadable: Unreadable = "refuse"
    classes: str | None = None

    def __post_init__(self) -> None:
        """Refuse a folder without pictures, and classes that are nowhere."""
        _check_size(self.size, self.resize, self.fit)
        if not picture_files(_found(self.folder)):
            raise SettingError("folder", f"{self.folder} holds no picture")
        self._class_file()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (3, self.size, self.size)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the lines of the file of classes: for ImageNet the WordNet id, then the names."""
        path = self._class_file()
        if path is None:
            return []
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

    @property
    def labelled(self) -> bool:
        """Return that no class of a picture is known."""
        return False

    @property
    def inputs(self) -> Sequence[Path]:
        """Return the folder, and the file of classes."""
        path = self._class_file()
        return (_found(self.folder), *([] if path is None else [path]))

    def training(self, draw: int) -> xr.Dataset:  # noqa: ARG002  # there are none
        """Return no picture: nothing is learned from them."""
        return self._pictures.isel(sample=slice(0))

    def probe(self) -> xr.Dataset:
        """Return the pictures, by file name, with the label −1."""
        return self._pictures

    @cached_property
    def _pictures(self) -> xr.Dataset:
        folder = _found(self.folder)
        decoded = decode(picture_files(folder), self.size, self.resize, self.fit, self.unreadable)
        _tell(decoded.skipped)
        return pictures(decoded.image, np.full(len(decoded.files), -1), "probe", **truth_of(decoded, folder))

    def _class_file(self) -> Path | None:
        if self.classes is None:
            return None
        places = [_from_the_project(self.classes)]
        if base := os.environ.get("SEEDSCOPE_DATA"):
            name = Path(self.classes).name
            places += [_from_the_project(base) / name, _from_the_project(base) / "labels" / name]
        for place in places:
            if place.is_file():
                return place
        raise SettingError("classes", f"there is no file {' or '.join(map(str, places))}")


def _check_size(size: int, resize: int, fit: Fit) -> None:
    if fit == "crop" and resize < size:
        raise SettingError("resize", f"{resize} is less than size {size}: there is nothing to crop from")


def _tell(skipped: Sequence[str]) -> None:
    for failure in skipped:
        sys.stderr.write(f"{failure}: skipped\n")


def _found(folder: str) -> Path:
    path = _from_the_project(folder)
    if not path.is_dir():
        raise SettingError("folder", f"there is no folder {path}")
    return path


def _from_the_project(path: str) -> Path:
    """Return a path seen from the user's repository: a queued ``dvc exp run`` works in a temporary clone of it."""
    return Path(os.environ.get("DVC_ROOT") or ".") / path
