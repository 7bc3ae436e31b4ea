"""Write the site over all experiments: ``reports/site/index.html``."""

from __future__ import annotations

from pipeline import stage
from seedscope.files.experiment import Project
from seedscope.report import write_site


def report() -> None:
    """Write ``reports/site/`` from what the experiments and sweeps that were composed have left behind."""
    project = Project.load()
    write_site(project.experiments, sweeps=project.sweeps)


if __name__ == "__main__":
    stage(report)
