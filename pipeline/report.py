"""Write the site over all experiments: ``reports/site/index.html``."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline import stage
from seedscope.report import write_site


def report() -> None:
    """Write ``reports/site/`` from what the experiments and sweeps of ``params.yaml`` have left behind."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    write_site(params["experiments"], sweeps=params["sweeps"])


if __name__ == "__main__":
    stage(report)
