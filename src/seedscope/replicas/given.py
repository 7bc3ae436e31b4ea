"""Networks with given weights, ``train: null``: one replica, ``given``, that nobody trained here.

    weights file → the network, which ends where they do if it can (:class:`~seedscope.models.chain.Cuttable`)
                 → replicas/given/

``replicas/given/`` holds ``model.safetensors``, the tensors that the network uses, and ``identity.json``. There is no
history and there are no frames, for there was no training.

The file is taken from the project's folder, or wherever ``file`` says; else from ``$SEEDSCOPE_DATA``, or its folder
``weights``; else from ``~/.cache/seedscope/weights``, where it is downloaded to if it has mirrors. Its SHA-256 enters
the configuration, and what is read later must still have it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.files.components import build, find
from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.experiment import Experiment
from seedscope.files.names import ReplicaName
from seedscope.files.writing import write_json
from seedscope.replicas.mapping import Report

if TYPE_CHECKING:
    import torch

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class GivenWeights:
    """A file of weights in the safetensors format, named as in the network's ``state_dict``.

    Attributes:
        file: its path, seen from the project; or its name, see the module on where it is looked for.
        sha256: what it must be; ``None`` takes the file as it is found, and keeps to it.
        mirrors: addresses below which it is published, asked in turn; this needs ``sha256``.
    """

    file: str
    sha256: str | None = None
    mirrors: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse a digest that is none, and an address of another kind."""
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise SettingError("sha256", f"{self.sha256!r} is no SHA-256: that is 64 digits 0-9 and a-f")
        for address in self.mirrors:
            if not address.startswith(("http://", "https://")):
                raise SettingError("mirrors", f"{address!r} is no address that begins with http:// or https://")
        if self.mirrors and self.sha256 is None:
            raise SettingError("sha256", "a file that is downloaded must have it, so that it is the right one")

    def path(self) -> Path:
        """Return where the file lies; it is downloaded first where need be.

        Raises:
            SettingError: it is nowhere, and there is no mirror to ask.
        """
        places = self._places()
        for place in places:
            if place.is_file():
                return place
        if not self.mirrors or self.sha256 is None:
            raise SettingError("file", f"there is no file {' or '.join(map(str, places))}")
        from seedscope.data.download import Published, download

        cache = places[-1]
        download(Published(cache.name, self.sha256), self.mirrors, cache.parent)
        return cache

    def digest(self) -> str:
        """Return the SHA-256 of the file; it is not downloaded for that.

        Raises:
            SettingError: the file is another one than ``sha256`` says, or is nowhere.
        """
        if self.sha256 is not None and not any(place.is_file() for place in self._places()) and self.mirrors:
            return self.sha256
        path = self.path()
        found = digest(path)
        if self.sha256 is not None and found != self.sha256:
            raise SettingError("sha256", f"{path} is another file (SHA-256 {found[:12]}…, not {self.sha256[:12]}…)")
        return found

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor in the file by its name."""
        with _opened(self.path()) as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no mapping

    def tensors(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return the tensors of these names."""
        with _opened(self.path()) as file:
            return {name: file.get_tensor(name) for name in names}

    def _places(self) -> list[Path]:
        # Seen from the user's repository: a queued `dvc exp run` works in a temporary clone of it.
        places = [Path(os.environ.get("DVC_ROOT") or ".") / self.file]
        if Path(self.file).is_absolute():
            return places
        name = Path(self.file).name
        base = os.environ.get("SEEDSCOPE_DATA")
        if base:
            folder = Path(os.environ.get("DVC_ROOT") or ".") / base
            places += [folder / name, folder / "weights" / name]
        return [*places, Path.home() / ".cache" / "seedscope" / "weights" / name]


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise SeedscopeError(
            f"{path} cannot be read as weights ({error}): a file in the safetensors format is needed"
        ) from error


@contextmanager
def names_alone(spec: Mapping[str, Any]) -> Iterator[None]:
    """Build a network that can end early without memory for its weights: what is cut off may be most of it."""
    import torch

    from seedscope.models.chain import Cuttable

    cuttable = isinstance(target := find(spec["_target_"]), type) and issubclass(target, Cuttable)
    with torch.device("meta") if cuttable else nullcontext():
        yield


def fitted(spec: Mapping[str, Any], given: Shapes) -> dict[str, Any]:
    """Return the settings of a network that these weights fill: one that can end early ends where they do.

    Args:
        spec: the settings of the network.
        given: shapes of the tensors that are given.

    Raises:
        SeedscopeError: a tensor is missing, misshaped, or not the network's; the sentence names it.
    """
    from seedscope.files.weights import require_fit, shapes_of
    from seedscope.models.chain import Cuttable

    with names_alone(spec):
        model = build(spec)
        own = shapes_of(model)
        if isinstance(model, Cuttable):
            whole = shapes_of(build({**spec, "last": None}))
            if own.keys() - given.keys() and (last := model.last_given(given)) is not None:
                spec = {**spec, "last": last}
                own = shapes_of(build(spec))
            given = {name: shape for name, shape in given.items() if name in own or name not in whole}
    require_fit(own, given)
    return dict(spec)


def place_weights(experiment: Experiment, data_digest: str, name: ReplicaName, report: Report) -> None:
    """Put the network with given weights where a replica's artifacts lie.

    Raises:
        SeedscopeError: the file is not the one that was composed with, does not fit the network, or has values that
            are no numbers.
    """
    import torch

    from seedscope.files.weights import save_weights, shapes_of

    weights: GivenWeights = experiment.component("weights")
    sha256 = weights.digest()
    spec = fitted(experiment.section("model"), weights.shapes())
    model = build(spec)
    tensors = weights.tensors(shapes_of(model))
    for tensor, values in tensors.items():
        if not torch.isfinite(values).all():
            raise SeedscopeError(f"{weights.file}: {tensor!r} has values that are no numbers: give a file without them")
    model.load_state_dict(tensors)
    save_weights(model, experiment.at.model(name))
    identity = {
        "data": data_digest,
        "model": spec,
        "weights": sha256,
        "environment": {"torch": torch.__version__},
        "code": experiment.code("replica"),
    }
    write_json(experiment.at.identity(name), {"fingerprint": digest_of(identity), **identity})
    report(1, 1)
