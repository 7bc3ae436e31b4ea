"""Measure the space of a layer (see :meth:`seedscope.lenses.space.Space.measure`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from seedscope.formulas.classes import class_separations, nearest_centroid_accuracies
from seedscope.formulas.components import components_above, permuted_spectra, principal_components
from seedscope.formulas.concentration import participation_ratio
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.ridge import explained, readout
from seedscope.lenses import Replica
from seedscope.lenses.answers import answers
from seedscope.lenses.space.dimensions import METRICS, PARTS, dimensions
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
    networks = {"trained": values, **_untrained(replica, features)}
    measured = measured.assign_coords(network=list(networks), part=list(PARTS))
    measured["dimension"] = (("network", "part"), [dimensions(one, label) for one in networks.values()])
    measured["live_units"] = ("network", [int((one != 0).any(0).sum()) for one in networks.values()])
    if len(known) == 2:
        place = np.stack([replica.probe[name].values for name in known], 1).astype(np.float64)
        measured = measured.merge(_place(values[:, live], place, label, rng))
        measured = measured.merge(_place_before(networks, place, label))
        read = [_readings(measured), *([_readings(measured, "untrained_")] if "untrained" in networks else [])]
        measured = measured.assign_coords(reading=list(read[0]))
        measured["r2"] = (("network", "reading"), [[float(values[0]) for values in one.values()] for one in read])
    return measured


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return dimensions, class separation at the end of training, and how well the place can be read."""
    variance = measured.variance.values
    summary = {
        "components_above_chance": float(components_above(variance, measured.variance_null_permuted.values)),
        "effective_dimension": float(participation_ratio(variance)),
        "variance_of_3_components": float(shares(variance)[:_AXES].sum()) if variance.sum() > 0 else float("nan"),
    }
    before = "untrained" in measured.network
    for name in ("class_separation", "nearest_centroid_accuracy"):
        summary[name] = float(measured[name].values[-1])
        if before:
            summary |= _beside_untrained(name, summary[name], float(measured[name].values[0]))
    for part, name in METRICS.items():
        of_networks = measured.dimension.sel(part=part).values
        if part != "all":
            summary[name] = float(of_networks[0])
        if before:
            summary |= _beside_untrained(name, summary[name], float(of_networks[1]))
    summary["live_units"] = live = float(measured.live_units[0])
    summary |= _beside_permuted(summary["effective_dimension"], measured.variance_null_permuted.values, live)
    if before:
        summary["live_units_null_untrained"] = float(measured.live_units[1])
    if "place_left" in measured:
        for name, values in _readings(measured).items():
            summary[name] = float(values[0])
            summary[f"{name}_null_permuted"] = float(values[1:].mean())
            if before:
                untrained = float(measured.r2.sel(network="untrained", reading=name))
                summary |= _beside_untrained(name, summary[name], untrained)
    return summary


def _beside_untrained(name: str, trained: float, untrained: float) -> dict[str, float]:
    return {f"{name}_null_untrained": untrained, f"{name}_gain_untrained": trained - untrained}


def _beside_permuted(dimension: float, spectra: np.ndarray, live: float) -> dict[str, float]:
    """Return the dimension as a share of the live units, and what as many unrelated units of the same values span."""
    null = float(participation_ratio(spectra).mean()) if live else float("nan")
    share, null_share = (one / live if live else float("nan") for one in (dimension, null))
    return {
        "effective_dimension_null_permuted": null,
        "effective_dimension_gain_permuted": dimension - null,
        "effective_dimension_share": share,
        "effective_dimension_share_null_permuted": null_share,
        "effective_dimension_share_gain_permuted": share - null_share,
    }


def _is_trained(replica: Replica, features: str) -> bool:
    """Return whether training can change this layer: only then are there frames of it."""
    return f"{features}_frames" in replica.activations


def _at_frames(replica: Replica, features: str) -> tuple[xr.Dataset, Iterator[np.ndarray]]:
    """Return which steps, epochs and samples they are, and frame by frame the layer's values (sample, unit)."""
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
    return about_frames, (
        _answers(replica, features, frame, followed.sample.values) for frame in range(followed.sizes["frame"])
    )


def _answers(replica: Replica, features: str, frame: int, samples: np.ndarray) -> np.ndarray:
    """Return what a layer answered to these probe pictures at a frame, (sample, unit)."""
    import torch

    from seedscope.activations.capture import activations

    batches = torch.split(torch.from_numpy(replica.probe.image.sel(sample=samples).values), 256)
    with replica.network(frame) as model:
        outputs = [of[features].flatten(1).numpy() for of in activations(model, [features], batches)]
    return np.concatenate(outputs).astype(np.float64)


def _untrained(replica: Replica, features: str) -> dict[str, np.ndarray]:
    """Return what the layer answered to all probe pictures before the first step, if training changed it."""
    if replica.frames is None or not _is_trained(replica, features):
        return {}
    if replica.activations[features].ndim == 2:
        return {"untrained": answers(replica, [features], 0)[features]["mean"].astype(np.float64)}
    return {"untrained": _answers(replica, features, 0, replica.probe.sample.values)}


def _through_training(replica: Replica, features: str, rng: np.random.Generator) -> xr.Dataset:
    """Return separation, nearest-centroid accuracy and effective dimensions at each frame, and with shuffled labels."""
    about, frames = _at_frames(replica, features)
    label = replica.probe.label.sel(sample=about.sample.values).values
    labels = np.stack([label, *(rng.permutation(label) for _ in range(_PERMUTATIONS))])
    names = {"class_separation": class_separations, "nearest_centroid_accuracy": nearest_centroid_accuracies}
    found: dict[str, list[float]] = {name: [] for name in (*names, *METRICS.values())}
    null: dict[str, list[list[float]]] = {f"{name}_null_shuffled": [] for name in names}
    for values in frames:
        for name, measure in names.items():
            own, *shuffled = measure(values, labels).tolist()
            found[name].append(own)
            null[f"{name}_null_shuffled"].append(shuffled)
        for name, dimension in zip(METRICS.values(), dimensions(values, label), strict=True):
            found[name].append(dimension)
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


def _place_before(networks: Mapping[str, np.ndarray], place: np.ndarray, label: np.ndarray) -> xr.Dataset:
    """Return the sums of squares behind R² of the place in the untrained network; nothing where there is none."""
    if "untrained" not in networks:
        return xr.Dataset()
    values = networks["untrained"]
    left, total, within = readout(values[:, (values != 0).any(0)], place, label)
    return xr.Dataset(
        {
            "untrained_place_left": (("one", "along"), left[None]),
            "untrained_place_total": (("one", "along"), total[None]),
            "untrained_within_left": (("true", "one", "along"), within[:, :1]),
            "untrained_within_total": (("true", "one", "along"), within[:, 1:]),
        }
    )


def _readings(measured: xr.Dataset, network: str = "") -> dict[str, np.ndarray]:
    """Return R² of the place over both coordinates, and within classes: first as it is, then of each permutation."""
    left, total = (measured[f"{network}place_{part}"].values.sum(1) for part in ("left", "total"))
    within_left, within_total = (measured[f"{network}within_{part}"].values.sum((0, 2)) for part in ("left", "total"))
    return {"place_r2": explained(left, total), "place_r2_within_class": explained(within_left, within_total)}
