"""Run every benchmark, print one table, write ``benchmarks/results.csv``.

``python -m benchmarks generator training`` runs some of them and writes their rows only.
"""

from __future__ import annotations

import csv
import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch start: every figure is one core's

from benchmarks import Row

ALL = (
    "generator",
    "training",
    "filters",
    "heat_maps",
    "figures",
    "one_seed",
    "seeds",
    "stacked",
    "settled",
    "pipeline",
    "growth",
    "further_seed",
)


def main(names: list[str]) -> None:
    """Measure and print."""
    rows: list[Row] = []
    for name in names or ALL:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").measure()
        _write(rows, whole=False)  # killed later on, what was measured stays
    width = max(len(row.name) for row in rows)
    print(f"{'figure':{width}}  {'median':>10}  {'min':>10}  {'max':>10}  runs  {'unit':<10}  asked")
    for row in rows:
        low, high = (f"{v:>10.4g}" if v is not None else f"{'':>10}" for v in (row.low, row.high))
        print(f"{row.name:{width}}  {row.value:>10.4g}  {low}  {high}  {row.runs:>4}  {row.unit:<10}  {row.asked}")
    _write(rows, whole=not names)


def _write(rows: list[Row], *, whole: bool) -> None:
    """Write the rows to ``results.csv``; where they are not all of them, in place of their like."""
    path = Path(__file__).parent / "results.csv"
    with path.open(encoding="utf-8", newline="") as file:
        head, *before = list(csv.reader(file))
    written = {} if whole else {row[0]: row for row in before}
    for row in rows:
        values = [f"{v:.4g}" if v is not None else "" for v in (row.value, row.low, row.high)]
        written[row.name] = [row.name, *values, str(row.runs), row.unit, row.asked]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *written.values()])


if __name__ == "__main__":
    main(sys.argv[1:])
