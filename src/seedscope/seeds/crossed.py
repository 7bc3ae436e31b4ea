"""Which randomness decides? The cells of a crossing of random streams against each other.

**Shares.** Of every number the share of its variance that each stream moves by itself, in pairs, and otherwise
(:mod:`seedscope.formulas.variance_components`). Three numbers are one of each replica: accuracy, live units, the Gini
coefficient of dominance. Three are one of each *unit number*, added up: who is alive (0 or 1), who dominates (among the
top five of a class by centred vote, 0 or 1), and what a unit is tuned to (mean activation by class, centred over them).

**Pairs.** How alike two replicas are, unit by unit of the same number, by which streams they share
(:mod:`seedscope.formulas.shared_levels`). ``same``: the interval lies above one half; ``not the same``: below it.
Beside these, whatever their numbers: r of the live units, matched one to one on one half of the pictures and scored on
the other (:mod:`seedscope.formulas.alignment`).

**Swap.** Where ``weights`` and ``head`` are crossed: does a unit's tuning follow the head that it was given
(:mod:`seedscope.formulas.head_swap`)?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.alignment import Layer, align
from seedscope.formulas.concentration import gini
from seedscope.formulas.halves import halves
from seedscope.formulas.head_swap import Swap, row_correlations, swapped
from seedscope.formulas.intervals import Interval, holm
from seedscope.formulas.overlap import classes_with_sets, membership, pair_overlap
from seedscope.formulas.ranks import top_units
from seedscope.formulas.shared_levels import Shared, jaccard, table_cosines
from seedscope.formulas.variance_components import BOUND, Shares, Verdict, decides, mean_squares, shares

if TYPE_CHECKING:
    import xarray as xr

TOP = 5
_TIMES = 1000  # permutations
NUMBERS: Mapping[str, str] = {
    "accuracy": "accuracy",
    "live_units": "number of live units",
    "gini": "Gini coefficient of dominance",
    "who_is_alive": "who is alive",
    "who_dominates": f"who dominates, top {TOP}",
    "tuning": "what units are tuned to",
}
LIKENESS: Mapping[str, str] = {
    "live_sets": "live units in common, Jaccard index",
    "top_sets": f"share of the top {TOP} in common",
    "tunings": "Pearson's r of their tuning tables",
    "foretold": "r of one's tuning and the other's initial head",
    "matched": "Pearson's r of units matched one to one",
}
BY_NUMBER = ("live_sets", "top_sets", "tunings")  # alike unit by unit of one number


@dataclass(frozen=True)
class Source:
    """A share of the variance of one number.

    Attributes:
        words: one stream, two of them, or the rest.
        share: what it moves by itself.
        total: of one stream, what still varies when only this stream does.
        verdict: of one stream, whether it decides.
    """

    words: str
    share: Interval
    total: Interval | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Alike:
    """How alike pairs are that share some streams and no other.

    Attributes:
        shared: the streams.
        mean: over pairs.
        gain: over pairs that share nothing; ``None`` of these.
        p: of no gain, one-sided; NaN of pairs that share nothing.
        p_holm: corrected for all patterns and similarities of the crossing.
    """

    shared: tuple[str, ...]
    mean: Interval
    gain: Interval | None
    p: float
    p_holm: float

    @property
    def words(self) -> str:
        """Return what they share."""
        return " + ".join(self.shared) or "nothing"

    @property
    def verdict(self) -> str:
        """Return whether a unit's number means the same in both."""
        if self.mean.low is None or self.mean.high is None:
            return "undecided"
        if self.mean.low > BOUND:
            return "same"
        return "not the same" if self.mean.high < BOUND else "undecided"


@dataclass(frozen=True)
class Found:
    """What a crossing shows: sources by number, pairs by similarity, and the swap where there is one."""

    levels: Mapping[str, int]
    sources: Mapping[str, Sequence[Source]]
    pairs: Mapping[str, Sequence[Alike]]
    swap: Swap | None


def look(cells: xr.Dataset, levels: Mapping[str, int]) -> Found:
    """Return what the cells show."""
    rng = np.random.default_rng(0)
    sources = {
        name: _sources(tuple(levels), shares(mean_squares(values, len(levels)), rng))
        for name, values in numbers(cells, levels).items()
    }
    return Found(levels, sources, _pairs(cells, levels, rng), _swap(cells, levels, rng))


def numbers(cells: xr.Dataset, levels: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return the numbers whose variance is shared out, each (level, level, …) and its coordinates."""
    live, dominance = cells.live.values, cells.dominance.values
    concentrated = [
        np.nanmean(gini(np.abs(of[seen][:, alive])))
        if alive.any() and (seen := np.isfinite(of).all(1)).any()
        else np.nan
        for of, alive in zip(dominance, live, strict=True)
    ]
    by_name = {
        "accuracy": cells.accuracy.values,
        "live_units": live.sum(1),
        "gini": np.array(concentrated),
        "who_is_alive": live,
        "who_dominates": _members(cells),
        "tuning": _centred(cells.tuning.values),
    }
    shape = tuple(levels.values())
    return {name: values.reshape(*shape, *values.shape[1:]).astype(np.float64) for name, values in by_name.items()}


def _members(cells: xr.Dataset) -> np.ndarray:
    """Return who is among the top units, (cell, class, unit)."""
    tops = [top_units(of, alive, TOP) for of, alive in zip(cells.dominance.values, cells.live.values, strict=True)]
    return membership(np.stack(tops), cells.sizes["unit"])


def _centred(tuning: np.ndarray) -> np.ndarray:
    """Return tunings (cell, class, unit) centred over classes; a class without pictures is left out."""
    seen = tuning[:, np.isfinite(tuning).all((0, 2))]
    return seen - seen.mean(1, keepdims=True)


def _sources(streams: tuple[str, ...], found: Shares) -> list[Source]:
    alone = [Source(stream, found.own(f), found.total(f), decides(found.own(f))) for f, stream in enumerate(streams)]
    two = [factors for factors in found.sets if len(factors) == 2]
    together = [Source(" × ".join(streams[f] for f in factors), found.together(factors)) for factors in two]
    rest = [Source("all three" if len(streams) == 3 else "the rest", found.rest())] if len(streams) > 2 else []
    return [*alone, *together, *rest]


def _pairs(cells: xr.Dataset, levels: Mapping[str, int], rng: np.random.Generator) -> dict[str, list[Alike]]:
    shared = Shared.of(tuple(levels.values()))
    member, tuning, live = _members(cells), _centred(cells.tuning.values), cells.live.values
    head = cells.head_at_start.values[:, np.isfinite(cells.tuning.values).all((0, 2))]
    # The rows of dead units are 0, as their tuning is.
    foretold = np.stack([table_cosines(one[None], head * alive)[0] for one, alive in zip(tuning, live, strict=True)])
    size = np.minimum(TOP, live.sum(1)).astype(np.float64)
    smaller = np.minimum(size[:, None], size)
    seen = classes_with_sets(member)
    common = pair_overlap(member)[..., seen].mean(-1) if len(seen) else np.full(smaller.shape, np.nan)
    alike = {
        "live_sets": jaccard(live),
        "top_sets": np.divide(common, smaller, out=np.full(common.shape, np.nan), where=smaller > 0),
        "tunings": table_cosines(tuning, tuning),
        "foretold": (foretold + foretold.T) / 2,
        "matched": _matched(cells),
    }
    p = shared.p_of_gains(np.stack(list(alike.values())), rng, _TIMES)
    corrected = np.full(p.shape, np.nan)
    corrected[np.isfinite(p)] = holm(p[np.isfinite(p)])
    streams = tuple(levels)
    found: dict[str, list[Alike]] = {}
    for place, (name, similarity) in enumerate(alike.items()):
        means, gains = shared.intervals(similarity)
        found[name] = [
            Alike(
                tuple(stream for f, stream in enumerate(streams) if pattern >> f & 1),
                means[pattern],
                gains[pattern] if pattern else None,
                float(p[place, pattern]),
                float(corrected[place, pattern]),
            )
            for pattern in sorted(shared.patterns, key=lambda one: (one.bit_count(), one))
        ]
    return found


def _matched(cells: xr.Dataset) -> np.ndarray:
    """Return the held-out r of matched units, (cell, cell)."""
    label = cells.label.values
    half = halves(label)
    layers = [Layer(answer[:, None], half, label).alive().prepared for answer in cells.answer.values]
    similarity = np.full((len(layers), len(layers)), np.nan)
    for a, b in combinations(range(len(layers)), 2):
        similarity[a, b] = similarity[b, a] = align(layers[a], layers[b]).statistic["r"]
    return similarity


def _swap(cells: xr.Dataset, levels: Mapping[str, int], rng: np.random.Generator) -> Swap | None:
    """Return what became of the head's swap; ``None`` where weights and head are not crossed level by level."""
    n = levels.get("head")
    if n is None or levels.get("weights") != n:
        return None
    heads = [cells.head_at_start.values[np.flatnonzero(cells["head"].values == level)[0]] for level in range(n)]
    tuning, live, given = cells.tuning.values, cells.live.values, cells["head"].values
    r = np.array(
        [[row_correlations(one, head, alive) for head in heads] for one, alive in zip(tuning, live, strict=True)]
    )
    start = [
        row_correlations(one, first, alive)[0]
        for one, first, alive in zip(tuning, cells.tuning_at_start.values, live, strict=True)
    ]
    shuffled = r[np.arange(len(r)), given, 1]

    def by_level(values: np.ndarray) -> np.ndarray:
        place = [tuple(levels).index(stream) for stream in ("weights", "head")]
        table = values.reshape(*levels.values(), *values.shape[1:])
        front = np.moveaxis(table, place, (0, 1))
        return front.mean(tuple(range(2, len(levels))))

    return swapped(by_level(r[..., 0]), by_level(np.array(start)), by_level(shuffled), rng)


def swap_rows(swap: Swap) -> dict[str, Interval]:
    """Return the correlations of a swap by name."""
    return {
        "given": swap.given,
        "other": swap.other,
        "difference": swap.difference,
        "unrelated": swap.unrelated,
        "rows_shuffled": swap.rows,
        "own": swap.own,
        "start": swap.start,
    }
