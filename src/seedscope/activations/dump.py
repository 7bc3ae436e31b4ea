"""Dump a replica's activations of the probe pictures: ``runs/<experiment>/activations/seed-<s>.nc``.

Layers differ in size and in which pictures they are kept for, so each has a NetCDF group of its own name that
holds one variable of that name: ``fc1/fc1(sample, unit)``, ``conv1/conv1(sample, channel, y, x)``. The coordinate
``sample`` is the index into ``data.nc``. ``logit/logit(sample, target)`` is what the network itself answers, for
every probe picture, unless the network ends before it decides. Beside them, for every layer and ``logit``, of a network
that was trained here:

    fc1_frames(frame, sample, unit)                        at each frame of the training, for a fixed few hundred
    conv1_frames(frame, sample, unit)                      … a channel's mean over space
    conv1_exhibit_frames(frame, sample, channel, y, x)     … whole maps, for fewer pictures still
    fc1_variations(sample, unit)                           for the pictures in which one thing changes at a time,
                                                           where the data set makes such

A layer that training cannot change, such as the picture itself, is the same at every frame and has no ``…_frames``.
The pictures pass in batches and are written as they come, so memory does not grow with their number.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from seedscope.data import balanced, exhibits
from seedscope.files.arrays import groups, load_dataset, read_dataset
from seedscope.files.components import build
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.reading import read_identity
from seedscope.files.weights import read_weights
from seedscope.files.writing import replacing
from seedscope.replicas.mapping import Report

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    import xarray as xr
    from torch import nn

_DIMENSIONS = {1: ("unit",), 3: ("channel", "y", "x")}


@dataclass(frozen=True)
class Dump:
    """Which layers are kept, and for which probe pictures.

    Attributes:
        layers: by module name: ``probe`` keeps every probe picture, ``exhibits`` a fixed few per class.
        exhibits_per_class: how many probe pictures of each class are exhibits: the first ones.
        frame_pictures: how many probe pictures, balanced over classes, are followed through training.
        frame_exhibits_per_class: how many of each class keep whole feature maps there.
        batch_size: pictures at a time.
    """

    layers: Mapping[str, Literal["probe", "exhibits"]]
    exhibits_per_class: Annotated[int, Ge(1)] = 5
    frame_pictures: Annotated[int, Ge(1)] = 512
    frame_exhibits_per_class: Annotated[int, Ge(1)] = 1
    batch_size: Annotated[int, Ge(1)] = 128


@dataclass(frozen=True)
class _Group:
    """What one group of the file will hold: for which samples, with which inner dimensions, at every frame or not."""

    samples: np.ndarray
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    followed: bool = False

    def size(self, frames: int) -> int:
        """Return its size in bytes."""
        return 4 * len(self.samples) * math.prod(self.shape) * (frames if self.followed else 1)


def dump_replica(experiment: Experiment, seed: ReplicaName, report: Report) -> None:
    """Write the activations of one replica."""
    import torch

    from seedscope.activations.capture import layer_shapes, untrained_layers
    from seedscope.files.weights import load_weights
    from seedscope.models.chain import gives_logits
    from seedscope.replicas.determinism import deterministic

    dump: Dump = experiment.component("dump")
    at = experiment.at
    with contextlib.ExitStack() as opened:
        data = opened.enter_context(read_dataset(at.data, needs=("image", "label", "split")))
        frames = None  # of given weights
        if seed != GIVEN:
            frames = load_dataset(at.frames(seed), needs=("step", "epoch"))
        varied = None
        if "variations" in groups(at.data):
            varied = opened.enter_context(read_dataset(at.data, group="variations"))
        opened.enter_context(deterministic(threads=1))
        # Draws initial weights, from a generator that is put back. A network may end where its given weights do.
        model = build(read_identity(at.identity(seed))["model"])
        load_weights(model, read_weights(at.model(seed)))
        # As convolutions are fastest, and as in the training.
        model = model.to(memory_format=torch.channels_last)
        probe = np.flatnonzero(data.split.values == "probe")
        label = data.label.values[probe]
        shown = probe[exhibits(label, dump.exhibits_per_class)]
        whole = np.sort(probe[exhibits(label, dump.frame_exhibits_per_class)])
        followed = np.union1d(probe[balanced(label, dump.frame_pictures)], whole)
        changed = np.arange(0 if varied is None else len(varied.sample))
        plan: dict[str, _Group] = {}
        blank = torch.zeros(1, *data.image.shape[1:])
        untrained = untrained_layers(model, dump.layers, blank)
        for name, shape in layer_shapes(model, blank).items():
            which = "probe" if name == "logit" else dump.layers.get(name)
            if which is None or (name == "logit" and seed == GIVEN and not gives_logits(model, shape)):
                continue
            flat = ("target",) if name == "logit" else ("unit",)
            inner = flat if len(shape) == 1 else _DIMENSIONS.get(len(shape), _unnamed(shape))
            plan[name] = _Group(np.sort(shown) if which == "exhibits" else probe, inner, shape)
            followed_too = frames is not None and name not in untrained
            if followed_too:
                plan[f"{name}_frames"] = _Group(followed, flat, shape[:1], followed=True)
            if followed_too and len(shape) > 1:
                plan[f"{name}_exhibit_frames"] = _Group(whole, inner, shape, followed=True)
            if which == "probe" and varied is not None:
                plan[f"{name}_variations"] = _Group(changed, inner, shape)
        turns = 0 if frames is None else len(frames.frame)
        size = sum(group.size(turns) + 2**14 for group in plan.values())  # 16 KiB: names and coordinates
        with replacing(at.activations(seed), size) as temporary, _Writer(temporary, plan, frames, shown) as file:
            kept = [name for name, which in dump.layers.items() if which == "probe"]
            for here, outputs in _outputs(model, dump, kept, data, probe):
                file.append(here, outputs)
            few = [name for name, which in dump.layers.items() if which == "exhibits"]
            if few:
                for here, outputs in _outputs(model, dump, few, data, np.sort(shown)):
                    file.append(here, {name: outputs[name] for name in few})
            if varied is not None:
                for here, outputs in _outputs(model, dump, kept, varied, changed):
                    file.append(here, {f"{name}_variations": values for name, values in outputs.items()})
            if frames is not None:
                _follow(model, dump, data.isel(sample=followed).load(), followed, frames, file, report)
            report(max(1, turns), max(1, turns))


def _follow(
    model: nn.Module,
    dump: Dump,
    data: xr.Dataset,
    samples: np.ndarray,
    frames: xr.Dataset,
    file: _Writer,
    report: Report,
) -> None:
    """Write what the network answered to these pictures at each frame: channels' means, and of a few whole maps."""
    from seedscope.files.weights import load_weights

    turns = len(frames.frame)
    for frame in range(turns):
        report(frame, turns)
        load_weights(model, {str(name): array.values for name, array in frames.isel(frame=frame).items()})
        for here, outputs in _outputs(model, dump, dump.layers, data, np.arange(len(samples))):
            for name, values in outputs.items():
                file.append(samples[here], {f"{name}_exhibit_frames": values}, frame)
                mean = values if values.ndim == 2 else values.mean(tuple(range(2, values.ndim)))
                file.append(samples[here], {f"{name}_frames": mean}, frame)


def _unnamed(shape: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"axis_{axis}" for axis in range(1, len(shape) + 1))


def _outputs(
    model: nn.Module, dump: Dump, layers: Collection[str], data: xr.Dataset, samples: np.ndarray
) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Yield, batch by batch, which samples they are and what each layer and the logits answer."""
    import torch

    from seedscope.activations.capture import activations

    batches = [samples[start : start + dump.batch_size] for start in range(0, len(samples), dump.batch_size)]
    pictures = (torch.from_numpy(data.image.isel(sample=_together(batch)).values) for batch in batches)
    yield from zip(batches, activations(model, layers, pictures), strict=True)


def _together(positions: np.ndarray) -> np.ndarray | slice:
    """Return positions that follow each other as a slice: read as one block, many times as fast."""
    first, last = int(positions[0]), int(positions[-1])
    return slice(first, last + 1) if last - first + 1 == len(positions) else positions


class _Writer:
    """A NetCDF file with a group per layer, filled batch by batch."""

    def __init__(self, path: Path, plan: Mapping[str, _Group], frames: xr.Dataset | None, shown: np.ndarray) -> None:
        from netCDF4 import Dataset

        self._file = Dataset(path, "w")
        self._file.set_fill_off()  # every value is written
        self._file.exhibits = shown
        self._plan, self._frames = plan, frames

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, samples: np.ndarray, outputs: Mapping[str, torch.Tensor], frame: int | None = None) -> None:
        """Write the values of those of ``samples`` that are kept; a name that is not planned is passed over."""
        for name, values in outputs.items():
            if name not in self._plan:
                continue
            kept = self._plan[name].samples
            wanted = np.isin(samples, kept)
            if wanted.any():
                if name not in self._file.groups:
                    self._create(name, values.numpy().dtype)
                start = int(np.searchsorted(kept, samples[wanted][0]))
                where = slice(start, start + int(wanted.sum()))
                chosen = values.numpy() if wanted.all() else values.numpy()[wanted]
                self._file[name][name][where if frame is None else (frame, where)] = chosen

    def _create(self, name: str, dtype: np.dtype[Any]) -> None:
        planned = self._plan[name]
        group = self._file.createGroup(name)
        along = ("frame", "sample") if planned.followed else ("sample",)
        if planned.followed and self._frames is not None:
            group.createDimension("frame", len(self._frames.frame))
            for coordinate in ("frame", "step", "epoch"):
                values = self._frames[coordinate].values
                group.createVariable(coordinate, values.dtype, ("frame",))[:] = values
        group.createDimension("sample", len(planned.samples))
        group.createVariable("sample", np.int64, ("sample",))[:] = planned.samples
        for dimension, size in zip(planned.dimensions, planned.shape, strict=True):
            group.createDimension(dimension, size)
        variable = group.createVariable(name, dtype, (*along, *planned.dimensions))
        variable.set_auto_maskandscale(False)
        if planned.followed:
            variable.coordinates = "step epoch"
