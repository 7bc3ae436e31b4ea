"""Gradient ascent on the mean activation of a channel, from faint noise (formula: :mod:`seedscope.lenses.filters`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Climbed:
    """Where an ascent ended.

    Attributes:
        picture: (filter, channel, y, x).
        activation: (filter, step), from the start to the end; with jitter, that of the shifted picture between them.
        silent: (filter), whether no picture on the way raised it.
    """

    picture: torch.Tensor
    activation: torch.Tensor
    silent: torch.Tensor


@dataclass(frozen=True)
class Ascent:
    """How a picture is changed until it raises a channel; what each setting is, :class:`Filters` says."""

    steps: int
    step_size: float
    noise: float
    bounded: bool
    jitter: int
    blur: float
    total_variation: float
    size: int | None
    batch_size: int

    def start(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the faint-noise picture (channel, y, x) for pictures of ``shape``: always the same."""
        import torch

        extent = shape[1:] if self.size is None else (self.size, self.size)
        noise = np.random.default_rng(0).standard_normal((shape[0], *extent), dtype=np.float32)
        picture = 0.5 + self.noise * noise
        return torch.from_numpy(np.clip(picture, 0, 1) if self.bounded else picture)

    def climb_in_batches(
        self, model: nn.Module, layer: str, rectified: bool, channels: Sequence[int], start: torch.Tensor
    ) -> Climbed:
        """Return what :meth:`climb` does, ``batch_size`` channels at a time."""
        import torch

        size = self.batch_size
        parts = [
            self.climb(model, layer, rectified, channels[first : first + size], start)
            for first in range(0, len(channels), size)
        ]
        return Climbed(
            torch.cat([part.picture for part in parts]),
            torch.cat([part.activation for part in parts]),
            torch.cat([part.silent for part in parts]),
        )

    def climb(
        self, model: nn.Module, layer: str, rectified: bool, channels: Sequence[int], start: torch.Tensor
    ) -> Climbed:
        """Ascend the mean activation of each of ``channels`` from ``start``, all of them in one batch.

        The pictures of a batch do not touch each other: one channel at a time gives the same.

        Args:
            model: in evaluation mode; no gradient of its parameters is computed where they ask for none.
            layer: its output is (sample, channel, y, x) or (sample, unit).
            rectified: whether a ReLU follows it, whose output is the activation.
            channels: of that output.
            start: (channel, y, x).
        """
        import torch

        from seedscope.activations.capture import narrowed, output_of

        rows = torch.arange(len(channels))
        shifts = np.random.default_rng(1).integers(-self.jitter, self.jitter + 1, (self.steps, 2))
        shifts[0] = 0  # the activation at the start is that of the noise as it is
        picture = start.expand(len(channels), *start.shape).contiguous(memory_format=torch.channels_last)
        activation = []
        moved = torch.zeros(len(channels), dtype=torch.bool)
        with narrowed(model, layer, channels) as few:
            chosen = rows if few else torch.as_tensor(channels)

            def answers(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                output = output_of(model, layer, x)
                own = output[rows, chosen].reshape(len(channels), -1)
                return own, own.relu() if rectified else own

            for down, right in shifts.tolist():
                shifted = picture.roll((down, right), (2, 3)).requires_grad_()
                with torch.enable_grad():
                    own, active = answers(shifted)
                    mean = active.mean(1)
                    raised = torch.where((active == 0).all(1), own.amax(1), mean)
                    (gradient,) = torch.autograd.grad(raised.sum(), shifted)
                activation.append(mean.detach())
                size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
                moved |= size.flatten() > 0
                direction = (gradient / torch.where(size > 0, size, 1.0)).roll((-down, -right), (2, 3))
                picture = self._changed(picture, direction)
            with torch.no_grad():
                _, active = answers(picture)
        activation.append(active.mean(1))
        climbed = torch.stack(activation, 1)
        return Climbed(picture, climbed, ~moved | (rectified & (climbed == 0).all(1)))

    def _changed(self, picture: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return the pictures after a step in a direction of size 1, or of size 0 for a silent channel."""
        if self.total_variation:
            direction = direction - self.total_variation * variation_gradient(picture)
        picture = picture + self.step_size * direction
        if self.blur:
            picture = blurred(picture, self.blur)
        return picture.clamp(0, 1) if self.bounded else picture


def variation_gradient(picture: torch.Tensor) -> torch.Tensor:
    """Return the gradient of Σ |x[y + 1] − x[y]| + |x[x + 1] − x[x]|, shaped as the picture (…, y, x)."""
    import torch

    gradient = torch.zeros_like(picture)
    down, right = picture.diff(dim=-2).sign(), picture.diff(dim=-1).sign()
    gradient[..., 1:, :] += down
    gradient[..., :-1, :] -= down
    gradient[..., 1:] += right
    gradient[..., :-1] -= right
    return gradient


def blurred(picture: torch.Tensor, deviation: float) -> torch.Tensor:
    """Return (sample, channel, y, x) smoothed by a Gaussian, its border values continued outside."""
    import torch
    from torch.nn import functional

    reach = int(np.ceil(3 * deviation))
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=picture.dtype) / deviation) ** 2)
    weight /= weight.sum()
    flat = picture.flatten(0, 1)[:, None]
    padded = functional.pad(flat, (reach, reach, reach, reach), mode="replicate")
    smooth = functional.conv2d(functional.conv2d(padded, weight[None, None, :, None]), weight[None, None, None, :])
    return smooth.reshape(picture.shape).contiguous(memory_format=torch.channels_last)
