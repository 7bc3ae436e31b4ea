"""The training once more, step by step: what went through the dense layers, and what the optimiser then had.

Any network is trained again as it was (:func:`seedscope.replicas.training.replay`). Of one of nothing but dense layers
with ReLUs between, from the picture to several logits, each step is written out:

    z_i = h_i · W_iᵀ + b_i,   h_{i+1} = max(z_i, 0)               dout of the last: (softmax(z) − onehot) / n
    dout_i = (dout_{i+1} · W_{i+1}) ∘ [z_i > 0],   dW_i = dout_iᵀ · h_i,   db_i = Σ dout_i        then Adam, fused

by the same kernels in the same order, so that the bits are the same; without automatic differentiation it takes a third
of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from seedscope.models.perceptron import Perceptron
from seedscope.replicas.determinism import deterministic
from seedscope.replicas.training import Progress, Training, replay

if TYPE_CHECKING:
    from seedscope.lenses import Replica


@dataclass(frozen=True)
class Seen:
    """What one step saw of a dense layer.

    Attributes:
        x: what it took, (sample, in).
        dout: the gradient of the batch's mean loss at its pre-activation, (sample, out).
        second_moment: Adam's v of its weight, after the step, (out, in).
    """

    x: torch.Tensor
    dout: torch.Tensor
    second_moment: torch.Tensor


@dataclass(frozen=True)
class Adam:
    """The optimiser's settings, and how many steps it has made."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    t: int = 0


Step = Callable[[Mapping[str, Seen], Adam, np.ndarray], None]
"""Called after each step with what it saw by layer, the optimiser, and the batch's positions among the pictures."""


def replayed(replica: Replica, training: Training, layers: Sequence[str], step: Step) -> dict[str, np.ndarray]:
    """Train a replica once more and return where it ended, by ``state_dict`` name."""
    network = replica.architecture()
    dense = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    several = dense[layers[-1]].out_features > 1
    if isinstance(network, Perceptron) and list(dense) == list(layers) and several:
        return _written_out(replica, training, layers, step)
    return _watched(replica, training, layers, step)


def _watched(replica: Replica, training: Training, layers: Sequence[str], step: Step) -> dict[str, np.ndarray]:
    inputs: dict[str, torch.Tensor] = {}
    gradients: dict[str, torch.Tensor] = {}

    def take(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        return lambda _module, given: inputs.__setitem__(name, given[0].detach())

    def give(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def after(_module: nn.Module, _given: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            # Of the tensor, not of the module: a ReLU in place may follow.
            output.register_hook(lambda gradient: gradients.__setitem__(name, gradient))  # type: ignore[no-untyped-call]  # torch's own

        return after

    def network() -> nn.Module:
        model = replica.architecture()
        for name in layers:
            model.get_submodule(name).register_forward_pre_hook(take(name))
            model.get_submodule(name).register_forward_hook(give(name))
        return model

    def watch(progress: Progress, batch: torch.Tensor) -> None:
        settings, state = progress.optimizer.param_groups[0], progress.optimizer.state
        seen = {}
        for name in layers:
            of_weight = state[progress.model.get_parameter(f"{name}.weight")]
            seen[name] = Seen(inputs[name], gradients[name], of_weight["exp_avg_sq"])
        beta1, beta2 = settings["betas"]
        step(seen, Adam(settings["lr"], beta1, beta2, settings["eps"], int(of_weight["step"])), batch.numpy())

    model = replay(network, training, replica.training, replica.trained_from, watch)
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


@torch.no_grad()
def _written_out(replica: Replica, training: Training, layers: Sequence[str], step: Step) -> dict[str, np.ndarray]:
    assert replica.frames is not None
    pictures = replica.training
    image = torch.from_numpy(pictures.image.values).flatten(1)
    label = torch.from_numpy(pictures.label.values)
    streams = training.streams_of(replica.trained_from)
    with deterministic(training.threads):
        state = _State.begin(
            {str(name): values.values for name, values in replica.frames.isel(frame=0).items()}, layers
        )
        adam = Adam(training.learning_rate)
        for epoch in range(training.epochs):
            order = torch.from_numpy(streams.generator("order", epoch, 0).permutation(len(label)))
            for batch in torch.split(order, training.batch_size):
                adam = Adam(training.learning_rate, t=adam.t + 1)
                step(state.step(image[batch], label[batch], adam), adam, batch.numpy())
    return {name: tensor.numpy() for name, tensor in state.weights.items()}


@dataclass(frozen=True)
class _State:
    """Weights by name, a weight and a bias for each layer, with Adam's two moments and its count of steps."""

    layers: Sequence[str]
    weights: dict[str, torch.Tensor]
    first_moment: dict[str, torch.Tensor]
    second_moment: dict[str, torch.Tensor]
    count: list[torch.Tensor]

    @classmethod
    def begin(cls, weights: Mapping[str, np.ndarray], layers: Sequence[str]) -> _State:
        names = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
        own = {name: torch.from_numpy(np.array(weights[name])) for name in names}
        first, second = ({name: torch.zeros_like(weight) for name, weight in own.items()} for _ in range(2))
        return cls(layers, own, first, second, [torch.zeros(()) for _ in own])

    def step(self, x: torch.Tensor, label: torch.Tensor, adam: Adam) -> dict[str, Seen]:
        """Make one step and return what it saw."""
        inputs = [x]
        for layer in self.layers[:-1]:
            inputs.append(torch.relu(self._linear(layer, inputs[-1])))
        logarithm = torch.log_softmax(self._linear(self.layers[-1], inputs[-1]), 1)
        at_label = torch.zeros_like(logarithm).scatter_(1, label[:, None], -1.0 / len(x))
        dout = torch.ops.aten._log_softmax_backward_data(at_label, logarithm, 1, logarithm.dtype)
        seen, gradients = {}, {}
        for layer, own in zip(reversed(self.layers), reversed(inputs), strict=True):
            weight = self.weights[f"{layer}.weight"]
            gradients[f"{layer}.weight"], gradients[f"{layer}.bias"] = dout.T.mm(own), dout.sum(0)
            seen[layer] = Seen(own, dout, self.second_moment[f"{layer}.weight"])
            if own is not x:
                dout = torch.ops.aten.threshold_backward(dout.mm(weight), own, 0)
        torch._foreach_add_(self.count, 1)
        torch._fused_adam_(
            list(self.weights.values()),
            [gradients[name] for name in self.weights],
            list(self.first_moment.values()),
            list(self.second_moment.values()),
            [],
            self.count,
            amsgrad=False,
            lr=adam.learning_rate,
            beta1=adam.beta1,
            beta2=adam.beta2,
            weight_decay=0.0,
            eps=adam.eps,
            maximize=False,
        )
        return {layer: seen[layer] for layer in self.layers}

    def _linear(self, layer: str, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"])
