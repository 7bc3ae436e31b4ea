"""Who stands first, and how early could it be seen?

    top[k]        the t live units of largest value, by value, then by number
    overlap[f, k] |top[f, k] ∩ top[last, k]|                          of values by frame f, class k and unit
    auc[f, k]     probability that at f a unit of top[last, k] stands above one that is not in it (ties: ½); the
                  area under the ROC curve, U / (t (L − t)) of Mann and Whitney (1947), of L units
    settled[k]    the first frame from which on top[·, k] = top[last, k]

:func:`auc` is that probability for any scores and any members.

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

    final = member[-1]
    null = {name: np.empty((frames, times)) for name in ("overlap", "auc")}
    for start in range(0, times, _CHUNK):
        shuffles = [final[:, rng.permutation(live)] for _ in range(start, min(start + _CHUNK, times))]
        drawn = np.reshape(shuffles, (len(shuffles), -1)).T / classes
        null["overlap"][:, start : start + _CHUNK] = member.reshape(frames, -1) @ drawn
        null["auc"][:, start : start + _CHUNK] = _area(rank.reshape(frames, -1) @ drawn, size, live)
    return Comeback(rank, (member * final).sum(-1), _area((rank * final).sum(-1), size, live), null)


def _area(rank_sum: np.ndarray, size: np.ndarray | int, units: int) -> np.ndarray:
    """Return the AUC of ``size`` of ``units`` whose ranks, 1 for the largest, add up to this; NaN without pairs."""
    pairs = np.broadcast_to(np.asarray(size * (units - size)), np.shape(rank_sum))
    above = size * units - rank_sum - size * (size - 1) / 2
    return np.asarray(np.divide(above, pairs, out=np.full(np.shape(rank_sum), np.nan), where=pairs > 0))


def auc(scores: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return the probability that a member stands above another unit (ties: ½), along the last axis.

    Args:
        scores: (…, unit), without NaN.
        member: (…, unit) of bool.

    Returns:
        (…); NaN where there is no member or no other.
    """
    from scipy.stats import rankdata

    rank = rankdata(-np.asarray(scores, dtype=np.float64), axis=-1)
    return _area(np.asarray((rank * member).sum(-1)), np.asarray(member.sum(-1)), rank.shape[-1])


def shuffled_auc(scores: np.ndarray, member: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return the mean AUC over classes when the members are dealt out to the units anew, (time).

    One shuffle serves all classes, which keeps what they share.

    Args:
        scores: (class, unit).
        member: (class, unit) of bool.
        rng: draws the shuffles.
        times: how many.
    """
    from scipy.stats import rankdata

    rank, units = rankdata(-scores, axis=-1), member.shape[-1]
    order = rng.permuted(np.tile(np.arange(units), (times, 1)), axis=1)
    drawn = [
        _area(of_class[order[:, own]].sum(-1), int(own.sum()), units)
        for of_class, own in zip(rank, np.asarray(member, dtype=bool), strict=True)
    ]
    return np.asarray(np.mean(drawn, axis=0))


def settled(overlap: np.ndarray) -> np.ndarray:
    """Return the first frame from which on the overlap (frame, class) stays what it is at the last, (class)."""
    differs = overlap != overlap[-1]
    return np.where(differs.any(0), len(overlap) - differs[::-1].argmax(0), 0)
