"""Where every artifact lies.

The names below are a contract: other tools read these paths (see the table in README.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from seedscope.files.names import ReplicaName, folder_name

PICTURES = (".png", ".gif")  # the endings of figures
PACKAGE_ROOT = Path(__file__).resolve().parents[2]  # the folder that holds this package


@dataclass(frozen=True)
class Artifacts:
    """The paths of one experiment's artifacts below ``root``."""

    experiment: str
    root: Path = Path()

    @property
    def config(self) -> Path:
        """Return the composed configuration, the only one that a stage reads."""
        return configs(self.root) / f"{self.experiment}.json"

    @property
    def data(self) -> Path:
        """Return the file of pictures, labels, splits and the generator's ground truth."""
        return self.root / "runs" / self.experiment / "data.nc"

    def replica(self, name: ReplicaName) -> Path:
        """Return the folder of one trained network."""
        return self.root / "runs" / self.experiment / "replicas" / folder_name(name)

    def model(self, name: ReplicaName) -> Path:
        """Return the ``state_dict`` of one trained network."""
        return self.replica(name) / "model.safetensors"

    def history(self, name: ReplicaName) -> Path:
        """Return the table of losses and accuracies by epoch."""
        return self.replica(name) / "history.csv"

    def frames(self, name: ReplicaName) -> Path:
        """Return the network at chosen steps of its training."""
        return self.replica(name) / "frames.nc"

    def identity(self, name: ReplicaName) -> Path:
        """Return what determines one trained network, and the fingerprint made of it."""
        return self.replica(name) / "identity.json"

    def activations(self, name: ReplicaName) -> Path:
        """Return the activations of the probe pictures in one network."""
        return self.root / "runs" / self.experiment / "activations" / f"{folder_name(name)}.nc"

    def measures(self, name: ReplicaName, lens: str) -> Path:
        """Return what one lens measured on one network."""
        return self.root / "runs" / self.experiment / "measures" / folder_name(name) / f"{lens}.nc"

    @property
    def seeds_figures(self) -> Path:
        """Return the folder of the figures of single networks."""
        return self.root / "reports" / "figures" / self.experiment / "seeds"

    def figures(self, name: ReplicaName, lens: str) -> Path:
        """Return the folder of the figures that one lens drew of one network."""
        return self.seeds_figures / str(name) / lens

    def drawn(self, name: ReplicaName, lens: str) -> Path:
        """Return the folder of the figures of one network that were asked for by hand; no stage knows it."""
        return self.root / "reports" / "drawn" / self.experiment / "seeds" / str(name) / lens

    @property
    def across_seeds(self) -> Path:
        """Return the folder of the figures and tables that compare the replicas."""
        return self.root / "reports" / "figures" / self.experiment / "across_seeds"

    @property
    def seeds_metrics(self) -> Path:
        """Return the metrics by seed: ``{"<seed>": {"<lens>": {"<name>": number}}}``."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.seeds.json"

    @property
    def across_metrics(self) -> Path:
        """Return the metrics over seeds, each with n and its interval."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.across_seeds.json"

    @property
    def findings(self) -> Path:
        """Return which claims hold: ``{"<claim>": {"claim", "verdict", "lens", "conditions"}}``."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.findings.json"

    @property
    def learning(self) -> Path:
        """Return the learning curve over seeds: the table behind ``dvc plots show``."""
        return self.root / "reports" / "metrics" / f"{self.experiment}.learning.csv"


@dataclass(frozen=True)
class SweepArtifacts:
    """The paths of one sweep's artifacts below ``root``; ``sweep`` is ``<experiment>-<sweep>``."""

    sweep: str
    root: Path = Path()

    @property
    def config(self) -> Path:
        """Return the composed sweep: the settings of all its variants."""
        return configs(self.root) / f"{self.sweep}.json"

    @property
    def variants(self) -> Path:
        """Return the folder that holds a folder for each variant."""
        return self.root / "runs" / "sweeps" / self.sweep

    def variant(self, name: str) -> Artifacts:
        """Return the paths of one variant, which are those of an experiment in ``runs/sweeps/<sweep>/<variant>/``."""
        return Artifacts(f"sweeps/{self.sweep}/{name}", self.root)

    @property
    def cells(self) -> Path:
        """Return what was measured of every cell, where streams are crossed."""
        return self.variants / "cells.nc"

    @property
    def figures(self) -> Path:
        """Return the folder of the figures and tables that compare the conditions."""
        return self.root / "reports" / "figures" / "sweeps" / self.sweep

    @property
    def metrics(self) -> Path:
        """Return the numbers by condition, and their trends."""
        return self.root / "reports" / "metrics" / f"{self.sweep}.sweep.json"


def configs(root: Path = Path()) -> Path:
    """Return the folder of the composed configurations."""
    return root / "runs" / "configs"


def project_config(root: Path = Path()) -> Path:
    """Return what is composed for all experiments together."""
    return configs(root) / "project.json"


def state_folder() -> Path:
    """Return ``.replicas`` of the repository that the user works in.

    It keeps finished replicas and logs between runs, and is safe to delete. A queued ``dvc exp run`` works in a
    temporary clone; ``DVC_ROOT`` names the real repository.
    """
    return Path(os.environ.get("DVC_ROOT") or ".") / ".replicas"
