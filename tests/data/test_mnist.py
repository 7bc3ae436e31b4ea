"""MNIST is read as it was published, or refused in one sentence; its splits are what they say."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seedscope.data import assemble, mnist
from seedscope.data.download import Published
from seedscope.data.mnist import FILES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Mnist
from seedscope.files.errors import SeedscopeError, SettingError


def idx(values: np.ndarray) -> bytes:
    """Return an array of bytes as an IDX file."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that writes a small MNIST, whose digests then count as the published ones.

    Its keywords replace a file's bytes (``train_images=…``) after the digests were taken.
    """
    rng = np.random.default_rng(3)

    def write(**instead: bytes) -> Path:
        for name, n, shape in (
            ("train_images", 60, (28, 28)),
            ("train_labels", 60, ()),
            ("test_images", 20, (28, 28)),
            ("test_labels", 20, ()),
        ):
            values = rng.integers(0, 256 if shape else 10, (n, *shape))
            content = packed(idx(values))
            old: Published = getattr(mnist, name.upper())
            new = dataclasses.replace(old, sha256=hashlib.sha256(content).hexdigest())
            monkeypatch.setattr(mnist, name.upper(), new)
            (tmp_path / old.name).write_bytes(instead.get(name, content))
        return tmp_path

    return write


def refusal(folder: Path) -> str:
    """Return why the folder's files are refused."""
    with pytest.raises(SeedscopeError) as refused:
        assemble(Mnist(folder=str(folder), n_train=50, n_probe=20))
    assert "\n" not in str(refused.value)
    return str(refused.value)


# --- files --------------------------------------------------------------------------------------------------------


def test_pictures_and_labels_are_those_of_the_files(made_up) -> None:
    folder = made_up()
    part = Mnist(folder=str(folder), n_train=60, n_probe=20).probe()
    raw = gzip.decompress((folder / TEST_IMAGES.name).read_bytes())[16:]
    assert part.image.dtype == np.float32
    np.testing.assert_array_equal(np.rint(part.image.values * 255).astype(np.uint8).tobytes(), raw)
    assert part.image.values.max() == 1
    assert part.label.values.tolist() == list(gzip.decompress((folder / TEST_LABELS.name).read_bytes())[8:])
    assert part.image.shape == (20, 1, 28, 28)


def test_a_truncated_file_is_refused(made_up) -> None:
    folder = made_up(train_images=packed(idx(np.zeros((60, 28, 28))))[:-20])
    assert refusal(folder) == f"{folder / TRAIN_IMAGES.name} is truncated: it ends before its gzip stream does"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>not found</html>", "is not a whole gzip file: Not a gzipped file (b'<h')"),
        (b"", "is empty"),
        (packed(b""), "is empty"),
        (packed(idx(np.zeros(60)))[:-8] + b"\0\0\0\1\0\0\0\1", "is not a whole gzip file: CRC check failed"),
    ],
    ids=["a page", "nothing", "nothing, packed", "a wrong checksum"],
)
def test_what_is_no_whole_gzip_file_is_refused(made_up, content: bytes, sentence: str) -> None:
    folder = made_up(train_labels=content)
    assert refusal(folder).startswith(f"{folder / TRAIN_LABELS.name} {sentence}")


@pytest.mark.parametrize(
    ("name", "file", "values", "sentence"),
    [
        (
            "train_images",
            TRAIN_IMAGES,
            np.zeros(60),
            "is no IDX file of pictures: its magic number is 0x00000801, not 0x00000803",
        ),
        (
            "test_labels",
            TEST_LABELS,
            np.zeros((20, 28, 28)),
            "is no IDX file of labels: its magic number is 0x00000803, not 0x00000801",
        ),
    ],
)
def test_a_wrong_magic_number_is_refused(made_up, name: str, file: Published, values: np.ndarray, sentence: str):
    folder = made_up(**{name: packed(idx(values))})
    assert refusal(folder) == f"{folder / file.name} {sentence}"


@pytest.mark.parametrize("change", [lambda c: c[:-3], lambda c: c + b"abc", lambda c: c[:6]])
def test_a_file_that_does_not_hold_what_its_header_says_is_refused(made_up, change) -> None:
    folder = made_up(test_labels=packed(change(idx(np.zeros(20)))))
    assert refusal(folder).startswith(f"{folder / TEST_LABELS.name} says that it holds ")


def test_pictures_and_labels_that_disagree_in_number_are_refused(made_up) -> None:
    folder = made_up(train_labels=packed(idx(np.zeros(59))))
    assert refusal(folder) == (
        f"{folder / TRAIN_IMAGES.name} holds 60 pictures and {folder / TRAIN_LABELS.name} 59 labels"
    )


def test_a_whole_file_that_is_not_the_published_one_is_refused(made_up) -> None:
    folder = made_up(train_images=packed(idx(np.ones((60, 28, 28)))))
    assert refusal(folder).startswith(f"{folder / TRAIN_IMAGES.name} is not the file of MNIST (its SHA-256 is ")


def test_a_folder_that_lacks_a_file_is_refused_before_anything_runs(made_up) -> None:
    folder = made_up()
    (folder / TEST_LABELS.name).unlink()
    with pytest.raises(SettingError, match=f"holds no file {TEST_LABELS.name}") as refused:
        Mnist(folder=str(folder))
    assert refused.value.key == "folder"


# --- where they are looked for ------------------------------------------------------------------------------------


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Return what would be downloaded, and where to; nothing is."""
    asked: list[tuple[str, Path]] = []

    def instead(file: Published, _mirrors: object, folder: Path) -> None:
        asked.append((file.name, folder))
        raise SeedscopeError("no network")

    monkeypatch.setattr(mnist, "download", instead)
    return asked


@pytest.mark.parametrize("inner", ["", "mnist"])
def test_the_environment_names_the_folder_of_the_files_or_the_one_above(made_up, monkeypatch, fetched, inner) -> None:
    folder = made_up()
    above = folder.rename(folder.with_name("above")) if not inner else folder
    if inner:
        (folder / inner).mkdir()
        for file in FILES:
            (folder / file.name).rename(folder / inner / file.name)
    monkeypatch.setenv("SEEDSCOPE_DATA", str(above))
    assert assemble(Mnist(n_train=50, n_probe=20)).sizes["sample"] == 70
    assert fetched == []


def test_what_is_missing_goes_to_the_environments_folder_or_else_to_the_cache(tmp_path, monkeypatch, fetched) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place, expected in (
        (str(tmp_path / "data"), tmp_path / "data" / "mnist"),
        ("", tmp_path / "home" / ".cache" / "seedscope" / "mnist"),
    ):
        monkeypatch.setenv("SEEDSCOPE_DATA", place)
        with pytest.raises(SeedscopeError, match="no network"):
            Mnist().probe()
        assert fetched.pop() == (TEST_IMAGES.name, expected)


def test_a_folder_is_seen_from_the_users_repository_also_in_a_queued_experiment(made_up, monkeypatch, fetched) -> None:
    folder = made_up()
    monkeypatch.setenv("DVC_ROOT", str(folder.parent))
    monkeypatch.setenv("SEEDSCOPE_DATA", folder.name)
    assert Mnist(n_train=50, n_probe=20).probe().identical(Mnist(folder=folder.name, n_probe=20).probe())
    assert fetched == []


def test_a_configured_folder_is_never_downloaded_into(made_up, fetched) -> None:
    folder = made_up()
    source = Mnist(folder=str(folder), n_train=50)
    (folder / TRAIN_LABELS.name).unlink()
    with pytest.raises(SeedscopeError, match="cannot be read: No such file or directory"):
        source.training(0)
    assert fetched == []


def test_no_path_of_the_machine_enters_the_configuration(made_up) -> None:
    assert Mnist(folder=str(made_up())).inputs == ()


def test_mirrors_are_web_addresses() -> None:
    with pytest.raises(SettingError, match="no address that begins with http") as refused:
        Mnist(mirrors=["ftp://example.org/"])
    assert refused.value.key == "mirrors"


# --- splits -------------------------------------------------------------------------------------------------------


def pictures_of(part, split: str | None = None) -> list[bytes]:
    chosen = part if split is None else part.isel(sample=np.flatnonzero(part.split.values == split))
    return [image.tobytes() for image in chosen.image.values]


def test_a_draw_is_split_into_training_and_validation_by_the_share(made_up) -> None:
    part = Mnist(folder=str(made_up()), n_train=60, validation=0.1).training(0)
    assert part.split.values.tolist() == ["train"] * 54 + ["validation"] * 6
    assert len(set(pictures_of(part))) == 60


def test_another_draw_holds_back_others_and_the_same_draw_is_the_same(made_up) -> None:
    source = Mnist(folder=str(made_up()), n_train=60, validation=0.2)
    first, second = source.training(0), source.training(1)
    assert first.identical(source.training(0))
    assert set(pictures_of(first)) == set(pictures_of(second))
    assert set(pictures_of(first, "validation")) != set(pictures_of(second, "validation"))


def test_fewer_pictures_are_another_sample_in_each_draw(made_up) -> None:
    source = Mnist(folder=str(made_up()), n_train=30, validation=0)
    assert set(source.training(0).split.values) == {"train"}
    assert set(pictures_of(source.training(0))) != set(pictures_of(source.training(1)))
    other = dataclasses.replace(source, seed=1)
    assert set(pictures_of(source.training(0))) != set(pictures_of(other.training(0)))


def test_probe_pictures_are_of_the_test_set_whatever_the_draw(made_up) -> None:
    folder = made_up()
    source = Mnist(folder=str(folder), n_train=60, n_probe=8)
    everything = pictures_of(dataclasses.replace(source, n_probe=20).probe())
    chosen = pictures_of(source.probe())
    positions = [everything.index(one) for one in chosen]
    assert positions == sorted(positions)
    assert positions != list(range(8))  # a sample of the whole, not its beginning
    assert not set(chosen) & set(pictures_of(source.training(0)))


def test_a_share_that_leaves_a_split_empty_is_refused() -> None:
    with pytest.raises(SettingError, match=r"a share of 0\.01 of 20 pictures leaves none for validation") as refused:
        Mnist(n_train=20, validation=0.01)
    assert refused.value.key == "validation"


# --- the real files -----------------------------------------------------------------------------------------------

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def real() -> Path:
    """Return the folder of the published files, where there is one here."""
    for base in (Path(os.environ.get("SEEDSCOPE_DATA") or BESIDE), BESIDE):
        for folder in (base, base / "mnist"):
            if all((folder / file.name).is_file() for file in FILES):
                return folder
    pytest.skip("the files of MNIST are neither in $SEEDSCOPE_DATA nor in ../shared/data")


def test_the_published_files_hold_70000_digits(real: Path) -> None:
    data = assemble(Mnist(folder=str(real)))
    assert data.sizes == {"sample": 70_000, "channel": 1, "y": 28, "x": 28}
    assert np.unique(data.split.values, return_counts=True)[1].tolist() == [10_000, 54_000, 6_000]
    train, probe = (data.label.values[:60_000], data.label.values[60_000:])
    # How many there are of each digit, as the publishers of MNIST count them.
    assert np.bincount(train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(probe).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert probe[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    mean, deviation = data.image.values[:60_000].mean(dtype=float), data.image.values[:60_000].std(dtype=float)
    assert (mean, deviation) == pytest.approx((0.1307, 0.3081), abs=5e-5)


def test_digests_are_those_of_the_published_files(real: Path) -> None:
    for file in FILES:
        content = (real / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
