"""Which pairs of seeds are looked at?

All n (n − 1) / 2 of them up to :data:`MOST`; beyond it a balanced sample, in which every seed is in equally many. The
seeds stand in a circle in an order of their own, drawn with a fixed seed, and each is paired with those 1, 2, …, d
steps on: n d pairs, every seed in 2 d, and no seed out of reach of another (a circulant design; d is the largest that
fits).
"""

from __future__ import annotations

import numpy as np

MOST = 100
"""Of more pairs of seeds than that a balanced sample is looked at: all of 14 seeds, a sample of 15."""


def balanced_pairs(n: int, most: int | None = None) -> list[tuple[int, int]]:
    """Return pairs (a, b), a < b, of ``n`` seeds: all, or where there are more than ``most`` a balanced sample.

    ``most`` is :data:`MOST` where nothing else is said. Every seed is in equally many pairs. Where not even one step
    around the circle fits, that is still taken: ``n`` pairs, so that every seed is in two.
    """
    most = MOST if most is None else most
    if n * (n - 1) // 2 <= most:
        return [(a, b) for a in range(n) for b in range(a + 1, n)]
    circle = np.random.default_rng(0).permutation(n).tolist()
    steps = range(1, max(1, most // n) + 1)  # fewer than half the circle: n steps // 2 would be more than there are
    pairs = ((circle[at], circle[(at + step) % n]) for step in steps for at in range(n))
    return sorted((min(pair), max(pair)) for pair in pairs)
