"""What did the samples of each class do to a layer's weights? The training is replayed, and each step split.

Adam (Kingma and Ba 2015) moves a weight by −η m̂ / (√v̂ + ε). That is not linear in the batch's gradient g, for v is
not. But given the v that the optimiser had, it is linear in the gradients so far, and the gradient is a sum over
samples, g = Σ_c g_c with g_c = dout_cᵀ · X_c over the batch's samples of class c. So

    m_c ← β₁ m_c + (1 − β₁) g_c          part_c ← part_c − η / (1 − β₁ᵗ) · m_c / (√v̂ + ε)
    first + Σ_c part_c = W_end − W_0             exactly, up to the rounding of float32 weights

The very first step is kept apart. In it v̂ = g², so it moves every weight by η, whatever the size of its gradient.
That is not linear in any sense, and where the classes happen to cancel in g their parts would be huge and opposite
(measured: 70 for a step of 0.001). v̂ is shared: that a class also changes the steps of the others is not split.

The replay is :func:`seedscope.replicas.training.replay`: same batches, same bits; of a network of nothing but these
layers the same steps without automatic differentiation (:mod:`seedscope.lenses.learning_rule.replays`). X (sample,
in) is what the layer took in each step, dout (sample, out) the gradient of the batch's mean loss at its pre-activation.
Products are in float32, as in the training; sums over more than a few steps in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Replica
from seedscope.lenses.learning_rule.replays import Adam, Seen, replayed

if TYPE_CHECKING:
    import torch

_STEPS = 32  # whose sum is taken in float32


@dataclass(frozen=True)
class Replay:
    """What a training did, seen a second time.

    Attributes:
        parts: by layer, (labelling, class, row, in): what the samples of each class added to the chosen rows.
        first: by layer, (row, in): the first step, which is not split.
        gram: by layer, (in, in): Σ Xᵀ X over all steps.
        weights: where it ended, by ``state_dict`` name.
    """

    parts: Mapping[str, np.ndarray]
    first: Mapping[str, np.ndarray]
    gram: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]


class _Layer:
    """The sums of one dense layer, split by the class of the samples."""

    def __init__(self, inputs: int, rows: np.ndarray, groups: tuple[int, int], sum_inputs: bool) -> None:
        import torch

        self.rows, self.sum_inputs = torch.from_numpy(rows), sum_inputs
        self._first_moment = torch.zeros(math.prod(groups), len(rows), inputs)
        self._recent = torch.zeros_like(self._first_moment)
        self._part = torch.zeros_like(self._first_moment, dtype=torch.float64)
        self._first = torch.zeros(len(rows), inputs)
        self._gram = torch.zeros(inputs, inputs, dtype=torch.float64)
        self._groups = groups

    def step(self, seen: Seen, adam: Adam, batch: _Batch) -> None:
        """Add the optimiser's last step."""
        import torch

        second = seen.second_moment[self.rows]  # a copy
        denominator = (second.sqrt_() / math.sqrt(1 - adam.beta2**adam.t)).add_(adam.eps)
        rate = denominator.reciprocal_().mul_(adam.learning_rate / (1 - adam.beta1**adam.t))
        dout = seen.dout[:, self.rows]
        # The products in float32, as the training makes them; of each class as many, those that there are not are 0.
        given = torch.cat([dout, dout.new_zeros(1, len(self.rows))])[batch.place].transpose(1, 2)
        taken = seen.x[batch.place.clamp(max=len(dout) - 1)]
        self._first_moment.baddbmm_(given, taken, beta=adam.beta1, alpha=1 - adam.beta1)
        if adam.t == 1:
            self._first = -rate * self._first_moment[: self._groups[1]].sum(0)
        else:
            self._recent.addcmul_(self._first_moment, rate, value=-1)
        if adam.t % _STEPS == 0:
            self._settle()
        if self.sum_inputs:
            wide = seen.x.double()
            self._gram.addmm_(wide.T, wide)

    def _settle(self) -> None:
        """Add the sums of the last steps, which are in float32, to those of all, which are in float64."""
        self._part += self._recent
        self._recent.zero_()

    def sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the parts (labelling, class, row, in), the first step (row, in) and the gram matrix (in, in)."""
        self._settle()
        parts = self._part.reshape(*self._groups, *self._part.shape[1:])
        return parts.numpy(), self._first.double().numpy(), self._gram.numpy()


@dataclass(frozen=True)
class _Batch:
    """Where in a batch the samples of each class stand, (labelling · class, number); the batch's size: nowhere."""

    place: torch.Tensor

    @classmethod
    def of(cls, label: np.ndarray, n_classes: int) -> _Batch:
        """Sort the samples of a batch by each labelling, (labelling, sample)."""
        import torch

        count = (label[..., None] == np.arange(n_classes)).sum(1)  # (labelling, class)
        order = np.argsort(label, axis=1, kind="stable")
        start = np.cumsum(count, axis=1) - count
        own = np.take_along_axis(label, order, 1)
        number = np.arange(label.shape[1]) - np.take_along_axis(start, own, 1)
        place = np.full((*count.shape, int(count.max())), label.shape[1])
        place[np.arange(len(label))[:, None], own, number] = order
        return cls(torch.from_numpy(place.reshape(-1, place.shape[-1])))


def replay_by_class(
    replica: Replica, rows: Mapping[str, np.ndarray], labels: np.ndarray, n_classes: int, summed: Sequence[str]
) -> Replay:
    """Train the replica once more, on one thread of this machine's processor, and split what it learned.

    Args:
        replica: the replica.
        rows: by layer name, the rows of its weights that are split.
        labels: (labelling, training sample) the class of each sample; the split is made once by each labelling.
        n_classes: number of classes.
        summed: the layers whose inputs are summed into ``gram``; of the others it stays 0.

    Raises:
        SeedscopeError: the replica was not trained here.
    """
    from seedscope.replicas.training import Training

    if replica.learning is None:
        raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: the network was not trained, but given")
    training = Training(**replica.learning, device="cpu")
    groups = (len(labels), n_classes)
    layers = {
        name: _Layer(replica.weights[f"{name}.weight"].shape[1], own, groups, name in summed)
        for name, own in rows.items()
    }

    def step(seen: Mapping[str, Seen], adam: Adam, batch: np.ndarray) -> None:
        by_class = _Batch.of(labels[:, batch], n_classes)
        for name, own in seen.items():
            layers[name].step(own, adam, by_class)

    weights = replayed(replica, training, list(rows), step)
    sums = {name: layer.sums() for name, layer in layers.items()}
    parts, first, gram = ({name: own[at] for name, own in sums.items()} for at in range(3))
    return Replay(parts, first, gram, weights)
