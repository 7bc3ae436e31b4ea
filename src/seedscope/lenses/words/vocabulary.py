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


def monte_carlo_error(part: xr.Dataset) -> np.ndarray:
    """Return the Monte Carlo error of the shares (word) in a null of random filters, √(p (1 − p) / filters)."""
    _, null = shares(part)
    error: np.ndarray = np.sqrt(null * (1 - null) / part.null_count.values.sum())
    return error


def in_words(part: xr.Dataset, words: Sequence[int], which: str) -> str:
    """Return how many channels of a layer have each of some words, beside the null's share, and its error if drawn."""
    own, (_, null) = counted(part.answer.values), shares(part)
    error = [f" ± {one:.1%}" if which == PERMUTED else "" for one in monte_carlo_error(part)]
    return ", ".join(f"{own[word]} {PLURAL[word]} (null {null[word]:.0%}{error[word]})" for word in words)


def known_words(measured: xr.DataTree) -> list[int]:
    """Return the words that there can be: on grey pictures no colour."""
    return [word for word in range(len(WORDS)) if word != COLOUR or measured.attrs["colours"] == 3]


def in_sample(measured: xr.DataTree) -> list[str]:
    """Return the layers that the rule was fixed on: their words are no test of it."""
    return [str(layer) for layer in np.atleast_1d(measured.attrs.get("in_sample", []))]


def summarize(measured: xr.DataTree) -> dict[str, float]:
    """Return the share of each word among all channels of a layer, that in the null, and what training added.

    Where the rule was fixed on some layers, it is said of each whether it was one of them: 1 or 0.
    """
    which, shaped = str(measured.attrs["null"]), in_sample(measured)
    summary = {}
    for layer, node in measured.children.items():
        if shaped:
            summary[f"{layer}_in_sample"] = float(layer in shaped)
        own, null = shares(node.to_dataset())
        error = monte_carlo_error(node.to_dataset())
        for word in known_words(measured):
            name = f"{layer}_{NAMES[word]}"
            summary[name], summary[f"{name}_null_{which}"] = float(own[word]), float(null[word])
            if which == PERMUTED:
                summary[f"{name}_null_{which}_monte_carlo_error"] = float(error[word])
            if which == UNTRAINED:
                summary[f"{name}_gain_{which}"] = float(own[word] - null[word])
    return summary
