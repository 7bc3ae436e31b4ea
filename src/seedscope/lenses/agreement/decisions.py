"""What pairs of seeds have in common, with what classes and places alone give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from seedscope.formulas.consistency import (
    expected_products,
    expected_same_answers,
    kappa,
    permuted_products,
    permuted_same_answers,
    pooled_share,
    products,
    rank_directions,
    rank_directions_within,
    same_answers,
)
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.intervals import Interval
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.pair_numbers import PairNumbers, looked_at

DRAWS = 1000


@dataclass(frozen=True)
class Decisions:
    """What every seed made of the same pictures.

    Attributes:
        decided: (seed, sample), the class that each decided on.
        margin: (seed, sample), that of the true class over the strongest other.
        label: (sample).
        groups: by the name of a null, the groups (sample) within which it permutes; the strictest last.
        seeds: their numbers.
    """

    decided: np.ndarray
    margin: np.ndarray
    label: np.ndarray
    groups: Mapping[str, np.ndarray]
    seeds: np.ndarray

    @classmethod
    def of(cls, measured: xr.Dataset) -> Decisions:
        """Take them out of what was measured on all seeds."""
        label, logit = measured.label.values[0], measured.logit.values.astype(np.float64)
        groups = {"within_class": label}
        if "subcell" in measured:
            groups["within_place"] = measured.subcell.values[0]
        return cls(
            np.stack([predicted_class(one) for one in logit]),
            np.stack([true_margin(one, label) for one in logit]),
            label,
            groups,
            measured.seed.values,
        )

    @property
    def wrong(self) -> np.ndarray:
        """Return which pictures each seed decided wrongly, (seed, sample)."""
        return np.asarray(self.decided != self.label)

    @property
    def fallible(self) -> np.ndarray:
        """Return which seeds make mistakes, and not only mistakes, (seed)."""
        return np.asarray(self.wrong.any(1) & ~self.wrong.all(1))


def shared_mistakes(decisions: Decisions) -> tuple[PairNumbers, PairNumbers]:
    """Return error consistency and the number of shared mistakes, of the seeds that make mistakes.

    Beside the number stands ``chance``, what is expected where mistakes are permuted over all pictures.
    """
    wrong, seeds = decisions.wrong[decisions.fallible], decisions.seeds[decisions.fallible]
    count, pictures = wrong.sum(1), wrong.shape[1]
    groups = {"chance": np.zeros(pictures, dtype=np.int64), **decisions.groups}
    shared = products(wrong)
    consistency, looked = kappa(shared, count, pictures), looked_at(len(wrong))
    expected = {name: expected_products(wrong, group) for name, group in groups.items()}
    by_kappa, by_count = {}, {}
    for index, (name, group) in enumerate(decisions.groups.items() if len(wrong) > 1 else ()):
        drawn = permuted_products(wrong, group, np.random.default_rng(index), DRAWS)
        null = kappa(drawn, count, pictures)[:, *looked].mean(1)
        by_kappa[name] = permutation_p(consistency[looked].mean(), null)
        by_count[name] = permutation_p(shared[looked].mean(), drawn[:, *looked].mean(1))
    of_kappa = {name: kappa(one, count, pictures) for name, one in expected.items() if name != "chance"}
    return PairNumbers(consistency, of_kappa, by_kappa, seeds), PairNumbers(shared, expected, by_count, seeds)


def same_wrong_answer(decisions: Decisions) -> dict[str, Any]:
    """Return the share of shared mistakes with the same wrong answer, with ``null`` and ``p``; of two classes none."""
    decided, label = decisions.decided[decisions.fallible], decisions.label
    nothing = {**Interval(None, None, None, len(decided)).as_dict(), "null": None, "p": None}
    alike, both = same_answers(decided, label)
    looked = looked_at(len(decided))
    if len(np.union1d(np.unique(label), np.unique(decided))) < 3 or not both[looked].sum():
        return nothing
    null = expected_same_answers(decided, label)[looked].sum() / both[looked].sum()
    drawn = permuted_same_answers(decided, label, looked, np.random.default_rng(0), DRAWS)
    found = pooled_share(alike, both, looked).as_dict() | {"pairs": len(looked[0])}
    return {**found, "null": float(null), "p": permutation_p(alike[looked].sum(), drawn)}


def margins(decisions: Decisions) -> tuple[PairNumbers, PairNumbers]:
    """Return the rank correlation of margins, over all pictures and within classes."""
    found = []
    for ranks in (rank_directions(decisions.margin), rank_directions_within(decisions.margin, decisions.label)):
        value, looked = products(ranks), looked_at(len(ranks))
        null = {name: expected_products(ranks, group) for name, group in decisions.groups.items()}
        p = {}
        for index, (name, group) in enumerate(decisions.groups.items() if len(ranks) > 1 else ()):
            drawn = permuted_products(ranks, group, np.random.default_rng(index), DRAWS)[:, *looked].mean(1)
            p[name] = permutation_p(value[looked].mean(), drawn)
        found.append(PairNumbers(value, null, p, decisions.seeds))
    return found[0], found[1]


def wrong_in(decisions: Decisions) -> tuple[np.ndarray, np.ndarray]:
    """Return how many pictures 0, 1, … seeds decide wrongly, and the mean of that under the strictest null."""
    wrong, seeds = decisions.wrong, len(decisions.wrong)
    group = list(decisions.groups.values())[-1]
    found = np.bincount(wrong.sum(0), minlength=seeds + 1)
    expected = np.zeros(seeds + 1)
    for one in np.unique(group):
        own = wrong[:, group == one]
        times = np.ones(1)  # of how many seeds a picture of this group is wrong in: each is so by itself
        for share in own.mean(1):
            times = np.convolve(times, [1 - share, share])
        expected += own.shape[1] * times
    return found, expected
