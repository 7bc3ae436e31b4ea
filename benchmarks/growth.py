"""How time and memory grow with the number of seeds, 5 to 50, for the small experiment ``digits_tiny``.

Stage by stage, everything anew for each number of seeds; the slope is that between the smallest and the largest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import yaml

from benchmarks import Row
from benchmarks.pipeline import STAGES, copy_project, run, watched

_SEEDS = (5, 20, 50)


def measure() -> list[Row]:
    """Return seconds and peak memory of every stage at each number of seeds, and seconds for each further seed."""
    took: dict[tuple[str, int], float] = {}
    peak: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        for n in _SEEDS:
            params = {"experiments": ["digits_tiny"], "sweeps": [], "seeds": list(range(n))}
            (project / "params.yaml").write_text(yaml.safe_dump(params))
            for left in ("runs", ".replicas", "mlflow.db", "mlartifacts", "reports/figures", "reports/site"):
                subprocess.run(["rm", "-rf", str(project / left)], check=True)
            run(project, "dvc", "repro", "compose")
            for stage in STAGES[1:]:
                argument = [] if stage in ("report", "track") else ["digits_tiny"]
                took[stage, n], peak[stage, n] = watched(project, sys.executable, "-m", f"pipeline.{stage}", *argument)
    first, *_, last = _SEEDS
    rows = []
    for stage in STAGES[1:]:
        for n in _SEEDS:
            rows.append(Row(f"{n} seeds, {stage}: time", took[stage, n], "s"))
            rows.append(Row(f"{n} seeds, {stage}: peak memory", peak[stage, n] / 1e6, "MB"))
        slope = (took[stage, last] - took[stage, first]) / (last - first)
        rows.append(Row(f"{stage}: each further seed", slope, "s"))
    whole = {n: sum(took[stage, n] for stage in STAGES[1:]) for n in _SEEDS}
    for n in _SEEDS:
        rows.append(Row(f"{n} seeds, all stages", whole[n], "s"))
    slopes = [(whole[b] - whole[a]) / (b - a) for a, b in pairwise(_SEEDS)]
    bend = slopes[-1] / slopes[0]
    return [*rows, Row(f"a further seed beyond {_SEEDS[1]} ÷ one below", bend, "×", "1 is linear")]
