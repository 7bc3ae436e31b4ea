"""The exact answer to which places of a layer fed a class's vote.

Behind the last convolution the network is piecewise linear: maps A → hidden h = relu(W1 · A + b1) → head W2. With
gate[s, i] = 1 where h[s, i] > 0 and class-centred head weights W2c and b2c (see :mod:`seedscope.lenses.contribution`):

    R[s, c, y, x] = A[s, c, y, x] · Σ_i gate[s, i] · W2c[k, i] · W1[i, (c, y, x)]
    rest[s]       = Σ_i gate[s, i] · W2c[k, i] · b1[i] + b2c[k]
    Σ_{c, y, x} R[s, c, y, x] + rest[s] = centred logit[s, k]                                       exactly

Without a hidden layer R = A · W2c[k] and rest = b2c[k]. Nothing is lost or guessed: R says how much each place and
channel gave to the score, given which hidden units were active.

Source: the votes of a dense head pushed back one layer; for a piecewise linear network equal to gradient × activation
(Shrikumar et al. 2017) with its biases accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.lenses.contribution import Votes


@dataclass(frozen=True)
class DenseEnd:
    """The dense layers behind the maps, in float64.

    Attributes:
        head: W2c (class, unit), centred over classes.
        head_bias: b2c (class).
        hidden: W1 (unit, input), or ``None`` without a hidden layer.
        hidden_bias: b1 (unit), or ``None``.
    """

    head: np.ndarray
    head_bias: np.ndarray
    hidden: np.ndarray | None = None
    hidden_bias: np.ndarray | None = None

    @classmethod
    def of(cls, weights: dict[str, np.ndarray], hidden: str | None, head: str) -> DenseEnd:
        """Take the layers of these names from weights by ``state_dict`` name; a layer without bias has zeros."""

        def layer(name: str) -> tuple[np.ndarray, np.ndarray]:
            weight = np.asarray(weights[f"{name}.weight"], dtype=np.float64)
            return weight, np.asarray(weights.get(f"{name}.bias", np.zeros(len(weight))), dtype=np.float64)

        weight, bias = layer(head)
        none = np.zeros((0, weight.shape[1]))
        centred = Votes(none, weight, bias).class_weight(centred=True)
        centred_bias = Votes(np.zeros((0, 1)), bias[:, None], bias).class_weight(centred=True)[:, 0]
        return cls(centred, centred_bias, *(layer(hidden) if hidden is not None else ()))

    def votes(self, maps: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return R (sample, channel, y, x) and rest (sample) of one class for each picture.

        Args:
            maps: the activations that the first dense layer takes, (sample, channel, y, x).
            target: the class of each picture.
        """
        flat = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
        weight, rest = self.head[target], self.head_bias[target]
        if self.hidden is not None:
            assert self.hidden_bias is not None
            gated = weight * (flat @ self.hidden.T + self.hidden_bias > 0)
            weight, rest = gated @ self.hidden, rest + gated @ self.hidden_bias
        return (flat * weight).reshape(maps.shape), rest
