"""SqueezeNet 1.1: as good as AlexNet on ImageNet with 1,235,496 parameters; torchvision's names.

    features.0 (conv) → ReLU → pool → Fire 3, 4 → pool → Fire 6, 7 → pool → Fire 9, 10, 11, 12
    → classifier.1 (1×1 convolution, a map per class) → ReLU → mean over places = logit(class)

A Fire module squeezes its input into few channels by 1×1 convolutions, and expands these by 1×1 and by 3×3
convolutions side by side: ``features.3.squeeze``, ``.expand1x1``, ``.expand3x3``. The logits are means of rectified
maps, so none is negative.

Source: Iandola and others (2016), *SqueezeNet: AlexNet-level accuracy with 50x fewer parameters*; version 1.1 is that
of its authors' repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge
from torch import nn

from seedscope.models.chain import IMAGENET_MEAN, IMAGENET_STD, Chain


class Fire(nn.Module):
    """A squeeze by 1×1 convolutions, expanded by 1×1 and 3×3 ones; each is followed by a ReLU.

    Args:
        before: channels of the input.
        squeezed: channels in between.
        expanded: channels of each of the two expansions; the output has twice as many.
    """

    def __init__(self, before: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeezed, kernel_size=1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, kernel_size=1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (sample, 2 · expanded, y, x) of an input (sample, before, y, x)."""
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


class SqueezeNet(Chain):
    """SqueezeNet 1.1 for colour pictures of any size from 32×32.

    Args:
        classes: number of logits.
        last: name of the last part that is kept, such as ``features.7``; ``None`` keeps all.
        mean: subtracted from each channel, brightness 0…255; the default is that of torchvision's weights.
        std: what each channel is then divided by, brightness 0…255.
    """

    def __init__(
        self,
        classes: Annotated[int, Ge(1)] = 1000,
        last: str | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        pool = partial(nn.MaxPool2d, kernel_size=3, stride=2, ceil_mode=True)
        features: list[Callable[[], nn.Module]] = [
            *(partial(nn.Conv2d, 3, 64, kernel_size=3, stride=2), nn.ReLU, pool),
            *(partial(Fire, 64, 16, 64), partial(Fire, 128, 16, 64), pool),
            *(partial(Fire, 128, 32, 128), partial(Fire, 256, 32, 128), pool),
            *(partial(Fire, 256, 48, 192), partial(Fire, 384, 48, 192)),
            *(partial(Fire, 384, 64, 256), partial(Fire, 512, 64, 256)),
        ]
        classifier: list[Callable[[], nn.Module]] = [
            *(nn.Dropout, partial(nn.Conv2d, 512, classes, kernel_size=1), nn.ReLU),
            partial(nn.AdaptiveAvgPool2d, 1),
        ]
        parts = {f"features.{index}": make for index, make in enumerate(features)}
        parts |= {f"classifier.{index}": make for index, make in enumerate(classifier)}
        parts["flatten"] = nn.Flatten
        super().__init__(parts, last, mean, std)
