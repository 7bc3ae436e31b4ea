"""Hold what the default pipeline made against what README.md promises; print what it found."""

import json
import sqlite3
import sys
from pathlib import Path

root = Path(sys.argv[1])
metrics = json.loads((root / "reports/metrics/squares.seeds.json").read_text())
for seed, lenses in metrics.items():
    accuracy, dead = lenses["training"]["probe_accuracy"], lenses["dominance"]["dead_units"]
    print(f"squares, seed {seed}: probe accuracy {accuracy:.4f}, {dead:.0f} of 64 units dead")
    assert accuracy >= 0.97, f"seed {seed} stays below 0.97"
assert (root / "reports/site/index.html").is_file()
with sqlite3.connect(root / "mlflow.db") as database:
    (runs,) = database.execute("SELECT COUNT(*) FROM runs").fetchone()
print(f"MLflow: {runs} runs")
assert runs == len(metrics) + 1, "one run per replica, and one across seeds"
