"""Do two seeds make the same mistakes, and find the same pictures hard?

    κ[a, b] = (c_obs − c_exp) / (1 − c_exp)
        c_obs   share of the samples on which both are right or both are wrong
        c_exp = p_a p_b + (1 − p_a)(1 − p_b)                                      p: share of samples that are right
    ρ[a, b] = Spearman of a number of each sample, over all samples; within classes the mean over classes of each one's

κ is error consistency (Geirhos, Meding and Wichmann 2020). A seed that is right everywhere, or nowhere, could have no
other κ than 0 with anyone: it has none. Both are affine in a sum of products, P[a, b] = Σ_s v[a, s] · v[b, s], of
v = 1 where seed a is wrong, or of ranks less their mean, over their length. So their nulls need the sum alone:

    each seed's values permuted within groups g of n_g samples     E P[a, b] = Σ_g (Σ_g v_a)(Σ_g v_b) / n_g   (exact)

Groups are classes: some are harder than others for every seed, and that alone raises κ above 0. Where places are known
they are classes and parts of the class's region (:mod:`seedscope.formulas.subcells`).

The same wrong answer, of samples s of class t(s) on which both seeds are wrong:

    share[a, b] = #{both wrong and decided alike} / #{both wrong}
    null: each seed's answers permuted among its own mistakes of a class, which keeps how often it takes t for w
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.intervals import Interval

_CHUNK = 2_000_000  # numbers permuted at a time: 16 MB


def products(values: np.ndarray) -> np.ndarray:
    """Return Σ_s v[a, s] v[b, s] of each pair of seeds, (seed, seed), of values (seed, sample)."""
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values @ values.T)


def expected_products(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the exact mean of :func:`products` where each seed's values are permuted within groups, (seed, seed)."""
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    member = np.zeros((len(code), len(size)))
    member[np.arange(len(code)), code] = 1.0
    total = np.asarray(values, dtype=np.float64) @ member
    return np.asarray((total / size) @ total.T)


def permuted_products(values: np.ndarray, group: np.ndarray, rng: np.random.Generator, times: int) -> np.ndarray:
    """Return :func:`products` where each seed's values are permuted within groups, (time, seed, seed).

    Of the seeds that vary within a group the first stays as it is: what the others are against it is as random.
    """
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order])) + 1
    parts = np.split(np.asarray(values, dtype=np.float64)[:, order], ends, axis=1)
    found = np.empty((times, len(values), len(values)))
    size = max(1, _CHUNK // max(1, values.size))
    for start in range(0, times, size):
        count = min(size, times - start)
        drawn = []
        for part in parts:
            one = np.repeat(part[None], count, axis=0)
            moved = np.flatnonzero(np.ptp(part, axis=1) > 0)[1:]
            one[:, moved] = rng.permuted(one[:, moved], axis=-1)
            drawn.append(one)
        permuted = np.concatenate(drawn, axis=-1)
        found[start : start + count] = permuted @ permuted.swapaxes(1, 2)
    return found


def kappa(shared: np.ndarray, mistakes: np.ndarray, samples: int) -> np.ndarray:
    """Return error consistency (…, seed, seed); NaN with a seed that is right, or wrong, everywhere.

    Args:
        shared: on how many samples both are wrong, (…, seed, seed).
        mistakes: on how many each is wrong, (seed).
        samples: how many there are.
    """
    right = 1 - mistakes / samples
    expected = np.outer(right, right) + np.outer(1 - right, 1 - right)
    observed = 1 - (mistakes[:, None] + mistakes - 2 * shared) / samples
    some = (mistakes > 0) & (mistakes < samples)
    defined = np.outer(some, some)
    return np.divide(observed - expected, 1 - expected, out=np.full(observed.shape, np.nan), where=defined)


def rank_directions(values: np.ndarray) -> np.ndarray:
    """Return ranks (seed, sample) less their mean, of length 1: their products are Spearman's ρ.

    NaN of a seed whose values do not vary.
    """
    from scipy.stats import rankdata

    rank = rankdata(np.asarray(values, dtype=np.float64), axis=1) - (values.shape[1] + 1) / 2
    length = np.linalg.norm(rank, axis=1, keepdims=True)
    return np.divide(rank, length, out=np.full(rank.shape, np.nan), where=length > 0)


def rank_directions_within(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return ranks within each class (seed, sample), whose products are the mean over classes of Spearman's ρ.

    A class in which the values of some seed do not vary is left out, its samples are 0; without any, all are NaN.
    """
    found = np.zeros(values.shape)
    classes = 0
    for k in np.unique(label):
        direction = rank_directions(values[:, label == k])
        if np.isfinite(direction).all():
            found[:, label == k] = direction
            classes += 1
    return found / np.sqrt(classes) if classes else np.full(values.shape, np.nan)


def same_answers(decided: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return on how many samples both seeds are wrong and decide alike, and on how many both are wrong.

    Args:
        decided: (seed, sample), the class that each seed decides on.
        label: (sample).

    Returns:
        Two arrays (seed, seed).
    """
    wrong = decided != label
    alike = np.zeros((len(decided), len(decided)))
    for w in np.unique(decided[wrong]):
        alike += products(wrong & (decided == w))
    return alike, products(wrong)


def expected_same_answers(decided: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the exact mean of the first of :func:`same_answers` under its null, (seed, seed)."""
    wrong = decided != label
    expected = np.zeros((len(decided), len(decided)))
    for t in np.unique(label):
        own, answers = wrong[:, label == t], decided[:, label == t]
        total = np.maximum(1, own.sum(1))
        times = np.stack([(own & (answers == w)).sum(1) / total for w in np.unique(answers)], 1)
        expected += products(own) * (times @ times.T)
    return expected


def permuted_same_answers(
    decided: np.ndarray,
    label: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    times: int,
) -> np.ndarray:
    """Return the sum over pairs of seeds of the first of :func:`same_answers` under its null, (time)."""
    wrong = decided != label
    found = np.zeros(times)
    for t in np.unique(label):
        own = np.flatnonzero((label == t) & wrong.any(0))
        answers = np.full((times, len(decided), len(own)), -1)
        for seed in range(len(decided)):
            at = np.flatnonzero(wrong[seed, own])
            said = np.broadcast_to(decided[seed, own[at]], (times, len(at)))
            answers[:, seed, at] = rng.permuted(said, axis=1)
        for a, b in zip(*pairs, strict=True):
            found += ((answers[:, a] == answers[:, b]) & (answers[:, a] >= 0)).sum(1)
    return found


def pooled_share(part: np.ndarray, whole: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> Interval:
    """Return Σ part / Σ whole over pairs of seeds, each (seed, seed), with the jackknife interval over seeds.

    A seed whose removal leaves nothing to share leaves the interval without ends, as fewer than three seeds do.
    """
    from scipy.stats import t

    n = len(part)
    looked = np.zeros((n, n), dtype=bool)
    looked[pairs] = looked[pairs[::-1]] = True
    part, whole = np.where(looked, part, 0.0), np.where(looked, whole, 0.0)
    if not whole.sum() > 0:
        return Interval(None, None, None, n)
    mean = float(part.sum() / whole.sum())
    rest, of = part.sum() - 2 * part.sum(1), whole.sum() - 2 * whole.sum(1)
    if n < 3 or not (of > 0).all():
        return Interval(mean, None, None, n)
    without = rest / of
    half = float(t.ppf(0.975, n - 1) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return Interval(mean, mean - half, mean + half, n)
