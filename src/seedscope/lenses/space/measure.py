"""Measure the space of a layer (see :meth:`seedscope.lenses.space.Space.measure`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from seedscope.formulas.classes import class_separation, nearest_centroid_accuracy
from seedscope.formulas.components import components_above, permuted_spectra, principal_components
from seedscope.formulas.concentration import participation_ratio
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.ridge import explained, readout
from seedscope.lenses import Replica
from seedscope.lenses.space.spectrum import shares
from seedscope.lenses.units import Units

_AXES = 3  # components whose scores are kept
_PERMUTATIONS = 20
_FOLLOWED = 512  # pictures of a layer that training cannot change


def measure(replica: Replica, features: str) -> xr.Dataset:
    """Return the principal components, how classes part in training, and how well the place can be read."""
    values = replica.activations[features].values
    values = values.reshape(len(values), -1).astype(np.float64)
    live = (values != 0).any(0)
    label = replica.probe.label.values
    rng = np.random.default_rng(0)
    scores, loadings, variance = principal_components(values[:, live], _AXES)
    null = np.zeros((_PERMUTATIONS, 0))
    if live.any():
        null = permuted_spectra(values[:, live], rng, _PERMUTATIONS)
    whole = np.zeros((_AXES, len(live)))
    whole[:, live] = loadings
    known = [name for name in ("square_y", "square_x") if name in replica.probe]
    measured = xr.Dataset(
        {
            "score": (("sample", "axis"), scores.astype(np.float32)),
            "loading": (("axis", "unit"), whole),
            "variance": ("component", variance),
            "variance_null_permuted": (("permutation", "component"), null),
            "live": ("unit", live),
            "label": ("sample", label),
            **{name: ("sample", replica.probe[name].values) for name in known},
        },
        coords={"sample": replica.probe.sample.values},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, features).attributes(),
            "class_names": list(replica.class_names),
            "trained": int(_is_trained(replica, features)),
        },
    )
    measured = measured.merge(_through_training(replica, features, rng))
    if len(known) == 2:
        place = np.stack([replica.probe[name].values for name in known], 1).astype(np.float64)
        measured = measured.merge(_place(values[:, live], place, label, rng))
    return measured


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return dimensions, class separation at the end of training, and how well the place can be read."""
    variance = measured.variance.values
    summary = {
        "components_above_chance": float(components_above(variance, measured.variance_null_permuted.values)),
        "effective_dimension": float(participation_ratio(variance)),
        "variance_of_3_components": float(shares(variance)[:_AXES].sum()) if variance.sum() > 0 else float("nan"),
    }
    for name in ("class_separation", "nearest_centroid_accuracy"):
        summary[name] = float(measured[name].values[-1])
    if "place_left" in measured:
        for name, values in _readings(measured).items():
            summary[name] = float(values[0])
            summary[f"{name}_null_permuted"] = float(values[1:].mean())
    return summary


def _is_trained(replica: Replica, features: str) -> bool:
    """Return whether training can change this layer: only then are there frames of it."""
    return f"{features}_frames" in replica.activations


def _at_frames(replica: Replica, features: str) -> tuple[xr.Dataset, Iterator[np.ndarray]]:
    """Return which steps, epochs and samples they are, and frame by frame the layer's values (sample, unit)."""
    import torch

    from seedscope.activations.capture import activations
    from seedscope.data import balanced

    if not _is_trained(replica, features):
        chosen = balanced(replica.probe.label.values, _FOLLOWED)
        kept = replica.activations[features].isel(sample=chosen)
        last = {"step": 0, "epoch": 0.0} if replica.frames is None else replica.frames.isel(frame=-1)
        about = {name: ("frame", [float(last[name])]) for name in ("step", "epoch")}
        return xr.Dataset(coords={**about, "sample": replica.probe.sample.values[chosen]}), iter(
            [kept.values.reshape(len(kept), -1).astype(np.float64)]
        )
    followed = replica.activations[f"{features}_frames"]
    about_frames = followed.coords.to_dataset()
    if replica.activations[features].ndim == 2:
        return about_frames, (values.astype(np.float64) for values in followed.values)
    image = torch.from_numpy(replica.probe.image.sel(sample=followed.sample.values).values)
    batches = [image[start : start + 256] for start in range(0, len(image), 256)]

    def maps() -> Iterator[np.ndarray]:
        for frame in range(followed.sizes["frame"]):
            with replica.network(frame) as model:
                outputs = [of[features].flatten(1).numpy() for of in activations(model, [features], batches)]
            yield np.concatenate(outputs).astype(np.float64)

    return about_frames, maps()


def _through_training(replica: Replica, features: str, rng: np.random.Generator) -> xr.Dataset:
    """Return separation, nearest-centroid accuracy and effective dimension at each frame, and with shuffled labels."""
    about, frames = _at_frames(replica, features)
    label = replica.probe.label.sel(sample=about.sample.values).values
    shuffled = [rng.permutation(label) for _ in range(_PERMUTATIONS)]
    names = {"class_separation": class_separation, "nearest_centroid_accuracy": nearest_centroid_accuracy}
    found: dict[str, list[float]] = {name: [] for name in (*names, "effective_dimension")}
    null: dict[str, list[list[float]]] = {f"{name}_null_shuffled": [] for name in names}
    for values in frames:
        for name, measure in names.items():
            found[name].append(measure(values, label))
            null[f"{name}_null_shuffled"].append([measure(values, one) for one in shuffled])
        found["effective_dimension"].append(float(participation_ratio(principal_components(values, 0)[2])))
    return xr.Dataset(
        {
            **{name: ("frame", values) for name, values in found.items()},
            **{name: (("frame", "permutation"), values) for name, values in null.items()},
        },
        coords={name: ("frame", about[name].values) for name in ("step", "epoch")},
    )


def _place(values: np.ndarray, place: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
    """Return the sums of squares behind R² of the place and, with places permuted within classes, of its null."""
    drawn = [place]
    drawn += [place[shuffled_within(label, rng)] for _ in range(_PERMUTATIONS)]
    left, total, within = readout(values, np.concatenate(drawn, 1), label)
    shape = (len(drawn), 2)
    return xr.Dataset(
        {
            "place_left": (("draw", "along"), left.reshape(shape)),
            "place_total": (("draw", "along"), total.reshape(shape)),
            "within_left": (("true", "draw", "along"), within[:, 0].reshape(-1, *shape)),
            "within_total": (("true", "draw", "along"), within[:, 1].reshape(-1, *shape)),
        },
        coords={"along": ["y", "x"], "true": np.unique(label)},
    )


def _readings(measured: xr.Dataset) -> dict[str, np.ndarray]:
    """Return R² of the place over both coordinates, and within classes: first as it is, then of each permutation."""
    left, total = (measured[f"place_{part}"].values.sum(1) for part in ("left", "total"))
    within_left, within_total = (measured[f"within_{part}"].values.sum((0, 2)) for part in ("left", "total"))
    return {"place_r2": explained(left, total), "place_r2_within_class": explained(within_left, within_total)}
