"""What a lens measured on every seed, as one: the same numbers with a dimension ``seed`` in front.

Replicas differ: in how many units live, in how many frames were kept. Along a dimension with labels they are aligned by
these, along one without by position; where a seed has nothing, there is NaN, −1 (of whole numbers), ``False`` or "".
Coordinates that all seeds share stay as they are, and so do attributes; those that differ between seeds are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.arrays import read_measured

if TYPE_CHECKING:
    import xarray as xr


def together(paths: Mapping[int, Path], names: Sequence[str] | None = None) -> xr.Dataset | xr.DataTree:
    """Read what one lens measured on each seed; of its variables those with ``names``, by default all."""
    parts: dict[int, xr.Dataset | xr.DataTree] = {}
    for seed in sorted(paths):
        with read_measured(paths[seed]) as measured:
            parts[seed] = _chosen(measured, names).load()
    return stacked(parts)


def stacked(parts: Mapping[int, xr.Dataset | xr.DataTree]) -> xr.Dataset | xr.DataTree:
    """Put the numbers of several seeds beside each other; trees group by group."""
    import xarray as xr

    trees: Mapping[int, Any] = {seed: parts[seed] for seed in sorted(parts)}
    if isinstance(next(iter(trees.values())), xr.Dataset):
        return _stacked(trees)
    found = {}
    for group in dict.fromkeys(path for tree in trees.values() for path in tree.groups):
        having = {seed: tree[group].to_dataset(inherit=False) for seed, tree in trees.items() if group in tree.groups}
        found[group] = _stacked(having, list(trees))
    return xr.DataTree.from_dict(found)


def _chosen(measured: Any, names: Sequence[str] | None) -> Any:
    import xarray as xr

    if names is None:
        return measured
    if isinstance(measured, xr.Dataset):
        return measured.drop_vars([name for name in measured.data_vars if name not in names])
    chosen = {node.path: _chosen(node.to_dataset(inherit=False), names) for node in measured.subtree}
    return xr.DataTree.from_dict(chosen)


def _stacked(parts: Mapping[int, xr.Dataset], seeds: Sequence[int] | None = None) -> xr.Dataset:
    import xarray as xr

    seeds = list(parts) if seeds is None else list(seeds)
    some = list(parts.values())
    labels = {str(dim): _union([part.indexes[dim] for part in some if dim in part.indexes]) for dim in _indexed(some)}
    aligned = {seed: _aligned(part, labels) for seed, part in parts.items()}
    size: dict[str, int] = {}
    for part in aligned.values():
        for dim, length in part.sizes.items():
            size[str(dim)] = max(size.get(str(dim), 0), length)
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {"seed": seeds}
    names = dict.fromkeys(str(name) for part in aligned.values() for name in part.variables)
    for name in names:
        having = {seed: part[name] for seed, part in aligned.items() if name in part.variables}
        model = next(iter(having.values()))
        is_coordinate = name in model.coords and all(name in part.coords for part in aligned.values() if name in part)
        if is_coordinate and len(having) == len(aligned) and _alike([one.values for one in having.values()]):
            coordinates[name] = model.variable
            continue
        shape = tuple(size[str(dim)] for dim in model.dims)
        values = np.stack([_padded(having.get(seed), shape, model.dtype) for seed in seeds])
        attrs = _shared([one.attrs for one in having.values()])
        (coordinates if is_coordinate else variables)[name] = (("seed", *model.dims), values, attrs)
    attrs = _shared([part.attrs for part in some])
    attrs.pop("seed", None)
    return xr.Dataset(variables, coordinates, attrs)


def _indexed(parts: Sequence[xr.Dataset]) -> list[Any]:
    return list(dict.fromkeys(dim for part in parts for dim in part.indexes))


def _union(indexes: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(label for index in indexes for label in index))


def _aligned(part: xr.Dataset, labels: Mapping[str, list[Any]]) -> xr.Dataset:
    moved = {dim: of for dim, of in labels.items() if dim in part.indexes and list(part.indexes[dim]) != of}
    if not moved:
        return part
    fill = {name: _nothing(array.dtype) for name, array in part.variables.items() if name not in moved}
    return part.reindex(moved, fill_value=fill)


def _padded(array: xr.DataArray | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    values = np.full(shape, _nothing(dtype), dtype=dtype)
    if array is not None:
        values[tuple(slice(length) for length in array.shape)] = array.values
    return values


def _nothing(dtype: np.dtype[Any]) -> Any:
    return {"f": np.nan, "i": -1, "u": 0, "b": False}.get(dtype.kind, "")


def _alike(values: Sequence[np.ndarray]) -> bool:
    first = values[0]
    return all(
        one.shape == first.shape and np.array_equal(one, first, equal_nan=first.dtype.kind == "f") for one in values
    )


def _shared(attrs: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    first = attrs[0]
    return {key: value for key, value in first.items() if all(_same(one.get(key), value) for one in attrs[1:])}


def _same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(np.asarray(a), np.asarray(b))) if a is not None else b is None
