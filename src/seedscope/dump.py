"""Dump a replica's activations of the probe pictures: ``runs/<experiment>/activations/seed-<s>.nc``.

Layers differ in size and in which pictures they are kept for, so each has a NetCDF group of its own name that
holds one variable of that name: ``fc1/fc1(sample, unit)``, ``conv1/conv1(sample, channel, y, x)``. The coordinate
``sample`` is the index into ``data.nc``. ``logit/logit(sample, target)`` is what the network itself answers, for
every probe picture. The pictures pass in batches and are written as they come, so memory does not grow with their
number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from seedscope.artifacts import read_dataset, read_weights, replacing
from seedscope.data import exhibits
from seedscope.experiment import Experiment
from seedscope.replicas import Report

if TYPE_CHECKING:
    import xarray as xr

_DIMENSIONS = {1: ("unit",), 3: ("channel", "y", "x")}


@dataclass(frozen=True)
class Dump:
    """Which layers are kept, and for which probe pictures.

    Attributes:
        layers: by module name: ``probe`` keeps every probe picture, ``exhibits`` a fixed few per class.
        exhibits_per_class: how many probe pictures of each class are exhibits: the first ones.
        batch_size: pictures at a time.
    """

    layers: Mapping[str, Literal["probe", "exhibits"]]
    exhibits_per_class: Annotated[int, Ge(1)] = 5
    batch_size: Annotated[int, Ge(1)] = 256


def dump_replica(experiment: Experiment, seed: int, report: Report) -> None:
    """Write the activations of one replica."""
    import torch

    from seedscope.capture import activations, layer_shapes
    from seedscope.training import load_weights, surroundings

    dump: Dump = experiment.component("dump")
    with read_dataset(experiment.at.data) as data, surroundings(threads=1):
        model = experiment.component("model")  # draws initial weights, from a generator that is put back
        load_weights(model, read_weights(experiment.at.model(seed)))
        probe = np.flatnonzero(data.split.values == "probe")
        chosen = probe[exhibits(data.label.values[probe], dump.exhibits_per_class)]
        samples = {name: chosen if which == "exhibits" else probe for name, which in dump.layers.items()}
        samples["logit"] = probe
        shapes = layer_shapes(model, torch.zeros(1, *data.image.shape[1:]))
        # A layer that does not exist is refused below, by name.
        size = sum(4 * len(kept) * math.prod(shapes.get(name, ())) for name, kept in samples.items())
        with (
            replacing(experiment.at.activations(seed), size + 2**16) as temporary,
            _Writer(temporary, samples, chosen) as file,
        ):
            pictures = (torch.from_numpy(image) for image in _batches(data, probe, dump.batch_size))
            done = 0
            for outputs in activations(model, dump.layers.keys(), pictures):
                here = probe[done : done + len(outputs["logit"])]
                for name, output in outputs.items():
                    file.append(name, here, output.numpy())
                done += len(here)
                report(done, len(probe))


def _batches(data: xr.Dataset, samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), size):
        yield data.image.isel(sample=samples[start : start + size]).values


class _Writer:
    """A NetCDF file with a group per layer, filled batch by batch."""

    def __init__(self, path: Any, samples: Mapping[str, np.ndarray], chosen: np.ndarray) -> None:
        import h5netcdf

        self._file = h5netcdf.File(path, "w")
        self._file.attrs["exhibits"] = chosen
        self._samples = samples
        self._written = dict.fromkeys(samples, 0)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, layer: str, samples: np.ndarray, values: np.ndarray) -> None:
        """Append the values of those of ``samples`` that are kept for ``layer``."""
        wanted = np.isin(samples, self._samples[layer])
        if layer not in self._file.groups:
            self._create(layer, values)
        start = self._written[layer]
        stop = start + int(wanted.sum())
        if stop > start:
            self._file[layer].variables[layer][start:stop] = values[wanted]
            self._written[layer] = stop

    def _create(self, layer: str, values: np.ndarray) -> None:
        kept = np.sort(self._samples[layer])
        inner = ("target",) if layer == "logit" else _DIMENSIONS.get(values.ndim - 1)
        if inner is None:
            inner = tuple(f"axis_{axis}" for axis in range(1, values.ndim))
        group = self._file.create_group(layer)
        group.dimensions = {"sample": len(kept), **dict(zip(inner, values.shape[1:], strict=True))}
        group.create_variable("sample", ("sample",), np.int64, data=kept)
        group.create_variable(layer, ("sample", *inner), values.dtype)
