"""Does the heat of all probe pictures lie on their objects, and what has it to beat?

The measures are those of :mod:`seedscope.formulas.localization`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.data import balanced
from seedscope.formulas.boxes import Boxes
from seedscope.formulas.localization import MEASURES, normalised, reduced
from seedscope.formulas.nulls import another_of_its_class
from seedscope.formulas.priors import brightest_window, centre_prior
from seedscope.lenses import Replica
from seedscope.lenses.heat_maps.explained import asked, attribution, scores_of
from seedscope.lenses.heat_maps.localization import localization
from seedscope.lenses.heat_maps.maps import PRIORS, SOURCES, Groups, Map, grouped

if TYPE_CHECKING:
    from seedscope.lenses.heat_maps import HeatMaps

_TOGETHER = 256  # pictures whose maps are measured at a time


def on_object(lens: HeatMaps, replica: Replica, boxes: Boxes) -> list[Groups]:
    """Return how well each map finds the object of the probe pictures, and what it is held against.

    ``inside`` is (by, source, measure, sample), ``constant_share`` (by, source), ``chance`` and ``ceiling`` (by,
    measure), ``count`` (by); ``baseline`` (prior, measure), made without a network, is in the root.
    """
    pictures, label = replica.probe.image.values, replica.probe.label.values
    n, extent = len(pictures), (pictures.shape[2], pictures.shape[3])
    with replica.network() as network:
        target = asked(lens, scores_of(lens, network).of(pictures, lens.batch_size), label)[:, 0]
    few = balanced(target, lens.pictures)
    which = {one: np.arange(n) if one.method == "grad_cam" else few for one in lens.maps}
    inside = {one: np.full((len(SOURCES), len(MEASURES), n), np.nan, dtype=np.float32) for one in which}
    constant = {one: np.full(len(SOURCES), np.nan) for one in which}
    bounds: dict[Map, np.ndarray] = {}
    for source, frame in enumerate([None, 0] if replica.frames is not None else [None]):
        with replica.network(frame) as network:
            scores = scores_of(lens, network)
            for one, some in which.items():
                heat = np.maximum(attribution(lens, scores, one, pictures[some], target[some]), 0)
                own = boxes.take(some)
                inside[one][source][:, some] = _measured(heat, own, extent)
                constant[one][source] = normalised(heat)[1].mean()
                if source == 0:
                    other = another_of_its_class(target[some])
                    known = np.flatnonzero(other >= 0)
                    inside[one][2][:, some[known]] = _measured(heat[other[known]], own.take(known), extent)
                    bounds[one] = _bounds((heat.shape[1], heat.shape[2]), own, extent)
    return [
        grouped("inside", ("source", "measure", "sample"), inside),
        grouped("constant_share", ("source",), constant),
        grouped("chance", ("measure",), {one: chance for one, (chance, _) in bounds.items()}),
        grouped("ceiling", ("measure",), {one: ceiling for one, (_, ceiling) in bounds.items()}),
        grouped("count", (), {one: len(some) for one, some in which.items()}),
        {one.layer: _labels(source=list(SOURCES), sample=replica.probe.sample.values) for one in which},
        {"/": _labels(prior=list(PRIORS), measure=list(MEASURES))},
        {"/": {"baseline": (("prior", "measure"), _baselines(pictures, boxes, extent))}},
    ]


def _bounds(cells: tuple[int, int], boxes: Boxes, extent: tuple[int, int]) -> np.ndarray:
    """Return what a constant map of so many cells gets, and what the object itself gets as heat, (2, measure)."""
    n = len(boxes.top)
    even = np.broadcast_to(np.float32(1), (n, *cells))
    itself = [reduced(boxes.take(part).masks(extent), cells) for part in _parts(n)]
    return np.stack([_measured(heat, boxes, extent).mean(1) for heat in (even, np.concatenate(itself))])


def _baselines(pictures: np.ndarray, boxes: Boxes, extent: tuple[int, int]) -> np.ndarray:
    """Return the measures of maps made without a network, means over pictures, (prior, measure)."""
    n = len(pictures)
    middle = np.broadcast_to(centre_prior(extent), (n, *extent))
    windows = [
        _measured(brightest_window(pictures[part], boxes.take(part)), boxes.take(part), extent) for part in _parts(n)
    ]
    return np.stack([_measured(middle, boxes, extent), np.concatenate(windows, axis=1)]).mean(-1)


def _labels(**of_dimension: list[str] | np.ndarray) -> dict[str, tuple[str, list[str] | np.ndarray]]:
    return {dim: (dim, labels) for dim, labels in of_dimension.items()}


def _parts(n: int) -> list[np.ndarray]:
    """Return the positions of ``n`` pictures, a part at a time: in float64 masks and sums outgrow the pictures."""
    return np.split(np.arange(n), range(_TOGETHER, n, _TOGETHER))


def _measured(heat: np.ndarray, boxes: Boxes, extent: tuple[int, int]) -> np.ndarray:
    """Return how well heat maps (sample, y, x) find their boxes, (measure, sample), a part of them at a time."""
    if not len(heat):
        return np.zeros((len(MEASURES), 0))
    found = [localization(heat[part], boxes.take(part).masks(extent)) for part in _parts(len(heat))]
    return np.concatenate(found, axis=1)
