"""What does a decision lose when units before its linear head are taken away?

    gone[s, i]    = a[s, i] − r[s, i]                            r: what stands in place of the unit's own activation
    logit'[s, k]  = logit[s, k] − Σ_{i removed} gone[s, i] · W[k, i]                 (sample s, class k, unit i)

    mean      r[s, i] = mean over all samples of a[·, i]         the unit says nothing about the picture (primary)
    zero      r = 0                                              the unit is silent
    another   r[s, i] = a[π(s), i]                               it speaks of another picture; π shuffles the samples

The head is linear, so every removal is a sum and no network has to run. A single removal moves logits and, while the
strongest other class stays, margins by a vote or a difference of votes: an identity, never evidence. What is lost of
log p(true class), of accuracy, and which decisions flip, are not; least of all for units removed together.

    lost[i, C]        = mean over samples of class C of (v[s] − v'[s, i])      v: log-probability, margin, correctness
    flips[i, C]       = share of samples of class C whose decision is another one
    under removal     v after the first m of an order of the live units are removed at once
    area              ∫ (v(0) − v(m)) d log m / log L  over 1 ≤ m ≤ L live units, by trapezoids
    units to halve    the least m at which v has fallen halfway from v(0) to v(all removed), interpolated

Removals of several units are computed in float32: log-probabilities are right to 1e-6, and a decision can be another
one only where two logits are as near as that. Sums over samples are taken in float64.

An order chosen on the samples that are scored would be better than it is: halves are kept apart by whoever calls this.
Sources: mean ablation, Chan et al. (2022, causal scrubbing) and Li and Janson (2024, arXiv:2409.09951); removal curves
in the manner of Samek et al. (2017), of units in place of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seedscope.formulas.correlation import directions
from seedscope.formulas.votes import Votes

REFERENCES = ("mean", "zero", "another")
LOST = ("log_probability", "margin", "accuracy", "flips")
"""What is asked of a single removal; of flips it is the share itself."""
KEPT = ("log_probability", "accuracy", "flips")
"""What is asked of removals together, as it then is."""

_CHUNK = 500_000  # numbers looked at at a time: 4 MB, which stay near the processor


def of_classes(votes: Votes) -> Votes:
    """Return votes with a target for each class: of one logit z those of −z/2 and z/2, which decide alike."""
    if len(votes.weight) > 1:
        return votes
    return Votes(votes.activation, votes.class_weight(centred=True), np.concatenate([-votes.bias, votes.bias]) / 2)


def reference(activation: np.ndarray, kind: str) -> np.ndarray:
    """Return what stands in place of each activation (sample, unit): see the module's ``mean``, ``zero``, ``another``.

    ``another`` shuffles the samples with a fixed seed, the same for all units.
    """
    if kind == "mean":
        return np.broadcast_to(activation.mean(0), activation.shape)
    if kind == "zero":
        return np.zeros_like(activation)
    return activation[np.random.default_rng(0).permutation(len(activation))]


def judged(logit: np.ndarray, label: np.ndarray | np.integer) -> tuple[np.ndarray, np.ndarray]:
    """Return log p of each sample's true class and the decision, the first of equals.

    Args:
        logit: (…, class, sample), in this order so that neighbours in memory are samples, of which there are many.
        label: (sample), or the one class of all.

    Returns:
        two of (…, sample).
    """
    largest, decided = logit[..., 0, :].copy(), np.zeros((*logit.shape[:-2], logit.shape[-1]), dtype=np.int64)
    for k in range(1, logit.shape[-2]):
        np.copyto(decided, k, where=logit[..., k, :] > largest)
        np.maximum(largest, logit[..., k, :], out=largest)
    total = np.exp(logit - largest[..., None, :]).sum(-2)
    return of_true(logit, label) - largest - np.log(total), decided


def single_losses(votes: Votes, gone: np.ndarray, label: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return what each unit's removal alone costs the samples of each group, (measure of ``LOST``, group, unit).

    Args:
        votes: with a target for each class.
        gone: (sample, unit), what is taken away of each activation.
        label: (sample).
        group: (sample), 0 … ``groups`` − 1.
        groups: how many; one without samples has NaN.
    """
    logit = votes.logit().T
    before, decided = judged(logit, label)
    margin = _margin(logit, label)
    member = np.eye(groups)[group].T
    count = member.sum(1)
    mean = np.divide(member, count[:, None], out=np.full(member.shape, np.nan), where=count[:, None] > 0)
    lost = np.tile(0.0 * mean.sum(1)[:, None], (len(LOST), 1, gone.shape[1]))
    taken = np.flatnonzero((gone != 0).any(0))  # without the others nothing is lost
    size = max(1, _CHUNK // max(1, logit.size))
    for start in range(0, len(taken), size):
        part = taken[start : start + size]
        without = logit - votes.weight.T[part, :, None] * gone.T[part, None, :]  # (unit, class, sample)
        after, now = judged(without, label)
        right = (decided == label).astype(np.float64) - (now == label)
        values = (before - after, margin - _margin(without, label), right, now != decided)
        for at, one in enumerate(values):
            lost[at][:, part] = mean @ one.T
    return lost


def descending(values: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Return the live units by value, largest first, equal ones by number: (…, unit) → (…, live)."""
    return np.argsort(np.where(live, -values, np.inf), axis=-1, kind="stable")[..., : int(live.sum())]


def removal_steps(units: int) -> np.ndarray:
    """Return how many units are removed together: 0, 1, 2, 3, 5, 8, … (Fibonacci) and all of ``units``."""
    steps = [0, 1, 2]
    while steps[-1] < units:
        steps.append(steps[-1] + steps[-2])
    return np.array([step for step in steps if step < units] + [units])


def under_removal(
    votes: Votes, gone: np.ndarray, label: np.ndarray, order: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return sums over samples of what is left when the first units of an order are removed at once.

    Args:
        votes: with a target for each class.
        gone: (sample, unit), what is taken away of each activation.
        label: (sample).
        order: (draw, class, live): units in the order in which they leave pictures of that class.
        steps: how many leave, ascending from 0; beyond the length of an order all of it does.

    Returns:
        (draw, measure of ``KEPT``, step): sums, to be divided by the number of samples.
    """
    total = np.zeros((len(order), len(KEPT), len(steps)))
    reach = np.minimum(steps, order.shape[-1])
    intact, weight = votes.logit().T.astype(np.float32), votes.weight.T.astype(np.float32)
    for k in np.unique(label):
        own = label == k
        logit, away = intact[:, own], np.ascontiguousarray(gone[own].T, dtype=np.float32)
        before, decided = judged(logit, k)
        whole = np.array([before.sum(dtype=np.float64), (decided == k).sum(), 0])
        total[:, :, 0] += whole
        size = max(1, _CHUNK // max(1, logit.shape[1] * max(order.shape[-1], len(logit))))
        for start in range(0, len(order), size):
            units = order[start : start + size, k]
            left, sums = np.repeat(logit[None], len(units), axis=0), total[start : start + size]
            found = whole
            for at in range(1, len(steps)):
                leaving = units[:, reach[at - 1] : reach[at]]
                if leaving.size:  # else as after the step before
                    left -= weight[leaving].swapaxes(1, 2) @ away[leaving]  # (draw, class, sample)
                    after, now = judged(left, k)
                    kept = (after.sum(-1, dtype=np.float64), (now == k).sum(-1), (now != decided).sum(-1))
                    found = np.stack(kept, axis=-1)
                sums[:, :, at] += found
    return total


def removal_area(curve: np.ndarray, steps: np.ndarray, live: int) -> np.ndarray:
    """Return the mean loss over log m from 1 to ``live`` removed units, (…, step) → (…); NaN below two live units.

    Args:
        curve: what is left after each of ``steps``, the first of which is 0; beyond ``live`` it does not change.
        steps: ascending.
        live: how many units there are to remove.
    """
    if live < 2:
        return np.full(curve.shape[:-1], np.nan)
    inside = (steps >= 1) & (steps < live)
    at = np.log(np.append(steps[inside], live))
    lost = curve[..., :1] - np.concatenate([curve[..., inside], curve[..., -1:]], -1)
    return np.asarray(np.trapezoid(lost, at, axis=-1) / np.log(live))


def units_to_halve(curve: np.ndarray, steps: np.ndarray, live: int) -> np.ndarray:
    """Return how many removed units cost half of what all cost, (…, step) → (…); NaN where all cost nothing."""
    whole = np.minimum(steps, live).astype(float)
    target = (curve[..., :1] + curve[..., -1:]) / 2
    fallen = curve <= target
    fallen[..., -1] = True
    after = fallen.argmax(-1)[..., None]
    before = np.maximum(after - 1, 0)
    high, low = (np.take_along_axis(curve, at, -1) for at in (before, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        crossed = whole[before] + (whole[after] - whole[before]) * (high - target) / (high - low)
    return np.where(curve[..., 0] - curve[..., -1] > 1e-12, crossed[..., 0], np.nan)


def ranked(values: np.ndarray) -> np.ndarray:
    """Return the ranks of each row (…, unit), centred and of length 1, so that products are Spearman's ρ.

    NaN where a row does not vary or holds a NaN.
    """
    from scipy.stats import rankdata

    unknown = np.isnan(values).any(-1, keepdims=True)
    rank = rankdata(np.where(unknown, 0.0, values), axis=-1) if values.size else values
    flat = directions(rank.reshape(-1, values.shape[-1]), "pearson") if values.size else rank
    return np.where(unknown, np.nan, flat.reshape(values.shape))


def shuffled_agreement(predictor: np.ndarray, effect: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return Σ predictor · effect, averaged over classes, with the units shuffled, (time); one shuffle for all classes.

    Args:
        predictor: (class, unit), of :func:`ranked`, or means of such; rows with NaN are left out.
        effect: (class, unit), of :func:`ranked`.
        order: the shuffles, (time, unit).
    """
    known = np.isfinite(predictor).all(-1) & np.isfinite(effect).all(-1)
    if not known.any() or predictor.shape[-1] < 2:
        return np.full(len(order), np.nan)
    together = predictor[known].T @ effect[known] / known.sum()  # (unit, unit): what i's place would get from j
    return np.asarray(together[np.arange(len(together)), order].sum(1))


def random_orders(classes: int, live: Sequence[int] | np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return random orders of the live units, one for each class, (time, class, live)."""
    units = np.tile(np.asarray(live, dtype=np.int64), (times, classes, 1))
    return rng.permuted(units, axis=-1)


def _margin(logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the true class's logit minus the strongest other's, (…, class, sample) → (…, sample)."""
    others = logit.copy()
    np.put_along_axis(others, _rows(label, logit), -np.inf, -2)
    return of_true(logit, label) - others.max(-2)


def of_true(logit: np.ndarray, label: np.ndarray | np.integer) -> np.ndarray:
    """Return the values (…, class, sample) of each sample's true class, (…, sample); ``label`` may be one for all."""
    if not np.ndim(label):
        return np.asarray(logit[..., int(label), :])
    return np.asarray(np.take_along_axis(logit, _rows(label, logit), -2)[..., 0, :])


def _rows(label: np.ndarray | np.integer, logit: np.ndarray) -> np.ndarray:
    return np.broadcast_to(label, (*logit.shape[:-2], 1, logit.shape[-1]))
