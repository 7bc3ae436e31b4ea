"""The maps of the pictures that are shown, by the network as it is and with shuffled weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from torch import nn

from seedscope.formulas.correlation import spearman
from seedscope.formulas.localization import added_up
from seedscope.lenses import Replica
from seedscope.lenses.attribution import PICTURE
from seedscope.lenses.attribution.grad_cam import closed_form_error, grad_cam
from seedscope.lenses.attribution.integrated_gradients import lacking
from seedscope.lenses.attribution.scores import Scores, probabilities
from seedscope.lenses.heat_maps.explained import asked, attributions, scores_of
from seedscope.lenses.heat_maps.maps import EXPLAINED, OTHERS, Groups, Map, grouped, merged
from seedscope.lenses.heat_maps.on_object import on_object
from seedscope.lenses.heat_maps.randomised import shuffled
from seedscope.lenses.truth import boxes_of

if TYPE_CHECKING:
    from seedscope.lenses.heat_maps import HeatMaps


def measured(lens: HeatMaps, replica: Replica) -> xr.DataTree:
    """Return what the lens measures of a replica."""
    which = replica.positions(replica.first_exhibits(lens.shown))
    exhibits = replica.probe.isel(sample=which)
    pictures = exhibits.image.values
    with replica.network() as network:
        scores = scores_of(lens, network)
        score = scores.of(pictures, lens.batch_size)
        target = asked(lens, score, exhibits.label.values)
        chance = probabilities(network, pictures, lens.batch_size)
        by_rank = [attributions(lens, replica, None, scores, lens.maps, which, k) for k in target.T]
        maps = {one: np.stack([of_rank[one] for of_rank in by_rank], 1) for one in lens.maps}
        first = {one: values[:, 0] for one, values in maps.items()}
        parts = [
            _root(exhibits, target, score, chance),
            {PICTURE: {"image": (("shown_sample", "channel", "y", "x"), pictures)}},
            grouped("attribution", ("shown_sample", "rank", "y", "x"), maps),
            *_checked(lens, scores, pictures, target[:, 0], first),
            *_without_heat(lens, network, replica),
        ]
    if replica.frames is None:
        parts += _randomised(lens, replica, which, target[:, 0], first)
    if lens.truth is not None:
        parts.append({"/": {"box": (("shown_sample", "side"), boxes_of(lens.truth, exhibits).sides)}})
        parts += on_object(lens, replica, boxes_of(lens.truth, replica.probe))
    return _tree(lens, replica, parts)


def _root(exhibits: xr.Dataset, target: np.ndarray, score: np.ndarray, probability: np.ndarray) -> Groups:
    rows = np.arange(len(target))[:, None]
    return {
        "/": {
            "shown_sample": ("shown_sample", exhibits.sample.values),
            "label": ("shown_sample", exhibits.label.values),
            **({"file": ("shown_sample", exhibits.file.values)} if "file" in exhibits else {}),
            "target": (("shown_sample", "rank"), target),
            "score": (("shown_sample", "rank"), score[rows, target]),
            "probability": (("shown_sample", "rank"), probability[rows, target]),
        }
    }


def _checked(
    lens: HeatMaps, scores: Scores, pictures: np.ndarray, target: np.ndarray, maps: Mapping[Map, np.ndarray]
) -> Iterator[Groups]:
    """Yield how far maps are from what must be: integrated gradients add up; of a linear end α needs no picture."""
    for one, values in maps.items():
        if one.method == "integrated_gradients":
            yield {one.layer: {"lacking": ((), lacking(scores, pictures, target, lens.batch_size, values))}}
        if one.method == "grad_cam":
            error = closed_form_error(scores, one.layer, pictures, target, lens.batch_size, values)
            if error is not None:
                yield {one.layer: {"closed_form_error": ((), error)}}


def _without_heat(lens: HeatMaps, network: nn.Module, replica: Replica) -> Iterator[Groups]:
    """Yield of each layer the share of the exhibits' Grad-CAM maps that have no heat, by what is explained."""
    if "grad_cam" not in lens.methods:
        return
    exhibits = replica.probe.sel(sample=replica.exhibits)
    pictures = exhibits.image.values
    share = np.zeros((len(lens.layers), len(EXPLAINED)))
    for j, explained in enumerate(EXPLAINED):
        scores = Scores(network, centred=explained == "centred")
        target = asked(lens, scores.of(pictures, lens.batch_size), exhibits.label.values)[:, 0]
        maps = grad_cam(scores, lens.layers, pictures, target, lens.batch_size)
        share[:, j] = [(maps[layer].max((1, 2)) <= 0).mean() for layer in lens.layers]
    for layer, own in zip(lens.layers, share, strict=True):
        yield {layer: {"explained": ("explained", list(EXPLAINED)), "no_heat": ("explained", own)}}


def _randomised(
    lens: HeatMaps, replica: Replica, which: np.ndarray, target: np.ndarray, maps: Mapping[Map, np.ndarray]
) -> list[Groups]:
    """Return the maps of the network with shuffled weights, and how alike they are."""
    similarity: dict[Map, np.ndarray] = {}
    other = replace(replica, weights=shuffled(replica.weights))
    with other.network() as network:
        others = attributions(lens, other, None, scores_of(lens, network), lens.maps, which, target)
    for one, own in maps.items():
        alike = np.full((len(OTHERS), len(which)), np.nan)
        cells, randomised = (added_up(values).reshape(len(own), -1) for values in (own, others[one]))
        alike[0] = spearman(cells, randomised)
        if len(own) > 1:
            alike[1] = spearman(cells, np.roll(cells, 1, axis=0))
        similarity[one] = alike
    return [
        grouped("attribution_randomised", ("shown_sample", "y", "x"), others),
        grouped("similarity", ("other", "shown_sample"), similarity),
        {one.layer: {"other": ("other", list(OTHERS))} for one in maps},
    ]


def _tree(lens: HeatMaps, replica: Replica, parts: list[Groups]) -> xr.DataTree:
    tree = xr.DataTree.from_dict({group: xr.Dataset(variables) for group, variables in merged(parts).items()})
    tree.attrs = {
        "experiment": replica.experiment,
        "seed": replica.seed,
        "score": lens.score,
        "class_names": list(replica.class_names),
    }
    return tree
