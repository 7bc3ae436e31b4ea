"""Do the same units stand at the top in two seeds? How many members sets share, and what chance gives.

    overlap[a, b, k] = |top(seed a, class k) ∩ top(seed b, class k)|

Chance undoes, within each seed, what a seed numbers as it likes, and compares again:

    random sets         t_a · t_b / L                                          of t_a and t_b of L units
    channels shuffled   Σ_p t_a(p) · t_b(p) · |L_a ∩ L_b| / (|L_a| · |L_b|)     places p stay
    classes dealt out   mean over all classes i, j of |top(a, i) ∩ top(b, j)|   units stay

    t(p): size of the set for class k at place p;   L: the channels that are live at some place

A dense layer's units are channels of one place each.
"""

from __future__ import annotations

import numpy as np


def top_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how many units two sets share: (…, rank) of unit numbers each, −1 for none → (…) of floats."""
    same = (a[..., :, None] == b[..., None, :]) & (a[..., :, None] >= 0)
    return np.asarray(same.sum((-2, -1)), dtype=np.float64)


def top_overlap_by_chance(size: int, live: int) -> float:
    """Return how many units two random sets of ``size`` (or all) of ``live`` units share; NaN where none is live."""
    return min(size, live) ** 2 / live if live else float("nan")


def busiest_share(top: np.ndarray) -> float:
    """Return in what share of the classes the unit stands at the top that does so for most, of (class, rank); −1: none.

    NaN where no class has a set.
    """
    if not (top >= 0).any():
        return float("nan")
    return float(np.bincount(top[top >= 0]).max() / len(top))


def busiest_share_by_chance(classes: int, size: int, live: int, times: int = 2000) -> float:
    """Return the mean of :func:`busiest_share` where each class draws its ``size`` of ``live`` units anew."""
    size = min(size, live)
    if not classes or not size:
        return float("nan")
    rng = np.random.default_rng(0)
    drawn = np.argsort(rng.random((times, classes, live)), axis=-1)[..., :size].reshape(times, -1)
    counts = np.zeros((times, live))
    np.add.at(counts, (np.arange(times)[:, None], drawn), 1)
    return float(counts.max(1).mean() / classes)


def membership(top: np.ndarray, units: int) -> np.ndarray:
    """Return which units are in the sets: (…, rank) of unit numbers, −1 for none → (…, unit) of bool."""
    member = np.zeros((*top.shape[:-1], units + 1), dtype=bool)
    np.put_along_axis(member, np.where(top < 0, units, top), True, axis=-1)
    return member[..., :units]


def pair_overlap(member: np.ndarray) -> np.ndarray:
    """Return how many units the sets of each pair of seeds share: (seed, class, unit) → (seed, seed, class)."""
    counts = member.astype(np.float64)
    return np.einsum("aci,bci->abc", counts, counts)


def mean_pair_overlap(member: np.ndarray) -> np.ndarray:
    """Return the mean of :func:`pair_overlap` over pairs of different seeds: (seed, class, unit) → (class).

    A unit that is in the sets of n seeds is shared by n (n − 1) / 2 pairs: no pair need be looked at.
    """
    seeds = len(member)
    having = member.sum(0, dtype=np.int64)
    shared = (having * (having - 1) // 2).sum(-1)
    return shared / (seeds * (seeds - 1) // 2) if seeds > 1 else np.full(shared.shape, np.nan)


def classes_with_sets(member: np.ndarray) -> np.ndarray:
    """Return the classes for which some seed has a set, from (seed, class, unit): one without shares nothing."""
    return np.flatnonzero(member.any((0, 2)))


def chance_of_channels(member: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Return the exact mean of :func:`pair_overlap` when each seed's live channels are shuffled, (seed, seed, class).

    Args:
        member: (seed, class, channel, place), the top sets.
        live: (seed, channel, place).
    """
    at_place = member.sum(-2).astype(np.float64)  # (seed, class, place)
    alive = np.asarray(live.any(-1), dtype=np.float64)
    n_live = alive.sum(-1)
    both = alive @ alive.T
    share = np.divide(both, n_live[:, None] * n_live, out=np.zeros_like(both), where=both > 0)
    return np.einsum("akp,bkp->abk", at_place, at_place) * share[:, :, None]


def chance_of_classes(member: np.ndarray) -> np.ndarray:
    """Return the exact mean of :func:`pair_overlap` when each seed's sets are dealt out to the classes anew.

    Args:
        member: (seed, class, unit), the top sets.

    Returns:
        (seed, seed, class), the same for every class.
    """
    seen = classes_with_sets(member)
    total = member[:, seen].sum(1).astype(np.float64) / max(1, len(seen))
    return np.repeat((total @ total.T)[..., None], member.shape[1], axis=-1)


def shuffled_channels(member: np.ndarray, live: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return the mean pair overlap by class, (time, class), when each seed's live channels are shuffled.

    Shuffling labels and choosing the top sets again gives the old sets under new labels, so the sets themselves are
    relabelled; one shuffle serves all classes of a seed, which keeps what the classes of a network share.

    Args:
        member: (seed, class, channel, place), the top sets.
        live: (seed, channel, place).
        rng: draws the shuffles.
        times: how many.
    """
    n_seeds, n_classes = member.shape[:2]
    result = np.empty((times, n_classes))
    relabelled = np.zeros_like(member)
    places = [np.flatnonzero(alive) for alive in np.asarray(live.any(-1))]
    for time in range(times):
        for seed, place in enumerate(places):
            relabelled[seed][:, place] = member[seed][:, rng.permutation(place)]
        result[time] = mean_pair_overlap(relabelled.reshape(n_seeds, n_classes, -1))
    return result


def shuffled_classes(member: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return the mean pair overlap by class, (time, class), when sets (seed, class, unit) are dealt to classes anew.

    Only classes that have sets take part.
    """
    n_seeds, n_classes, _ = member.shape
    result = np.empty((times, n_classes))
    seen = classes_with_sets(member)
    for time in range(times):
        dealt = np.tile(np.arange(n_classes), (n_seeds, 1))
        dealt[:, seen] = rng.permuted(dealt[:, seen], axis=1)
        result[time] = mean_pair_overlap(np.take_along_axis(member, dealt[..., None], axis=1))
    return result
