"""What do weights learn, and from whom? For a dense layer z = X · Wᵀ + b, X (sample, in), W (out, in), one step says

    dW = doutᵀ · X      db = Σ_samples dout      dout (sample, out): the gradient of the summed loss at z

In other words Xᵀ · dout, where weights are (in, out); torch's are (out, in). The bias is the weight of an input that
is 1. The share of a row's change counts weights only.
Source: Rumelhart, Hinton and Williams (1986), *Learning representations by back-propagating errors*; how dout comes
about is in :mod:`seedscope.lenses.dense_layers`. Three things follow from it, and each is measured:

*It is the gradient.* ``rule_error``: the largest difference to automatic differentiation in float64, as a share of
the layer's largest entry, at every frame, on a balanced few hundred training pictures.

*Rows move within the span of the inputs.* With P the projection onto the span of all inputs that the layer took,

    span share = ‖ΔW P‖² / ‖ΔW‖²        ΔW = W_frame − W_0;   a random ΔW has rank P / in

For plain gradient descent it is 1. Adam divides each entry by a scale of its own and leaves the span, save where
the span lies along the axes. P is of the eigenvectors of Σ XᵀX whose eigenvalue exceeds 1e-13 of the largest
(singular values: 3e-7). The inputs are those of every batch of the training (``seen``; for plain gradient descent the
share is 1 by these only) or those of all training pictures in the trained network (``end``). The first layer's are
the same throughout where nothing before it learns. Where the span is all there is, the share is 1 and says nothing.
So how much of ΔW lies along the *leading* directions of the inputs is given too (a random ΔW: their share of all).

*A row's change is a sum over samples.* The training is replayed bit for bit, and each step split by the class of
sample (see :mod:`seedscope.lenses.class_parts`): first step + Σ_c part_c = ΔW, ``completeness_error`` says how
nearly. ``replay_error`` is how far the replay ends from the network, as a share of the largest weight: 0 on the type of
processor that it was trained on. Then

    share[k, c] = ⟨part_c[k], ΔW[k]⟩ / ‖ΔW[k]‖²         Σ_c share[k, c] = 1, less the first step's; any sign

is how much of row k's change the samples of class c brought about; negative: they pushed the other way, and were
outdone. Rows of the last layer are centred over its targets first, parts and change alike: what all targets share
decides nothing (see :mod:`seedscope.formulas.votes`). Null: classes shuffled over the samples, the same split
again; each share is then expected to be the class's share of the samples. Whoever looks for the *largest* share finds
more than that, so the largest is taken in the shuffled split as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, MinLen

from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Network, Replica
from seedscope.lenses.class_parts import replay_by_class
from seedscope.lenses.dense_layers import DenseLayers, inputs_of, require_dense_layers

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

_PICTURES = 300  # on which the rule is held against automatic differentiation
_AT_ONCE = 4096
_NEGLIGIBLE = 1e-13  # eigenvalues of the inputs, as a share of the largest


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


@dataclass(frozen=True)
class LearningRule:
    """The lens.

    Attributes:
        layers: the dense layers from the first to the one that gives the logits, a ReLU between each two.
        rows: how many units of each hidden layer are split by class, those whose weights changed most.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    rows: Annotated[int, Ge(1)] = 16

    def check(self, network: Network) -> None:
        """Refuse layers that are not a chain of dense layers up to the logits."""
        require_dense_layers(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the rule's error, the span of what was learned, and each row's change by class of sample."""
        import xarray as xr

        from seedscope.data import balanced

        if replica.frames is None:
            raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: there are no frames of the training")
        learned = {layer: replica.frames[f"{layer}.weight"].values.astype(np.float64) for layer in self.layers}
        learned = {layer: weight - weight[0] for layer, weight in learned.items()}
        label = replica.training.label.values
        some = balanced(label, _PICTURES)
        error, first = _rule_errors(replica, self.layers, some)
        fixed = np.array_equal(first[0], first[-1])
        with replica.network() as model:
            end = _gram(model, self.layers, replica.training.image)
        rows = {layer: self._rows(learned[layer][-1], layer) for layer in self.layers}
        n_classes = len(replica.class_names)
        labels = np.stack([label, np.random.default_rng(0).permutation(label)])
        replay = replay_by_class(replica, rows, labels, n_classes, self.layers[1:] if fixed else self.layers)
        seen = {**replay.gram, **({self.layers[0]: end[self.layers[0]]} if fixed else {})}
        variables: dict[str, tuple[object, object]] = {}
        shares, ranks, incomplete = [], [], []
        for layer in self.layers:
            spans = [leading_directions(gram[layer]) for gram in (seen, end)]
            shares.append([[shares_along(w, basis)[:rank].sum() for w in learned[layer]] for basis, rank in spans])
            ranks.append([rank for _, rank in spans])
            basis = spans[0][0]
            energy = np.einsum("id,ij,jd->d", basis, seen[layer], basis, optimize=True)
            parts, change = replay.parts[layer], learned[layer][-1][rows[layer]]
            largest = np.abs(change).max(initial=0)
            incomplete.append(
                np.abs(replay.first[layer] + parts[0].sum(0) - change).max() / largest if largest else 0.0
            )
            raw = shares_by_class(parts, change)
            if layer == self.layers[-1] and len(change) > 1:
                parts, change = (values - values.mean(-2, keepdims=True) for values in (parts, change))
            inner, at = f"input_{layer}", f"row_{layer}"
            variables |= {
                f"along_{layer}": (f"direction_{layer}", shares_along(learned[layer][-1], basis)),
                f"energy_{layer}": (f"direction_{layer}", energy / energy.sum() if energy.sum() > 0 else energy),
                f"change_{layer}": ((at, inner), change.astype(np.float32)),
                f"part_{layer}": (("true", at, inner), parts[0].astype(np.float32)),
                f"share_{layer}": (("labelling", at, "true"), shares_by_class(parts, change)),
                f"raw_share_{layer}": (("labelling", at, "true"), raw),
                f"unit_{layer}": (at, rows[layer]),
            }
        return xr.Dataset(
            {
                **variables,
                "rule_error": (("layer", "frame"), error),
                "span_share": (("layer", "inputs", "frame"), np.array(shares)),
                "rank": (("layer", "inputs"), np.array(ranks)),
                "n_inputs": ("layer", [learned[layer].shape[-1] for layer in self.layers]),
                "completeness_error": ("layer", incomplete),
                "replay_error": ((), _difference(replay.weights, replica.weights)),
                "class_share": ("true", np.bincount(label, minlength=n_classes) / len(label)),
            },
            coords={
                "layer": list(self.layers),
                "inputs": ["seen", "end"],
                "labelling": ["class", "shuffled"],
                **{name: ("frame", replica.frames[name].values) for name in ("step", "epoch")},
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "class_names": list(replica.class_names),
                "picture": np.array(replica.probe.image.shape[1:]),
                "n_learned_from": len(label),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return errors, the span shares with their chance, and the shares of own and other classes."""
        summary = {
            "rule_error": float(measured.rule_error.max()),
            "replay_error": float(measured.replay_error),
            "completeness_error": float(measured.completeness_error.max()),
        }
        *hidden, head = measured.layer.values.tolist()
        for layer in (*hidden, head):
            own = measured.sel(layer=layer)
            for inputs, name in (("seen", "span_share"), ("end", "span_share_of_final_inputs")):
                summary[f"{name}_{layer}"] = float(own.span_share.sel(inputs=inputs).values[-1])
                summary[f"{name}_{layer}_by_chance"] = float(own["rank"].sel(inputs=inputs) / own.n_inputs)
            tenth = -(-int(own.n_inputs) // 10)
            summary[f"change_in_leading_tenth_{layer}"] = float(measured[f"along_{layer}"].values[:tenth].sum())
        for layer in hidden:
            largest = _mean(measured[f"share_{layer}"].values.max(-1))
            summary |= {f"largest_class_share_{layer}": largest[0], f"largest_class_share_{layer}_shuffled": largest[1]}
        share, own_class, frequency = (
            measured[f"share_{head}"].values,
            own_classes(measured),
            measured.class_share.values,
        )
        at = np.arange(share.shape[1])
        others = np.where(own_class[:, None] == np.arange(share.shape[2]), -np.inf, share)
        largest = _mean(np.where(np.isnan(share[..., 0]), np.nan, others.max(-1)))
        changed = ~np.isnan(share[0, :, 0])
        first = share[0, changed].argmax(-1) == own_class[changed]
        change, own_part = measured[f"change_{head}"].values, measured[f"part_{head}"].values[own_class, at]
        ratio = np.linalg.norm(own_part[changed], axis=-1) / np.linalg.norm(change[changed], axis=-1)
        return {
            **summary,
            "own_class_share": float(_mean(share[:, at, own_class])[0]),
            "own_class_share_by_chance": float(frequency[own_class].mean()),
            "own_class_share_raw": float(_mean(measured[f"raw_share_{head}"].values[:, at, own_class])[0]),
            "own_class_is_largest": float(first.mean()) if changed.any() else float("nan"),
            "own_part_over_change": float(ratio.mean()) if changed.any() else float("nan"),
            "largest_other_class_share": float(largest[0]),
            "largest_other_class_share_shuffled": float(largest[1]),
        }

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the rule and the span through training, shares by class, and the parts of rows that are pictures."""
        from seedscope.drawing import learning_rule as drawn

        measured = measured.load()
        yield drawn.rule_and_span(measured)
        for layer in measured.layer.values.tolist():
            yield drawn.shares(measured, layer)
        first = measured.layer.values.tolist()[0]
        if measured.sizes[f"input_{first}"] == int(np.prod(measured.attrs["picture"])):
            yield drawn.parts(measured, first)

    def _rows(self, change: np.ndarray, layer: str) -> np.ndarray:
        """Return which rows of a layer are split: all of the last, of a hidden one those that changed most."""
        if layer == self.layers[-1]:
            return np.arange(len(change))
        return np.sort(np.argsort(-np.linalg.norm(change, axis=1), kind="stable")[: self.rows])


def own_classes(measured: xr.Dataset) -> np.ndarray:
    """Return the class that each row of the last layer speaks for; a single logit speaks for class 1."""
    rows = measured[f"unit_{measured.layer.values[-1]}"].values
    return rows if len(rows) > 1 else np.ones(1, dtype=np.int64)


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
