"""Make an experiment's pictures, with all that their generator knows: ``runs/<experiment>/data.nc``."""

from __future__ import annotations

from seedscope.data import assemble, vary
from seedscope.files.arrays import write_dataset
from seedscope.files.experiment import Experiment


def generate_data(experiment: Experiment) -> None:
    """Write the data set, and beside it the pictures in which one thing changes at a time where it makes any."""
    source = experiment.component("data")
    varied = vary(source)
    write_dataset(experiment.at.data, assemble(source), **({} if varied is None else {"variations": varied}))
