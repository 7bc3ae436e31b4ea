"""What a seed of squares beyond ten costs, stage by stage: all stages anew with 10 seeds, and with 14.

Figures are drawn of the first five, as by default: a further seed has none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import Row
from benchmarks.growth import grown
from benchmarks.pipeline import STAGES, copy_project


def measure() -> list[Row]:
    """Return the seconds of a further seed, by stage, and all together ÷ those of its training."""
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        squares = grown(Path(folder), "squares", (10, 14))
    further = squares.slope(*STAGES[1:]) / squares.slope("train")
    return [
        *(Row(f"{stage}: each further seed of squares", squares.slope(stage), "s") for stage in STAGES[1:]),
        Row("a further seed of squares beyond ten, all stages ÷ its training", further, "×", "≤ 1.5"),
    ]
