"""Dump the activations of the probe pictures in every replica."""

from functools import partial

from pipeline import stage
from seedscope.activations.dump import dump_replica
from seedscope.files.experiment import Experiment
from seedscope.replicas.mapping import map_seeds


def dump(name: str) -> None:
    """Write ``runs/<experiment>/activations/seed-<s>.nc`` for every seed, or ``given.nc``."""
    experiment = Experiment.load(name)
    map_seeds(partial(dump_replica, experiment), experiment.replicas, experiment.component("engine"), f"dump {name}")


if __name__ == "__main__":
    stage(dump)
