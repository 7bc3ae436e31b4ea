"""Lenses: ways of looking at one replica. A lens is one file or one folder, and one line of configuration names it.

    check      may this network be looked at this way?
    measure    replica → labelled numbers
    summarize  numbers → a few scalars
    draw       numbers → figures
    compare    numbers of all seeds → what the replicas say together (where there is something to compare)
    headlines  which of its numbers are followed by sweeps and ``seeds_needed``

A small lens, and a user's, is one file: a frozen dataclass whose fields are its settings. A larger one is a folder
whose ``__init__`` holds that class, beside ``measure.py``, ``draw.py`` and ``compare.py``. A setting that only drawing
reads is declared with :func:`for_drawing`: a change of it, or of anything that only drawing imports, never measures
again. A lens knows nothing of DVC, Hydra or MLflow.
"""

from seedscope.lenses.lens import ComparingLens, HeadlinedLens, Lens, for_drawing
from seedscope.lenses.network import (
    Network,
    require_channels,
    require_decision,
    require_dense_end,
    require_dense_head,
    require_kept,
    require_labels,
    require_logits,
    require_maps,
    require_one_run,
    require_training,
)
from seedscope.lenses.replica import Replica

__all__ = [
    "ComparingLens",
    "HeadlinedLens",
    "Lens",
    "Network",
    "Replica",
    "for_drawing",
    "require_channels",
    "require_decision",
    "require_dense_end",
    "require_dense_head",
    "require_kept",
    "require_labels",
    "require_logits",
    "require_maps",
    "require_one_run",
    "require_training",
]
