"""One experiment, or a sweep over its conditions, as stages see it: the configuration, and the components it names.

A stage reads ``runs/configs/<experiment>.json`` (of a sweep, ``<sweep>.json``) and of it only the sections that DVC
hashes for that stage, so what DVC records is what ran. What there is of experiments and sweeps stands in
``runs/configs/project.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedscope.files.components import build
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import ReplicaName, in_order
from seedscope.files.paths import Artifacts, SweepArtifacts, project_config

CROSSED = "streams"  # the key of a sweep that crosses random streams; no setting is called so


@dataclass(frozen=True)
class Experiment:
    """A composed experiment: ``settings`` by section, and where its artifacts lie."""

    name: str
    settings: Mapping[str, Any]
    root: Path = Path()

    @classmethod
    def load(cls, name: str, root: Path = Path()) -> Experiment:
        """Read the composed configuration of experiment ``name``."""
        return cls(name, _read(Artifacts(name, root).config), root)

    @property
    def at(self) -> Artifacts:
        """Return the paths of the experiment's artifacts."""
        return Artifacts(self.name, self.root)

    def section(self, name: str) -> Any:
        """Return the settings of one section."""
        if name not in self.settings:
            raise SeedscopeError(f"{self.at.config} has no section {name!r}: run `dvc repro compose`, which writes it")
        return self.settings[name]

    def code(self, *path: str) -> dict[str, str]:
        """Return the digest of the code, and the versions of the libraries, that stand at ``path`` of ``code``."""
        entry = self.section("code")
        for key in path:
            entry = entry[key]
        return dict(entry)

    @property
    def replicas(self) -> tuple[ReplicaName, ...]:
        """Return the names of the replicas: the seeds, ascending, whatever order they are written in, or ``given``."""
        names: list[ReplicaName] = self.section("seeds")
        return tuple(sorted(names, key=in_order))

    @property
    def drawn(self) -> tuple[ReplicaName, ...]:
        """Return the names of those replicas of which figures are drawn, ascending."""
        return tuple(self.section("drawn"))

    @property
    def lens_names(self) -> tuple[str, ...]:
        """Return the names of the lenses, in the order of the configuration."""
        return tuple(self.section("lenses"))

    def lenses(self) -> dict[str, Any]:
        """Return the lenses by name."""
        return {name: build(spec) for name, spec in self.section("lenses").items()}

    def component(self, section: str) -> Any:
        """Return the component of a section: ``data``, ``model``, ``train`` or ``dump``."""
        return build(self.section(section))


@dataclass(frozen=True)
class Variant:
    """One condition of a sweep: ``value`` of the swept setting, and the experiment that has it."""

    value: Any
    experiment: Experiment

    @property
    def name(self) -> str:
        """Return the value as the name of a folder."""
        return self.experiment.name.rpartition("/")[2]


@dataclass(frozen=True)
class Sweep:
    """A composed sweep.

    Attributes:
        at: where its artifacts lie.
        experiment: the experiment whose variants these are.
        key: the setting in which they differ.
        base: its value in the experiment itself.
        seeds: the seeds, ascending: the same ones in each variant; of a crossing the numbers of its cells.
        engine: where the replicas run.
        variants: in the order of the configuration.
    """

    at: SweepArtifacts
    experiment: str
    key: str
    base: Any
    seeds: tuple[int, ...]
    engine: Any
    variants: tuple[Variant, ...]

    @property
    def levels(self) -> Mapping[str, int]:
        """Return how many levels each stream has that is crossed: none where a setting is swept."""
        return self.variants[0].value if self.key == CROSSED else {}

    @classmethod
    def load(cls, name: str, root: Path = Path()) -> Sweep:
        """Read the composed configuration of sweep ``<experiment>-<sweep>``."""
        at = SweepArtifacts(name, root)
        content = _read(at.config)
        variants = tuple(
            Variant(one["value"], Experiment(at.variant(one["name"]).experiment, one["settings"], root))
            for one in content["variants"]
        )
        return cls(
            at=at,
            experiment=content["experiment"],
            key=content["key"],
            base=content["base"],
            seeds=tuple(sorted(content["seeds"])),
            engine=content["engine"],
            variants=variants,
        )


@dataclass(frozen=True)
class Project:
    """What ``params.yaml`` asks for: the names of experiments and of sweeps, in that order."""

    experiments: tuple[str, ...]
    sweeps: tuple[str, ...]

    @classmethod
    def load(cls, root: Path = Path()) -> Project:
        """Read what was composed for all experiments together."""
        content = _read(project_config(root))
        return cls(tuple(content["experiments"]), tuple(content["sweeps"]))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a block of keys")
    except (OSError, ValueError) as error:
        raise SeedscopeError(
            f"{path} cannot be read: run `dvc repro compose`, which writes it ({type(error).__name__})"
        ) from error
    return content
