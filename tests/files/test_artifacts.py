"""A file is written whole or not at all, and a damaged one is named in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from safetensors.numpy import save_file

from seedscope.files.arrays import groups, read_dataset, write_dataset
from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts, state_folder
from seedscope.files.reading import read_json
from seedscope.files.weights import read_weights
from seedscope.files.writing import replacing, write_json, write_text


def _dataset(n: int = 100) -> xr.Dataset:
    return xr.Dataset(
        {"image": (("sample", "y"), np.arange(4.0 * n).reshape(n, 4)), "split": ("sample", np.array(["train"] * n))},
        attrs={"class_names": ["here", "there"]},
    )


# --- writing --------------------------------------------------------------------------------------------------


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".tmp"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), SeedscopeError("no")])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as one, replacing(path) as two:
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, [0] * 5000)
    finished = threading.Event()

    def write() -> None:
        for number in range(60):
            write_json(path, [number] * 5000)
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not finished.is_set():
        assert len(set(read_json(path))) == 1
    writer.join()


@contextmanager
def _small_files(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.txt": lambda path: write_text(path, "x" * 100_000),
    "a.json": lambda path: write_json(path, list(range(50_000))),
    "a.nc": lambda path: write_dataset(path, _dataset(5000)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with _small_files(20_000), pytest.raises(SeedscopeError) as refused:
        WRITERS[name](path)
    assert str(refused.value) == f"{path} cannot be written: File too large"
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert path.read_text() == "old"


def test_a_disk_that_is_too_small_for_a_data_set_does_not_crash_the_process(tmp_path: Path) -> None:
    code = f"""
import resource, numpy as np, xarray as xr
from pathlib import Path
from seedscope.files.arrays import write_dataset
from seedscope.files.errors import SeedscopeError
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
data = xr.Dataset({{"a": ("x", np.zeros(50_000))}})
try:
    write_dataset(Path({str(tmp_path)!r}) / "a.nc", data)
except SeedscopeError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/a.nc cannot be written: File too large\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "Permission denied"),
        (OSError("two\nlines"), "two lines"),
        (OSError(), "OSError"),
    ],
)
def test_whatever_the_disk_says_is_told_with_the_files_name(tmp_path: Path, error: OSError, said: str) -> None:
    with pytest.raises(SeedscopeError) as refused, replacing(tmp_path / "a.txt"):
        raise error
    assert str(refused.value) == f"{tmp_path / 'a.txt'} cannot be written: {said}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SeedscopeError, match=r"file/a\.txt cannot be written: (File exists|Not a directory)"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_equal_json_is_equal_bytes_and_what_is_no_number_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None, "größer"]})
    write_json(tmp_path / "b.json", {"a": [1.5, None, "größer"], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": [1.5, None, "größer"], "b": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_an_equal_data_set_is_equal_bytes_and_comes_back_as_it_was(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a.nc", _dataset())
    write_dataset(tmp_path / "b.nc", _dataset())
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    with read_dataset(tmp_path / "a.nc") as back:
        xr.testing.assert_identical(back.load(), _dataset())


# --- reading --------------------------------------------------------------------------------------------------


def _files(folder: Path) -> dict[str, Callable[[Path], object]]:
    """Write one file of each kind; return their readers."""
    write_dataset(folder / "a.nc", _dataset())
    save_file({"fc1.weight": np.ones((4, 4), np.float32)}, folder / "a.safetensors")
    write_json(folder / "a.json", {"a": list(range(100))})
    return {"a.nc": read_dataset, "a.safetensors": read_weights, "a.json": read_json}


def _damaged(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut short": content[:30],
        "cut in half": content[: len(content) // 2],
        "cut at the end": content[:-1].rstrip()[:-1],
        "another kind of file": b"<html>404</html>" * 40,
    }


@pytest.mark.parametrize("damage", _damaged(b""))
@pytest.mark.parametrize("name", ["a.nc", "a.safetensors", "a.json"])
def test_a_damaged_file_is_named_in_one_sentence(tmp_path: Path, name: str, damage: str) -> None:
    read = _files(tmp_path)[name]
    path = tmp_path / name
    read(path)
    path.write_bytes(_damaged(path.read_bytes())[damage])
    with pytest.raises(SeedscopeError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path} cannot be read (")
    assert str(refused.value).endswith("delete it and run `dvc repro`")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.nc", "a.safetensors", "a.json"])
def test_a_missing_file_says_how_to_make_it(tmp_path: Path, name: str) -> None:
    read = _files(tmp_path)[name]
    (tmp_path / name).unlink()
    with pytest.raises(SeedscopeError) as refused:
        read(tmp_path / name)
    assert str(refused.value) == f"{tmp_path / name} does not exist: run `dvc repro` to make it"


@pytest.mark.parametrize("name", ["a.nc", "a.safetensors", "a.json"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, name: str) -> None:
    read = _files(tmp_path)[name]
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(SeedscopeError, match=f"{name} cannot be read"):
        read(tmp_path / name)


def test_a_missing_group_of_a_data_set_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a.nc", _dataset())
    with pytest.raises(SeedscopeError, match=r"a\.nc cannot be read \(.*fc9"):
        read_dataset(tmp_path / "a.nc", group="fc9")


def test_json_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes('"größer"'.encode("latin-1"))
    with pytest.raises(SeedscopeError, match=r"a\.json cannot be read"):
        read_json(tmp_path / "a.json")


def test_weights_of_a_type_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(SeedscopeError, match=r"a\.safetensors cannot be read"):
        read_weights(tmp_path / "a.safetensors")


# --- digests, places ------------------------------------------------------------------------------------------


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"seed" * 100_000)
    assert digest(tmp_path / "a") == hashlib.sha256(b"seed" * 100_000).hexdigest()


def test_the_digest_of_a_folder_depends_on_names_and_contents_below_it_alone(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "in").mkdir(parents=True)
        (tmp_path / folder / "in" / "a").write_text("a")
        (tmp_path / folder / "b").write_text("b")
    same = digest(tmp_path / "one")
    assert digest(tmp_path / "two") == same
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert digest(tmp_path / "two") != same
    (tmp_path / "two" / "c").rename(tmp_path / "two" / "in" / "b")
    assert digest(tmp_path / "two") != same
    (tmp_path / "two" / "in" / "b").rename(tmp_path / "two" / "b")
    assert digest(tmp_path / "two") == same
    (tmp_path / "two" / "in" / "a").write_text("A")
    assert digest(tmp_path / "two") != same


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(SeedscopeError, match="nothing cannot be read: No such file or directory"):
        digest(tmp_path / "nothing")


def test_the_digest_of_content_ignores_the_order_of_keys_and_nothing_else() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})


def test_the_state_lies_in_the_repository_that_dvc_root_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert state_folder() == tmp_path / ".replicas"
    for unset in ("", None):
        monkeypatch.setenv("DVC_ROOT", "") if unset == "" else monkeypatch.delenv("DVC_ROOT")
        assert state_folder() == Path(".replicas")


def test_artifacts_lie_where_the_contract_says() -> None:
    at = Artifacts("squares")
    assert str(at.config) == "runs/configs/squares.json"
    assert str(at.data) == "runs/squares/data.nc"
    assert str(at.model(3)) == "runs/squares/replicas/seed-3/model.safetensors"
    assert str(at.history(3)) == "runs/squares/replicas/seed-3/history.csv"
    assert str(at.identity(3)) == "runs/squares/replicas/seed-3/identity.json"
    assert str(at.activations(3)) == "runs/squares/activations/seed-3.nc"
    assert str(at.measures(3, "mistakes")) == "runs/squares/measures/seed-3/mistakes.nc"
    assert str(at.figures(3, "mistakes")) == "reports/figures/squares/seeds/3/mistakes"
    assert str(at.across_seeds) == "reports/figures/squares/across_seeds"
    assert str(at.seeds_metrics) == "reports/metrics/squares.seeds.json"
    assert str(at.across_metrics) == "reports/metrics/squares.across_seeds.json"
    assert str(at.learning) == "reports/metrics/squares.learning.csv"


def test_groups_lie_beside_a_data_set_and_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        write_dataset(tmp_path / name, _dataset(), more=_dataset(7))
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert groups(tmp_path / "a.nc") == ("more",)
    with read_dataset(tmp_path / "a.nc") as own, read_dataset(tmp_path / "a.nc", group="more") as more:
        assert own.load().identical(_dataset())
        assert more.load().identical(_dataset(7))
    (tmp_path / "b.nc").write_bytes(b"half")
    with pytest.raises(SeedscopeError, match=r"b\.nc cannot be read"):
        groups(tmp_path / "b.nc")
