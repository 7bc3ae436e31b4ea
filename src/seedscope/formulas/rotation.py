"""Are a layer's axes, its units, special, or would any other axes of the same space do as well?

    rotated               X Q            after the ReLU: same distances, same angles, other axes
    rotated and rectified max(0, Z Q)    Z before the ReLU: other axes, and again sparse and not negative

Q is drawn from all rotations and reflections alike (Haar), Z and X are (sample, unit), not centred. Where units matched
to those of another network do no better than rotated ones, the two networks share a space and not units.

The first form asks whether axes are special at all (Khosla et al. 2024), and they nearly always are, also in two
unrelated layers: what is sparse and not negative has axes of its own. The second keeps that. Its hypothesis: had
training led to Z Q in place of Z, nothing would look different; of layers with independent Gaussian weights that is
exactly so.
"""

from __future__ import annotations

import numpy as np


def random_rotation(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return an orthogonal matrix (n, n) drawn from all alike: QR of a Gaussian one, signs of R made positive.

    Source: Mezzadri (2007), "How to generate random matrices from the classical compact groups".
    """
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def rotated(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return values (sample, unit) along other axes, drawn at random."""
    return values @ random_rotation(values.shape[1], rng)


def rotated_and_rectified(before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what a ReLU makes of ``before`` (sample, unit) along other axes, drawn at random."""
    return np.maximum(before @ random_rotation(before.shape[1], rng), 0)
