"""A replica as lenses see it: one network, trained from a seed or with given weights, and what its layers did."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.arrays import groups, load_dataset, read_dataset
from seedscope.files.components import build
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import GIVEN, ReplicaName, in_a_sentence
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_identity
from seedscope.files.weights import read_weights

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from seedscope.data import DataSource

_KEPT = 128 * 2**20  # bytes of what lenses share


@dataclass(frozen=True)
class Replica:
    """What a lens sees of one network, trained from a seed or with given weights.

    Attributes:
        experiment: its experiment.
        seed: its seed, or ``given``; :func:`seedscope.files.names.in_a_sentence` says which in words.
        probe: the probe pictures: ``image``, ``label`` (−1 where it is not known) and the ground truth, by ``sample``.
        training: the pictures that it learned from, validation left out, as ``probe``.
        activations: by layer name, first dimension ``sample``; ``logit(sample, target)`` included. Beside them
            ``<layer>_frames``, ``<layer>_exhibit_frames`` and ``<layer>_variations`` (see
            :mod:`seedscope.activations.dump`).
        weights: by ``state_dict`` name.
        frames: the weights at each frame of the training, ``(frame, …)``, with ``step(frame)`` and ``epoch(frame)``;
            ``None`` of given weights.
        variations: pictures in which one thing changes at a time, and what was changed; ``None`` where the data set
            makes none.
        exhibits: the ``sample`` coordinates of the fixed few pictures per class that figures show.
        class_names: one per class.
        architecture: makes a network of this shape, for :meth:`network` to fill with weights.
        learning: how it was trained, the settings of :class:`seedscope.replicas.training.Training`; ``None`` where it
            was not.
    """

    experiment: str
    seed: ReplicaName
    probe: xr.Dataset
    training: xr.Dataset
    activations: Mapping[str, xr.DataArray]
    weights: Mapping[str, np.ndarray]
    exhibits: np.ndarray
    class_names: tuple[str, ...]
    architecture: Callable[[], nn.Module]
    frames: xr.Dataset | None = None
    variations: xr.Dataset | None = None
    learning: Mapping[str, Any] | None = None
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, at: Artifacts, seed: ReplicaName) -> Replica:
        """Open one replica's artifacts; pictures and activations are read where they are used."""
        identity = read_identity(at.identity(seed))
        data = read_dataset(at.data, needs=("image", "label", "split", "class_names"))
        probe = _of_split(data, "probe")
        root = load_dataset(at.activations(seed), needs=("exhibits",))
        return cls(
            experiment=at.experiment,
            seed=seed,
            probe=probe,
            training=_learned_from(identity, seed, data),
            activations=_Activations(at, seed),
            weights=read_weights(at.model(seed)),
            exhibits=np.atleast_1d(root.attrs["exhibits"]),
            class_names=tuple(np.atleast_1d(data.attrs["class_names"]).tolist()),
            architecture=partial(build, identity["model"]),
            frames=None if seed == GIVEN else load_dataset(at.frames(seed), needs=("step", "epoch")),
            variations=read_dataset(at.data, group="variations") if "variations" in groups(at.data) else None,
            learning=_learning(identity, seed),
        )

    @property
    def trained_from(self) -> int:
        """Return the seed that it was trained from; refuse given weights."""
        if self.seed == GIVEN:
            raise SeedscopeError(f"{self.experiment}: the weights are given, so nothing was trained from a seed")
        return int(self.seed)

    def once(self, key: Hashable, make: Callable[[], dict[Any, np.ndarray]]) -> dict[Any, np.ndarray]:
        """Return the arrays that ``make`` makes; what several lenses ask for is made once, and kept for the others.

        What was asked for last is kept, ``_KEPT`` bytes of it. Nobody can write to the arrays.

        Args:
            key: names all that they depend on beside the replica, so that it does not matter who asks first.
            make: makes them.
        """
        made = self._made.pop(key) if key in self._made else make()
        self._made[key] = made  # the last to be let go
        for array in made.values():
            array.flags.writeable = False
        sizes = {one: sum(array.nbytes for array in arrays.values()) for one, arrays in self._made.items()}
        while len(self._made) > 1 and sum(sizes.values()) > _KEPT:
            oldest = next(iter(self._made))
            del self._made[oldest], sizes[oldest]
        return dict(made)

    def positions(self, samples: np.ndarray) -> np.ndarray:
        """Return the positions of these ``sample`` coordinates among the probe pictures."""
        known = self.probe.sample.values
        order = np.argsort(known, kind="stable")
        return np.asarray(order[np.searchsorted(known, samples, sorter=order)])

    def first_exhibits(self, count: int) -> np.ndarray:
        """Return ``count`` of the exhibits: the first of each class, then the second, …, ordered by class."""
        from seedscope.data import balanced

        label = self.probe.label.sel(sample=self.exhibits).values
        chosen = balanced(label, count)
        return self.exhibits[chosen[np.argsort(label[chosen], kind="stable")]]

    @contextmanager
    def network(self, frame: int | None = None) -> Iterator[nn.Module]:
        """Build the network, as trained or as it was at a frame, to compute with it on one thread, deterministically.

        It is in evaluation mode, its parameters ask for no gradient, and its weights lie as convolutions are fastest:
        channels last, as in the training.
        """
        import torch

        from seedscope.files.weights import load_weights
        from seedscope.replicas.determinism import deterministic

        weights = self.weights
        if frame is not None:
            if self.frames is None:
                raise SeedscopeError(
                    f"{self.experiment}, {in_a_sentence(self.seed)}: there are no frames of the training"
                )
            frames = self.frames.isel(frame=frame)
            weights = self.once(("weights", frame), lambda: {str(name): one.values for name, one in frames.items()})
        with deterministic(threads=1):
            model = self.architecture()
            load_weights(model, weights)
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
            yield model.eval().requires_grad_(False)


def _learned_from(identity: Mapping[str, Any], seed: ReplicaName, data: xr.Dataset) -> xr.Dataset:
    """Return the training pictures of a replica: the shared ones, or those of its own draw."""
    if "draw_from" in identity and seed != GIVEN:
        source: DataSource = build(identity["draw_from"])
        data = source.training(identity["streams"]["draw"])
    return _of_split(data, "train")


def _of_split(data: xr.Dataset, split: str) -> xr.Dataset:
    """Return the pictures of one split; those that lie together are read as one block, many times as fast."""
    chosen = np.flatnonzero(data.split.values == split)
    together = len(chosen) > 0 and chosen[-1] - chosen[0] + 1 == len(chosen)
    return data.isel(sample=slice(chosen[0], chosen[-1] + 1) if together else chosen)


def _learning(identity: Mapping[str, Any], seed: ReplicaName) -> Mapping[str, Any] | None:
    """Return the settings of a replica's training, with the seeds of its streams."""
    if "training" not in identity:
        return None
    vary = tuple(stream for stream, number in identity["streams"].items() if number == seed)
    drawn = {"vary": vary, "streams": identity["streams"], "head": identity.get("head", "")}
    return {**identity["training"], **drawn, "threads": identity["environment"]["threads"]}


class _Activations(Mapping[str, "xr.DataArray"]):
    """The groups of an activations file, each read when it is first asked for, and kept as long as the replica is."""

    def __init__(self, at: Artifacts, seed: ReplicaName) -> None:
        self._path = at.activations(seed)
        self._read: dict[str, xr.DataArray] = {}

    @cached_property
    def _groups(self) -> tuple[str, ...]:
        return groups(self._path)

    def __getitem__(self, layer: str) -> xr.DataArray:
        if layer not in self._read:
            self._read[layer] = load_dataset(self._path, layer, needs=(layer,))[layer]
        return self._read[layer]

    def __contains__(self, layer: object) -> bool:
        return layer in self._groups  # reading a group that is not there is an error of another kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)
