"""The score of a class, which a heat map explains.

    score[s, k] = logit[s, k]                                   as in Selvaraju et al. 2017
    score[s, k] = logit[s, k] − mean over classes of logit[s]   centred: a number added to all logits changes nothing

A network with one logit z scores its positive class with z and the other with −z; centred, with half of that, so that
they differ by z.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn


def class_scores(logit: torch.Tensor, *, centred: bool) -> torch.Tensor:
    """Return the scores (sample, class) that logits (sample, target) are."""
    if logit.shape[1] == 1:
        half = 0.5 if centred else 1.0
        return torch.cat([-half * logit, half * logit], dim=1)
    return logit - logit.mean(1, keepdim=True) if centred else logit


class Scores:
    """The scores (sample, class) that a network gives to pictures.

    Attributes:
        network: the network.
        centred: whether each picture's mean over classes is taken away.
    """

    def __init__(self, network: nn.Module, *, centred: bool = False) -> None:
        self.network = network
        self.centred = centred

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the scores (sample, class) of pictures (sample, channel, y, x)."""
        return class_scores(self.network(pictures), centred=self.centred)

    def of(self, pictures: np.ndarray, batch_size: int) -> np.ndarray:
        """Return the scores (sample, class) of pictures (sample, channel, y, x), so many at a time."""
        with torch.no_grad():
            batches = [self(batch).numpy() for batch in in_batches(pictures, batch_size)]
        return np.concatenate(batches)


def in_batches(pictures: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
    """Yield pictures (sample, channel, y, x) in batches, laid out as convolutions are fastest."""
    for start in range(0, len(pictures), batch_size):
        batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch_size]))
        yield batch.contiguous(memory_format=torch.channels_last)


def probabilities(network: nn.Module, pictures: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the probabilities (sample, class) that a network gives to pictures: softmax, or of one logit sigmoid."""
    with torch.no_grad():
        logit = torch.cat([network(batch) for batch in in_batches(pictures, batch_size)])
    both = logit if logit.shape[1] > 1 else torch.cat([torch.zeros_like(logit), logit], dim=1)
    return both.softmax(1).numpy()
