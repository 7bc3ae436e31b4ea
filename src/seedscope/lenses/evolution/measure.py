"""Follow votes, margins and top units through the frames of a training, without drawing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.arrays import root_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import in_a_sentence
from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.overlap import top_overlap_by_chance
from seedscope.formulas.ranks import comeback, settled, top_units
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.lenses.evolution.foretold import PREDICTORS, foretold, foretold_numbers
from seedscope.lenses.replica import Replica

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.lens import Numbers

_SHUFFLES = 2000


def measure(replica: Replica, features: str, head: str, layers: Sequence[str], top: int) -> Numbers:
    """Return what the formulas of :mod:`seedscope.lenses.evolution` name; a group for each of ``layers``."""
    import xarray as xr

    if replica.frames is None:
        raise SeedscopeError(
            f"{in_a_sentence(replica.seed)} has no frames of its training: run `dvc repro` to make them"
        )
    answered = replica.activations["logit_frames"].load()
    activation = _at_frames(replica, features, "frames", answered.sample.values).load()
    label = replica.probe.label.sel(sample=answered.sample).values
    exhibit = _first_of_each_class(replica)
    votes = _votes(replica, features, head, activation.values, answered.values.astype(np.float64))
    root = xr.Dataset(
        {
            "label": ("sample", label),
            **_decision(votes, answered.values.astype(np.float64), label, len(replica.class_names)),
            "exhibit_label": ("exhibit", replica.probe.label.sel(sample=exhibit).values),
            "exhibit_activation": (("frame", "exhibit", "unit"), activation.sel(sample=exhibit).values),
        },
        coords={
            "frame": answered.frame.values,
            "step": ("frame", answered.step.values),
            "epoch": ("frame", answered.epoch.values),
            "sample": answered.sample.values,
            "exhibit_sample": ("exhibit", exhibit),
        },
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            "features": features,
            "class_names": list(replica.class_names),
        },
    )
    head_weight, live = votes[0].class_weight(centred=True), root["live"].values[-1]
    rng = np.random.default_rng(replica.trained_from)
    root = root.assign(_formation(root["dominance"].values, head_weight, live, top, rng))
    root = root.assign(foretold(votes[0], votes[-1], label, len(replica.class_names), top, replica.trained_from))
    root = root.assign_coords(predictor=list(PREDICTORS))
    if not layers:
        return root
    picture = replica.probe.image.sel(sample=exhibit[0]).values
    root = root.assign(image=(("image_channel", "image_y", "image_x"), picture))
    return xr.DataTree.from_dict({"/": root, **{layer: _maps(replica, layer, exhibit[:1]) for layer in layers}})


def _at_frames(replica: Replica, layer: str, kept: str, samples: np.ndarray) -> xr.DataArray:
    """Return what a layer answers at each frame, ``(frame, sample, …)``; ``kept`` ends the name under which it is.

    Of a layer that training cannot change nothing is kept by frame: it always answers as in the end.
    """
    if f"{layer}_{kept}" in replica.activations:
        return replica.activations[f"{layer}_{kept}"]
    frames = replica.activations["logit_frames"].frame.values
    return replica.activations[layer].sel(sample=samples).expand_dims(frame=frames)


def _votes(replica: Replica, features: str, head: str, activation: np.ndarray, logit: np.ndarray) -> list[Votes]:
    """Return the votes of each frame, from activations (frame, sample, unit) and the logits they must give."""
    assert replica.frames is not None
    weight = replica.frames[f"{head}.weight"].values
    bias = f"{head}.bias"
    biases = replica.frames[bias].values if bias in replica.frames else np.zeros(weight.shape[:2])
    return [
        Votes(*(part.astype(np.float64) for part in parts)).adding_up(answer, features, head)
        for *parts, answer in zip(activation, weight, biases, logit, strict=True)
    ]


def _decision(votes: Sequence[Votes], logit: np.ndarray, label: np.ndarray, n_classes: int) -> dict[str, Any]:
    """Return what is decided at each frame, and by which units."""
    ranked = [centred_dominance(of_frame, label, n_classes) for of_frame in votes]
    return {
        "margin": (("frame", "sample"), np.stack([true_margin(answer, label) for answer in logit])),
        "accuracy": ("frame", [float((predicted_class(answer) == label).mean()) for answer in logit]),
        "mean_logit": (
            ("frame", "true", "target"),
            np.stack([class_means(answer, label, n_classes) for answer in logit]),
        ),
        "live": (("frame", "unit"), np.stack([of_frame.live for of_frame in votes])),
        "dominance": (("frame", "true", "unit"), np.stack(ranked)),
    }


def _formation(
    ranked: np.ndarray, head: np.ndarray, live: np.ndarray, top: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return how the final top units came to be, by the names of the measured variables.

    Args:
        ranked: (frame, class, unit) dominance.
        head: (class, unit) centred weights at step 0.
        live: (unit), at the last frame.
        top: size of the top sets.
        rng: draws the shuffles.
    """
    n_frames, n_classes, _ = ranked.shape
    seen = np.flatnonzero(~np.isnan(ranked[-1]).all(-1))
    rank = np.full(ranked.shape, np.nan)
    overlap, auc = np.full((n_frames, n_classes), np.nan), np.full((n_frames, n_classes), np.nan)
    at = np.full(n_classes, np.nan)
    null: Mapping[str, np.ndarray] = {name: np.full((n_frames, _SHUFFLES), np.nan) for name in ("overlap", "auc")}
    head_auc, head_null = np.full(n_classes, np.nan), np.full(_SHUFFLES, np.nan)
    if live.any() and len(seen):
        units_left = np.flatnonzero(live)
        back = comeback(ranked[:, seen][..., units_left], top, rng, _SHUFFLES)
        rank[:, seen[:, None], units_left] = back.rank
        overlap[:, seen], auc[:, seen], at[seen] = back.overlap, back.auc, settled(back.overlap)
        null = back.null
        by_head = comeback(np.stack([head, ranked[-1]])[:, seen][..., units_left], top, rng, _SHUFFLES)
        head_auc[seen], head_null = by_head.auc[0], by_head.null["auc"][0]
    return {
        "top": (("true", "rank"), top_units(ranked[-1], live, top)),
        "unit_rank": (("frame", "true", "unit"), rank),
        "settled_position": ("true", at),
        "head_auc": ("true", head_auc),
        "head_auc_mean": ((), head_auc[seen].mean() if len(seen) else np.nan),
        "head_auc_null_chance": ((), 0.5),
        "head_auc_null_shuffled_at_start": ("shuffle", head_null),
        **_held_against("overlap", overlap, seen, null["overlap"], top_overlap_by_chance(top, int(live.sum()))),
        **_held_against("auc", auc, seen, null["auc"], 0.5),
    }


def _held_against(
    name: str, observed: np.ndarray, seen: np.ndarray, drawn: np.ndarray, chance: float
) -> dict[str, Any]:
    """Return a measure (frame, class), its mean over the classes ``seen``, and its null ``drawn`` (frame, shuffle)."""
    mean = observed[:, seen].mean(1) if len(seen) else np.full(len(observed), np.nan)
    p = [permutation_p(value, of_frame) for value, of_frame in zip(mean, drawn, strict=True)]
    return {
        name: (("frame", "true"), observed),
        f"{name}_mean": ("frame", mean),
        f"{name}_null_shuffled": (("frame", "end"), np.quantile(drawn, (0.025, 0.975), axis=1).T),
        f"{name}_null_chance": ((), chance),
        f"{name}_p": ("frame", p),
        f"{name}_null_shuffled_at_start": ("shuffle", drawn[0]),
    }


def _maps(replica: Replica, layer: str, sample: np.ndarray) -> xr.Dataset:
    """Return the maps of one picture, the only ``sample``, at each frame."""
    import xarray as xr

    maps = _at_frames(replica, layer, "exhibit_frames", sample).sel(sample=int(sample[0]))
    return xr.Dataset({"map": (("frame", "channel", "y", "x"), maps.values)})


def _first_of_each_class(replica: Replica) -> np.ndarray:
    """Return the samples of the first exhibit of each class that has one."""
    label = replica.probe.label.sel(sample=replica.exhibits).values
    _, first = np.unique(label, return_index=True)
    return replica.exhibits[first]


def summarize(measured: Numbers, top: int) -> dict[str, float]:
    """Return when the top sets settled, and what step 0 said of the end; NaN where training has no step."""
    root = root_of(measured)
    at = root["settled_position"].values
    epochs = root["epoch"].values[at[~np.isnan(at)].astype(int)]
    summary = {
        f"top{top}_settled_epoch": float(epochs.mean()) if len(epochs) else np.nan,
        f"top{top}_last_class_settled_epoch": float(epochs.max()) if len(epochs) else np.nan,
        f"top{top}_overlap_at_start": float(root["overlap_mean"][0]),
        f"top{top}_overlap_at_start_null_chance": float(root["overlap_null_chance"]),
        f"top{top}_auc_at_start": float(root["auc_mean"][0]),
        f"top{top}_head_auc_at_start": float(root["head_auc_mean"]),
        **foretold_numbers(root, top),
    }
    several = root.sizes["frame"] > 1
    return {
        **{name: value if several else float("nan") for name, value in summary.items()},
        "live_units_at_start": float(root["live"][0].sum()),
        "live_units_at_end": float(root["live"][-1].sum()),
        "median_margin": float(root["margin"][-1].median()),
    }
