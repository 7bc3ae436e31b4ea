"""Does the heat of all probe pictures lie on their objects, and what has it to beat?

The measures are those of :mod:`seedscope.formulas.localization`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from seedscope.data import balanced
from seedscope.formulas.boxes import Boxes
from seedscope.formulas.localization import MEASURES, Objects, normalised
from seedscope.formulas.nulls import another_of_its_class
from seedscope.formulas.priors import brightest_window, centre_prior
from seedscope.lenses import Replica
from seedscope.lenses.answers import answers
from seedscope.lenses.attribution.scores import class_scores
from seedscope.lenses.heat_maps.explained import asked, attributions, scores_of
from seedscope.lenses.heat_maps.localization import found_by
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
    logit = torch.from_numpy(np.array(answers(replica, ["logit"])["logit"]["mean"]))
    target = asked(lens, class_scores(logit, centred=lens.score == "centred").numpy(), label)[:, 0]
    few = balanced(target, lens.pictures)
    which = {one: np.arange(n) if one.method == "grad_cam" else few for one in lens.maps}
    inside = {one: np.full((len(SOURCES), len(MEASURES), n), np.nan, dtype=np.float32) for one in which}
    constant = {one: np.full(len(SOURCES), np.nan) for one in which}
    bounds: dict[Map, np.ndarray] = {}
    frames = [None, 0] if replica.frames is not None else [None]
    heats = [_heat(lens, replica, frame, which, target) for frame in frames]
    for one, some in which.items():
        own = [of_frame[one] for of_frame in heats]
        constant[one][: len(own)] = [normalised(heat)[1].mean() for heat in own]
        other = another_of_its_class(target[some])
        measured, bounds[one] = _measured([*own, own[0][other]], boxes.take(some), extent)
        measured[-1][:, other < 0] = np.nan  # nobody else was asked for the class
        for source, found in zip([*range(len(own)), SOURCES.index("same_class")], measured, strict=True):
            inside[one][source][:, some] = found
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


def _heat(
    lens: HeatMaps, replica: Replica, frame: int | None, which: Mapping[Map, np.ndarray], target: np.ndarray
) -> dict[Map, np.ndarray]:
    """Return the heat (sample, y, x) of each kind of map at a frame, of the pictures in ``which``, for their class."""
    found: dict[Map, np.ndarray] = {}
    with replica.network(frame) as network:
        scores = scores_of(lens, network)
        for some in {some.tobytes(): some for some in which.values()}.values():
            maps = [one for one, own in which.items() if np.array_equal(own, some)]
            found |= attributions(lens, replica, frame, scores, maps, some, target[some])
    return {one: np.maximum(found[one], 0) for one in which}


def _baselines(pictures: np.ndarray, boxes: Boxes, extent: tuple[int, int]) -> np.ndarray:
    """Return the measures of maps made without a network, means over pictures, (prior, measure)."""
    middle = np.broadcast_to(centre_prior(extent), (len(pictures), *extent))
    windows = np.concatenate(
        [brightest_window(pictures[part], boxes.take(part)).astype(np.float32) for part in _parts(len(pictures))]
    )
    return _measured([middle, windows], boxes, extent)[0].mean(-1)


def _labels(**of_dimension: list[str] | np.ndarray) -> dict[str, tuple[str, list[str] | np.ndarray]]:
    return {dim: (dim, labels) for dim, labels in of_dimension.items()}


def _parts(n: int) -> list[np.ndarray]:
    """Return the positions of ``n`` pictures, a part at a time: in float64 masks and sums outgrow the pictures."""
    return np.split(np.arange(n), range(_TOGETHER, n, _TOGETHER))


def _measured(heats: Sequence[np.ndarray], boxes: Boxes, extent: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return how well maps of heat, each (sample, y, x), find their boxes, and what binds them, a part at a time.

    Returns:
        (map, measure, sample); and the means over samples of what a constant map gets, and what the object itself gets
        as heat, (2, measure).
    """
    cells = (heats[0].shape[1], heats[0].shape[2])
    found, bounds = [], []
    for part in _parts(len(heats[0])):
        objects = Objects.of(boxes.take(part).masks(extent), cells)
        found.append(np.stack([found_by(heat[part], objects, extent) for heat in heats]))
        itself = objects.covered.reshape(-1, *cells)
        bounds.append(np.stack([objects.by_chance(), found_by(itself, objects, extent)]))
    return np.concatenate(found, axis=-1), np.concatenate(bounds, axis=-1).mean(-1)
