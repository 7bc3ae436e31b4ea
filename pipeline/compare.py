"""Compare the replicas of an experiment with each other."""

from pipeline import stage
from seedscope.comparison import compare_replicas
from seedscope.experiment import Experiment


def compare(name: str) -> None:
    """Write ``reports/figures/<experiment>/across_seeds/`` and the metrics over seeds."""
    experiment = Experiment.load(name)
    compare_replicas(experiment.at, experiment.seeds, experiment.lenses())


if __name__ == "__main__":
    stage(compare)
