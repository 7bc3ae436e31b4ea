"""What gradient ascent finds in a replica, held against its probe pictures and against the same network untrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from torch import nn

from seedscope.activations.capture import evaluating, followed_by_relu, output_of
from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Replica
from seedscope.lenses.answers import Answers, answers
from seedscope.lenses.filters.ascent import Ascent
from seedscope.lenses.filters.found import found_in, networks, raised

_UNTRAINED = 0  # the frame before the first step

Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]


def measure(
    ascent: Ascent, layers: Sequence[str], channels: int | None, pictures: int | None, replica: Replica
) -> xr.DataTree:
    """See :meth:`seedscope.lenses.filters.Filters.measure`."""
    n = replica.probe.sizes["sample"]
    chosen = np.linspace(0, n - 1, min(n, pictures or n)).round().astype(int)
    frames = {"trained": None} | ({} if replica.frames is None else {"untrained": _UNTRAINED})
    found = []
    for frame in frames.values():
        answered = answers(replica, layers, frame)
        with replica.network(frame) as model:
            found.append(_look(ascent, layers, channels, model, replica.probe, chosen, answered))
    root = xr.Dataset(
        coords={"network": list(frames)},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            "bounded": int(ascent.bounded),
            "probe_pictures": len(chosen),
        },
    )
    return xr.DataTree.from_dict({"/": root, **{layer: _together([one[layer] for one in found]) for layer in layers}})


def summarize(measured: xr.DataTree, layers: Sequence[str]) -> dict[str, float]:
    """See :meth:`seedscope.lenses.filters.Filters.summarize`."""
    summary = {}
    for layer in layers:
        trained = found_in(measured, layer, "trained")
        silent = trained["silent"].values
        woken = (trained["probe"].values <= 0) & (trained["activation"].values[:, -1] > 0)
        summary[f"{layer}_silent"] = float(silent.sum())
        summary[f"{layer}_woken"] = float((~silent & woken).sum())
        for network in networks(measured):
            ending = "" if network == "trained" else f"_null_{network}"
            numbers = _numbers(found_in(measured, layer, network))
            summary |= {f"{layer}_{name}{ending}": value for name, value in numbers.items()}
    return summary


def _look(
    ascent: Ascent,
    layers: Sequence[str],
    channels: int | None,
    model: nn.Module,
    probe: xr.Dataset,
    chosen: np.ndarray,
    answered: Mapping[str, Answers],
) -> dict[str, Variables]:
    """Return what the ascent finds in each layer of one network, and which of the ``chosen`` pictures raise it most."""
    shape, samples = tuple(probe.image.shape[1:]), probe.sample.values[chosen]
    rectified = followed_by_relu(model, layers, torch.zeros(1, *shape))
    start = ascent.start(shape)
    _require_room(ascent, layers, model, start)
    found: dict[str, Variables] = {}
    for layer in layers:
        probed = answered[layer]["mean"][chosen, :channels]
        own = "channel" if len(answered[layer]["shape"]) else "unit"
        climbed = ascent.climb_in_batches(model, layer, layer in rectified, range(probed.shape[1]), start)
        found[layer] = {
            "picture": ((own, "colour", "y", "x"), climbed.picture.contiguous().numpy()),
            "activation": ((own, "step"), climbed.activation.numpy()),
            "silent": ((own,), climbed.silent.numpy()),
            "probe": ((own,), probed.max(0)),
            "probe_sample": ((own,), samples[probed.argmax(0)]),
        }
    return found


def _require_room(ascent: Ascent, layers: Sequence[str], model: nn.Module, start: torch.Tensor) -> None:
    """Refuse a ``size`` of which a layer can make nothing."""
    for layer in layers if ascent.size is not None else ():
        try:
            with evaluating(model):
                output_of(model, layer, start[None])
        except RuntimeError as error:
            raise SeedscopeError(
                f"lens filters: a picture of size {ascent.size} is too small for layer {layer!r}: set a larger size, "
                "or null for that of the data set"
            ) from error


def _together(of_networks: Sequence[Variables]) -> xr.Dataset:
    """Put what was found in several networks beside each other."""
    first: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = of_networks[0]
    return xr.Dataset(
        {
            name: (("network", *dims), np.stack([one[name][1] for one in of_networks]))
            for name, (dims, _) in first.items()
        }
    )


def _numbers(found: xr.Dataset) -> dict[str, float]:
    live, of = ~found["silent"].values, raised(found)
    activation, probe = found["activation"].values, found["probe"].values
    above = float((activation[of, -1] > probe[of]).mean()) if of.any() else float("nan")
    if not live.any():
        return {"above_probe": above, "times_probe": float("nan"), "rises": float("nan")}
    activation, probe = activation[live], probe[live]
    end, answering = activation[:, -1], probe > 0
    return {
        "above_probe": above,
        "times_probe": float(np.median(end[answering] / probe[answering])) if answering.any() else float("nan"),
        "rises": float((np.diff(activation, axis=1) > 0).mean()),
    }
