"""A small convolutional network: blocks of convolution, ReLU and pooling, then dense layers.

    conv1 → ReLU → pool1 → … → convN → ReLU → poolN → flatten → (dropout) → fc1 → ReLU → … → fcM

``fcM`` gives the logits. With the defaults (32×32, channels 16 and 32, one hidden layer of 64, 9 classes) there
are 136,521 parameters. Pooling runs before the ReLU: relu(max_pool(x)) equals max_pool(relu(x)), and the
rectifier then sees a quarter of the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Interval, MinLen
from torch import nn

from seedscope.files.errors import SettingError

Count = Annotated[int, Ge(1)]


class ConvNet(nn.Module):
    """Convolutions ``conv1…`` with pools ``pool1…``, then dense layers ``fc1…``; the last one gives the logits.

    Args:
        shape: (channel, y, x) of a picture.
        classes: number of logits.
        channels: output channels of each 3×3 convolution.
        padding: zeros around each convolution's input, pixels.
        hidden: widths of the dense layers before the last.
        brightness: (mean, standard deviation) of pictures: the network learns from (x − mean) / deviation.
        initial: initial weights, ``torch`` as PyTorch draws them, or ``he``: normal with variance 2 / inputs, biases 0
            (He and others 2015, *Delving deep into rectifiers*), with which a deep network begins to learn sooner.
        dropout: share of the flattened outputs that is set to 0 at each step of training; without it there is no such
            layer. Which ones comes from the stream ``order``.

    Raises:
        SettingError: the picture is too small for that many blocks.
    """

    def __init__(
        self,
        shape: Annotated[Sequence[Count], MinLen(3)],
        classes: Count,
        channels: Annotated[Sequence[Count], MinLen(1)] = (16, 32),
        padding: Annotated[int, Ge(0)] = 1,
        hidden: Sequence[Count] = (64,),
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
        brightness: tuple[float, Annotated[float, Gt(0)]] = (0.0, 1.0),
        initial: Literal["torch", "he"] = "torch",
    ) -> None:
        super().__init__()
        depth, *extent = shape
        self._blocks = len(channels)
        for block, (before, after) in enumerate(pairwise([depth, *channels]), start=1):
            self.add_module(f"conv{block}", nn.Conv2d(before, after, kernel_size=3, padding=padding))
            self.add_module(f"pool{block}", nn.MaxPool2d(2))
            extent = [(pixels + 2 * padding - 2) // 2 for pixels in extent]
        if min(extent) < 1:
            raise SettingError("channels", f"a picture of {tuple(shape)} is too small for {len(channels)} blocks")
        if dropout:
            self.add_module("dropout", nn.Dropout(dropout))
        self._drops = dropout > 0
        widths = [channels[-1] * extent[0] * extent[1], *hidden, classes]
        self._dense = len(widths) - 1
        for layer, (before, after) in enumerate(pairwise(widths), start=1):
            self.add_module(f"fc{layer}", nn.Linear(before, after))
        self._brightness = tuple(brightness)
        if initial == "he":
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    nn.init.kaiming_normal_(parameter, nonlinearity="relu")
                else:
                    nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (sample, class) of pictures (sample, channel, y, x)."""
        if self._brightness != (0.0, 1.0):
            mean, deviation = self._brightness
            x = (x - mean) / deviation
        for block in range(1, self._blocks + 1):
            convolved = self.get_submodule(f"conv{block}")(x)
            x = torch.relu(self.get_submodule(f"pool{block}")(convolved))
        x = x.flatten(1)
        if self._drops:
            x = self.get_submodule("dropout")(x)
        for layer in range(1, self._dense):
            x = torch.relu(self.get_submodule(f"fc{layer}")(x))
        logits: torch.Tensor = self.get_submodule(f"fc{self._dense}")(x)
        return logits
