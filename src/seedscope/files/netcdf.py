"""Labelled arrays as NetCDF-4, by h5py alone: files that xarray and h5netcdf read as their own, many times as fast.

    group       a data set; attributes as they are
    dimension   an HDF5 dimension scale of its name: its coordinate, or an empty one where it has none
    variable    an HDF5 data set whose axes have these scales attached

A lens writes some dozens of variables of a few numbers, and reads them again. Through h5netcdf each takes milliseconds,
since it looks every dimension up anew at every step; that would be most of what a small seed costs. What values mean
(missing ones, booleans, text, which variables are coordinates) is coded by xarray, as it always does.

Source: *The NetCDF-4 File Format*, appendix C of the NetCDF User's Guide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import h5py
    import xarray as xr

_HIDDEN = frozenset(
    {"REFERENCE_LIST", "CLASS", "DIMENSION_LIST", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_NCProperties"}
)
_NOT_A_COORDINATE = "_nc4_non_coord_"  # a variable of a dimension's name that is not its coordinate
_NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable."

Scales = Mapping[str, "h5py.Dataset"]


def write_netcdf(path: Path, groups: Mapping[str, xr.Dataset]) -> None:
    """Write data sets by the path of their group, ``/`` the root; the same data gives the same bytes.

    A group stands behind those that it lies in. Where one of these has a dimension, it is that dimension.
    """
    import h5py

    with h5py.File(path, "w", track_order=True) as file:
        version = f"version=2,hdf5={h5py.version.hdf5_version},h5py={h5py.__version__}"
        file.attrs["_NCProperties"] = np.array(version, dtype=h5py.string_dtype("ascii", len(version)))
        known: dict[str, Scales] = {}
        for name, dataset in groups.items():
            group = file if name == "/" else file.create_group(name, track_order=True)
            above: dict[str, h5py.Dataset] = {}
            for before, scales in known.items():
                if name.startswith(before.rstrip("/") + "/"):
                    above |= scales
            known[name] = _write_group(group, dataset, above, sum(map(len, known.values())))


def empty_variable(
    group: h5py.Group, name: str, sizes: Mapping[str, int], dtype: np.dtype[Any], coordinates: xr.Dataset, number: int
) -> h5py.Dataset:
    """Write coordinates into a group and, for values to be put into it part by part, a variable with these dimensions.

    Args:
        group: an empty one.
        name: of the variable.
        sizes: of its dimensions, in their order.
        dtype: of its values.
        coordinates: of some of these dimensions, and along them; they become those of the variable.
        number: how many dimensions the file has already.
    """
    scales = dict(_write_group(group, coordinates, {}, number))
    for dim in sizes:
        if dim in scales:
            continue
        scales[dim] = _scale(group, dim, sizes[dim], number + len(scales))
    written = group.create_dataset(name, tuple(sizes.values()), dtype, track_order=True)
    for axis, dim in enumerate(sizes):
        written.dims[axis].attach_scale(scales[dim])
    beside = [str(other) for other in coordinates.coords if other not in coordinates.dims]
    if beside:
        written.attrs["coordinates"] = " ".join(beside)
    return written


def _scale(group: h5py.Group, dim: str, size: int, number: int) -> h5py.Dataset:
    """Write a dimension that has no coordinate."""
    scale = group.create_dataset(dim, (size,), ">f4", track_order=True)
    scale.attrs["_Netcdf4Dimid"] = np.int32(number)
    scale.make_scale(_NOT_A_VARIABLE + b"%10d" % size)
    return scale


def _write_group(group: h5py.Group, dataset: xr.Dataset, above: Scales, number: int) -> Scales:
    """Write one data set; return the scales of its own dimensions, numbered from ``number`` on."""
    from xarray import conventions

    variables, attributes = conventions.encode_dataset_coordinates(dataset)
    coded = {str(name): conventions.encode_cf_variable(variable, name=name) for name, variable in variables.items()}
    for key, value in attributes.items():
        group.attrs[str(key)] = _attribute(value)
    sizes = {str(dim): size for variable in coded.values() for dim, size in variable.sizes.items()}
    scales: dict[str, h5py.Dataset] = {}
    for dim, size in sizes.items():
        own = coded[dim] if dim in coded and coded[dim].dims == (dim,) else None
        if own is None and dim in above and above[dim].shape[0] == size:
            continue
        if own is None:
            scales[dim] = _scale(group, dim, size, number + len(scales))
            continue
        scale = _write(group, dim, own)
        scale.attrs["_Netcdf4Dimid"] = np.int32(number + len(scales))
        scale.make_scale(dim)
        scales[dim] = scale
    reachable = {**above, **scales}
    for name, variable in coded.items():
        if name in scales and variable.dims == (name,):
            continue
        written = _write(group, f"{_NOT_A_COORDINATE}{name}" if name in scales else name, variable)
        for axis, along in enumerate(variable.dims):
            written.dims[axis].attach_scale(reachable[str(along)])
    return scales


def _write(group: h5py.Group, name: str, variable: xr.Variable) -> h5py.Dataset:
    import h5py

    values = np.asarray(variable.data)
    dtype = h5py.string_dtype() if values.dtype.kind in "UO" else values.dtype
    data = values.astype(object) if values.dtype.kind in "UO" else values
    written = group.create_dataset(name, values.shape, dtype, data=data, track_order=True)
    for key, value in variable.attrs.items():
        written.attrs[str(key)] = values.dtype.type(value) if key == "_FillValue" else _attribute(value)
    return written


def _attribute(value: Any) -> Any:
    """Return a value as attributes hold it: numbers as an array, text as it is."""
    return value if np.asarray(value).dtype.kind in "SU" else np.atleast_1d(value)


def read_netcdf(path: Path) -> dict[str, xr.Dataset]:
    """Return the data sets of a file by the path of their group, the root first, with all their values in memory."""
    import h5py

    with h5py.File(path) as file:
        return dict(_read_groups(file))


def read_group(path: Path, name: str) -> xr.Dataset:
    """Return the data set of one group, with all its values in memory.

    Raises:
        KeyError: there is no such group.
    """
    import h5py

    with h5py.File(path) as file:
        return next(_read_groups(file[name]))[1]


def _read_groups(group: h5py.Group) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield the data set of a group, then those of the groups in it, each with its path."""
    import h5py
    import xarray as xr

    variables, below = {}, []
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            below.append(item)
            continue
        attributes = list(item.attrs)
        if "NAME" not in attributes or not bytes(item.attrs["NAME"]).startswith(_NOT_A_VARIABLE):
            variables[name.removeprefix(_NOT_A_COORDINATE)] = _read(item, attributes)
    own = _attributes(group, list(group.attrs))
    yield str(group.name), xr.decode_cf(xr.Dataset(variables, attrs=own))
    for one in below:
        yield from _read_groups(one)


def _read(item: h5py.Dataset, attributes: Collection[str]) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
    """Return a variable's dimensions, values and attributes."""
    import h5py

    if "DIMENSION_LIST" in attributes:
        scales = [h5py.h5r.get_name(axis[0], item.id).decode() for axis in item.attrs["DIMENSION_LIST"]]
    else:
        scales = [str(item.name)] * item.ndim
    values = item[()] if h5py.check_string_dtype(item.dtype) is None else item.asstr()[()]
    return tuple(scale.rpartition("/")[2] for scale in scales), values, _attributes(item, attributes)


def _attributes(item: h5py.HLObject, names: Collection[str]) -> dict[str, Any]:
    """Return the attributes of a group or variable: of one number the number, of several texts a list."""
    import h5py

    found: dict[str, Any] = {}
    for key in (name for name in names if name not in _HIDDEN):
        value = item.attrs[key]
        if isinstance(value, h5py.Empty):
            value = np.array([], dtype=value.dtype)
        if isinstance(value, np.ndarray):
            several = value.tolist() if value.dtype.kind == "O" else value
            value = several[0] if value.shape == (1,) else several
        found[key] = value
    return found
