"""What each dense layer learned, in which directions, and from the samples of which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Replica
from seedscope.lenses.dense_layers import DenseLayers, inputs_of
from seedscope.lenses.learning_rule.class_parts import Replay, replay_by_class
from seedscope.lenses.learning_rule.own_class import own_classes

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

_PICTURES = 300  # on which the rule is held against automatic differentiation
_AT_ONCE = 4096
_NEGLIGIBLE = 1e-13  # eigenvalues of the inputs, as a share of the largest


def measure(replica: Replica, layers: Sequence[str], split: int) -> xr.DataTree:
    """Return a group for each layer, and in the root what belongs to all of them.

    Of a layer ``rule_error`` (frame), ``span_share`` (inputs, frame) and ``rank`` (inputs), ``along`` and ``energy``
    (direction), and of the rows that are split, at most ``split`` of a hidden layer, ``unit`` (row), ``change``
    (row, input), ``part`` (true, row, input), ``share`` and ``raw_share`` (labelling, row, true).
    """
    import xarray as xr

    from seedscope.data import balanced

    if replica.frames is None:
        raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: there are no frames of the training")
    weights = {layer: replica.frames[f"{layer}.weight"].values.astype(np.float64) for layer in layers}
    learned = {layer: weight - weight[0] for layer, weight in weights.items()}
    label, n_classes = replica.training.label.values, len(replica.class_names)
    error, first = _rule_errors(replica, layers, balanced(label, _PICTURES))
    fixed = np.array_equal(first[0], first[-1])
    with replica.network() as model:
        end = _gram(model, layers, replica.training.image)
    rows = {layer: _rows(learned[layer][-1], None if layer == layers[-1] else split) for layer in layers}
    labels = np.stack([label, np.random.default_rng(0).permutation(label)])
    replay = replay_by_class(replica, rows, labels, n_classes, layers[1:] if fixed else layers)
    seen = {**replay.gram, **({layers[0]: end[layers[0]]} if fixed else {})}
    groups = {
        layer: xr.Dataset({"rule_error": ("frame", own_error)})
        .merge(_span(learned[layer], seen[layer], end[layer]))
        .merge(_by_class(layer, learned[layer][-1], rows[layer], replay, is_head=layer == layers[-1]))
        for layer, own_error in zip(layers, error, strict=True)
    }
    times = {name: ("frame", replica.frames[name].values) for name in ("step", "epoch")}
    root = xr.Dataset(
        {
            "replay_error": ((), _difference(replay.weights, replica.weights)),
            "class_share": ("true", np.bincount(label, minlength=n_classes) / len(label)),
        },
        coords={"inputs": ["seen", "end"], "labelling": ["class", "shuffled"], **times},
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            "class_names": list(replica.class_names),
            "picture": np.array(replica.probe.image.shape[1:]),
            "n_learned_from": len(label),
        },
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def _span(learned: np.ndarray, seen: np.ndarray, end: np.ndarray) -> xr.Dataset:
    """Return where in the space of its inputs a layer's change lies, learned (frame, out, in)."""
    import xarray as xr

    spans = [leading_directions(gram) for gram in (seen, end)]
    basis = spans[0][0]
    energy = np.einsum("id,ij,jd->d", basis, seen, basis, optimize=True)
    share = [[shares_along(change, directions)[:rank].sum() for change in learned] for directions, rank in spans]
    return xr.Dataset(
        {
            "span_share": (("inputs", "frame"), np.array(share)),
            "rank": ("inputs", [rank for _, rank in spans]),
            "n_inputs": ((), learned.shape[-1]),
            "along": ("direction", shares_along(learned[-1], basis)),
            "energy": ("direction", energy / energy.sum() if energy.sum() > 0 else energy),
        }
    )


def _by_class(layer: str, learned: np.ndarray, rows: np.ndarray, replay: Replay, *, is_head: bool) -> xr.Dataset:
    """Return the change of some rows of a layer, learned (out, in), split by the class of the samples."""
    import xarray as xr

    parts, change = replay.parts[layer], learned[rows]
    largest = np.abs(change).max(initial=0)
    incomplete = np.abs(replay.first[layer] + parts[0].sum(0) - change).max() / largest if largest else 0.0
    raw = shares_by_class(parts, change)
    if is_head and len(change) > 1:
        parts, change = (values - values.mean(-2, keepdims=True) for values in (parts, change))
    return xr.Dataset(
        {
            "completeness_error": ((), incomplete),
            "unit": ("row", rows),
            "change": (("row", "input"), change.astype(np.float32)),
            "part": (("true", "row", "input"), parts[0].astype(np.float32)),
            "share": (("labelling", "row", "true"), shares_by_class(parts, change)),
            "raw_share": (("labelling", "row", "true"), raw),
        }
    )


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return errors, then of each layer its span shares, and how far samples of a row's own class wrote it."""
    layers = list(measured.children.values())
    summary = {
        "rule_error": max(float(own.rule_error.max()) for own in layers),
        "replay_error": float(measured.replay_error),
        "completeness_error": max(float(own.completeness_error) for own in layers),
    }
    for layer, group in measured.children.items():
        own = group.to_dataset()
        for inputs, name in (("seen", "span_share"), ("end", "span_share_of_final_inputs")):
            summary[f"{layer}_{name}"] = float(own.span_share.sel(inputs=inputs).values[-1])
            summary[f"{layer}_{name}_null_chance"] = float(own["rank"].sel(inputs=inputs) / own.n_inputs)
        tenth = -(-int(own.n_inputs) // 10)
        summary[f"{layer}_change_in_leading_tenth"] = float(own.along.values[:tenth].sum())
    for layer, group in list(measured.children.items())[:-1]:
        largest = _mean(group.share.values.max(-1))
        summary |= dict(
            zip((f"{layer}_largest_class_share", f"{layer}_largest_class_share_null_shuffled"), largest, strict=True)
        )
    return summary | _of_the_head(measured)


def _of_the_head(measured: xr.DataTree) -> dict[str, float]:
    """Return how far each row of the last layer was written by the samples of its own class."""
    head = list(measured.children.values())[-1]
    share, own_class, frequency = head.share.values, own_classes(measured), measured.class_share.values
    at = np.arange(share.shape[1])
    others = np.where(own_class[:, None] == np.arange(share.shape[2]), -np.inf, share)
    largest = _mean(np.where(np.isnan(share[..., 0]), np.nan, others.max(-1)))
    changed = ~np.isnan(share[0, :, 0])
    first = share[0, changed].argmax(-1) == own_class[changed]
    change, own_part = head.change.values, head.part.values[own_class, at]
    ratio = np.linalg.norm(own_part[changed], axis=-1) / np.linalg.norm(change[changed], axis=-1)
    return {
        "own_class_share": float(_mean(share[:, at, own_class])[0]),
        "own_class_share_null_chance": float(frequency[own_class].mean()),
        "own_class_share_raw": float(_mean(head.raw_share.values[:, at, own_class])[0]),
        "own_class_is_largest": float(first.mean()) if changed.any() else float("nan"),
        "own_part_over_change": float(ratio.mean()) if changed.any() else float("nan"),
        "largest_other_class_share": float(largest[0]),
        "largest_other_class_share_null_shuffled": float(largest[1]),
    }


def weight_gradients(chain: DenseLayers, x: np.ndarray, label: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return dW (out, in) and db (out) of each layer by the rule, for the loss summed over samples."""
    z = chain.forward(x)
    inputs = [x, *(np.maximum(before, 0) for before in z[:-1])]
    return [(dout.T @ own, dout.sum(0)) for dout, own in zip(chain.backward(z, label), inputs, strict=True)]


def leading_directions(gram: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the directions of inputs with the sum of squares ``gram`` (in, in), strongest first, and their rank.

    Directions are columns, (in, in); the first ``rank`` of them span the inputs.
    """
    used = np.diag(gram) > 0  # inputs that are always 0 are left out of the rounding
    size, direction = np.linalg.eigh(gram[np.ix_(used, used)])
    rank = int((size > _NEGLIGIBLE * size.max(initial=0)).sum())
    directions = np.zeros_like(gram)
    directions[np.ix_(used, np.arange(len(size)))] = direction[:, ::-1]
    directions[np.flatnonzero(~used), np.arange(len(size), len(gram))] = 1
    return directions, rank


def shares_along(change: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return the share of ‖change‖², change (row, in), along each direction; NaN where nothing changed."""
    along = ((change @ directions) ** 2).sum(0)
    return along / along.sum() if along.sum() > 0 else np.full(len(along), np.nan)


def shares_by_class(parts: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return share[…, row, class] of parts (…, class, row, in) in the change (row, in); NaN where nothing changed."""
    size = (change**2).sum(-1)[:, None]
    projected = np.moveaxis((parts * change).sum(-1), -2, -1)
    return np.divide(projected, size, out=np.full_like(projected, np.nan), where=size > 0)


def _rows(change: np.ndarray, count: int | None) -> np.ndarray:
    """Return which rows of a layer are split: the ``count`` that changed most, or all."""
    if count is None:
        return np.arange(len(change))
    return np.sort(np.argsort(-np.linalg.norm(change, axis=1), kind="stable")[:count])


def _rule_errors(replica: Replica, layers: Sequence[str], some: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the rule's relative error, (layer, frame), and the first layer's inputs at each frame."""
    import torch

    from seedscope.replicas.training import loss_of

    assert replica.frames is not None
    image = replica.training.image.isel(sample=some).values
    label = replica.training.label.values[some]
    errors, inputs = [], []
    for frame in range(replica.frames.sizes["frame"]):
        with replica.network(frame) as model:
            inputs.append(inputs_of(model, layers, image))
            ruled = weight_gradients(DenseLayers.of(model, layers), inputs[-1], label)
            modules = [model.get_submodule(layer) for layer in layers]
            for module in modules:
                module.requires_grad_(True)
            loss = loss_of(model(torch.from_numpy(image.astype(np.float64))), torch.from_numpy(label)).sum()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            errors.append([_error(module, *found) for module, found in zip(modules, ruled, strict=True)])
    return np.array(errors).T, inputs


def _error(module: nn.Module, *ruled: np.ndarray) -> float:
    """Return the largest difference of dW and db to the gradients of a layer, as a share of the largest entry."""
    differences, largest = [0.0], 0.0
    for parameter, found in zip((module.weight, module.bias), ruled, strict=True):
        if parameter is not None:
            gradient = parameter.grad.numpy()  # type: ignore[operator,union-attr]  # a dense layer after backward()
            differences.append(np.abs(found - gradient).max())
            largest = max(largest, np.abs(gradient).max())
    return max(differences) / largest if largest else max(differences)


def _gram(model: nn.Module, layers: Sequence[str], image: xr.DataArray) -> dict[str, np.ndarray]:
    """Return Σ XᵀX of each layer's inputs over pictures, (in, in), in float64."""
    total: dict[str, np.ndarray] = {}
    for start in range(0, len(image), _AT_ONCE):
        x = inputs_of(model, layers, image[start : start + _AT_ONCE].values)
        z = DenseLayers.of(model, layers).forward(x)
        for layer, own in zip(layers, [x, *(np.maximum(before, 0) for before in z[:-1])], strict=True):
            total[layer] = total.get(layer, 0.0) + own.T @ own
    return total


def _difference(found: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> float:
    """Return the largest difference between two networks' weights, as a share of the largest weight."""
    largest = max(np.abs(values).max(initial=0) for values in kept.values())
    return float(max(np.abs(found[name] - kept[name]).max(initial=0) for name in kept) / largest)


def _mean(by_row: np.ndarray) -> tuple[float, ...]:
    """Return the mean over rows, (labelling, row), of those that changed; NaN where none did."""
    kept = by_row[:, ~np.isnan(by_row[0])]
    return tuple(kept.mean(1).tolist()) if kept.size else (float("nan"),) * len(by_row)
