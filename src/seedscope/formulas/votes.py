"""Which units vote for a class?

    contribution[s, k, i] = a[s, i] · W[k, i]          (sample s, target k, unit i)
    logit[s, k] = Σ_i contribution[s, k, i] + bias[k]  (exact: the head is linear)

``a`` are the activations that the head weighs, after their ReLU. The largest logit wins, negative votes included.
This is Gradient × Input of the logit with respect to ``a`` (Shrikumar et al. 2016), which for a linear head is
exact and complete.

**The gauge.** Adding one constant to W[:, i] for all classes changes no decision and yet changes every raw vote of
unit i. So a unit's *dominance* for class k, its mean vote over the class's own samples, comes in four versions, and
a claim holds only if it holds in all:

    raw              mean_s a[s, i] · W[k, i]
    centred          mean_s a[s, i] · (W[k, i] − mean_k' W[k', i])
    margin           mean_s a[s, i] · (W[k, i] − W[r(s), i])      r(s): the strongest other class
    mean_subtracted  mean_s (a[s, i] − mean_all a[·, i]) · (W[k, i] − mean_k' W[k', i])

A head with one logit z has one target, the positive class; raw votes for its classes 0 and 1 add up to −z and z.
Where classes are compared (centred, margin) they stand for −z/2 and z/2: the two-logit head of the same
probabilities, whose margin is z.

Unit i is *active* where a[s, i] ≠ 0 and *dead* when it is so for no sample: only then can it not vote, also behind an
activation function that has negative values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import strongest_other

VERSIONS = ("raw", "centred", "margin", "mean_subtracted")
_CHUNK = 4_000_000  # votes looked at at a time: 32 MB
_TOLERANCE = 1e-4  # of the size of all votes; float32 networks stay below 1e-6


@dataclass(frozen=True)
class Votes:
    """The two factors of every vote, in float64; products are taken where they are needed.

    Attributes:
        activation: (sample, unit).
        weight: (target, unit).
        bias: (target).
    """

    activation: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def adding_up(self, logit: np.ndarray, features: str, head: str) -> Votes:
        """Return these votes.

        Raises:
            SeedscopeError: they and the bias do not add up to the network's own logits (sample, target).
        """
        error = np.abs(self.logit() - logit)
        size = np.abs(self.activation) @ np.abs(self.weight).T + np.abs(self.bias)
        if not (error <= _TOLERANCE * size.max()).all():
            raise SeedscopeError(
                f"the votes of {features!r} and the bias of {head!r} do not add up to the logits (off by up to "
                f"{np.max(error):.3g}): {head!r} takes something else than this layer after its ReLU; name the module "
                "whose output it takes as features"
            )
        return self

    def contribution(self) -> np.ndarray:
        """Return ``contribution[s, k, i]``."""
        return self.activation[:, None, :] * self.weight

    def logit(self) -> np.ndarray:
        """Return the sum of the votes and the bias, (sample, target)."""
        return self.activation @ self.weight.T + self.bias

    @property
    def live(self) -> np.ndarray:
        """Return which units some sample makes active, (unit)."""
        return np.asarray((self.activation != 0).any(axis=0))

    def class_weight(self, *, centred: bool) -> np.ndarray:
        """Return the weight by which each class is voted for, (class, unit), centred over classes or raw."""
        weight = self.weight if len(self.weight) > 1 else np.concatenate([-self.weight, self.weight])
        if not centred:
            return weight
        return weight - weight.mean(0) if len(self.weight) > 1 else weight / 2

    def preference(self, classes: np.ndarray | int, others: np.ndarray | int) -> np.ndarray:
        """Return the weight by which each unit prefers ``classes`` to ``others``, (…, unit)."""
        weight = self.class_weight(centred=len(self.weight) == 1)  # of one logit halves, so that they differ by z
        return np.asarray(weight[classes] - weight[others])


def dominance(votes: Votes, label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the mean vote of each unit for a class over that class's samples, (version, class, unit).

    The versions are those of the module's formula; a class without samples has NaN.
    """
    raw, centred = votes.class_weight(centred=False), votes.class_weight(centred=True)
    rival = strongest_other(votes.logit(), label)
    everywhere = votes.activation.mean(0)
    result = np.full((len(VERSIONS), n_classes, votes.activation.shape[1]), np.nan)
    result[1] = centred_dominance(votes, label, n_classes)
    for k in range(n_classes):
        own = label == k
        if own.any():
            activation = votes.activation[own]
            mean = activation.mean(0)
            result[0, k] = mean * raw[k]
            result[2, k] = (activation * votes.preference(k, rival[own])).mean(0)
            result[3, k] = (mean - everywhere) * centred[k]
    return result


def centred_dominance(votes: Votes, label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the centred version of :func:`dominance` alone, (class, unit)."""
    return class_means(votes.activation, label, n_classes) * votes.class_weight(centred=True)


def positive_share(votes: Votes, label: np.ndarray, *, centred: bool) -> np.ndarray:
    """Return Σ positive votes / Σ |votes| for each sample's own class, (sample); NaN where nothing votes."""
    weight = votes.class_weight(centred=centred)
    share = np.full(len(label), np.nan)
    for k in np.unique(label):
        own = votes.activation[label == k] * weight[k]
        positive, total = np.clip(own, 0, None).sum(1), np.abs(own).sum(1)
        share[label == k] = np.divide(positive, total, out=np.full(len(total), np.nan), where=total > 0)
    return share


def largest_vote_class(votes: Votes, *, centred: bool) -> np.ndarray:
    """Return the class of the largest single vote of each sample, (sample)."""
    weight = votes.class_weight(centred=centred)
    size = max(1, _CHUNK // weight.size)
    return np.concatenate(
        [
            (votes.activation[start : start + size, None, :] * weight).max(2).argmax(1)
            for start in range(0, len(votes.activation), size)
        ]
    )
