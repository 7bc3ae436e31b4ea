"""What one replica brings to the comparison (see :meth:`seedscope.lenses.alignment.Alignment.measure`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from seedscope.formulas.halves import halves
from seedscope.formulas.subcells import subcells
from seedscope.lenses.answers import answers
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import torch

    from seedscope.lenses import Replica

_FOLLOWED = 128  # pictures that are followed through training
_BATCH = 256
_FRAMES = "_frames"


def measure(replica: Replica, features: str, head: str) -> xr.DataTree:
    """Return what the layer answers, what votes its units give, and what every layer did in training."""
    label = replica.probe.label.values
    part = _parts_of_places(replica.probe, label)
    half = halves(label if part is None else part)
    answer = folded(replica.activations[features].values)
    live = _live(answer, half)
    weight = votes_of(replica, features, head).class_weight(centred=True)
    weight = weight.reshape(len(weight), answer.shape[2], answer.shape[1]).transpose(0, 2, 1)  # units: channel, place
    trained = {
        "answer": (("sample", "place", "channel"), answer[..., live].astype(np.float32)),
        "weight": (("true", "place", "channel"), weight[..., live]),
    }
    before = _before(replica, features)
    if before is not None:
        trained["before"] = (("sample", "place", "channel"), before[..., live].astype(np.float32))
    pictures = {"half": ("sample", half), "label": ("sample", label)}
    if part is not None:
        pictures["part"] = ("sample", part)
    attrs = {
        "experiment": replica.experiment,
        "seed": replica.seed,
        "class_names": list(replica.class_names),
        "features": features,
        "units": answer.shape[2],
    }
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(pictures, {"sample": replica.probe.sample.values}, attrs),
            "trained": xr.Dataset(trained, {"channel": np.flatnonzero(live)}),
            "untrained": _untrained(replica, features, half),
            **_followed(replica),
            **_chain(replica, head, live),
        }
    )


def _parts_of_places(probe: xr.Dataset, label: np.ndarray) -> np.ndarray | None:
    """Return for each sample its class and in which part of the class's places the square lies; ``None`` if unknown."""
    if not {"square_y", "square_x"} <= set(probe.variables):
        return None
    return subcells(probe.square_y.values, probe.square_x.values, label)


def folded(values: np.ndarray) -> np.ndarray:
    """Return a layer's (sample, …) as (sample, place, unit): of a feature map channels are units."""
    return values.reshape(len(values), values.shape[1], -1).swapaxes(1, 2)


def _live(answer: np.ndarray, half: np.ndarray) -> np.ndarray:
    return np.all([(answer[half == one] != 0).any((0, 1)) for one in (0, 1)], axis=0)


def _before(replica: Replica, features: str) -> np.ndarray | None:
    """Return what the layer answers before its ReLU, (sample, place, unit); ``None`` where none follows it."""
    from seedscope.activations.capture import before_relu

    with replica.network() as network:
        found = before_relu(network, features, _pictures(replica))
        return None if found is None else folded(np.concatenate([batch.numpy() for batch in found]))


def _untrained(replica: Replica, features: str, half: np.ndarray) -> xr.Dataset:
    """Return what the layer answered at step 0, of the units that lived in both halves."""
    from seedscope.activations.capture import activations

    if replica.activations[features].ndim == 2:
        answer = folded(answers(replica, [features], 0)[features]["mean"])
    else:
        with replica.network(frame=0) as network:
            batches = [batch[features].numpy() for batch in activations(network, [features], _pictures(replica))]
        answer = folded(np.concatenate(batches))
    live = _live(answer, half)
    values = answer[..., live].astype(np.float32)
    return xr.Dataset({"answer": (("sample", "place", "channel"), values)}, {"channel": np.flatnonzero(live)})


def _pictures(replica: Replica) -> Iterator[torch.Tensor]:
    import torch

    image = replica.probe.image.values
    for start in range(0, len(image), _BATCH):
        yield torch.from_numpy(np.ascontiguousarray(image[start : start + _BATCH]))


def _followed(replica: Replica) -> dict[str, xr.Dataset]:
    """Return what each layer answered to some pictures at every frame of the training, by the layer's name."""
    from seedscope.data import balanced

    found = {}
    for name in replica.activations:
        if not name.endswith(_FRAMES) or name.endswith("_exhibit_frames"):
            continue
        frames = replica.activations[name]
        label = replica.probe.label.sel(sample=frames.sample.values).values
        chosen = np.sort(balanced(label, _FOLLOWED))
        values = frames.values[:, chosen]
        found[f"layers/{name.removesuffix(_FRAMES)}"] = xr.Dataset(
            {
                "followed": (("frame", "picture", "unit"), values.reshape(*values.shape[:2], -1)),
                "picture_label": ("picture", label[chosen]),
                "step": ("frame", _steps(replica)),
            }
        )
    return found


def _steps(replica: Replica) -> np.ndarray:
    assert replica.frames is not None
    return np.asarray(replica.frames.step.values)


def _chain(replica: Replica, head: str, live: np.ndarray) -> dict[str, xr.Dataset]:
    """Return the weights layer by layer, of the features those that live, where the network is a plain chain."""
    from seedscope.formulas.weight_matching import chain_of, only

    found = chain_of(replica.weights)
    if found is None or len(found) < 2 or found[-1][0] != head or len(found[-2][1]) != len(live):
        return {}
    chain = only([(weight, bias) for _, weight, bias in found], len(found) - 2, np.flatnonzero(live))
    return {
        f"chain/{number:02d}": xr.Dataset({"weight": (("to", "from", "place"), weight), "bias": ("to", bias)})
        for number, (weight, bias) in enumerate(chain)
    }
