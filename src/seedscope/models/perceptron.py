"""Dense layers only: input → fc1 → ReLU → … → fcM; ``input`` is the flattened picture, ``fcM`` gives the logits.

That the input is a layer of its own lets it be dumped and named like any other: without a hidden layer the pixels
themselves are the features that vote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import nn

Count = Annotated[int, Ge(1)]


class Perceptron(nn.Module):
    """The flattened picture, ``input``, then dense layers ``fc1…`` with a ReLU between them.

    Args:
        shape: (channel, y, x) of a picture.
        classes: number of logits.
        hidden: widths of the layers before the last; empty for a single layer.
    """

    def __init__(
        self,
        shape: Annotated[Sequence[Count], MinLen(1)],
        classes: Count,
        hidden: Sequence[Count] = (32,),
    ) -> None:
        super().__init__()
        widths = [math.prod(shape), *hidden, classes]
        self._dense = len(widths) - 1
        self.input = nn.Flatten()
        for layer, (before, after) in enumerate(pairwise(widths), start=1):
            self.add_module(f"fc{layer}", nn.Linear(before, after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (sample, class) of pictures (sample, channel, y, x)."""
        x = self.input(x)
        for layer in range(1, self._dense):
            x = torch.relu(self.get_submodule(f"fc{layer}")(x))
        logits: torch.Tensor = self.get_submodule(f"fc{self._dense}")(x)
        return logits
