"""The words for channels, and how many channels of a layer have each, beside the null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

MET = ("oriented edge", "spot", "colour")
WORDS = (*MET, "none", "silent")
NAMES = ("edges", "spots", "colours", "none", "silent")  # in metrics
PLURAL = ("oriented edges", "spots", "colours", "none of these", "silent")
EDGE, SPOT, COLOUR, NONE, SILENT = range(5)
UNTRAINED, PERMUTED = "untrained", "permuted"  # networks that the null is made of


def counted(answer: np.ndarray) -> np.ndarray:
    """Return how many channels have each word, (word), of :data:`WORDS`."""
    return np.bincount(answer, minlength=len(WORDS))


def shares(part: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each word (word) among the channels of one layer, and in its null."""
    null = part.null_count.values
    return counted(part.answer.values) / part.sizes["channel"], null / null.sum()


def in_words(part: xr.Dataset, words: Sequence[int]) -> str:
    """Return how many channels of a layer have each of some words, beside the null's share."""
    own, (_, null) = counted(part.answer.values), shares(part)
    return ", ".join(f"{own[word]} {PLURAL[word]} (null {null[word]:.0%})" for word in words)


def known_words(measured: xr.DataTree) -> list[int]:
    """Return the words that there can be: on grey pictures no colour."""
    return [word for word in range(len(WORDS)) if word != COLOUR or measured.attrs["colours"] == 3]


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return the share of each word among all channels of a layer, that in the null, and what training added."""
    which = str(measured.attrs["null"])
    summary = {}
    for layer, node in measured.children.items():
        own, null = shares(node.to_dataset())
        for word in known_words(measured):
            name = f"{layer}_{NAMES[word]}"
            summary[name], summary[f"{name}_null_{which}"] = float(own[word]), float(null[word])
            if which == UNTRAINED:
                summary[f"{name}_gain_{which}"] = float(own[word] - null[word])
    return summary
