"""Whose like is a unit by its weights alone, without a picture?

    maximise  Σ_l ⟨A_l, P_l B_l P_{l−1}ᵀ⟩ + Σ_l ⟨a_l, P_l b_l⟩     over one-to-one P_l;  P_0 and the last are identities

of the weights A_l, B_l and biases a_l, b_l of two networks that are chains of convolutions and dense layers: units of a
layer are alike that weigh alike units alike, and that alike units weigh alike (Ainsworth, Hayase and Srinivasa 2023,
"Git Re-Basin"). Each P_l alone is an assignment; they are improved one after the other until none changes. We start
with the layers in order, each by what comes in, in place of at identities: so the result follows the units wherever
they are numbered.

Behind a convolution a dense layer has a block of weights for each channel, a place each, which move together. Layers
may have different numbers of units; who is left over is nobody's like. A unit's scale can be moved from one layer to
the next behind a ReLU and is not undone here: where networks differ in that, matching by answers is right, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seedscope.formulas.matching import Matching, one_to_one

_SWEEPS = 50

Chain = Sequence[tuple[np.ndarray, np.ndarray]]
"""Weight (unit, unit before, …) and bias (unit) of each layer, in order."""


def chain_of(weights: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray, np.ndarray]] | None:
    """Return name, weight (unit, unit before, place) and bias of each layer of a plain chain; ``None`` of no chain.

    ``weights`` are by ``state_dict`` name, in its order. A chain has weights and biases only, and each layer takes the
    units of the one before: a convolution as channels, a dense layer with a place for each pixel of a channel.
    """
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    if {*weights} - {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}:
        return None
    chain: list[tuple[str, np.ndarray, np.ndarray]] = []
    for name in names:
        weight = np.asarray(weights[f"{name}.weight"], dtype=np.float64)
        if weight.ndim not in (2, 4):
            return None
        before = len(chain[-1][1]) if chain else weight.shape[1]
        if weight[0].size % before or (weight.ndim == 4 and weight.shape[1] != before):
            return None
        bias = np.asarray(weights.get(f"{name}.bias", np.zeros(len(weight))), dtype=np.float64)
        chain.append((name, weight.reshape(len(weight), before, -1), bias))
    return chain or None


def matched_by_weights(a: Chain, b: Chain) -> list[Matching]:
    """Return the matching of the units of each hidden layer of two chains, by the module's formula."""
    hidden = len(a) - 1
    matching: list[Matching] = []
    for layer in range(hidden):  # what comes in, first
        matching.append(one_to_one(_incoming(a, b, layer, matching)))
    for _ in range(_SWEEPS):
        changed = False
        for layer in reversed(range(hidden)):
            gain = _incoming(a, b, layer, matching) + _outgoing(a, b, layer, matching)
            found = one_to_one(gain)
            if gain[found].sum() > gain[matching[layer]].sum() + 1e-9 * np.abs(gain).sum():
                matching[layer], changed = found, True
        if not changed:
            break
    return matching


def only(chain: Chain, layer: int, units: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the chain with some units of a layer only, by their numbers."""
    kept = [(weight, bias) for weight, bias in chain]
    weight, bias = kept[layer]
    kept[layer] = weight[units], bias[units]
    if layer + 1 < len(kept):
        weight, bias = kept[layer + 1]
        kept[layer + 1] = weight[:, units], bias
    return kept


def _incoming(a: Chain, b: Chain, layer: int, matching: Sequence[Matching]) -> np.ndarray:
    """Return how alike units are in what they weigh, (unit of a, unit of b)."""
    (own, own_bias), (other, other_bias) = a[layer], b[layer]
    if layer:
        rows, columns = matching[layer - 1]
        own, other = own[:, rows], other[:, columns]
    return np.einsum("iup,jup->ij", own, other, optimize=True) + np.outer(own_bias, other_bias)


def _outgoing(a: Chain, b: Chain, layer: int, matching: Sequence[Matching]) -> np.ndarray:
    """Return how alike units are in how they are weighed, (unit of a, unit of b)."""
    own, other = a[layer + 1][0], b[layer + 1][0]
    if layer + 1 < len(a) - 1:
        rows, columns = matching[layer + 1]
        own, other = own[rows], other[columns]
    return np.einsum("vip,vjp->ij", own, other, optimize=True)
