"""Are a layer's axes, its units, special, or would any other axes of the same space do as well?

    rotated     X Q               after the ReLU: same distances, same angles, other axes
    rectified   max(0, Z Q − t)   Z before the ReLU: other axes, and again as sparse and not negative

Q is drawn from all rotations and reflections alike (Haar), Z and X are (sample, unit). Where units matched to those of
another network do no better than rotated ones, the two networks share a space and not units.

The first form asks whether axes are special at all (Khosla et al. 2024), and they nearly always are, also in two
unrelated layers: what is sparse and not negative has axes of its own. The second keeps that: each t is the threshold
at which its unit is active as often as one of the layer's units was, these shares dealt out to the units anew. So it
keeps the space before the ReLU, with its covariance, the shares of active samples, and that nothing is negative; it
destroys which directions of the space are units. Where thresholds stay as they were (max(0, Z Q)), all units become as
sparse as the mean of Z makes them, and unrelated layers with a bias pass for having the same axes. Its hypothesis: the
directions of the layer's units are drawn from all alike, regardless of how often a unit is active; of layers with
independent Gaussian weights and one bias that is so but for the hold that a direction has on that share.
"""

from __future__ import annotations

import numpy as np


def random_rotation(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return an orthogonal matrix (n, n) drawn from all alike: QR of a Gaussian one, signs of R made positive.

    Source: Mezzadri (2007), "How to generate random matrices from the classical compact groups".
    """
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def as_sparse(before: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what ReLUs make of ``before`` along other axes, drawn at random, each as often active as some unit was.

    Args:
        before: (sample, unit), before the ReLU.
        active: (sample, unit) of booleans, where a unit was active; how often is dealt out to the new units anew. Of
            one that always is all samples but the lowest stay above 0.
        rng: draws the rotation, then who is active how often.
    """
    centred = before - before.mean(0)
    turned = (centred @ random_rotation(before.shape[1], rng)).T
    n = turned.shape[1]
    count = np.minimum(rng.permutation(active.sum(0)), n - 1)
    threshold = np.sort(turned, axis=1)[np.arange(len(turned)), n - 1 - count]
    return np.maximum(turned - threshold[:, None], 0).T
