"""The exact answer to which places of a layer fed a class's vote.

Behind the last convolution the network is piecewise linear: maps A → hidden h = relu(W1 · A + b1) → head W2. With
gate[s, i] = 1 where h[s, i] > 0 and class-centred head weights W2c and b2c (see :mod:`seedscope.formulas.votes`):

    R[s, c, y, x] = A[s, c, y, x] · Σ_i gate[s, i] · W2c[k, i] · W1[i, (c, y, x)]
    rest[s]       = Σ_i gate[s, i] · W2c[k, i] · b1[i] + b2c[k]
    Σ_{c, y, x} R[s, c, y, x] + rest[s] = centred logit[s, k]                                       exactly

Several hidden layers are pushed back through one after the other; without any R = A · W2c[k] and rest = b2c[k]. Nothing
is lost or guessed: R says how much each place and channel gave to the score, given which hidden units were active.

Source: the votes of a dense head pushed back one layer; for a piecewise linear network equal to gradient × activation
(Shrikumar et al. 2017) with its biases accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seedscope.formulas.votes import Votes


def dense_layers(shapes: Mapping[str, tuple[int, ...]], inputs: int, head: str) -> tuple[str, ...] | None:
    """Return the names of the dense layers from ``inputs`` numbers to ``head``, which is the last of them.

    They are the first that fit each other in the order of the ``state_dict``; ``None`` where none lead to the head.
    """
    chain: list[str] = []
    for name, shape in shapes.items():
        if name.endswith(".weight") and len(shape) == 2 and shape[1] == inputs:
            chain.append(name.removesuffix(".weight"))
            inputs = shape[0]
            if chain[-1] == head:
                return tuple(chain)
    return None


@dataclass(frozen=True)
class DenseEnd:
    """The dense layers behind the maps, in float64.

    Attributes:
        head: W2c (class, unit), centred over classes.
        head_bias: b2c (class).
        hidden: W1 (unit, input) and b1 (unit) of each hidden layer, from the maps on.
    """

    head: np.ndarray
    head_bias: np.ndarray
    hidden: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @classmethod
    def of(cls, weights: Mapping[str, np.ndarray], layers: Sequence[str]) -> DenseEnd:
        """Take these layers from weights by ``state_dict`` name; a layer without bias has zeros."""
        *hidden, (weight, bias) = (_dense(weights, layer) for layer in layers)
        head = Votes(np.zeros((0, weight.shape[1])), weight, bias).class_weight(centred=True)
        head_bias = Votes(np.zeros((0, 1)), bias[:, None], bias).class_weight(centred=True)[:, 0]
        return cls(head, head_bias, tuple(hidden))

    def votes(self, maps: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return R (sample, channel, y, x) and rest (sample) of one class for each picture.

        Args:
            maps: the activations that the first dense layer takes, (sample, channel, y, x).
            target: the class of each picture.
        """
        flat = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
        gates, activation = [], flat
        for weight, bias in self.hidden:
            activation = np.maximum(activation @ weight.T + bias, 0)
            gates.append(activation > 0)
        back, rest = self.head[target], self.head_bias[target]
        for gate, (weight, bias) in zip(reversed(gates), reversed(self.hidden), strict=True):
            gated = back * gate
            back, rest = gated @ weight, rest + gated @ bias
        return (flat * back).reshape(maps.shape), rest


def _dense(weights: Mapping[str, np.ndarray], layer: str) -> tuple[np.ndarray, np.ndarray]:
    weight = np.asarray(weights[f"{layer}.weight"], dtype=np.float64)
    return weight, np.asarray(weights.get(f"{layer}.bias", np.zeros(len(weight))), dtype=np.float64)
