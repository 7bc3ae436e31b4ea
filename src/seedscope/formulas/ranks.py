"""Who stands first, and how early could it be seen?

    top[k]        the t live units of largest value, by value, then by number
    overlap[f, k] |top[f, k] ∩ top[last, k]|                          of values by frame f, class k and unit
    auc[f, k]     probability that at f a unit of top[last, k] stands above one that is not in it (ties: ½); the
                  area under the ROC curve, U / (t (L − t)) of Mann and Whitney (1947), of L units
    settled[k]    the first frame from which on top[·, k] = top[last, k]

The null of overlap and AUC gives the last frame's values to the units in a shuffled order, one shuffle for all classes,
which keeps what they share; the top sets, chosen again, are the old ones under new labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_CHUNK = 100  # shuffles compared at a time


def top_units(values: np.ndarray, live: np.ndarray, k: int) -> np.ndarray:
    """Return the ``k`` live units with the largest ``values`` (…, unit), in descending order, (…, k).

    Equal values go by unit number. Where there are fewer live units than ``k``, the rest is −1; so it is where
    values are NaN.
    """
    candidates = np.where(live & ~np.isnan(values), values, -np.inf)
    order = np.argsort(-candidates, axis=-1, kind="stable")[..., :k]
    top = np.where(np.isfinite(np.take_along_axis(candidates, order, -1)), order, -1)
    missing = [(0, 0)] * (top.ndim - 1) + [(0, k - top.shape[-1])]
    return np.pad(top, missing, constant_values=-1)


@dataclass(frozen=True)
class Comeback:
    """How the final top units stood at each frame, and what shuffled unit labels give.

    Attributes:
        rank: (frame, class, unit) among the live units, 1 for the largest dominance; ties share their mean rank.
        overlap: (frame, class).
        auc: (frame, class); NaN where all live units are in the top set.
        null: by measure, (frame, shuffle), means over classes.
    """

    rank: np.ndarray
    overlap: np.ndarray
    auc: np.ndarray
    null: Mapping[str, np.ndarray]


def comeback(values: np.ndarray, top: int, rng: np.random.Generator, times: int) -> Comeback:
    """Compare each frame's order of units with the last frame's top set.

    Args:
        values: (frame, class, unit) dominance of live units; every class has pictures.
        top: size t of the sets.
        rng: draws the shuffles.
        times: how many.
    """
    from scipy.stats import rankdata

    frames, classes, live = values.shape
    size = min(top, live)
    rank = rankdata(-values, axis=-1)
    everyone = np.ones(live, dtype=bool)
    member = np.zeros(values.shape, dtype=np.float64)
    np.put_along_axis(member, top_units(values, everyone, size), 1.0, axis=-1)

    def area(rank_sum: np.ndarray) -> np.ndarray:
        pairs = size * (live - size)
        if not pairs:
            return np.full_like(rank_sum, np.nan)
        return (size * live - rank_sum - size * (size - 1) / 2) / pairs

    final = member[-1]
    null = {name: np.empty((frames, times)) for name in ("overlap", "auc")}
    for start in range(0, times, _CHUNK):
        shuffles = [final[:, rng.permutation(live)] for _ in range(start, min(start + _CHUNK, times))]
        drawn = np.reshape(shuffles, (len(shuffles), -1)).T / classes
        null["overlap"][:, start : start + _CHUNK] = member.reshape(frames, -1) @ drawn
        null["auc"][:, start : start + _CHUNK] = area(rank.reshape(frames, -1) @ drawn)
    return Comeback(rank, (member * final).sum(-1), area((rank * final).sum(-1)), null)


def settled(overlap: np.ndarray) -> np.ndarray:
    """Return the first frame from which on the overlap (frame, class) stays what it is at the last, (class)."""
    differs = overlap != overlap[-1]
    return np.where(differs.any(0), len(overlap) - differs[::-1].argmax(0), 0)
