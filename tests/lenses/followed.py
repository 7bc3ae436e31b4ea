"""Replicas of plain arrays with frames of a training."""

import dataclasses

import numpy as np
import xarray as xr

STEPS = (0, 1, 3, 10, 20)


def follow(replica, activation, weight, bias, steps=STEPS, maps=None):
    """Give a replica frames: activation (frame, sample, unit), weight (frame, target, unit), bias (frame, target)."""
    steps = np.asarray(steps)
    coords = {
        "frame": np.arange(len(steps)),
        "step": ("frame", steps),
        "epoch": ("frame", steps / 10),
        "sample": replica.probe.sample.values,
    }
    logit = np.einsum("fsi,fti->fst", activation, weight) + bias[:, None]
    extra = {
        "fc1_frames": xr.DataArray(activation, dims=("frame", "sample", "unit"), coords=coords),
        "logit_frames": xr.DataArray(logit, dims=("frame", "sample", "target"), coords=coords),
    }
    if maps is not None:
        label = replica.probe.label.sel(sample=replica.exhibits).values
        first = np.sort(replica.exhibits[np.unique(label, return_index=True)[1]])
        extra["conv1_exhibit_frames"] = xr.DataArray(
            maps, dims=("frame", "sample", "channel", "y", "x"), coords={**coords, "sample": first}
        )
    frames = xr.Dataset(
        {"fc2.weight": (("frame", "w0", "w1"), weight), "fc2.bias": (("frame", "b0"), bias)},
        coords={name: coords[name] for name in ("frame", "step", "epoch")},
    )
    return dataclasses.replace(replica, activations={**replica.activations, **extra}, frames=frames)
