"""Look at every replica through every lens, and draw what is seen of the first few."""

from functools import partial

from pipeline import stage
from seedscope.files.experiment import Experiment
from seedscope.files.writing import write_json
from seedscope.looks.analysis import analyze_replica
from seedscope.replicas.mapping import map_seeds


def analyze(name: str) -> None:
    """Write measures of every seed, figures of those to be drawn, and ``reports/metrics/<experiment>.seeds.json``."""
    experiment = Experiment.load(name)
    experiment.at.seeds_figures.mkdir(parents=True, exist_ok=True)  # also where no seed is drawn
    task = partial(analyze_replica, experiment)
    analyses = map_seeds(task, experiment.replicas, experiment.component("engine"), f"analyze {name}")
    write_json(experiment.at.seeds_metrics, {str(seed): analysis.scalars for seed, analysis in analyses.items()})
    measured, drawn = (sum(len(getattr(one, what)) for one in analyses.values()) for what in ("measured", "drawn"))
    looks, seen = (len(replicas) * len(experiment.lens_names) for replicas in (experiment.replicas, experiment.drawn))
    print(f"{name}: measured {measured} of {looks} looks and drew {drawn} of {seen}, the others were kept")


if __name__ == "__main__":
    stage(analyze)
