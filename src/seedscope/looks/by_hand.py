"""Draw any replica that was measured, when somebody asks for it: from its numbers alone, in seconds.

    runs/<experiment>/measures/seed-<s>/<lens>.nc  →  reports/drawn/<experiment>/seeds/<s>/<lens>/

The stage ``analyze`` draws a few seeds (setting ``drawn``). The folder here is no stage's: in an out of ``analyze`` the
figures would be gone at its next run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.experiment import Experiment, Project
from seedscope.files.names import GIVEN, ReplicaName, in_a_sentence
from seedscope.files.paths import PICTURES
from seedscope.files.writing import keep_only
from seedscope.looks.draw import draw


def draw_by_hand(
    name: str, seeds: Sequence[int] | None, lenses: Sequence[str] | None, root: Path = Path()
) -> Iterator[tuple[Path, int]]:
    """Draw some seeds through some lenses; yield each folder that was written, and how many figures it holds.

    Args:
        name: the experiment.
        seeds: of its seeds; ``None`` where its weights are given.
        lenses: of its lenses; ``None`` for all.
        root: the project's folder.

    Raises:
        SeedscopeError: there is no such experiment, seed or lens, or it was not measured yet.
    """
    experiment = _known(name, root)
    replicas = _replicas(experiment, seeds)
    chosen = experiment.lenses()
    for lens in lenses or ():
        if lens not in chosen:
            raise SeedscopeError(f"--lens: {name} has no lens {lens!r}; {did_you_mean(lens, chosen)}")
    for replica in replicas:
        for lens in lenses or chosen:
            measured = experiment.at.measures(replica, lens)
            if not measured.exists():
                raise SeedscopeError(
                    f"{measured} is not there: {in_a_sentence(replica)} was not measured through {lens} yet, "
                    "`dvc repro` does it"
                )
            folder = experiment.at.drawn(replica, lens)
            written = draw(lens, chosen[lens], measured, folder)
            keep_only(folder, written)
            yield folder, sum(path.suffix in PICTURES for path in written)


def _known(name: str, root: Path) -> Experiment:
    known = Project.load(root).experiments
    if name not in known:
        raise SeedscopeError(f"there is no experiment {name!r} here; {did_you_mean(name, known)}")
    return Experiment.load(name, root)


def _replicas(experiment: Experiment, seeds: Sequence[int] | None) -> Sequence[ReplicaName]:
    there = experiment.replicas
    if there == (GIVEN,):
        if seeds:
            raise SeedscopeError(f"--seed: {experiment.name} has given weights and no seeds; leave it out")
        return there
    if not seeds:
        raise SeedscopeError(f"--seed: say which of the seeds of {experiment.name}: {_some(there)}")
    for seed in seeds:
        if seed not in there:
            raise SeedscopeError(f"--seed: {experiment.name} has no seed {seed}; there are: {_some(there)}")
    return seeds


def _some(names: Sequence[ReplicaName]) -> str:
    """Return names in words; of many the ends."""
    words = [str(name) for name in names]
    return ", ".join(words if len(words) <= 20 else [*words[:3], "…", *words[-3:]])
