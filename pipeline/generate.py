"""Make an experiment's pictures, with all that their generator knows."""

from pipeline import stage
from seedscope.data.generation import generate_data
from seedscope.files.experiment import Experiment


def generate(name: str) -> None:
    """Write ``runs/<experiment>/data.nc``."""
    generate_data(Experiment.load(name))


if __name__ == "__main__":
    stage(generate)
