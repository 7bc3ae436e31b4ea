"""Figures of transplants between seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    NEUTRAL,
    PALETTE,
    Axis,
    Dots,
    Facts,
    Grid,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
)
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import xarray as xr

Values = Mapping[str, Mapping[str, np.ndarray]]
"""By way and what is read, (pair, draw)."""

_UNIT_WAYS = {
    "permutation": ("partner", FOR),
    "permutation_within_class": ("partner, pictures\nshuffled in class", AGAINST),
    "permutation_within_place": ("… in class\nand place", MARK),
    "class_mean": ("class mean\nalone", PALETTE[4]),
    "random": ("any unit", NEUTRAL),
}
_UNIT_PANELS = {
    "restored_singly": "one by one: the seed's\nown probabilities",
    "kept_singly": "one by one: the seed's\nown decisions",
    "recovered_singly": "one by one: log p\nof the true class",
    "restored_together": "all at once: the seed's\nown probabilities",
}
_LAYER_WAYS = {
    "intact": "its own",
    "linear_map": "linear map",
    "rotation": "rotation",
    "permutation": "permutation",
    "unmapped": "unmapped",
}
_LAYER_PANELS = {
    "accuracy": "accuracy",
    "agreement": "agreement with\nthe seed's own decisions",
    "restored_together": "the seed's own\nprobabilities",
    "recovered_together": "log p of\nthe true class",
}
_LOWEST_OF_UNITS, _LOWEST_OF_LAYERS = -1.2, -0.5  # of what is shown of shares


def unit_sheet(measured: xr.Dataset, values: Values, refused: str) -> Sheet:
    """Show what partners give back, beside every null: a dot for each pair of seeds."""
    units = Units.measured(measured)
    panels = [
        _dots(
            {
                words: (values[way][what].mean(1), colour)
                for way, (words, colour) in _UNIT_WAYS.items()
                if way in values
            },
            title,
            "share given back",
            refused,
        )
        for what, title in _UNIT_PANELS.items()
    ]
    return Sheet(
        "transplants_across_seeds",
        Facts.of(measured),
        f"Does {_one(units)} of another seed do the work of its like?",
        f"A partner in another seed, matched and scaled on one half of the pictures, takes the place of {_one(units)}: "
        "which share of what is lost at the unit's mean is given back on the other half? 1: all, 0: nothing, below: "
        "worse than the mean. Beside it the whole procedure with the other seed's pictures shuffled within class, or "
        "class and place; and as baselines the mean of the picture's class in the unit's place, and any unit of the "
        "other seed. A dot for each pair of seeds (what is drawn: means over draws), bars: means."
        + _below(values, _UNIT_WAYS, _UNIT_PANELS, _LOWEST_OF_UNITS),
        Grid(panels, len(panels), share_y=False, gap=0.25),
    )


def layer_sheet(measured: xr.Dataset, values: Values, refused: str) -> Sheet:
    """Show what a seed's head makes of another's layer, by the freedom of the map between them."""
    panels = [_freedom(values, what, title, refused) for what, title in _LAYER_PANELS.items()]
    layer = Units.measured(measured).layer
    return Sheet(
        "transplants_of_layers_across_seeds",
        Facts.of(measured),
        f"How much freedom does a head need to read another seed's {layer}?",
        f"A seed's head on the whole layer {layer} of another seed, mapped by a free linear map, a rotation with one "
        "scale, a permutation with a scale for each unit, or unmapped in a random order; maps are fitted on one half "
        "of the pictures and scored on the other. Blue: a dot for each pair of seeds, bars: means; orange: with the "
        "other seed's pictures shuffled within class, which leaves what the class says."
        + _below(values, _LAYER_WAYS, _LAYER_PANELS, _LOWEST_OF_LAYERS),
        Grid(panels, len(panels), share_y=False, gap=0.25),
    )


def _freedom(values: Values, what: str, title: str, refused: str) -> Panel:
    marks: list[Mark] = []
    for at, way in enumerate(_LAYER_WAYS if values else ()):
        null = f"{way}_within_class"
        beside = 0.17 if null in values else 0.0
        if null in values:
            marks += _points(at + beside, values[null][what].mean(1), AGAINST, _LOWEST_OF_LAYERS)
        colour = NEUTRAL if way == "unmapped" else FOR
        marks += _points(at - beside, values[way][what].mean(1), colour, _LOWEST_OF_LAYERS)
    return _panel(
        marks,
        title,
        list(_LAYER_WAYS.values()),
        "share given back" if what.endswith("_together") else "share of pictures",
        refused,
        what.endswith("_together"),
    )


def _dots(ways: Mapping[str, tuple[np.ndarray, str]], title: str, label: str, refused: str) -> Panel:
    marks = [
        mark
        for at, (values, colour) in enumerate(ways.values())
        for mark in _points(at, values, colour, _LOWEST_OF_UNITS)
    ]
    return _panel(marks, title, list(ways) or [words for words, _ in _UNIT_WAYS.values()], label, refused, True)


def _panel(marks: list[Mark], title: str, names: list[str], label: str, refused: str, shares: bool) -> Panel:
    rules: list[Mark] = [Rule(at, MARK if at else NEUTRAL, width=0.6) for at in ((0.0, 1.0) if shares else (1.0,))]
    return Panel(
        [*rules, *marks],
        title,
        Axis(ticks=range(len(names)), names=names, low=-0.6, high=len(names) - 0.4, turned=90),
        Axis(label, low=None, high=None),
        width=2.4,
        height=2.8,
        empty=refused or ("" if marks else "nothing is lost without them"),
    )


def _points(at: float, values: np.ndarray, colour: str, lowest: float) -> list[Mark]:
    """Show a number of each pair and their mean; what lies below ``lowest`` stands there."""
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    beside = 0.12 * np.linspace(-1, 1, len(known)) if len(known) > 1 else np.zeros(1)
    shown = np.maximum(known, lowest)
    marks: list[Mark] = [Dots(at + beside, shown, colour, size=3.5, opacity=0.8)]
    if known.mean() >= lowest:
        marks.append(Line([at - 0.16, at + 0.16], [known.mean()] * 2, "black", width=1.6))
    return marks


def _below(values: Values, ways: Mapping[str, object], panels: Mapping[str, str], lowest: float) -> str:
    """Return the sentence that dots at the lower edge need."""
    shown = [values[way][what].mean(1) for way in ways for what in panels if way in values]
    low = any((one[np.isfinite(one)] < lowest).any() for one in shown)
    return f" Shares below {lowest:g} are shown at {lowest:g}.".replace("-", "−") if low else ""


def _one(units: Units) -> str:
    return f"a channel of {units.layer}" if units.kind == "map" else f"a unit of {units.layer}"
