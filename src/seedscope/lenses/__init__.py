"""Lenses: ways of looking at one replica. A lens is one file, and one line of configuration names it.

A lens has ``check`` (may this network be looked at this way?), ``measure`` (a replica → labelled numbers),
``draw`` (those numbers → figures) and ``summarize`` (→ a few scalars), and, where replicas can be compared by it,
``compare``. It knows nothing of DVC, Hydra or MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seedscope.files.arrays import groups, read_dataset
from seedscope.files.components import build
from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean
from seedscope.files.names import GIVEN, ReplicaName, in_a_sentence
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_identity
from seedscope.files.weights import read_weights

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from seedscope.data import DataSource
    from seedscope.drawing import Drawing
    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Network:
    """The shapes of a network, known before anything runs.

    Attributes:
        layers: shape of one sample's output by layer name; ``logit`` included, unless the network ends before.
        weights: shape by ``state_dict`` name.
        dumped: layers whose activations are kept, and for which pictures (``probe`` or ``exhibits``).
        n_classes: number of classes.
        varied: whether the data set makes pictures in which one thing changes at a time.
        labelled: whether the class of each picture is known.
        trained: whether it is trained here, so that there are frames and training pictures; else weights are given.
        repeated: layers that run several times in one forward pass, so that none of their outputs is *the* one.
    """

    layers: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, tuple[int, ...]]
    dumped: Mapping[str, str]
    n_classes: int
    varied: bool = False
    labelled: bool = True
    trained: bool = True
    repeated: frozenset[str] = frozenset()


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

    @classmethod
    def open(cls, at: Artifacts, seed: ReplicaName) -> Replica:
        """Open one replica's artifacts; pictures and activations are read where they are used."""
        identity = read_identity(at.identity(seed))
        data = read_dataset(at.data, needs=("image", "label", "split", "class_names"))
        probe = data.isel(sample=np.flatnonzero(data.split.values == "probe"))
        root = read_dataset(at.activations(seed), needs=("exhibits",))
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
            frames=None if seed == GIVEN else read_dataset(at.frames(seed), needs=("step", "epoch")),
            variations=read_dataset(at.data, group="variations") if "variations" in groups(at.data) else None,
            learning=_learning(identity, seed),
        )

    @property
    def trained_from(self) -> int:
        """Return the seed that it was trained from; refuse given weights."""
        if self.seed == GIVEN:
            raise SeedscopeError(f"{self.experiment}: the weights are given, so nothing was trained from a seed")
        return int(self.seed)

    @contextmanager
    def network(self, frame: int | None = None) -> Iterator[nn.Module]:
        """Build the network, as trained or as it was at a frame, to compute with it on one thread, deterministically.

        It is in evaluation mode, and its parameters ask for no gradient.
        """
        from seedscope.files.weights import load_weights
        from seedscope.replicas.determinism import deterministic

        weights = self.weights
        if frame is not None:
            if self.frames is None:
                raise SeedscopeError(
                    f"{self.experiment}, {in_a_sentence(self.seed)}: there are no frames of the training"
                )
            weights = {str(name): array.values for name, array in self.frames.isel(frame=frame).items()}
        with deterministic(threads=1):
            model = self.architecture()
            load_weights(model, weights)
            yield model.eval().requires_grad_(False)


def _learned_from(identity: Mapping[str, Any], seed: ReplicaName, data: xr.Dataset) -> xr.Dataset:
    """Return the training pictures of a replica: the shared ones, or those of its own draw."""
    if "draw_from" in identity and seed != GIVEN:
        source: DataSource = build(identity["draw_from"])
        data = source.training(seed)
    return data.isel(sample=np.flatnonzero(data.split.values == "train"))


def _learning(identity: Mapping[str, Any], seed: ReplicaName) -> Mapping[str, Any] | None:
    """Return the settings of a replica's training; of its streams those vary that have its seed."""
    if "training" not in identity:
        return None
    vary = tuple(stream for stream, number in identity["streams"].items() if number == seed)
    return {**identity["training"], "vary": vary, "threads": identity["environment"]["threads"]}


class _Activations(Mapping[str, "xr.DataArray"]):
    """The groups of an activations file, each opened when asked for."""

    def __init__(self, at: Artifacts, seed: ReplicaName) -> None:
        self._path = at.activations(seed)

    def __getitem__(self, layer: str) -> xr.DataArray:
        return read_dataset(self._path, group=layer, needs=(layer,))[layer]

    def __contains__(self, layer: object) -> bool:
        return layer in groups(self._path)  # reading a group that is not there is an error of another kind

    def __iter__(self) -> Iterator[str]:
        return iter(groups(self._path))

    def __len__(self) -> int:
        return len(groups(self._path))


class Lens(Protocol):
    """One way of looking at a replica."""

    def check(self, network: Network) -> None:
        """Raise a ``SettingError`` where this network cannot be looked at so."""

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return labelled numbers; whatever ``draw`` and ``summarize`` need is in them."""

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the figures, one at a time."""

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return a few scalars; NaN where there is no value."""


@runtime_checkable
class ComparingLens(Protocol):
    """A lens by which replicas can be compared."""

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Compare what was measured on each seed."""


def require_dense_head(network: Network, features: str, head: str) -> None:
    """Refuse a network in which ``head`` is not a dense layer on ``features`` that gives the logits."""
    require_dense_end(network)
    require_labels(network)
    weight = network.weights.get(f"{head}.weight")
    if head not in network.layers:
        raise SettingError("head", f"there is no layer {head!r} (layers: {', '.join(network.layers)})")
    if weight is None or len(weight) != 2 or network.layers[head] != network.layers["logit"]:
        raise SettingError("head", f"layer {head!r} is not a dense layer that gives the logits")
    require_one_run(network, "head", [head])
    _require_layer(network, features)
    units = int(np.prod(network.layers[features]))
    if units != weight[1]:
        raise SettingError("features", f"layer {features!r} has {units} outputs and {head!r} takes {weight[1]}")
    require_kept(network, features)


def require_decision(network: Network) -> None:
    """Refuse a network that ends before it decides, and a data set in which there is nothing to decide."""
    if "logit" not in network.layers:
        last = list(network.layers)[-1]
        raise SeedscopeError(
            f"the network gives no logits, which this lens needs: it ends with {last!r}; take the lens out of the "
            "experiment"
        )
    if network.n_classes < 2:
        raise SeedscopeError(
            "the data set has one class, so there is nothing to decide: take this lens out of the experiment"
        )


def require_dense_end(network: Network) -> None:
    """Refuse a network in which no dense layer gives the logits."""
    require_decision(network)
    dense = [name for name in network.layers if len(network.weights.get(f"{name}.weight", ())) == 2]
    if not any(network.layers[name] == network.layers["logit"] for name in dense):
        raise SeedscopeError(
            "no dense layer gives the logits of this network, which this lens needs: take it out of the experiment"
        )


def require_channels(network: Network, layers: Iterable[str], key: str = "layers") -> None:
    """Refuse a layer that is not there, whose output is not (channel, y, x), or that runs several times.

    ``key`` is the setting that names the layers.
    """
    with_maps = [name for name, shape in network.layers.items() if len(shape) == 3]
    for layer in layers:
        if not with_maps:
            raise SettingError(key, f"the network has no layer with maps (channel, y, x), and so no {layer!r}")
        if layer not in network.layers:
            raise SettingError(key, f"there is no layer {layer!r}; {did_you_mean(layer, with_maps)}")
        if layer not in with_maps:
            shape = network.layers[layer]
            raise SettingError(key, f"layer {layer!r} has no maps: its output is {shape}, not (channel, y, x)")
        require_one_run(network, key, [layer])


def require_one_run(network: Network, key: str, layers: Iterable[str]) -> None:
    """Refuse a layer that runs several times in one forward pass; ``key`` is the setting that names it."""
    for layer in layers:
        if layer in network.repeated:
            raise SettingError(key, f"layer {layer!r} runs several times in one forward pass: name one that runs once")


def require_training(network: Network) -> None:
    """Refuse a network that was not trained here: of it there are no frames."""
    if not network.trained:
        raise SeedscopeError(
            "the network was not trained here, so there is no training to follow: take this lens out of the experiment"
        )


def require_labels(network: Network) -> None:
    """Refuse a data set that does not say of which class its pictures are."""
    if not network.labelled:
        raise SeedscopeError(
            "the data set does not say of which class its pictures are, which this lens needs: take it out of the "
            "experiment"
        )


def require_kept(network: Network, features: str) -> None:
    """Refuse a layer that there is not, or whose activations are not kept for all probe pictures."""
    _require_layer(network, features)
    if network.dumped.get(features) != "probe":
        raise SettingError(
            "features",
            f"layer {features!r} is not dumped for all probe pictures: set dump.layers.{features}: probe",
        )


def _require_layer(network: Network, features: str) -> None:
    if features not in network.layers:
        raise SettingError("features", f"there is no layer {features!r} (layers: {', '.join(network.layers)})")
