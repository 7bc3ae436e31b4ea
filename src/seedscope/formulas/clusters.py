"""Into how many groups do samples fall, if into any, and do groups agree with something else?

    W(k)      sum of squared distances to the group's mean, of the k groups that Ward's method (1963) leaves
    gap(k)  = E log W*(k) − log W(k)                       W*: of reference samples without groups
    groups  = the smallest k with gap(k) ≥ gap(k + 1) − s(k + 1),   s = sd of log W* · √(1 + 1/B)

The gap statistic of Tibshirani, Walther and Hastie (2001), with B references. Theirs are uniform over a box along the
principal components; so are these, but of the components' own variances in place of their ranges, which a few far
samples stretch: what is merely spread out evenly, however wide along each component, is one group. Ward's tree gives
all k at once and needs no restarts.

    I(A, B)     mutual information of two groupings, nats
    AMI = (I − E I) / (mean(H(A), H(B)) − E I)             E: all ways to deal samples out to groups of these sizes
    ARI = (R − E R) / (max R − E R),  R: pairs of samples that are together in both     (Hubert and Arabie 1985)

AMI after Vinh, Epps and Bailey (2010). Both are 0 by chance and 1 for equal groupings; where one grouping has a single
group there is nothing to tell, and AMI is NaN.
"""

from __future__ import annotations

import numpy as np

REFERENCES = 30


def ward_tree(values: np.ndarray) -> np.ndarray:
    """Return scipy's linkage of samples (sample, number) by Ward's method."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(np.asarray(values, dtype=np.float64), method="ward"))


def within_squares(tree: np.ndarray, most: int) -> np.ndarray:
    """Return W(k) for k = 1, …, ``most`` of a Ward tree; a merge at height h adds h² / 2."""
    added = np.cumsum(tree[:, 2] ** 2 / 2)
    whole = np.concatenate([[0.0], added])
    return np.asarray(whole[::-1][:most])


def groups_of(tree: np.ndarray, k: int) -> np.ndarray:
    """Return the group of each sample where a tree leaves ``k``, from 0."""
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, k, criterion="maxclust") - 1)


def spread_evenly(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return as many samples without groups: uniform along each principal component, with its variance."""
    return _drawn_evenly(_spread(values), len(values), rng)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the root of the sum of squares along each principal component that there is."""
    size = np.linalg.svd(values - values.mean(0), compute_uv=False)
    return np.asarray(size[size > 1e-9 * size.max(initial=0)])


def _drawn_evenly(spread: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.uniform(-1, 1, (count, len(spread))) * np.sqrt(3 / count) * spread)


def gaps(values: np.ndarray, most: int, rng: np.random.Generator, times: int = REFERENCES) -> np.ndarray:
    """Return gap(k) and s(k), (2, k) for k = 1, …, ``most``; NaN where samples do not vary, or are too few.

    Args:
        values: (sample, number).
        most: how many groups are looked at.
        rng: draws the references.
        times: how many, B.
    """
    if len(values) <= most or np.ptp(values, axis=0).max(initial=0) == 0:
        return np.full((2, most), np.nan)
    found = within_squares(ward_tree(values), most)
    if not (found > 0).all():  # fewer different samples than groups
        return np.full((2, most), np.nan)
    spread = _spread(values)
    drawn = np.log([within_squares(ward_tree(_drawn_evenly(spread, len(values), rng)), most) for _ in range(times)])
    return np.stack([drawn.mean(0) - np.log(found), drawn.std(0) * np.sqrt(1 + 1 / times)])


def groups_by_gap(gap: np.ndarray) -> int:
    """Return how many groups there are by :func:`gaps`, 0 where there are none to be told of; at most one less."""
    if not np.isfinite(gap).all():
        return 0
    enough = gap[0, :-1] >= gap[0, 1:] - gap[1, 1:]
    return int(np.argmax(enough)) + 1 if enough.any() else gap.shape[1]


def contingency(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how many samples are in each pair of groups, (group of a, group of b)."""
    _, first = np.unique(a, return_inverse=True)
    _, second = np.unique(b, return_inverse=True)
    shape = (int(first.max()) + 1, int(second.max()) + 1)
    return np.bincount(first * shape[1] + second, minlength=shape[0] * shape[1]).reshape(shape)


def mutual_information(table: np.ndarray) -> np.ndarray:
    """Return I of tables (…, group of a, group of b), nats."""
    n = table.sum((-2, -1), keepdims=True)
    share = table / n
    expected = share.sum(-1, keepdims=True) * share.sum(-2, keepdims=True)
    ratio = np.divide(share, expected, out=np.ones(share.shape), where=share > 0)
    return np.asarray((share * np.log(ratio)).sum((-2, -1)))


def expected_information(table: np.ndarray) -> float:
    """Return the exact mean of I over all ways to deal out samples to groups of these sizes (hypergeometric)."""
    from scipy.special import gammaln

    rows, columns, n = table.sum(1), table.sum(0), int(table.sum())
    total = 0.0
    for a in rows.tolist():
        for b in columns.tolist():
            both = np.arange(max(1, a + b - n), min(a, b) + 1)
            log_p = (
                gammaln([a + 1, b + 1, n - a + 1, n - b + 1]).sum()
                - gammaln(n + 1)
                - gammaln(np.stack([both + 1, a - both + 1, b - both + 1, n - a - b + both + 1])).sum(0)
            )
            total += float((both / n * np.log(n * both / (a * b)) * np.exp(log_p)).sum())
    return total


def adjusted_information(table: np.ndarray) -> float:
    """Return AMI of a table; NaN where one grouping has a single group."""
    if min(table.shape) < 2:
        return float("nan")
    expected = expected_information(table)
    most = np.mean([_entropy(table.sum(1)), _entropy(table.sum(0))])
    return float((mutual_information(table) - expected) / (most - expected))


def information_with(a: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return I of one grouping (sample) with each of many others (time, sample) of small integers from 0 on, (time)."""
    _, first = np.unique(a, return_inverse=True)
    rows, columns = int(first.max()) + 1, int(many.max()) + 1
    cell = (np.arange(len(many))[:, None] * rows + first) * columns + many
    count = np.bincount(cell.ravel(), minlength=len(many) * rows * columns)
    return mutual_information(count.reshape(len(many), rows, columns))


def stability(values: np.ndarray, k: int) -> float:
    """Return ARI, over every second sample, of their own ``k`` groups and of the nearest group of the others.

    After the prediction strength of Tibshirani and Walther (2005), by ARI; NaN of fewer than ``k`` samples in a half.
    """
    first, second = values[::2], values[1::2]
    if min(len(first), len(second)) < max(2, k):
        return float("nan")
    group = groups_of(ward_tree(first), k)
    centre = np.stack([first[group == one].mean(0) for one in range(int(group.max()) + 1)])
    nearest = ((second[:, None] - centre) ** 2).sum(-1).argmin(1)
    return adjusted_rand(groups_of(ward_tree(second), k), nearest)


def adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    """Return ARI of two groupings of the same samples; 1 where both have a single group, or only groups of one."""
    table = contingency(a, b).astype(np.float64)
    together, rows, columns = (_pairs(one).sum() for one in (table, table.sum(1), table.sum(0)))
    every = float(_pairs(table.sum()))
    expected = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return float((together - expected) / (most - expected)) if most != expected else 1.0


def _pairs(count: np.ndarray) -> np.ndarray:
    return np.asarray(count * (count - 1) / 2)


def _entropy(count: np.ndarray) -> float:
    share = count[count > 0] / count.sum()
    return float(-(share * np.log(share)).sum())
