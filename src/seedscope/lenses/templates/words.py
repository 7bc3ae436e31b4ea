"""What the figures of ``templates``, of one seed and over seeds, call the same things."""

from __future__ import annotations

import numpy as np

from seedscope.figures import Axis
from seedscope.lenses.templates.readings import READINGS

READING_WORDS = dict(
    zip(
        READINGS,
        (
            "winner's row and the input\nthat it wins",
            "winner's row and the mean\ninput of the class",
            "each live row and its\nnearest training input",
        ),
        strict=True,
    )
)


def equal_steps(step: np.ndarray) -> Axis:
    """Return the axis of a few frames, which stand at equal distances and are named by their steps."""
    names = [str(one) for one in step]
    return Axis("optimiser step (frames at equal distances)", range(len(step)), names, -0.3, len(step) - 0.7, size=7.5)
