"""Every cell of a crossing of random streams: trained and measured in one pool.

    (level of one stream × level of another × …) → runs/sweeps/<sweep>/cells.nc

Of each cell ``cells.nc`` has, by ``cell``: ``accuracy``; ``live(unit)``; ``tuning(true, unit)``, the mean activation
over the probe pictures of each class, and ``tuning_at_start`` of the untrained network; ``dominance(true, unit)``, the
mean centred vote for each class over its own pictures; ``head_at_start(true, unit)``, the head's initial weights
centred over classes; ``answer(sample, unit)``, what the trained units answer to up to 512 of the probe pictures, with
``label(sample)`` of these; and the level of each stream. Units are those of ``readout.features``, flattened.

Cells that are stacked are trained before they are measured. Cells pass through the store, so what was finished before
a crossing was killed is not trained again. Of a cell
``replicas/seed-<cell>/history.csv`` and ``identity.json`` are kept; weights and frames stay in the store alone.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.data.generation import generate_data
from seedscope.files.arrays import read_dataset, write_dataset
from seedscope.files.components import build
from seedscope.files.digests import digest
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment, Sweep
from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import predicted_class
from seedscope.formulas.votes import Votes, centred_dominance
from seedscope.replicas.mapping import Report, map_seeds
from seedscope.replicas.store import train_replica, train_stacks_ahead

if TYPE_CHECKING:
    import xarray as xr

_AT_ONCE = 256  # pictures
_KEPT = 512  # of the probe pictures, by whose answers units are matched


@dataclass(frozen=True)
class Cell:
    """What one cell gave: its numbers by name, and whether it had to be trained."""

    numbers: Mapping[str, Any]
    trained: bool


def measure_cells(sweep: Sweep) -> int:
    """Train and measure every cell, write ``cells.nc``, and return how many had to be trained."""
    shutil.rmtree(sweep.at.variants, ignore_errors=True)  # what a killed run, or one of other levels, left
    (variant,) = sweep.variants
    at = variant.experiment.at
    generate_data(variant.experiment)
    levels = np.array(list(np.ndindex(*sweep.levels.values())))
    cells = [_of_levels(variant.experiment, dict(zip(sweep.levels, of, strict=True))) for of in levels.tolist()]

    def called(cell: int) -> str:
        return ", ".join(f"{stream} {level}" for stream, level in zip(sweep.levels, levels[cell], strict=True))

    data_digest, engine, label = digest(at.data), build(sweep.engine), f"crossing {sweep.at.sweep}"
    ahead = train_stacks_ahead({cell: cells[cell] for cell in sweep.seeds}, data_digest, engine, label, called)
    found = map_seeds(partial(_measure, cells, data_digest), sweep.seeds, engine, label, called)
    at.data.unlink()
    measured = [found[cell] for cell in sweep.seeds]
    write_dataset(sweep.at.cells, _together(sweep, levels, [one.numbers for one in measured]))
    return sum(one.trained or ahead[cell] for cell, one in found.items())


def _of_levels(experiment: Experiment, levels: Mapping[str, int]) -> Experiment:
    """Return the experiment in which each stream that is crossed has its level for a seed."""
    train = experiment.section("train")
    own = {**(train.get("streams") or {}), **levels}
    return replace(experiment, settings={**experiment.settings, "train": {**train, "streams": own}})


def _measure(cells: list[Experiment], data_digest: str, cell: int, report: Report) -> Cell:
    experiment = cells[cell]
    at = experiment.at
    _require_dense_head(experiment)
    trained = train_replica(experiment, data_digest, cell, lambda done, total: report(done, total + 1))
    numbers = measure_cell(experiment, cell)
    for path in (at.model(cell), at.frames(cell)):
        path.unlink()
    report(1, 1)
    return Cell(numbers, trained)


def _require_dense_head(experiment: Experiment) -> None:
    """Refuse a head whose weights are no table, before anything is trained."""
    from seedscope.files.weights import shapes_of

    head = experiment.section("readout")["head"]
    if len(shapes_of(build(experiment.section("model"))).get(f"{head}.weight", ())) != 2:
        raise SeedscopeError(f"readout.head: the network has no dense layer {head!r}, whose votes a crossing looks at")


def measure_cell(experiment: Experiment, cell: int) -> dict[str, Any]:
    """Return the numbers of one cell, by the names of ``cells.nc``."""
    at, readout = experiment.at, experiment.section("readout")
    with read_dataset(at.data, needs=("image", "label", "split", "class_names")) as data:
        probe = data.isel(sample=np.flatnonzero(data.split.values == "probe")).load()
    n_classes = len(np.atleast_1d(data.attrs["class_names"]))
    label = probe.label.values
    kept = np.linspace(0, len(label) - 1, min(_KEPT, len(label))).astype(np.int64)
    with read_dataset(at.frames(cell), needs=("step",)) as frames:
        first, last = (
            {str(name): array.values for name, array in frames.isel(frame=frame).data_vars.items()} for frame in (0, -1)
        )
    start = _votes(experiment, first, probe.image.values, readout["features"], readout["head"])
    end = _votes(experiment, last, probe.image.values, readout["features"], readout["head"])
    return {
        "accuracy": float((predicted_class(end.logit()) == label).mean()),
        "live": end.live,
        "tuning": class_means(end.activation, label, n_classes),
        "tuning_at_start": class_means(start.activation, label, n_classes),
        "head_at_start": start.class_weight(centred=True),
        "dominance": centred_dominance(end, label, n_classes),
        "answer": end.activation[kept].astype(np.float32),
        "label": label[kept],
    }


def _votes(
    experiment: Experiment, weights: Mapping[str, np.ndarray], image: np.ndarray, features: str, head: str
) -> Votes:
    """Return the votes of the network with these weights, of all pictures (sample, channel, y, x)."""
    import torch

    from seedscope.activations.capture import activations
    from seedscope.files.weights import load_weights
    from seedscope.replicas.determinism import deterministic

    with deterministic(threads=1):
        model = build(experiment.section("model"))
        load_weights(model, weights)
        batches = (torch.from_numpy(image[at : at + _AT_ONCE]) for at in range(0, len(image), _AT_ONCE))
        seen = [(one[features].numpy(), one["logit"].numpy()) for one in activations(model, [features], batches)]
    activation, logit = (np.concatenate(part).astype(np.float64) for part in zip(*seen, strict=True))
    weight = weights[f"{head}.weight"].astype(np.float64)
    bias = weights.get(f"{head}.bias", np.zeros(len(weight))).astype(np.float64)
    return Votes(activation.reshape(len(activation), -1), weight, bias).adding_up(logit, features, head)


def _together(sweep: Sweep, levels: np.ndarray, cells: list[Mapping[str, Any]]) -> xr.Dataset:
    import xarray as xr

    inner = {"accuracy": (), "live": ("unit",), "answer": ("sample", "unit")}
    assert math.prod(sweep.levels.values()) == len(cells)
    return xr.Dataset(
        {
            name: (("cell", *inner.get(name, ("true", "unit"))), np.stack([numbers[name] for numbers in cells]))
            for name in cells[0]
            if name != "label"
        },
        coords={
            "cell": np.arange(len(cells)),
            "label": ("sample", cells[0]["label"]),
            **{stream: ("cell", levels[:, place]) for place, stream in enumerate(sweep.levels)},
        },
        attrs={"experiment": sweep.experiment, "sweep": sweep.at.sweep, "streams": list(sweep.levels)},
    )
