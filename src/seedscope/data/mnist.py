"""MNIST: 70,000 handwritten digits, 28×28, from the four files in which they are published.

    IDX file (big-endian): 0, 0, type (8: bytes), number of axes, length of each axis (uint32), then the values
    magic number 0x00000803: pictures (sample, y, x);  0x00000801: labels (sample);  brightness 0…255 becomes [0, 1]

The files are taken from ``folder`` where it is set; else from ``$SEEDSCOPE_DATA``, or its folder ``mnist``; else from
``~/.cache/seedscope/mnist``. Without a ``folder``, files that are missing are downloaded, once. Whatever they come
from, they are held against their known SHA-256: so no path and no file of a machine enters the configuration.

Source: LeCun, Bottou, Bengio and Haffner (1998), *Gradient-based learning applied to document recognition*.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Interval, MinLen

from seedscope.data import pictures, train_and_validation
from seedscope.data.download import Published, download
from seedscope.files.errors import SeedscopeError, SettingError

if TYPE_CHECKING:
    import xarray as xr

TRAIN_IMAGES = Published(
    "train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
)
TRAIN_LABELS = Published(
    "train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
)
TEST_IMAGES = Published("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6")
TEST_LABELS = Published("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
_TRAIN, _TEST = 60_000, 10_000
_BYTE = 8  # the IDX type of unsigned bytes


@dataclass(frozen=True)
class Mnist:
    """MNIST; the probe pictures are those of its test set, the others those of its training set.

    ``training(draw)`` permutes the 60,000 pictures by ``seed`` and ``draw``, takes the first ``n_train`` and holds back
    the last of these for validation. So another draw is another split, and where ``n_train`` is less, another sample.

    Attributes:
        folder: where the four files lie; ``None`` looks where the module says, and downloads what is missing.
        n_train: pictures of a draw, those for validation included.
        n_probe: probe pictures, chosen by ``seed``.
        validation: share of a draw that is held back from learning.
        seed: chooses the draws, and the probe pictures; a replica's seed does not change it.
        mirrors: addresses below which the files are published, asked in turn.

    Raises:
        SettingError: ``folder`` lacks one of the files, or the draw is too small for its validation share.
    """

    folder: str | None = None
    n_train: Annotated[int, Interval(ge=1, le=_TRAIN)] = _TRAIN
    n_probe: Annotated[int, Interval(ge=1, le=_TEST)] = _TEST
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    seed: Annotated[int, Ge(0)] = 0
    mirrors: Annotated[Sequence[str], MinLen(1)] = MIRRORS

    def __post_init__(self) -> None:
        """Refuse a folder without the files, an address of another kind, and a share that leaves a split empty."""
        train_and_validation(self.n_train, self.validation)
        for address in self.mirrors:
            if not address.startswith(("http://", "https://")):
                raise SettingError("mirrors", f"{address!r} is no address that begins with http:// or https://")
        if self.folder is not None:
            for file in FILES:
                if not (_from_the_project(self.folder) / file.name).is_file():
                    raise SettingError("folder", f"{self.folder} holds no file {file.name}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, y, x) of a picture."""
        return (1, 28, 28)

    @property
    def class_names(self) -> Sequence[str]:
        """Return the ten digits."""
        return [str(digit) for digit in range(10)]

    @property
    def inputs(self) -> Sequence[Path]:
        """Return nothing: the content of the files is fixed by their SHA-256, wherever they lie."""
        return ()

    def training(self, draw: int) -> xr.Dataset:
        """Return the ``draw``-th training set, the pictures for validation last."""
        image, label = self._read(TRAIN_IMAGES, TRAIN_LABELS)
        chosen = np.random.default_rng([self.seed, 1, draw]).permutation(len(label))[: self.n_train]
        return _pictures(image, label, chosen, train_and_validation(self.n_train, self.validation))

    def probe(self) -> xr.Dataset:
        """Return the probe pictures, in the order of the file."""
        image, label = self._read(TEST_IMAGES, TEST_LABELS)
        chosen = np.random.default_rng([self.seed, 0]).permutation(len(label))[: self.n_probe]
        return _pictures(image, label, np.sort(chosen), "probe")

    def _read(self, images: Published, labels: Published) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures (sample, y, x) and labels (sample), as bytes, and fetch their files where need be."""
        folder = _from_the_project(self.folder) if self.folder is not None else _kept()
        if self.folder is None:
            for file in (images, labels):
                if not (folder / file.name).exists():
                    download(file, self.mirrors, folder)
        return read_pair(folder, images, labels)


def read_pair(folder: Path, images: Published, labels: Published) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures (sample, y, x) and their labels (sample), as bytes.

    Raises:
        SeedscopeError: a file cannot be read, is no whole IDX file, or not the one that was published; or there is
            not one label for each picture.
    """
    image_path, label_path = folder / images.name, folder / labels.name
    image_bytes, label_bytes = _bytes(image_path), _bytes(label_path)
    image = read_idx(image_path, image_bytes, axes=3)
    label = read_idx(label_path, label_bytes, axes=1)
    if len(image) != len(label):
        raise SeedscopeError(f"{image_path} holds {len(image)} pictures and {label_path} {len(label)} labels")
    for path, content, file in ((image_path, image_bytes, images), (label_path, label_bytes, labels)):
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            raise SeedscopeError(
                f"{path} is not the file of MNIST (its SHA-256 is {found[:12]}…, not {file.sha256[:12]}…): "
                "delete it, or name a folder with the right one"
            )
    return image, label


def read_idx(path: Path, compressed: bytes, axes: int) -> np.ndarray:
    """Return the array in a gzip-compressed IDX file of bytes; ``path`` is named where something is wrong.

    Raises:
        SeedscopeError: the file is truncated, damaged, not gzip, or not an IDX file of bytes with that many axes.
    """
    try:
        content = gzip.decompress(compressed)
    except EOFError as error:
        raise SeedscopeError(f"{path} is truncated: it ends before its gzip stream does") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SeedscopeError(f"{path} is not a whole gzip file: {error}") from error
    if not content:
        raise SeedscopeError(f"{path} is empty")
    magic, expected = content[:4], bytes([0, 0, _BYTE, axes])
    if magic != expected:
        raise SeedscopeError(
            f"{path} is no IDX file of {'pictures' if axes == 3 else 'labels'}: its magic number is 0x{magic.hex()}, "
            f"not 0x{expected.hex()}"
        )
    start = 4 + 4 * axes
    lengths = np.frombuffer(content[4:start].ljust(4 * axes, b"\0"), dtype=">u4").astype(np.int64)
    if len(content) - start != lengths.prod():
        raise SeedscopeError(
            f"{path} says that it holds {' × '.join(map(str, lengths))} bytes and holds {max(0, len(content) - start)}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(lengths)


def _pictures(image: np.ndarray, label: np.ndarray, chosen: np.ndarray, split: str | np.ndarray) -> xr.Dataset:
    return pictures(image[chosen, None].astype(np.float32) / np.float32(255), label[chosen], split)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be read: {error.strerror}") from error


def _kept() -> Path:
    """Return the folder of the files where the user names none: the one that has all, or the one they will go to."""
    base = os.environ.get("SEEDSCOPE_DATA")
    if not base:
        return Path.home() / ".cache" / "seedscope" / "mnist"
    folder = _from_the_project(base)
    return folder if all((folder / file.name).exists() for file in FILES) else folder / "mnist"


def _from_the_project(folder: str) -> Path:
    """Return a folder seen from the user's repository: a queued ``dvc exp run`` works in a temporary clone of it."""
    return Path(os.environ.get("DVC_ROOT") or ".") / folder
