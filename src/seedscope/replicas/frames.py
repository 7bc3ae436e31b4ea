"""Frames: the whole network at chosen steps of its training, ``frames.nc``.

    step 0;  round(S^(j/J)) for j = 0 … J − 1, log-spaced within the first epoch of S steps;  S · epoch

Most of what networks come to share forms in the first epoch (Kapoor 2025), so its steps lie densest where it begins.
A frame is the whole ``state_dict``: whatever is asked of it later needs no second training. Each is written when it is
taken, under its own name and in one step, so a run that was killed finds the frames before its checkpoint; they are
put together when the replica is finished.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.arrays import write_dataset
from seedscope.files.errors import SeedscopeError
from seedscope.files.weights import read_weights, save_weights
from seedscope.files.writing import replacing

if TYPE_CHECKING:
    from torch import nn

LIMIT = 100_000_000  # bytes of one replica's frames


def schedule(steps_per_epoch: int, epochs: int, early: int, epochs_per_frame: int) -> tuple[int, ...]:
    """Return the optimiser's steps after which a frame is taken, ascending; the last step is always among them.

    Args:
        steps_per_epoch: steps in each epoch.
        epochs: epochs of the training.
        early: how many frames lie within the first epoch; fewer where it has fewer steps.
        epochs_per_frame: after the first epoch, a frame at the end of each so many epochs.
    """
    if not epochs:
        return (0,)
    within = np.round(steps_per_epoch ** (np.arange(early) / max(1, early))).astype(int)
    ends = steps_per_epoch * np.array([*range(epochs_per_frame, epochs, epochs_per_frame), epochs])
    return tuple(np.unique([0, *within, *ends]).tolist())


@dataclass(frozen=True)
class Frames:
    """The frames of one replica on its way.

    Attributes:
        folder: where they lie until the replica is finished.
        steps: the steps at which they are taken, as :func:`schedule` gives them.
    """

    folder: Path
    steps: tuple[int, ...]

    def take(self, step: int, model: nn.Module) -> None:
        """Keep the network as it is after ``step`` steps, where a frame is due."""
        if step in self.steps:
            save_weights(model, self._file(step))

    def whole_until(self, step: int) -> bool:
        """Return whether every frame up to ``step`` is there and can be read."""
        try:
            for due in self.steps:
                if due <= step:
                    read_weights(self._file(due))
        except SeedscopeError:
            return False
        return True

    def assemble(self, path: Path, steps_per_epoch: int, place: int | None = None, like: Path | None = None) -> None:
        """Write all frames into one file: a variable per weight, first dimension ``frame``.

        Its coordinates are ``step(frame)`` and ``epoch(frame)``, the step in units of epochs.

        Args:
            path: the file.
            steps_per_epoch: steps in each epoch.
            place: where the frames are those of many networks, stacked, the place of the one that is meant.
            like: what this made of another place. Only the numbers differ: written into a copy they give the same
                bytes 14 times faster.
        """
        import xarray as xr

        frames = [self._read(step, place) for step in self.steps]
        stacked = {name: np.stack([frame[name] for frame in frames]) for name in sorted(frames[0])}
        if like is not None:
            _write_into_copy(path, like, stacked)
            return
        step = np.array(self.steps, dtype=np.int64)
        dataset = xr.Dataset(
            {
                name: (("frame", *(f"{name}.{axis}" for axis in range(values.ndim - 1))), values)
                for name, values in stacked.items()
            },
            coords={
                "frame": np.arange(len(step)),
                "step": ("frame", step),
                "epoch": ("frame", step / max(1, steps_per_epoch)),
            },
        )
        write_dataset(path, dataset)

    def _read(self, step: int, place: int | None) -> Mapping[str, Any]:
        if place is None:
            return read_weights(self._file(step))
        from safetensors import safe_open

        with safe_open(self._file(step), framework="numpy") as file:  # of a stack only this place is read
            return {name: file.get_slice(name)[place : place + 1][0] for name in file.keys()}  # noqa: SIM118  # no mapping

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step}.safetensors"


def _write_into_copy(path: Path, like: Path, arrays: Mapping[str, np.ndarray]) -> None:
    import h5py

    with replacing(path, like.stat().st_size) as temporary:
        shutil.copyfile(like, temporary)
        with h5py.File(temporary, "r+") as file:
            for name, values in arrays.items():
                file[name][...] = values
