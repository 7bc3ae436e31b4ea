"""Crossings: one experiment in which random streams are crossed, every level of one with every level of the others.

    conf/experiment/<experiment>.yaml    sweep: {<sweep>: {streams: {weights: 6, order: 6, draw: 3}, set: {train: …}}}

``streams`` says how many levels each stream has: seeds 0, 1, 2, …. A stream that is not named is that of seed 0 in
every cell, and ``head`` goes with ``weights``. ``set`` changes settings of the experiment for the crossing alone, so
that its cells can be small. Cells are numbered in the order of ``numpy.ndindex``, streams in their own: the last one's
level changes fastest. They are looked at as :mod:`seedscope.seeds.crossed` says, through no lens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.experiment import CROSSED
from seedscope.settings.one_experiment import SWEEP, resolved
from seedscope.settings.said import Composed, Said, merged

KEYS = ("streams", "set")
CHANGEABLE = ("data", "model", "train", "readout")  # sections that ``set`` may change


def is_crossing(spec: Mapping[str, Any]) -> bool:
    """Return whether a block ``sweep`` crosses streams, in place of turning a setting."""
    return CROSSED in spec


def check_crossing(experiment: Composed, sweep: str) -> None:
    """Refuse a crossing of the wrong shape."""
    spec = experiment.settings[SWEEP][sweep]
    where = experiment.where(SWEEP, sweep, CROSSED, follow=False)
    _check_streams(where, spec[CROSSED])
    changed = spec.get("set", {})
    where = experiment.where(SWEEP, sweep, "set", follow=False)
    if not isinstance(changed, Mapping):
        raise SeedscopeError(f"{where} must be a block of settings, not {changed!r}")
    for section in changed:
        if section not in CHANGEABLE:
            near = did_you_mean(str(section), CHANGEABLE)
            raise SeedscopeError(f"{where}: a crossing cannot change {section!r}; {near}")


def levels(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return how many levels each stream has, whatever the order in which they are written."""
    from seedscope.replicas.streams import known_streams

    return {stream: spec[CROSSED][stream] for stream in known_streams() if stream in spec[CROSSED]}


def crossed(unresolved: Composed, sweep: str) -> Composed:
    """Return the experiment of a crossing's cells, whose numbers stand for seeds."""
    spec = unresolved.settings[SWEEP][sweep]
    changed: Mapping[str, Any] = spec.get("set", {})
    file, _, place = unresolved.where(SWEEP, sweep, "set", follow=False).partition(": ")
    composed = resolved(
        replace(
            unresolved,
            settings=merged(unresolved.settings, changed),
            said=(Said(file, changed, prefix=f"{place}."), *unresolved.said),
        )
    )
    if not isinstance(composed.settings["train"], Mapping):
        raise SeedscopeError(f"{composed.where('train')}: a crossing trains its cells, and nothing is trained here")
    settings = {
        **composed.settings,
        "train": {**composed.settings["train"], "vary": list(levels(spec))},
        "dump": {**composed.settings["dump"], "layers": {composed.settings["readout"]["features"]: "probe"}},
        "seeds": list(range(math.prod(levels(spec).values()))),
        "lenses": {},
    }
    return replace(composed, settings=settings)


def _check_streams(where: str, streams: Any) -> None:
    from seedscope.replicas.streams import known_streams

    if not isinstance(streams, Mapping) or len(streams) < 2:
        raise SeedscopeError(
            f"{where} must be a block of two streams or more, each with its number of levels, not {streams!r}"
        )
    for stream, number in streams.items():
        if stream not in known_streams():
            raise SeedscopeError(f"{where}: there is no stream {stream!r}; {did_you_mean(stream, known_streams())}")
        if type(number) is not int or number < 2:
            raise SeedscopeError(f"{where}.{stream} must be a number of levels from 2 on, not {number!r}")
