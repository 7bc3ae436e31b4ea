"""Networks of one architecture side by side, and the pictures that each of them is shown.

    logits(sample, place, target) = vmap(network)(parameters(place, …), picture(sample, place, channel, y, x))
    step: the gradient of Σ_place mean loss(place), then one fused Adam over the stack, elementwise

Source: ``torch.func`` (``stack_module_state``, ``functional_call``, ``vmap``). Samples come before places in memory: a
sum over samples then runs down columns, in the same order for each, and a convolution, which vmap makes one with a
group per place, finds the places among the channels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from seedscope.files.errors import SeedscopeError
from seedscope.replicas.optimizer import Adam
from seedscope.replicas.training import Split, decision, loss_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Stack:
    """Networks of one architecture, side by side.

    Attributes:
        one: the architecture; its own weights are not used.
        many: the same modules, in which every parameter and buffer has a first dimension ``place``; never called.
        optimizer: Adam over the stack.
    """

    one: nn.Module
    many: nn.Module
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, networks: Sequence[nn.Module], learning_rate: float) -> Stack:
        """Stack networks of one architecture, each in its place."""
        from torch.func import stack_module_state

        parameters, buffers = stack_module_state(list(networks))
        many = copy.deepcopy(networks[0])
        for name, tensor in (*many.named_parameters(), *many.named_buffers()):
            tensor.data = {**parameters, **buffers}[name].detach()
        optimizer = Adam(many.parameters(), lr=learning_rate, fused=True)
        return cls(copy.deepcopy(networks[0]), many, optimizer)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits (sample, place, target) of pictures (sample, place, channel, y, x)."""
        from torch.func import functional_call, vmap

        def one(parameters: Mapping[str, Any], buffers: Mapping[str, Any], image: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = functional_call(self.one, (parameters, buffers), (image,))  # type: ignore[arg-type]  # torch asks for dicts
            return logits

        run = vmap(one, in_dims=(0, 0, 1), out_dims=1, randomness="error")
        found: torch.Tensor = run(dict(self.many.named_parameters()), dict(self.many.named_buffers()), image)
        return found

    def step(self, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Learn from one batch in each place.

        Args:
            image: (sample, place, channel, y, x).
            label: (sample, place).

        Returns:
            The mean loss by place, and how many decisions were right by place, both of before the step.
        """
        logits = self.logits(image)
        # By sample and then place: a sum down the columns takes them in the same order in every place.
        loss = loss_of(logits.flatten(0, 1), label.flatten()).view(label.shape).mean(0)
        self.optimizer.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
        self.optimizer.step()
        with torch.no_grad():
            return loss.detach(), (decision(logits.flatten(0, 1)).view(label.shape) == label).sum(0)

    def network(self, place: int) -> nn.Module:
        """Return the network of one place."""
        model = copy.deepcopy(self.one)
        with torch.no_grad():
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                many = self.many.get_parameter(name) if isinstance(tensor, nn.Parameter) else self.many.get_buffer(name)
                tensor.copy_(many[place])
        return model


@dataclass(frozen=True)
class StackedPictures:
    """One split for all places: each place's pictures begin at its ``start`` and are ``count``."""

    split: Split
    start: torch.Tensor
    count: int

    @classmethod
    def of(cls, data: Sequence[xr.Dataset], split: str, device: torch.device) -> StackedPictures:
        """Take the split of every place's data set; one that several places share is there once."""
        own = {id(one): Split.of(one, split, device) for one in data}
        counts = {len(part) for part in own.values()}
        if len(counts) > 1:
            raise SeedscopeError(
                f"seeds with different numbers of {split} pictures cannot be stacked: {sorted(counts)}"
            )
        (count,), first = counts, next(iter(own.values()))
        start = {key: number * count for number, key in enumerate(own)}
        if len(own) > 1:
            image = torch.cat([part.image for part in own.values()]).contiguous(memory_format=torch.channels_last)
            first = Split(image, torch.cat([part.label for part in own.values()]))
        return cls(first, torch.tensor([start[id(one)] for one in data], device=device), count)

    def take(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures (sample, place, channel, y, x) and labels (sample, place) by their numbers of that shape."""
        chosen = (samples + self.start).flatten()
        image, label = self.split.take(chosen), self.split.label[chosen]
        return image.view(*samples.shape, *image.shape[1:]), label.view(samples.shape)

    def in_order(self, at_once: int) -> list[torch.Tensor]:
        """Return the numbers of all pictures, the same in each place, as batches (sample, place)."""
        numbers = torch.arange(self.count, device=self.start.device)[:, None].expand(-1, len(self.start))
        return list(torch.split(numbers, at_once))


@torch.no_grad()
def evaluate_stack(stack: Stack, pictures: StackedPictures, at_once: int) -> tuple[list[float], list[float]]:
    """Return the mean loss and the accuracy by place, with the networks in evaluation mode."""
    stack.one.eval()
    loss = torch.zeros(len(pictures.start), dtype=torch.float64, device=pictures.start.device)
    correct = torch.zeros(len(pictures.start), dtype=torch.int64, device=pictures.start.device)
    for batch in pictures.in_order(at_once):
        image, label = pictures.take(batch)
        logits = stack.logits(image).flatten(0, 1)
        loss += loss_of(logits, label.flatten()).view(label.shape).sum(0, dtype=torch.float64)
        correct += (decision(logits).view(label.shape) == label).sum(0)
    return (loss / pictures.count).tolist(), (correct.double() / pictures.count).tolist()
