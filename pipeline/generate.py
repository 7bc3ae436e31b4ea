"""Make an experiment's pictures, with all that their generator knows."""

from pipeline import stage
from seedscope.artifacts import write_dataset
from seedscope.data import assemble, vary
from seedscope.experiment import Experiment


def generate(name: str) -> None:
    """Write ``runs/<experiment>/data.nc``."""
    experiment = Experiment.load(name)
    source = experiment.component("data")
    varied = vary(source)
    write_dataset(experiment.at.data, assemble(source), **({} if varied is None else {"variations": varied}))


if __name__ == "__main__":
    stage(generate)
