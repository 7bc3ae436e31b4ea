"""Maps that several lenses ask for are made once for each replica."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from seedscope.lenses.attribution.scores import Scores

if TYPE_CHECKING:
    from seedscope.lenses.replica import Replica


def kept(
    replica: Replica,
    frame: int | None,
    scores: Scores,
    method: Callable[..., np.ndarray],
    which: np.ndarray,
    target: np.ndarray,
    batch_size: int,
    **settings: float,
) -> np.ndarray:
    """Return the maps (sample, y, x) of probe pictures by a method, for a class each; the second time none is made.

    Args:
        replica: whose probe pictures they are.
        frame: at which frame of the training; ``None``: as trained.
        scores: of the network at that frame.
        method: :func:`occlusion` or :func:`integrated_gradients`.
        which: positions of the pictures.
        target: the class of each.
        batch_size: pictures in the network at a time.
        settings: of the method.
    """
    about = (method.__name__, *sorted(settings.items()), scores.centred, batch_size)
    key = (*about, frame, which.tobytes(), np.asarray(target, dtype=np.int64).tobytes())

    def make() -> dict[str, np.ndarray]:
        return {"map": method(scores, replica.probe.image.values[which], target, batch_size, **settings)}

    return replica.once(key, make)["map"]
