"""From what a channel answered to its word; the rule stands in the docstring of :mod:`seedscope.lenses.words`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.lenses.words.null import UNTRAINED
from seedscope.lenses.words.responses import Answers, across

if TYPE_CHECKING:
    import xarray as xr

MET = ("oriented edge", "spot", "colour")
WORDS = (*MET, "none", "silent")
NAMES = ("edges", "spots", "colours", "none", "silent")  # in metrics
PLURAL = ("oriented edges", "spots", "colours", "none of these", "silent")
EDGE, SPOT, COLOUR, NONE, SILENT = range(5)
LIMIT = np.array([1 / 2, 1 / 6, 1 / 2])


def numbers(found: Answers) -> np.ndarray:
    """Return the numbers (channel, word) that words are decided by; NaN where a channel has none."""
    grating, spot = found.grating.max((1, 2)), found.spot.max((1, 2))
    hue = found.hue.max(1, initial=0)
    above = np.stack(
        [
            grating - np.max([across(found.grating), found.grey, hue], axis=0),
            spot - np.max([grating, found.grey, hue], axis=0),
            hue - np.max([grating, spot, found.grey], axis=0),
        ],
        1,
    )
    largest = found.largest[:, None]
    number: np.ndarray = np.divide(above, largest, out=np.full(above.shape, np.nan), where=largest > 0)
    if not found.hue.shape[1]:
        number[:, COLOUR] = np.nan
    return number


def silent(found: Answers) -> np.ndarray:
    """Return which channels answer alike to all stimuli, (channel): after a ReLU all that is not above 0 is alike."""
    return (found.largest == 0) | (found.highest <= 0)


def words(number: np.ndarray, silent: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return each channel's word, an index into :data:`WORDS`.

    Args:
        number: (channel, word).
        silent: (channel).
        deviation: (word), standard deviation of the number in the null.
    """
    above = number - LIMIT
    met = above > 0  # never where it is NaN
    spread = np.where(deviation > 0, deviation, 1.0)  # NaN too: a layer whose null is silent
    farthest = np.where(met, above / spread, -np.inf).argmax(1)
    answer: np.ndarray = np.where(silent, SILENT, np.where(met.any(1), farthest, NONE))
    return answer


def spread(number: np.ndarray) -> np.ndarray:
    """Return the standard deviation (word) of numbers (channel, word); NaN where there is none."""
    known = np.isfinite(number)
    count = known.sum(0)
    total = np.where(known, number, 0).sum(0)
    mean = np.divide(total, count, out=np.zeros(len(total)), where=count > 0)
    squares = (np.where(known, number - mean, 0) ** 2).sum(0)
    return np.sqrt(np.divide(squares, count, out=np.full(len(total), np.nan), where=count > 0))


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
