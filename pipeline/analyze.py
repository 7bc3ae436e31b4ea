"""Look at every replica through every lens."""

from functools import partial

from pipeline import stage
from seedscope.files.experiment import Experiment
from seedscope.files.writing import write_json
from seedscope.looks.analysis import analyze_replica
from seedscope.replicas.mapping import map_seeds


def analyze(name: str) -> None:
    """Write measures and figures of every seed, and ``reports/metrics/<experiment>.seeds.json``."""
    experiment = Experiment.load(name)
    task = partial(analyze_replica, experiment)
    analyses = map_seeds(task, experiment.replicas, experiment.component("engine"), f"analyze {name}")
    write_json(experiment.at.seeds_metrics, {str(seed): analysis.scalars for seed, analysis in analyses.items()})
    measured, drawn = (sum(len(getattr(one, what)) for one in analyses.values()) for what in ("measured", "drawn"))
    looks = len(analyses) * len(experiment.lens_names)
    print(f"{name}: measured {measured} and drew {drawn} of {looks} looks, the others were kept")


if __name__ == "__main__":
    stage(analyze)
