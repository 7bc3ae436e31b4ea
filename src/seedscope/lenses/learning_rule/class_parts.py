"""What did the samples of each class do to a layer's weights? The training is replayed, and each step split.

Adam (Kingma and Ba 2015) moves a weight by −η m̂ / (√v̂ + ε). That is not linear in the batch's gradient g, for v is
not. But given the v that the optimiser had, it is linear in the gradients so far, and the gradient is a sum over
samples, g = Σ_c g_c with g_c = dout_cᵀ · X_c over the batch's samples of class c. So

    m_c ← β₁ m_c + (1 − β₁) g_c          part_c ← part_c − η / (1 − β₁ᵗ) · m_c / (√v̂ + ε)
    first + Σ_c part_c = W_end − W_0             exactly, up to the rounding of float32 weights

The very first step is kept apart. In it v̂ = g², so it moves every weight by η, whatever the size of its gradient.
That is not linear in any sense, and where the classes happen to cancel in g their parts would be huge and opposite
(measured: 70 for a step of 0.001). v̂ is shared: that a class also changes the steps of the others is not split.

The replay is :func:`seedscope.replicas.training.replay`: same batches, same bits. X (sample, in) is what the layer took
in each step, dout (sample, out) the gradient of the batch's mean loss at its pre-activation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.lenses import Replica

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seedscope.replicas.training import Progress


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
    """One dense layer during the replay: what went through it in this step, and the sums so far."""

    def __init__(self, module: nn.Module, rows: np.ndarray, groups: tuple[int, int], sum_inputs: bool) -> None:
        weight: torch.Tensor = module.weight  # type: ignore[assignment]  # checked to be dense
        self.weight, self.rows, self.sum_inputs = weight, rows, sum_inputs
        self.first_moment = np.zeros((*groups, len(rows), weight.shape[1]))
        self.part, self.moved = np.zeros_like(self.first_moment), np.zeros_like(self.first_moment)
        self.first = np.zeros((len(rows), weight.shape[1]))
        self.gram = np.zeros((weight.shape[1], weight.shape[1]))
        module.register_forward_pre_hook(self._take)
        module.register_forward_hook(self._give)

    def _take(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.x = inputs[0].detach()

    def _give(self, _module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        def keep(gradient: torch.Tensor) -> None:
            self.dout = gradient

        # Of the tensor, not of the module: a ReLU in place may follow.
        output.register_hook(keep)  # type: ignore[no-untyped-call]  # torch's own

    def step(self, optimizer: torch.optim.Optimizer, label: np.ndarray) -> None:
        """Add the optimiser's last step; ``label`` is (labelling, sample) of its batch."""
        x, dout = self.x.numpy(), self.dout.numpy()[:, self.rows]
        settings, state = optimizer.param_groups[0], optimizer.state[self.weight]
        beta1, beta2 = settings["betas"]
        t = float(state["step"])
        second = state["exp_avg_sq"].numpy()[self.rows].astype(np.float64)
        rate = settings["lr"] / (1 - beta1**t) / (np.sqrt(second / (1 - beta2**t)) + settings["eps"])
        self.first_moment *= beta1
        for moment, own in zip(self.first_moment, label, strict=True):
            order = np.argsort(own, kind="stable")
            # The products in float32, as the training makes them; the sums over steps in float64.
            sorted_x, sorted_dout = x[order], np.float32(1 - beta1) * dout[order]
            start = 0
            for k, count in enumerate(np.bincount(own).tolist()):
                if count:
                    samples = slice(start, start + count)
                    moment[k] += sorted_dout[samples].T @ sorted_x[samples]
                    start += count
        if t == 1:
            self.first = -rate * self.first_moment[0].sum(0)
        else:
            np.multiply(self.first_moment, rate, out=self.moved)
            self.part -= self.moved
        if self.sum_inputs:
            wide = x.astype(np.float64)
            self.gram += wide.T @ wide


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
    from seedscope.replicas.training import Training, replay

    if replica.learning is None:
        raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: the network was not trained, but given")
    training = Training(**replica.learning, device="cpu")
    groups = (len(labels), n_classes)
    layers: dict[str, _Layer] = {}

    def network() -> nn.Module:
        model = replica.architecture()
        layers.update(
            {name: _Layer(model.get_submodule(name), own, groups, name in summed) for name, own in rows.items()}
        )
        return model

    def watch(progress: Progress, batch: torch.Tensor) -> None:
        label = labels[:, batch.numpy()]
        for layer in layers.values():
            layer.step(progress.optimizer, label)

    model = replay(network, training, replica.training, replica.trained_from, watch)
    return Replay(
        {name: layer.part for name, layer in layers.items()},
        {name: layer.first for name, layer in layers.items()},
        {name: layer.gram for name, layer in layers.items()},
        {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()},
    )
