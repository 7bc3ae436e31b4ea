"""Does a unit of another network do the work of its like? Activations of network b in the place of those of network a.

    fitted       a'[s, i, p] = ā[i, p] + c_i (b[s, j, p] − b̄[j, p])         unit i of a, its partner j of b, place p
                 c_i = Σ_s,p (a − ā)(b − b̄) / Σ_s,p (b − b̄)²                 least squares; ā, b̄ means over samples
    rotation     a'[s, ·, p] = ā[·, p] + c (b[s, ·, p] − b̄[·, p]) Q          Q (semi-)orthogonal, c one scale
    linear map   a'[s, ·, p] = ā[·, p] + (b[s, ·, p] − b̄[·, p]) M            M by ridge regression
    unmapped     a'[s, i, p] = b[s, j, p]                                  under a matching that is not looked for
    class mean   a'[s, i, p] = mean of a[·, i, p] over the class of s       no other network at all

Sources: orthogonal Procrustes, Schönemann (1966); stitching, Lenc and Vedaldi (2015), Bansal et al. (2021).

All of it is fitted on some samples and used on others. A dense layer has one place; of a feature map a channel is the
unit, with one scale for all places and an offset of its own at each, so that a partner that says nothing leaves the
unit at its means. a' may leave the range of a ReLU. A unit without a partner stands at its means.

    recovered  = (L_transplanted − L_ablated) / (L_intact − L_ablated)     L: Σ over samples of log p of the true class
    restored   = 1 − D_transplanted / D_ablated                            D: Σ over samples of KL(p intact ‖ p changed)
    flips kept from happening: the same of the number of decisions that are not network a's own

ablated: units at their means over the fitted samples. Of units one by one numerators and denominators are added up over
units before they are divided: a mean of ratios would be that of units that hardly matter. 1 gives back all that the
units hold, 0 nothing; below 0 it is worse than their means.

L asks whether the answer is *right*, D whether it is network a's *own*. What knows the class of a picture can make L
larger than it ever was, a unit at its class's mean for one: there it knows the answer. D cannot be fooled so: it is 0
for network a's own probabilities and for nothing else. The head is linear, so all of it is a sum of votes and no
network has to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seedscope.formulas.ablation import judged, of_true
from seedscope.formulas.matching import Matching, one_to_one, standardised
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.ridge import ridge_prediction

SINGLY = ("log_probability", "divergence", "flips")
"""What replacing a unit alone costs: log p of the true class, divergence from the host's answer, flipped decisions."""
TOGETHER = ("log_probability", "divergence", "agreement", "accuracy")
"""What replacing all units leaves: log p, minus the divergence, decisions that are the host's own, right decisions."""

_CHUNK = 200_000  # numbers looked at at a time


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

    @cached_property
    def _intact(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log Σ exp of the logits and the decision, (sample), and the probability of each class."""
        of_true_class, decided = judged(self.logit, self.label)
        return of_true(self.logit, self.label) - of_true_class, decided, softmax(self.logit)

    @cached_property
    def _weighed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of each sample's true class and the mean weight by its probabilities, (unit, place, s)."""
        probability = self._intact[2]
        mean = np.tensordot(self.weight, probability, (0, 0))
        return np.moveaxis(self.weight[self.label], 0, -1), mean

    def singly(self, stand_in: np.ndarray) -> np.ndarray:
        """Return what replacing each unit alone costs, Σ over samples, (measure of ``SINGLY``, unit).

        With Z = log Σ_k exp z_k of logits z that move by δ, and p the probabilities before, log p of the true class t
        loses Z' − Z − δ_t, and the divergence is Z' − Z − Σ_k p_k δ_k. A unit moves logits by a vote, so that Z' alone
        asks for all classes. Where another class draws level with the one decided on, the decision stays.

        Args:
            stand_in: (sample, unit, place), what takes the units' place.
        """
        before, decided, _ = self._intact
        put = np.ascontiguousarray((stand_in - self.activation).transpose(1, 2, 0))  # (unit, place, sample)
        cost = np.empty((len(SINGLY), len(put)))
        for at, weight in enumerate(self._weighed):
            cost[at] = -np.einsum("ups,ups->u", weight, put)
        rows = np.arange(len(before))
        size = max(1, _CHUNK // max(1, self.logit.size))
        for start in range(0, len(put), size):
            part = slice(start, start + size)
            logit = np.einsum("kup,ups->kus", self.weight[:, part], put[part], optimize=self.weight.shape[2] > 1)
            logit += self.logit[:, None]
            largest = logit.max(0)
            cost[2, part] = (largest > logit[decided, :, rows].T).sum(-1)
            logit -= largest
            np.exp(logit, out=logit)
            moved = largest + np.log(logit.sum(0)) - before
            cost[:2, part] += moved.sum(-1)
        return cost

    def together(self, stand_in: np.ndarray) -> np.ndarray:
        """Return what replacing all units at once leaves, Σ over samples, (measure of ``TOGETHER``).

        Args:
            stand_in: (sample, unit, place), what takes all units' place.
        """
        before, decided, probability = self._intact
        put = (stand_in - self.activation).reshape(len(stand_in), -1)
        change = self.weight.reshape(len(self.weight), -1) @ put.T
        after, now = judged(self.logit + change, self.label)
        moved = of_true(self.logit + change, self.label) - after - before  # Z' − Z
        away = moved - (probability * change).sum(0)
        return np.array([after.sum(), -away.sum(), (now == decided).sum(), (now == self.label).sum()])


@dataclass(frozen=True)
class Fit:
    """Both networks on the samples that maps are fitted on: (sample, unit, place) each."""

    a: np.ndarray
    b: np.ndarray

    def matching(self, order: np.ndarray | None = None) -> Matching:
        """Return the one-to-one matching of units by r over samples and places; b's samples in another order, if any.

        Samples in another order are standardised as they were, so that a shuffle costs no more than a product.
        """
        a, b = self.standardised
        moved = b if order is None else b[order]
        return one_to_one(a.reshape(-1, a.shape[2]).T @ moved.reshape(-1, b.shape[2]))

    @cached_property
    def standardised(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both, each unit centred and of length 1 over samples and places, (sample, place, unit)."""
        a, b = (standardised(_rows(one)).reshape(len(one), one.shape[2], -1) for one in (self.a, self.b))
        return a, b

    @cached_property
    def centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of both over samples, (unit, place) each."""
        return self.a.mean(0), self.b.mean(0)

    @cached_property
    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both without their means."""
        return self.a - self.centre[0], self.b - self.centre[1]

    def means(self, samples: int) -> np.ndarray:
        """Return a's units at their means, (sample, unit, place)."""
        return np.repeat(self.centre[0][None], samples, axis=0)

    def class_means(self, label: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return a's units at the means of each sample's class: those of the fit's ``label``, for ``classes``.

        A class without samples in the fit has the means of all.
        """
        found = self.means(len(classes))
        for k in np.intersect1d(label, classes):
            found[classes == k] = self.a[label == k].mean(0)
        return found

    def by_partners(self, test: np.ndarray, matching: Matching, order: np.ndarray | None = None) -> np.ndarray:
        """Return b's units on ``test`` (sample, unit, place), fitted to a's units one by one.

        ``order`` is that of b's samples in the fit, if it is another.
        """
        rows, columns = matching
        own, other = self.centred[0][:, rows], self.centred[1][:, columns]
        other = other if order is None else other[order]
        size = np.einsum("sup,sup->u", other, other)
        shared = np.einsum("sup,sup->u", own, other)
        scale = np.divide(shared, size, out=np.zeros_like(shared), where=size > 0)
        found = self.means(len(test))
        found[:, rows] += scale[:, None] * (test[:, columns] - self.centre[1][columns])
        return found

    def by_rotation(self, test: np.ndarray) -> np.ndarray:
        """Return b's layer on ``test``, turned and scaled as a whole to lie as near as it can to a's."""
        a, b = (_rows(one) for one in self.centred)
        left, size, right = np.linalg.svd(b.T @ a, full_matrices=False)
        extent = float((b**2).sum())
        turn = left @ right * (size.sum() / extent if extent > 0 else 0.0)
        return self.centre[0] + _unrowed(_rows(test - self.centre[1]) @ turn, len(test))

    def by_linear_map(self, test: np.ndarray) -> np.ndarray:
        """Return a's layer as a ridge regression reads it from b's on ``test``."""
        a, b = (_rows(one) for one in self.centred)
        return self.centre[0] + _unrowed(ridge_prediction(b, a, _rows(test - self.centre[1])), len(test))

    def unmapped(self, test: np.ndarray, matching: Matching) -> np.ndarray:
        """Return b's units on ``test`` as they are."""
        rows, columns = matching
        found = self.means(len(test))
        found[:, rows] = test[:, columns]
        return found


def random_matching(a: int, b: int, rng: np.random.Generator) -> Matching:
    """Return a one-to-one matching of ``a`` and ``b`` units that is drawn, as large as one can be."""
    count = min(a, b)
    return np.sort(rng.permutation(a)[:count]), rng.permutation(b)[:count]


def recovered(transplanted: np.ndarray, ablated: np.ndarray, intact: np.ndarray) -> np.ndarray:
    """Return which share of what ablation takes a transplant gives back; NaN where ablation takes nothing."""
    lost = np.asarray(intact - ablated, dtype=np.float64)
    given, lost = np.broadcast_arrays(np.asarray(transplanted - ablated, dtype=np.float64), lost)
    return np.divide(given, lost, out=np.full(given.shape, np.nan), where=lost > 1e-12)


def mixed_means(draws: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return means over pairs of null draws (pair, draw), each of one draw of every pair, drawn anew, (time).

    Draws of different pairs are independent, so every mixture is a draw of the mean: few draws of each pair give many.
    Around their own mean n draws vary by (n − 1)/n of what they are drawn from, and that mean is itself off by 1/n of
    it. What is observed lies 1 + 1/n around it, so mixtures are spread by √((1 + 1/n) / ((n − 1)/n)) =
    √((n + 1) / (n − 1)). Spread by √(n / (n − 1)), which has the right variance and forgets that the mean is not known,
    a test at 5 % rejects 6.5 % for n = 6. Of one pair there are no more draws than its own, as they are.
    """
    pairs, count = draws.shape
    if pairs == 1 or count == 1:
        return draws.mean(0)
    centre = draws.mean(1, keepdims=True)
    spread = centre + (draws - centre) * np.sqrt((count + 1) / (count - 1))
    return spread[np.arange(pairs), rng.integers(count, size=(times, pairs))].mean(1)


def mixed_p(observed: np.ndarray, draws: np.ndarray, rng: np.random.Generator, times: int) -> float:
    """Return p of the mean over pairs of what was observed (pair) among :func:`mixed_means` of ``draws`` (pair, draw).

    Mixtures repeat the same draws, so p is no smaller than 1 / (1 + the number of draws of all pairs together).
    """
    p = permutation_p(float(observed.mean()), mixed_means(draws, rng, times))
    return max(p, 1 / (1 + draws.size))


def live_in_both(activation: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return which units (sample, unit, place) are active at some place in both halves of the samples, (unit)."""
    return np.all([(activation[half == side] != 0).any((0, 2)) for side in (0, 1)], axis=0)


def softmax(logit: np.ndarray) -> np.ndarray:
    """Return the probability of each class, (class, sample)."""
    size = np.exp(logit - logit.max(0))
    return np.asarray(size / size.sum(0))


def _rows(values: np.ndarray) -> np.ndarray:
    """Return values (sample, unit, place) with places as further samples, (sample · place, unit)."""
    return values.swapaxes(1, 2).reshape(-1, values.shape[1])


def _unrowed(values: np.ndarray, samples: int) -> np.ndarray:
    return values.reshape(samples, -1, values.shape[1]).swapaxes(1, 2)
