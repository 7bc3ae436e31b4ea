"""Train every seed of an experiment, or take the weights that are given.

Seeds that were trained before are taken from the store.
"""

from functools import partial

from pipeline import stage
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN
from seedscope.replicas.given import place_weights
from seedscope.replicas.mapping import map_seeds
from seedscope.replicas.store import train_seeds


def train(name: str) -> None:
    """Write ``runs/<experiment>/replicas/seed-<s>/`` for every seed, or ``runs/<experiment>/replicas/given/``."""
    experiment = Experiment.load(name)
    data, engine, label = digest(experiment.at.data), experiment.component("engine"), f"train {name}"
    seeds = [replica for replica in experiment.replicas if replica != GIVEN]
    if seeds:
        trained = train_seeds(dict.fromkeys(seeds, experiment), data, engine, label)
        print(f"{name}: trained {sum(trained.values())} of {len(trained)} seeds, the others were kept")
    else:
        map_seeds(partial(place_weights, experiment, data), experiment.replicas, engine, label)
        print(f"{name}: took the weights that are given")
    experiment.component("store").evict(experiment)


if __name__ == "__main__":
    stage(train)
