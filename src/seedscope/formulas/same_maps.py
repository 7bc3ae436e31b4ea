"""Are the maps of one picture alike in two seeds?

    r[a, b] = mean over pictures s of Pearson over the cells of map a[s] and map b[s]
    null: each seed's maps permuted within groups of pictures, such as those with the same answer

Its mean is exact, Σ_g (Σ_g u_a) · (Σ_g u_b) / n_g ÷ Σ n_g, of maps u less their mean, over their length.
"""

from __future__ import annotations

import numpy as np

from seedscope.formulas.correlation import directions


def map_directions(maps: np.ndarray) -> np.ndarray:
    """Return maps (seed, sample, …) less their mean, of length 1, as (seed, sample, cell); NaN of constant maps."""
    flat = maps.reshape(-1, int(np.prod(maps.shape[2:])))
    return directions(flat, "pearson").reshape(*maps.shape[:2], -1)


def mean_correlation(unit: np.ndarray) -> np.ndarray:
    """Return r of each pair of seeds, (seed, seed), of :func:`map_directions`."""
    flat = unit.reshape(len(unit), -1)
    return np.asarray(flat @ flat.T) / unit.shape[1]


def expected_correlation(unit: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the exact mean of r where each seed's maps are permuted within groups (sample), (seed, seed)."""
    expected = np.zeros((len(unit), len(unit)))
    for one in np.unique(group):
        own = unit[:, group == one]
        total = own.sum(1)
        expected += total @ total.T / own.shape[1]
    return expected / unit.shape[1]


def permuted_correlation(
    unit: np.ndarray,
    group: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    times: int,
) -> np.ndarray:
    """Return the mean of r over pairs of seeds where each seed's maps are permuted within groups, (time).

    The first seed stays as it is: what the others are against it is as random.
    """
    seeds, samples = unit.shape[:2]
    found = np.zeros(times)
    for one in np.unique(group):
        own = unit[:, group == one]
        order = np.broadcast_to(np.arange(own.shape[1]), (seeds, times, own.shape[1])).copy()
        order[1:] = rng.permuted(order[1:], axis=-1)
        for a, b in zip(*pairs, strict=True):
            alike = (own[a] @ own[b].T).ravel()
            found += alike[order[a] * own.shape[1] + order[b]].sum(1)
    return found / (samples * len(pairs[0]))
