"""Networks whose weights others published: modules in a row, under the names that the weights file gives them.

    picture in [0, 1] → (255 · picture − mean) / std → first part → … → last part

The picture stays as it is drawn and the network makes of it what it was trained on: so a map, or a picture that was
made by ascending a gradient, needs nothing undone to be shown. ``mean`` and ``std`` (channel) are in units of
brightness 0…255; they are no weights and stand in no file. A network may end early: ``last`` names the last part that
is kept. So weights of the first layers alone make a network too, one that gives no logits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from seedscope.files.errors import SettingError, did_you_mean

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # of torchvision's weights
IMAGENET_STD = (58.395, 57.12, 57.375)


@runtime_checkable
class Cuttable(Protocol):
    """A network that can end early: its class takes ``last``, the name of the last part that is kept."""

    def ends_early(self) -> bool:
        """Return whether parts are left out, so that what it gives are no logits."""

    def last_given(self, given: Collection[str]) -> str | None:
        """Return the part to end with where only the tensors ``given`` are there; ``None`` if none is the network's."""


def gives_logits(network: nn.Module, shape: Sequence[int]) -> bool:
    """Return whether a network decides, whose output for one picture has this shape, or ends before."""
    return len(shape) == 1 and not (isinstance(network, Cuttable) and network.ends_early())


class Chain(nn.Module):
    """Parts that run one after the other.

    Args:
        parts: what makes each part, by its name (``features.0``), in the order in which they run.
        last: name of the last part that is kept; ``None`` keeps all.
        mean: subtracted from each channel, brightness 0…255.
        std: what each channel is then divided by, brightness 0…255.

    Raises:
        SettingError: there is no part ``last``; ``mean`` and ``std`` are not of the same channels.
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[[], nn.Module]],
        last: str | None,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        names = list(parts)
        if last is not None and last not in parts:
            raise SettingError("last", f"the network has no part {last!r}; {did_you_mean(last, names)}")
        if len(mean) != len(std):
            raise SettingError("std", f"it has {len(std)} channels, and mean has {len(mean)}")
        if min(std) <= 0:
            raise SettingError("std", "it must be above 0 in every channel")
        self.kept = names if last is None else names[: names.index(last) + 1]
        self._left_out = len(names) - len(self.kept)
        for name in self.kept:  # what lies behind the last is not made: its weights may be most of the network
            *above, own = name.split(".")
            parent: nn.Module = self
            for step in above:
                if step not in dict(parent.named_children()):
                    parent.add_module(step, nn.Module())
                parent = parent.get_submodule(step)
            parent.add_module(own, parts[name]())
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the last part makes of pictures (sample, channel, y, x) with brightness in [0, 1]."""
        x = (255 * x - self.mean) / self.std
        for name in self.kept:
            x = self.get_submodule(name)(x)
        return x

    def ends_early(self) -> bool:
        """Return whether parts are left out, so that what it gives are no logits."""
        return self._left_out > 0

    def last_given(self, given: Collection[str]) -> str | None:
        """Return the part to end with where only some tensors are given; ``None`` where none of them is the network's.

        It is the last that has one of the tensors. Parts without weights that follow it (ReLU, pooling) are kept too.

        Args:
            given: names of tensors, such as ``features.0.weight``.
        """
        of_given = [name for name in self.kept if any(tensor.startswith(f"{name}.") for tensor in given)]
        if not of_given:
            return None
        last = of_given[-1]
        for name in self.kept[self.kept.index(last) + 1 :]:
            if self.get_submodule(name).state_dict():
                break
            last = name
        return last
