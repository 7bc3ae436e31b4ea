"""From what a channel answered to its word; the rule stands in the docstring of :mod:`seedscope.lenses.words`."""

from __future__ import annotations

import numpy as np

from seedscope.lenses.words.responses import Answers, across
from seedscope.lenses.words.vocabulary import COLOUR, NONE, SILENT

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
    """Return each channel's word, an index into :data:`.vocabulary.WORDS`.

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
