"""Train every seed of an experiment; seeds that were trained before are taken from the store."""

from functools import partial

from pipeline import stage
from seedscope.artifacts import digest
from seedscope.experiment import Experiment
from seedscope.replicas import map_seeds
from seedscope.store import train_replica


def train(name: str) -> None:
    """Write ``runs/<experiment>/replicas/seed-<s>/`` for every seed."""
    experiment = Experiment.load(name)
    task = partial(train_replica, experiment, digest(experiment.at.data))
    trained = map_seeds(task, experiment.seeds, experiment.component("engine"), f"train {name}")
    print(f"{name}: trained {sum(trained.values())} of {len(trained)} seeds, the others were kept")
    experiment.component("store").evict(experiment)


if __name__ == "__main__":
    stage(train)
