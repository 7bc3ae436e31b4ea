"""Hold what the default pipeline made against what README.md promises; print what it found."""

import json
import sqlite3
import sys
from pathlib import Path

FLOORS = {"squares": 0.97, "digits": 0.95, "slp": 0.93, "mlp": 0.95}  # of every seed's probe accuracy, with a margin

root = Path(sys.argv[1])
published = 0
for experiment, floor in FLOORS.items():
    metrics = json.loads((root / f"reports/metrics/{experiment}.seeds.json").read_text())
    for seed, lenses in metrics.items():
        accuracy, silent = lenses["training"]["probe_accuracy"], lenses["dominance"]["dead_units"]
        print(f"{experiment}, seed {seed}: probe accuracy {accuracy:.4f}, {silent:.0f} units never active")
        assert accuracy >= floor, f"{experiment}, seed {seed} stays below {floor}"
    assert len(metrics) == 5, f"{experiment} has 5 seeds"
    assert (root / f"reports/site/{experiment}/index.html").is_file()
    published += len(metrics) + 1  # one run per replica, and one across seeds
assert (root / "reports/site/index.html").is_file()
with sqlite3.connect(root / "mlflow.db") as database:
    (runs,) = database.execute("SELECT COUNT(*) FROM runs").fetchone()
print(f"MLflow: {runs} runs")
assert runs == published, f"{published} runs: one per replica, and one across seeds of each experiment"
