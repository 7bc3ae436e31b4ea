"""Labelled arrays on disk, as NetCDF-4."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from seedscope.files.errors import SeedscopeError
from seedscope.files.netcdf import read_group, read_netcdf, write_netcdf
from seedscope.files.reading import unreadable
from seedscope.files.writing import replacing

if TYPE_CHECKING:
    import xarray as xr


def write_dataset(path: Path, dataset: xr.Dataset, **groups: xr.Dataset) -> None:
    """Write a labelled data set, and others as groups beside it, as NetCDF-4: the same data gives the same bytes."""
    size = sum(part.nbytes + 2**16 for part in (dataset, *groups.values()))  # 64 KiB: names and attributes
    with replacing(path, size) as temporary:
        write_netcdf(temporary, {"/": dataset, **{f"/{name}": group for name, group in groups.items()}})


def read_dataset(path: Path, group: str | None = None, needs: Collection[str] = ()) -> xr.Dataset:
    """Open a data set lazily (values are read where they are used); close it, or use it as a context.

    One that lacks a variable or attribute of ``needs`` is refused by that name: another version wrote it.
    """
    import xarray as xr

    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", group=group)
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # RuntimeError: h5py's word for some damage
        raise unreadable(path, error) from error
    try:
        _require(dataset, path, needs)
    except SeedscopeError:
        dataset.close()
        raise
    return dataset


def load_dataset(path: Path, group: str = "/", needs: Collection[str] = ()) -> xr.Dataset:
    """Return a data set with all its values, in a fifth of the time that opening it by :func:`read_dataset` takes.

    One that lacks a variable or attribute of ``needs`` is refused by that name: another version wrote it.
    """
    try:
        dataset = read_group(path, group)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unreadable(path, error) from error
    _require(dataset, path, needs)
    return dataset


def _require(dataset: xr.Dataset, path: Path, needs: Collection[str]) -> None:
    for name in needs:
        if name not in dataset.variables and name not in dataset.attrs:
            raise SeedscopeError(f"{path} has no {name!r}: another version wrote it; delete it and run `dvc repro`")


def write_measured(path: Path, measured: xr.Dataset | xr.DataTree) -> None:
    """Write labelled numbers, a data set or a tree of them, as NetCDF-4: the same numbers give the same bytes."""
    import xarray as xr

    if isinstance(measured, xr.Dataset):
        write_dataset(path, measured)
        return
    nodes = {node.path: node.to_dataset(inherit=False) for node in measured.subtree}
    with replacing(path, sum(node.nbytes + 2**16 for node in nodes.values())) as temporary:
        write_netcdf(temporary, nodes)


def read_measured(path: Path) -> xr.Dataset | xr.DataTree:
    """Open what :func:`write_measured` wrote, lazily: a tree where there are groups, else a data set."""
    import xarray as xr

    if not groups(path):
        return read_dataset(path)
    try:
        return xr.open_datatree(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unreadable(path, error) from error


def load_measured(path: Path) -> xr.Dataset | xr.DataTree:
    """Return what :func:`write_measured` wrote, all its values: as :func:`read_measured` in a fifth of its time."""
    import xarray as xr

    try:
        found = read_netcdf(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unreadable(path, error) from error
    return found["/"] if len(found) == 1 else xr.DataTree.from_dict(found)


def root_of(measured: xr.Dataset | xr.DataTree) -> xr.Dataset:
    """Return what belongs to no group: of a data set all, of a tree its own variables."""
    import xarray as xr

    return measured if isinstance(measured, xr.Dataset) else measured.to_dataset(inherit=False)


def group_of(measured: xr.Dataset | xr.DataTree, name: str) -> xr.Dataset:
    """Return a group of a tree."""
    import xarray as xr

    if isinstance(measured, xr.Dataset):
        raise KeyError(name)
    return measured.children[name].to_dataset(inherit=False)


def groups(path: Path) -> tuple[str, ...]:
    """Return the names of the groups beside a file's own data set."""
    import h5py

    try:
        with h5py.File(path) as file:
            return tuple(name for name, item in file.items() if isinstance(item, h5py.Group))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unreadable(path, error) from error
