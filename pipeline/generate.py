"""Make an experiment's pictures, with all that their generator knows."""

from pipeline import stage
from seedscope.artifacts import write_dataset
from seedscope.data import assemble
from seedscope.experiment import Experiment


def generate(name: str) -> None:
    """Write ``runs/<experiment>/data.nc``."""
    experiment = Experiment.load(name)
    write_dataset(experiment.at.data, assemble(experiment.component("data")))


if __name__ == "__main__":
    stage(generate)
