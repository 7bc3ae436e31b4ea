"""Replicas of plain arrays with pictures in which one thing changes at a time."""

from dataclasses import replace
from itertools import product

import numpy as np
import xarray as xr

from seedscope.data import pictures


def vary(replica, activation, label, shape=(1, 8, 8), **factors):
    """Return the replica with these varied pictures, whose logits are what its head makes of ``activation``."""
    n = len(label)
    image = np.random.default_rng(1).random((n, *shape))
    varied = pictures(image, label, "probe", **factors).assign_coords(sample=np.arange(n))
    logit = activation.reshape(n, -1) @ replica.weights["fc2.weight"].T + replica.weights["fc2.bias"]
    inner = ("unit",) if activation.ndim == 2 else ("channel", "y", "x")
    more = {
        "fc1_variations": xr.DataArray(activation, dims=("sample", *inner)),
        "logit_variations": xr.DataArray(logit, dims=("sample", "target")),
    }
    return replace(replica, variations=varied, activations={**replica.activations, **more})


def crossed(classes, places, noises):
    """Return the factors of a crossed design: label, design, level, base, place, noise_draw; pictures in row order."""
    label, place, noise = np.array(list(product(classes, range(places), range(noises)))).reshape(-1, 3).T
    n = len(label)
    return {
        "label": label,
        "design": np.full(n, "crossed", dtype=object),
        "level": np.full(n, np.nan),
        "base": np.zeros(n, dtype=bool),
        "place": place + places * label,
        "noise_draw": noise,
    }


def levels(design, label, values, base):
    """Return the factors of the same pictures, one after the other, at each level."""
    n = len(label)
    return {
        "label": np.tile(label, len(values)),
        "design": np.full(n * len(values), design, dtype=object),
        "level": np.repeat(np.asarray(values, dtype=float), n),
        "base": np.repeat(np.asarray(values) == base, n),
        "place": np.tile(np.arange(n), len(values)),
        "noise_draw": np.tile(np.arange(n), len(values)),
    }


def joined(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def whole_design(classes, *, pairs=4):
    label = np.repeat(classes, pairs)
    return joined(
        crossed(classes, 4, 3), levels("noise", label, [0.2, 0.4, 0.6], 0.2), levels("turn", label, [-1, 0, 1], 0)
    )


def random_variation(random_replica, *, present=None, factors=None, constant=False, **options):
    replica = random_replica(**options)
    classes = len(replica.class_names)
    factors = factors or whole_design(np.arange(classes) if present is None else np.array(present))
    rng = np.random.default_rng(5)
    shape = replica.activations["fc1"].shape[1:]
    activation = np.clip(rng.normal(0.4, 1, (len(factors["label"]), *shape)), 0, None)
    if constant:
        activation[:] = 0.5
    if activation.ndim == 2:
        activation[:, list(options.get("dead", ()))] = 0
    return vary(replica, activation, **factors)


def settings_design(classes, values, *, places=6, noises=5):
    """Return the factors of a crossed design at its own setting, then of the same at each of ``values``."""
    own = crossed(classes, places, noises)
    others = [{**own, "design": np.full(len(own["label"]), "crossed_noise", dtype=object)} for _ in values]
    for part, value in zip(others, values, strict=True):
        part["level"] = np.full(len(own["label"]), float(value))
    return joined(own, *others)
