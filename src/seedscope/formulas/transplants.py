"""Does a unit of another network do the work of its like? Activations of network b in the place of those of network a.

    fitted       a'[s, i, p] = ā[i, p] + c_i (b[s, j, p] − b̄[j, p])         unit i of a, its partner j of b, place p
                 c_i = Σ_s,p (a − ā)(b − b̄) / Σ_s,p (b − b̄)²                 least squares; ā, b̄ means over samples
    rotation     a'[s, ·, p] = ā[·, p] + c (b[s, ·, p] − b̄[·, p]) Q          Q (semi-)orthogonal, c one scale: orthogonal
                                                                           Procrustes (Schönemann 1966)
    linear map   a'[s, ·, p] = ā[·, p] + (b[s, ·, p] − b̄[·, p]) M            M by ridge regression: stitching (Lenc and
                                                                           Vedaldi 2015; Bansal, Nakkiran and Barak 2021)
    unmapped     a'[s, i, p] = b[s, j, p]                                  under a matching that is not looked for
    class mean   a'[s, i, p] = mean of a[·, i, p] over the class of s       no other network at all

All of it is fitted on some samples and used on others. A dense layer has one place; of a feature map a channel is the
unit, with one scale for all places and an offset of its own at each, so that a partner that says nothing leaves the
unit at its means. a' may leave the range of a ReLU. A unit without a partner stands at its means.

    recovered = (L_transplanted − L_ablated) / (L_intact − L_ablated)      L: Σ over samples of log p of the true class

ablated: units at their means over the fitted samples. Of units one by one numerators and denominators are added up over
units before they are divided: a mean of ratios would be that of units that hardly matter. 1 restores all that the units
hold, 0 nothing; below 0 it is worse than their means. Of flips: the share of the flips by ablation that do not happen.
The head is linear, so all of it is a sum of votes and no network has to run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.formulas.ablation import judged
from seedscope.formulas.matching import Matching, matched
from seedscope.formulas.ridge import ridge_prediction

_CHUNK = 500_000  # numbers looked at at a time


@dataclass(frozen=True)
class Host:
    """Network a on the samples that are scored.

    Attributes:
        activation: (sample, unit, place) of the units that may be replaced.
        weight: (class, unit, place), by which its head weighs them.
        logit: (class, sample), as they are.
        label: (sample).
    """

    activation: np.ndarray
    weight: np.ndarray
    logit: np.ndarray
    label: np.ndarray

    def singly(self, stand_in: np.ndarray) -> np.ndarray:
        """Return what replacing each unit alone costs: Σ over samples of lost log p, and of flips, (2, unit).

        Args:
            stand_in: (sample, unit, place), what takes the units' place.
        """
        before, decided = judged(self.logit, self.label)
        cost = np.empty((2, self.activation.shape[1]))
        size = max(1, _CHUNK // max(1, self.logit.size))
        for start in range(0, cost.shape[1], size):
            part = slice(start, start + size)
            change = (stand_in[:, part] - self.activation[:, part]).transpose(1, 2, 0)  # (unit, place, sample)
            after, now = judged(self.logit + self.weight[:, part].transpose(1, 0, 2) @ change, self.label)
            cost[0, part], cost[1, part] = (before - after).sum(-1), (now != decided).sum(-1)
        return cost

    def together(self, stand_in: np.ndarray) -> np.ndarray:
        """Return Σ over samples of log p, of right decisions and of those that are network a's own, (3).

        Args:
            stand_in: (sample, unit, place), what takes all units' place at once.
        """
        change = (stand_in - self.activation).reshape(len(stand_in), -1)
        after, now = judged(self.logit + self.weight.reshape(len(self.weight), -1) @ change.T, self.label)
        return np.array([after.sum(), (now == self.label).sum(), (now == judged(self.logit, self.label)[1]).sum()])


@dataclass(frozen=True)
class Fit:
    """Both networks on the samples that maps are fitted on: (sample, unit, place) each."""

    a: np.ndarray
    b: np.ndarray

    def matching(self) -> Matching:
        """Return the one-to-one matching of units by r over samples and places."""
        return matched(_rows(self.a), _rows(self.b))

    def means(self, samples: int) -> np.ndarray:
        """Return a's units at their means, (sample, unit, place)."""
        return np.repeat(self.a.mean(0)[None], samples, axis=0)

    def class_means(self, label: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return a's units at the means of each sample's class: those of the fit's ``label``, for ``classes``.

        A class without samples in the fit has the means of all.
        """
        found = self.means(len(classes))
        for k in np.intersect1d(label, classes):
            found[classes == k] = self.a[label == k].mean(0)
        return found

    def by_partners(self, test: np.ndarray, matching: Matching) -> np.ndarray:
        """Return b's units on ``test`` (sample, unit, place), fitted to a's units one by one."""
        rows, columns = matching
        own, other = self.a[:, rows], self.b[:, columns]
        own, other = own - own.mean(0), other - other.mean(0)
        size = np.einsum("sup,sup->u", other, other)
        shared = np.einsum("sup,sup->u", own, other)
        scale = np.divide(shared, size, out=np.zeros_like(shared), where=size > 0)
        found = self.means(len(test))
        found[:, rows] += scale[:, None] * (test[:, columns] - self.b[:, columns].mean(0))
        return found

    def by_rotation(self, test: np.ndarray) -> np.ndarray:
        """Return b's layer on ``test``, turned and scaled as a whole to lie as near as it can to a's."""
        a, b = _rows(self.a - self.a.mean(0)), _rows(self.b - self.b.mean(0))
        left, size, right = np.linalg.svd(b.T @ a, full_matrices=False)
        extent = float((b**2).sum())
        return self._placed(test, left @ right * (size.sum() / extent if extent > 0 else 0.0))

    def by_linear_map(self, test: np.ndarray) -> np.ndarray:
        """Return a's layer as a ridge regression reads it from b's on ``test``."""
        a, b = _rows(self.a - self.a.mean(0)), _rows(self.b - self.b.mean(0))
        read = ridge_prediction(b, a, _rows(test - self.b.mean(0)))
        return self.a.mean(0) + _unrowed(read, len(test))

    def unmapped(self, test: np.ndarray, matching: Matching) -> np.ndarray:
        """Return b's units on ``test`` as they are."""
        rows, columns = matching
        found = self.means(len(test))
        found[:, rows] = test[:, columns]
        return found

    def _placed(self, test: np.ndarray, turn: np.ndarray) -> np.ndarray:
        moved = _rows(test - self.b.mean(0)) @ turn
        return self.a.mean(0) + _unrowed(moved, len(test))


def random_matching(a: int, b: int, rng: np.random.Generator) -> Matching:
    """Return a one-to-one matching of ``a`` and ``b`` units that is drawn, as large as one can be."""
    count = min(a, b)
    return np.sort(rng.permutation(a)[:count]), rng.permutation(b)[:count]


def recovered(transplanted: np.ndarray, ablated: np.ndarray, intact: np.ndarray) -> np.ndarray:
    """Return which share of what ablation takes a transplant gives back; NaN where ablation takes nothing."""
    lost = np.asarray(intact - ablated, dtype=np.float64)
    given = np.broadcast_arrays(np.asarray(transplanted - ablated, dtype=np.float64), lost)
    return np.divide(*given, out=np.full(given[0].shape, np.nan), where=given[1] > 1e-12)


def live_in_both(activation: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return which units (sample, unit, place) are active at some place in both halves of the samples, (unit)."""
    return np.all([(activation[half == side] != 0).any((0, 2)) for side in (0, 1)], axis=0)


def _rows(values: np.ndarray) -> np.ndarray:
    """Return values (sample, unit, place) with places as further samples, (sample · place, unit)."""
    return values.swapaxes(1, 2).reshape(-1, values.shape[1])


def _unrowed(values: np.ndarray, samples: int) -> np.ndarray:
    return values.reshape(samples, -1, values.shape[1]).swapaxes(1, 2)
