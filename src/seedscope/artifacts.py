"""Where every artifact lies, and how it is written: whole or not at all.

The names below are a contract: other tools read these paths (see the table in README.md).
A file appears under its final name only when it is complete: it is written beside it under a unique
``*.tmp`` name (ignored by git and DVC) and renamed, so that neither ``kill -9`` nor a second writer of
the same artifact can leave half a file.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import traceback
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.errors import SeedscopeError, in_one_line
from seedscope.replica_name import ReplicaName, folder_name

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Artifacts:
    """The paths of one experiment's artifacts below ``root``."""

    experiment: str
    root: Path = Path()

    @property
    def config(self) -> Path:
        """Return the composed configuration, the only one that a stage reads."""
        return self.root / "runs" / "configs" / f"{self.experiment}.yaml"

    @property
    def data(self) -> Path:
        """Return the file of pictures, labels, splits and the generator's ground truth."""
        return self.root / "runs" / self.experiment / "data.nc"

    def replica(self, name: ReplicaName) -> Path:
        """Return the folder of one trained network."""
        return self.root / "runs" / self.experiment / "replicas" / folder_name(name)

    def model(self, name: ReplicaName) -> Path:
        """Return the ``state_dict`` of one trained network."""
        return self.replica(name) / "model.safetensors"

    def history(self, name: ReplicaName) -> Path:
        """Return the table of losses and accuracies by epoch."""
        return self.replica(name) / "history.csv"

    def frames(self, name: ReplicaName) -> Path:
        """Return the network at chosen steps of its training."""
        return self.replica(name) / "frames.nc"

    def identity(self, name: ReplicaName) -> Path:
        """Return what determines one trained network, and the fingerprint made of it."""
        return self.replica(name) / "identity.json"

    def activations(self, name: ReplicaName) -> Path:
        """Return the activations of the probe pictures in one network."""
        return self.root / "runs" / self.experiment / "activations" / f"{folder_name(name)}.nc"

    def measures(self, name: ReplicaName, lens: str) -> Path:
        """Return what one lens measured on one network."""
        return self.root / "runs" / self.experiment / "measures" / folder_name(name) / f"{lens}.nc"

    def figures(self, name: ReplicaName, lens: str) -> Path:
        """Return the folder of the figures that one lens drew of one network."""
        return self.root / "reports" / "figures" / self.experiment / "seeds" / str(name) / lens

    @property
    def across_seeds(self) -> Path:
        """Return the folder of the figures and tables that compare the replicas."""
        return self.root / "reports" / "figures" / self.experiment / "across_seeds"

    @property
    def seeds_metrics(self) -> Path:
        """Return the metrics by seed: ``{"<seed>": {"<lens>": {"<name>": number}}}``."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.seeds.json"

    @property
    def across_metrics(self) -> Path:
        """Return the metrics over seeds, each with n and its interval."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.across_seeds.json"

    @property
    def learning(self) -> Path:
        """Return the learning curve over seeds: the table behind ``dvc plots show``."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.learning.csv"


@dataclass(frozen=True)
class SweepArtifacts:
    """The paths of one sweep's artifacts below ``root``; ``sweep`` is ``<experiment>-<sweep>``."""

    sweep: str
    root: Path = Path()

    @property
    def config(self) -> Path:
        """Return the composed sweep: the settings of all its variants."""
        return self.root / "runs" / "configs" / f"{self.sweep}.yaml"

    @property
    def variants(self) -> Path:
        """Return the folder that holds a folder for each variant."""
        return self.root / "runs" / "sweeps" / self.sweep

    def variant(self, name: str) -> Artifacts:
        """Return the paths of one variant, which are those of an experiment in ``runs/sweeps/<sweep>/<variant>/``."""
        return Artifacts(f"sweeps/{self.sweep}/{name}", self.root)

    @property
    def figures(self) -> Path:
        """Return the folder of the figures and tables that compare the conditions."""
        return self.root / "reports" / "figures" / "sweeps" / self.sweep

    @property
    def metrics(self) -> Path:
        """Return the numbers by condition, and their trends."""
        return self.root / "reports" / "metrics" / f"{self.sweep}.sweep.json"


@contextlib.contextmanager
def replacing(path: Path, size: int = 0) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the name ``path`` in one step.

    The folder is made when missing; on any error the temporary file is removed and ``path`` stays as it was.
    ``size`` bytes are asked of the disk beforehand: HDF5 crashes the process when the disk fills up under it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if size and hasattr(os, "posix_fallocate"):
            with temporary.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def keep_only(folder: Path, files: Collection[Path]) -> None:
    """Remove what lies in ``folder`` besides ``files``, which were just written.

    To empty it before writing would take away what a worker that outlived its stage, or its successor, has written.
    """
    for path in folder.glob("*"):
        if path not in files and path.suffix != ".tmp":
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON with sorted keys, so that equal content is equal bytes.

    A number that is not finite has no place in JSON: put ``None`` where there is no value.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON, or say in one sentence what is wrong with the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds keys and values; one of another shape is refused."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise _unreadable(path, ValueError(f"it holds a {type(content).__name__}, not keys and values"))
    return content


def read_identity(path: Path) -> dict[str, Any]:
    """Read an ``identity.json``, which names the network that a replica is."""
    identity = read_mapping(path)
    if "model" not in identity:
        raise SeedscopeError(f"{path} names no network: delete it and run `dvc repro`")
    return identity


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a ``history.csv``, a value per epoch; refuse one that is cut or lacks a column.

    Only a column beyond those that every history has may lack a value, which is then NaN.
    """
    always = ("epoch", "train_loss", "train_accuracy", "probe_loss", "probe_accuracy")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
        for name in always:
            if name not in columns:
                raise ValueError(f"it has no column {name!r}")
        empty = {name: [row[name] == "" and name not in always for row in rows] for name in columns}
        return {
            name: [float("nan" if without else row[name]) for row, without in zip(rows, empty[name], strict=True)]
            for name in columns
        }
    except (OSError, ValueError, TypeError, csv.Error) as error:  # TypeError: a row that ends too early
        raise _unreadable(path, error) from error


def write_dataset(path: Path, dataset: xr.Dataset, **groups: xr.Dataset) -> None:
    """Write a labelled data set, and others as groups beside it, as NetCDF-4: the same data gives the same bytes."""
    size = sum(part.nbytes + 2**16 for part in (dataset, *groups.values()))  # 64 KiB: names and attributes
    with replacing(path, size) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")
        for name, group in groups.items():
            group.to_netcdf(temporary, mode="a", group=name, engine="h5netcdf")


def read_dataset(path: Path, group: str | None = None, needs: Collection[str] = ()) -> xr.Dataset:
    """Open a data set lazily (values are read where they are used); close it, or use it as a context.

    One that lacks a variable or attribute of ``needs`` is refused by that name: another version wrote it.
    """
    import xarray as xr

    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", group=group)
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # RuntimeError: h5py's word for some damage
        raise _unreadable(path, error) from error
    for name in needs:
        if name not in dataset.variables and name not in dataset.attrs:
            dataset.close()
            raise SeedscopeError(f"{path} has no {name!r}: another version wrote it; delete it and run `dvc repro`")
    return dataset


def groups(path: Path) -> tuple[str, ...]:
    """Return the names of the groups beside a file's own data set."""
    import h5netcdf

    try:
        with h5netcdf.File(path) as file:
            return tuple(file.groups)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def read_weights(path: Path) -> dict[str, Any]:
    """Return the arrays of a ``model.safetensors`` by their ``state_dict`` name, as numpy arrays."""
    import safetensors
    import safetensors.numpy

    try:
        return dict(safetensors.numpy.load_file(path))
    except (OSError, TypeError, safetensors.SafetensorError) as error:  # TypeError: no such number type in numpy
        raise _unreadable(path, error) from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and contents."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        return digest_of({p.relative_to(path).as_posix(): digest(p) for p in files})
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be read: {_reason(error)}") from error


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON-like content; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def state_folder() -> Path:
    """Return ``.replicas`` of the repository that the user works in.

    It keeps finished replicas and logs between runs, and is safe to delete. A queued ``dvc exp run`` works in a
    temporary clone; ``DVC_ROOT`` names the real repository.
    """
    return Path(os.environ.get("DVC_ROOT") or ".") / ".replicas"


def keep_traceback(error: BaseException, name: str) -> str:
    """Keep an unexpected error's traceback in ``.replicas/logs/<name>.log``; return what to tell of it instead."""
    log = state_folder() / "logs" / f"{name}.log"
    try:
        write_text(log, "".join(traceback.format_exception(error)))
        kept = f"traceback in {log}"
    except SeedscopeError as unwritten:
        kept = f"its log {unwritten}"
    return f"{in_one_line(error)} ({kept})"


def _unreadable(path: Path, error: Exception) -> SeedscopeError:
    if not path.exists():
        return SeedscopeError(f"{path} does not exist: run `dvc repro` to make it")
    return SeedscopeError(
        f"{path} cannot be read ({_reason(error)}): it is truncated or not what its name says; "
        "delete it and run `dvc repro`"
    )


def _reason(error: Exception) -> str:
    """Return what an error says, in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return " ".join(str(said).split()) or type(error).__name__
