"""Compare the replicas of an experiment with each other."""

from functools import partial

from pipeline import stage
from seedscope.files.experiment import Experiment
from seedscope.replicas.mapping import do_once
from seedscope.seeds.comparison import compare_replicas


def compare(name: str) -> None:
    """Write ``reports/figures/<experiment>/across_seeds/`` and the metrics over seeds."""
    experiment = Experiment.load(name)
    engine = experiment.component("engine")
    work = partial(compare_replicas, experiment.at, experiment.replicas, experiment.lenses(), engine.at_once)
    do_once(work, engine, f"compare {name}")


if __name__ == "__main__":
    stage(compare)
