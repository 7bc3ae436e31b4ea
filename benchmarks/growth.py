"""How time and memory grow with the number of seeds: ``digits_tiny`` from 10 to 200.

Stage by stage, everything anew for each number of seeds; figures are drawn of the first five, as by default. The slope
is that between the smallest and the largest number.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import Row
from benchmarks.pipeline import STAGES, copy_project, run, watched

_TINY = (10, 50, 200)
_LEFT = ("runs", ".replicas", "mlflow.db", "mlartifacts", "reports/figures", "reports/site")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Grown:
    """Seconds and peak memory (bytes) by stage and number of seeds."""

    numbers: tuple[int, ...]
    took: dict[tuple[str, int], float]
    peak: dict[tuple[str, int], float]

    def slope(self, *stages: str) -> float:
        """Return the seconds of each seed beyond the smallest number."""
        first, last = self.numbers[0], self.numbers[-1]
        return sum(self.took[stage, last] - self.took[stage, first] for stage in stages) / (last - first)

    def whole(self, n: int) -> float:
        """Return the seconds of all stages."""
        return sum(self.took[stage, n] for stage in STAGES[1:])


def measure() -> list[Row]:
    """Return what a further seed costs, and what 200 seeds of the small experiment take and leave."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        tiny = grown(project, "digits_tiny", _TINY)
        pages = [path.stat().st_size for path in (project / "reports/site").rglob("*.html")]
        opened = _seconds_to_open(project / "reports/site/digits_tiny/index.html")
    last = _TINY[-1]
    rows = [Row(f"{stage}: each further seed of digits_tiny", tiny.slope(stage), "s") for stage in STAGES[1:]]
    for stage in STAGES[1:]:
        rows.append(Row(f"{last} seeds of digits_tiny, {stage}: time", tiny.took[stage, last], "s"))
        rows.append(Row(f"{last} seeds of digits_tiny, {stage}: peak memory", tiny.peak[stage, last] / 1e6, "MB"))
    highest = max(tiny.peak[stage, last] for stage in STAGES[1:])
    return [
        *rows,
        Row("a further seed of digits_tiny beyond ten, all stages", tiny.slope(*STAGES[1:]), "s", "≤ 1.5"),
        *(Row(f"{n} seeds of digits_tiny, all stages", tiny.whole(n), "s", "≤ 360" * (n == last)) for n in _TINY),
        Row(f"{last} seeds of digits_tiny: peak memory of any stage", highest / 1e6, "MB", "≤ 1500"),
        Row(f"{last} seeds of digits_tiny: largest page of the site", max(pages) / 1e6, "MB", "≤ 5"),
        *opened,
    ]


def grown(project: Path, experiment: str, numbers: tuple[int, ...]) -> Grown:
    """Run every stage anew for each number of seeds."""
    found = Grown(numbers, {}, {})
    for n in numbers:
        params = {"experiments": [experiment], "sweeps": [], "seeds": list(range(n))}
        (project / "params.yaml").write_text(yaml.safe_dump(params))
        for left in _LEFT:
            subprocess.run(["rm", "-rf", str(project / left)], check=True)
        run(project, "dvc", "repro", "compose")
        for stage in STAGES[1:]:
            argument = [] if stage in ("report", "track") else [experiment]
            command = (sys.executable, "-m", f"pipeline.{stage}", *argument)
            found.took[stage, n], found.peak[stage, n] = watched(project, *command)
    return found


def _seconds_to_open(page: Path) -> list[Row]:
    """Return how long a browser without a window takes to start, open a page and lay it out, where there is one."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f"no browser ({', '.join(_BROWSERS)}): how long a page takes to open was not measured\n")
        return []
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    took = {}
    for name in ("about:blank", page.as_uri()):
        start = time.perf_counter()
        subprocess.run([*command, name], capture_output=True, check=True, timeout=120)
        took[name] = time.perf_counter() - start
    seconds = took[page.as_uri()] - took["about:blank"]
    return [Row("200 seeds of digits_tiny: its page opened, beyond an empty one", seconds, "s", "≤ 2")]
