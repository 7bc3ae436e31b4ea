"""The numbers of the words lens: every channel's word with what decided it, and the words of the null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.activations.receptive_field import sees_the_picture
from seedscope.formulas.gratings import ORIENTATIONS
from seedscope.lenses.replica import Replica
from seedscope.lenses.words import rule
from seedscope.lenses.words.null import networks_needed, permute
from seedscope.lenses.words.responses import Answers, View, answers, curves, view_of
from seedscope.lenses.words.stimuli import HUES
from seedscope.lenses.words.vocabulary import MET, PERMUTED, UNTRAINED, WORDS, counted

if TYPE_CHECKING:
    import xarray as xr

_INNER = {
    "met": ("word",),
    "by_orientation": ("orientation",),
    "by_radius": ("polarity", "period"),
    "by_hue": ("hue",),
}


def measure(replica: Replica, layers: Sequence[str], shaped_the_rule: Sequence[str] = ()) -> xr.DataTree:
    """Return a group per layer; see :meth:`seedscope.lenses.words.Words.measure`."""
    import xarray as xr

    depth, height, width = map(int, replica.probe.image.shape[1:])
    shape = depth, height, width
    with replica.network() as network:
        views = {layer: view_of(network, layer, shape) for layer in layers}
        own = {layer: answers(network, views[layer]) for layer in layers}
    null = _null(replica, views, {layer: found.channels for layer, found in own.items()})
    groups = {}
    for layer, found in own.items():
        groups[layer] = _of_layer(found, null[layer], views[layer])
        kernel = replica.weights.get(f"{layer}.weight")
        if kernel is not None and sees_the_picture(kernel, views[layer].field, shape):
            groups[layer]["kernel"] = (("channel", "colour", "y", "x"), kernel)
    attributes = {
        "experiment": replica.experiment,
        "seed": replica.seed,
        "null": PERMUTED if replica.frames is None else UNTRAINED,
        "colours": depth,
        **({"in_sample": list(shaped_the_rule)} if shaped_the_rule else {}),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), **groups})


def _of_layer(found: Answers, null: Sequence[Answers], view: View) -> xr.Dataset:
    """Return the numbers of one layer: its words by the spread of the null, and the null's words."""
    import xarray as xr

    pooled = np.concatenate([rule.numbers(one) for one in null])
    deviation = rule.spread(pooled)
    quiet = np.concatenate([rule.silent(one) for one in null])
    number = rule.numbers(found)
    answer = rule.words(number, rule.silent(found), deviation)
    of_channel = {"answer": answer, "met": number, **curves(found)}
    return xr.Dataset(
        {
            **{name: (("channel", *_INNER.get(name, ())), values) for name, values in of_channel.items()},
            "null_count": ("answer_of_null", counted(rule.words(pooled, quiet, deviation))),
            "null_deviation": ("word", deviation),
            "receptive_field": ("axis", np.array(view.field.size)),
        },
        {
            "channel": np.arange(found.channels),
            "word": list(MET),
            "answer_of_null": list(WORDS),
            "orientation": ORIENTATIONS,
            "polarity": ["bright", "dark"],
            "period": found.periods,
            "hue": HUES,
            "axis": ["y", "x"],
        },
    )


def _null(replica: Replica, views: Mapping[str, View], channels: Mapping[str, int]) -> dict[str, list[Answers]]:
    """Return what null networks answer, by layer: the untrained one, or as many permuted ones as it takes."""
    if replica.frames is not None:
        with replica.network(0) as network:
            return {layer: [answers(network, view)] for layer, view in views.items()}
    rng = np.random.default_rng(0)
    needed = {layer: networks_needed(channels[layer]) for layer in views}
    found: dict[str, list[Answers]] = {layer: [] for layer in views}
    with replica.network() as network:
        for draw in range(max(needed.values())):
            permute(network, rng)  # what was permuted, again: as random as from the start
            for layer, view in views.items():
                if draw < needed[layer]:
                    found[layer].append(answers(network, view))
    return found
