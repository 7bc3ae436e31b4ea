"""What hidden units are asked to become, at each frame of the training, and whether they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.correlation import cosines
from seedscope.formulas.nulls import shuffled_within
from seedscope.lenses import Replica
from seedscope.lenses.dense_layers import DenseLayers, inputs_of
from seedscope.lenses.teacher.kinds import SHUFFLES, VERSIONS

if TYPE_CHECKING:
    import xarray as xr

_PICTURES = 512  # of each kind, balanced over classes
_ON = 0.01  # of the picture's largest output: above it a unit counts as on
_STATE = ("distance", "length", "zeros", "outputs_zeros", "on", "outputs_on", "negative")


def measure(replica: Replica, layers: Sequence[str]) -> xr.DataTree:
    """Return a group for each hidden layer; its variables have a dimension ``pictures`` (training, probe).

    ``distance`` and what else :func:`_state` gives (pictures, version, frame), ``followed`` (…, shuffle),
    ``sign_agreement`` and its null (pictures, frame), ``asked`` (pictures, moment, true, unit).
    """
    import xarray as xr

    if replica.frames is None:
        raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: there are no frames of the training")
    by_picture = {name: _follow(replica, layers, name) for name in ("training", "probe")}
    groups = {
        layer: xr.concat([one[layer] for one in by_picture.values()], "pictures", coords="minimal", compat="override")
        for layer in layers[:-1]
    }
    times = {name: ("frame", replica.frames[name].values) for name in ("step", "epoch")}
    about = {"experiment": replica.experiment, "seed": replica.seed, "class_names": list(replica.class_names)}
    root = xr.Dataset(coords={"pictures": list(by_picture), **times}, attrs=about)
    return xr.DataTree.from_dict({"/": root, **groups})


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return, of each layer, numbers of the end of training, with those of step 0 and their nulls beside them."""
    summary: dict[str, float] = {}
    for layer, own in measured.children.items():
        for pictures in ("training", "probe"):
            post = own.dataset.sel(pictures=pictures, version="post")
            summary[f"{layer}_distance_{pictures}"] = float(post.distance[-1])
            summary[f"{layer}_distance_{pictures}_at_start"] = float(post.distance[0])
            for shuffle, null in (("none", ""), ("all", "_null_shuffled"), ("class", "_null_shuffled_within_class")):
                cosine = post.followed.sel(shuffle=shuffle).values
                known = cosine[~np.isnan(cosine)]
                value = float(known.mean()) if len(known) else float("nan")
                summary[f"{layer}_followed_{pictures}{null}"] = value
        post = own.dataset.sel(pictures="probe", version="post").isel(frame=-1)
        for name in ("zeros", "outputs_zeros", "on", "outputs_on", "negative"):
            summary[f"{layer}_{name}"] = float(post[name])
    last = list(measured.children.values())[-1].dataset.sel(pictures="probe").isel(frame=-1)
    summary["sign_agreement"] = float(last.sign_agreement)
    summary["sign_agreement_null_shuffled"] = float(last.sign_agreement_null)
    return summary


def corrections(chain: DenseLayers, x: np.ndarray, label: np.ndarray) -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return, for each hidden layer, (outputs, correction) of both versions, each (sample, unit).

    Args:
        chain: the dense layers.
        x: (sample, in), what the first of them takes.
        label: (sample).
    """
    z = chain.forward(x)
    dout = chain.backward(z, label)
    found = []
    for before, after, weight in zip(z[:-1], dout[1:], chain.weights[1:], strict=True):
        gradient = after @ weight
        found.append({"post": (np.maximum(before, 0), gradient), "pre": (before, gradient * (before > 0))})
    return found


def sign_agreement(correction: np.ndarray, weight: np.ndarray, label: np.ndarray, live: np.ndarray) -> float:
    """Return how often a unit is asked to rise where it votes for the picture's class, and to fall where against.

    Pairs of picture and live unit of which either sign is 0 are left out; NaN where none is left.

    Args:
        correction: (sample, unit); it is subtracted.
        weight: (target, unit) of the last layer; a single target is that of label 1.
        label: (sample).
        live: (unit).
    """
    others = weight - weight.sum(0, keepdims=True)  # minus the sum of the others
    vote = weight + others / (len(weight) - 1) if len(weight) > 1 else np.concatenate([-weight, weight])
    product = np.sign(-correction[:, live]) * np.sign(vote[label][:, live])
    told = product != 0
    return float((product[told] > 0).mean()) if told.any() else float("nan")


def _follow(replica: Replica, layers: Sequence[str], which: str) -> dict[str, xr.Dataset]:
    """Return everything of each hidden layer for the training or the probe pictures."""
    import xarray as xr

    from seedscope.data import balanced

    assert replica.frames is not None
    pictures = replica.training if which == "training" else replica.probe
    chosen = balanced(pictures.label.values, _PICTURES)
    image, label = pictures.image.isel(sample=chosen).values, pictures.label.values[chosen]
    rng = np.random.default_rng(0)
    orders = dict(
        zip(SHUFFLES, (np.arange(len(label)), rng.permutation(len(label)), shuffled_within(label, rng)), strict=True)
    )
    hidden, n_frames = layers[:-1], replica.frames.sizes["frame"]
    found = {layer: _empty(n_frames) for layer in hidden}
    asked: dict[str, np.ndarray] = {}
    earlier: list[dict[str, tuple[np.ndarray, np.ndarray]]] = []
    for frame in range(n_frames):
        with replica.network(frame) as model:
            x = inputs_of(model, layers, image)
            chain = DenseLayers.of(model, layers)
        now = corrections(chain, x, label)
        for index, layer in enumerate(hidden):
            own = found[layer]
            for v, version in enumerate(VERSIONS):
                outputs, correction = now[index][version]
                for name, value in _state(outputs, correction).items():
                    own[name][v, frame] = value
                if earlier:
                    own["followed"][v, frame] = _followed(outputs, *earlier[index][version], orders)
            gradient = now[index]["post"][1]
            for moment in np.flatnonzero(frame == np.array([0, n_frames - 1])):
                kept = asked.setdefault(layer, np.full((2, len(replica.class_names), gradient.shape[1]), np.nan))
                for k in np.unique(label):
                    kept[moment, k] = -gradient[label == k].mean(0)
            if layer == hidden[-1]:
                live = np.any(now[index]["post"][0] > 0, axis=0)
                for name, known in (("sign_agreement", label), ("sign_agreement_null", label[orders["all"]])):
                    own[name][frame] = sign_agreement(gradient, chain.weights[-1], known, live)
        earlier = now
    coords = {"version": list(VERSIONS), "shuffle": list(SHUFFLES), "moment": ["start", "end"]}
    return {
        layer: xr.Dataset({**_labelled(found[layer]), "asked": (("moment", "true", "unit"), asked[layer])}, coords)
        for layer in hidden
    }


def _empty(frames: int) -> dict[str, np.ndarray]:
    shape = (len(VERSIONS), frames)
    return {
        **{name: np.full(shape, np.nan) for name in _STATE},
        "followed": np.full((*shape, len(SHUFFLES)), np.nan),
        **{name: np.full(frames, np.nan) for name in ("sign_agreement", "sign_agreement_null")},
    }


def _labelled(found: dict[str, np.ndarray]) -> dict[str, Any]:
    dims = {1: ("frame",), 2: ("version", "frame"), 3: ("version", "frame", "shuffle")}
    return {name: (dims[values.ndim], values) for name, values in found.items()}


def _followed(outputs: np.ndarray, before: np.ndarray, asked: np.ndarray, orders: dict[str, np.ndarray]) -> list[float]:
    """Return the mean cosine of what changed with what the frame before asked, for each order of the corrections."""
    by_order = [cosines(outputs - before, -asked[order]) for order in orders.values()]
    return [np.nanmean(cosine) if (~np.isnan(cosine)).any() else np.nan for cosine in by_order]


def _state(outputs: np.ndarray, correction: np.ndarray) -> dict[str, float]:
    """Return how far the teacher is, how sparse and how negative, of (sample, unit)."""
    teacher = outputs - correction
    length = np.linalg.norm(correction, axis=1)
    size = np.linalg.norm(outputs, axis=1).sum()
    largest = outputs.max(1, keepdims=True, initial=0)
    threshold = _ON * largest
    return {
        "distance": length.sum() / size if size > 0 else np.nan,
        "length": length.mean(),
        "zeros": (teacher == 0).mean(),
        "outputs_zeros": (outputs == 0).mean(),
        "on": (teacher > threshold).mean(),
        "outputs_on": (outputs > threshold).mean(),
        "negative": (teacher < 0).mean(),
    }
