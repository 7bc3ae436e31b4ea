"""How much change is borne: one thing changes level by level in the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.correlation import spearman
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.intervals import mean_interval, wilson_interval
from seedscope.formulas.nulls import another_of_its_class
from seedscope.formulas.overlap import membership, top_overlap, top_overlap_by_chance
from seedscope.formulas.ranks import top_units
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.lenses.variation.designs import is_crossed

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class _Condition:
    """One level of a design: whether it is the base level, and the positions of its pictures, pair by pair."""

    level: float
    base: bool
    where: np.ndarray


def robustness(
    varied: xr.Dataset, votes: Votes, logit: np.ndarray, live: np.ndarray, usual: np.ndarray, top: int
) -> xr.Dataset:
    """Return what each condition does; ``usual`` are the probe's mean votes (class, unit)."""
    import xarray as xr

    design = _designs(varied)
    conditions = [(name, one) for name, of_design in design.items() for one in of_design]
    asked = _Asked(votes, logit, varied.label.values, live, usual, top)
    base = {name: next(one.where for one in of_design if one.base) for name, of_design in design.items()}
    rows = [asked.row(one.where, base[name]) for name, one in conditions]
    measured = xr.Dataset(
        {
            **{name: ("condition", [row[name] for row in rows]) for name in rows[0]},
            "overlap_null_chance": top_overlap_by_chance(top, int(live.sum())),
        },
        coords={
            "design": ("condition", [name for name, _ in conditions]),
            "level": ("condition", [one.level for _, one in conditions]),
            "base": ("condition", [one.base for _, one in conditions]),
        },
    )
    measured["level"].attrs = {name: str(varied.level.attrs.get(name, name)) for name in design}
    return measured


def _designs(varied: xr.Dataset) -> dict[str, list[_Condition]]:
    """Return each design's levels, ascending."""
    of_sample = varied["design"].values.astype(str)
    level, base = varied.level.values, varied.base.values.astype(bool)
    place, noise = varied.place.values, varied.noise_draw.values
    found: dict[str, list[_Condition]] = {}
    for design in dict.fromkeys(of_sample[~is_crossed(of_sample)].tolist()):
        for one in np.unique(level[of_sample == design]):
            where = np.flatnonzero((of_sample == design) & (level == one))
            where = where[np.lexsort((noise[where], place[where]))]
            found.setdefault(design, []).append(_Condition(float(one), bool(base[where].all()), where))
        pairs = [(place[one.where].tolist(), noise[one.where].tolist()) for one in found[design]]
        if sum(one.base for one in found[design]) != 1 or any(pair != pairs[0] for pair in pairs):
            raise SeedscopeError(
                f"variations: design {design!r} must have one base level, and the same places and noise fields at each"
            )
    return found


@dataclass(frozen=True)
class _Asked:
    """The varied pictures, to be asked about those of one condition, at positions ``where``, and their base level.

    Attributes:
        votes: of the varied pictures.
        logit: (sample, target).
        label: (sample).
        live: (unit), of the probe pictures.
        usual: (class, unit), mean votes of the probe pictures.
        top: size of the top sets.
    """

    votes: Votes
    logit: np.ndarray
    label: np.ndarray
    live: np.ndarray
    usual: np.ndarray
    top: int

    def row(self, where: np.ndarray, base: np.ndarray) -> dict[str, float]:
        """Return what is measured of a condition."""
        margin, right = self._margin, self._right
        low, high = wilson_interval(right[where].sum(), np.array(len(where)))
        of_base = self._mean_votes(base)
        overlap, correlation = self._agreement(self._mean_votes(where), of_base)
        same, other, stranger = self._picture_overlap(where, base)
        size = np.abs(self.votes.activation[where] * self._weight[self.label[where]])
        total = size.sum()
        row = {
            "n": len(where),
            "accuracy": right[where].mean(),
            "accuracy_low": low,
            "accuracy_high": high,
            "margin_median": np.median(margin[where]),
            "overlap": overlap,
            "rank_correlation": correlation,
            "overlap_null_other_pictures": self._agreement(of_base, self.usual)[0],
            "woken_units": (self.votes.activation[where] != 0).any(0)[~self.live].sum(),
            "woken_share": size[:, ~self.live].sum() / total if total > 0 else 0.0,
            **_with_interval("picture_overlap", same),
            "picture_overlap_null_another_picture": other.mean() if len(other) else float("nan"),
            "picture_overlap_null_other_class": stranger.mean() if len(stranger) else float("nan"),
            **_with_interval("margin", margin[where]),
            **_with_interval("margin_change", margin[where] - margin[base]),
        }
        return {name: float(number) for name, number in row.items()}

    @cached_property
    def _margin(self) -> np.ndarray:
        return true_margin(self.logit, self.label)

    @cached_property
    def _right(self) -> np.ndarray:
        return predicted_class(self.logit) == self.label

    @cached_property
    def _weight(self) -> np.ndarray:
        return self.votes.class_weight(centred=True)

    def _mean_votes(self, where: np.ndarray) -> np.ndarray:
        part = Votes(self.votes.activation[where], self.votes.weight, self.votes.bias)
        return centred_dominance(part, self.label[where], len(self.usual))

    def _agreement(self, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
        """Return the overlap of top sets and the rank correlation of mean votes (class, unit), means over classes."""
        live, top = self.live, self.top
        seen = np.flatnonzero(~np.isnan(a).any(1) & ~np.isnan(b).any(1))
        if not len(seen) or not live.any():
            return float("nan"), float("nan")
        shared = top_overlap(top_units(a[seen], live, top), top_units(b[seen], live, top))
        ranks = spearman(a[seen][:, live], b[seen][:, live])
        known = ranks[~np.isnan(ranks)]
        return float(shared.mean()), float(known.mean()) if len(known) else float("nan")

    def _picture_overlap(self, where: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how many top voters each picture shares with itself at the base level, and with others there.

        The others are the next picture of its class, and, in the mean, all pictures of other classes: who votes for
        the class of the one in the other. Only pictures with the label of their base level count; what needs another
        one of the class, or of another class, those that have it.
        """
        kept = np.flatnonzero(self.label[where] == self.label[base])
        if not len(kept) or not self.live.any():
            return np.zeros(0), np.zeros(0), np.zeros(0)
        own = self.label[base][kept]
        weight = self._weight[own]
        here, there = (
            top_units(self.votes.activation[which[kept]] * weight, self.live, self.top) for which in (where, base)
        )
        following = another_of_its_class(own)
        others = following >= 0
        strangers = [self._with_strangers(here[own == k], base[kept][own != k], k) for k in np.unique(own)]
        return top_overlap(here, there), top_overlap(here[others], there[following[others]]), np.concatenate(strangers)

    def _with_strangers(self, here: np.ndarray, strangers: np.ndarray, k: int) -> np.ndarray:
        """Return how many voters for class ``k`` each set of ``here`` shares with pictures of other classes, (set)."""
        if not len(strangers):
            return np.zeros(0)
        units = len(self.live)
        asked = top_units(self.votes.activation[strangers] * self._weight[k], self.live, self.top)
        return membership(here, units).astype(np.float64) @ membership(asked, units).mean(0)


def _with_interval(name: str, values: np.ndarray) -> dict[str, float]:
    """Return the mean over pictures and its 95 % t interval."""
    mean, low, high = mean_interval(values).numbers
    return {name: mean, f"{name}_low": low, f"{name}_high": high}
