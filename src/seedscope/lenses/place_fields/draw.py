"""Draw the fields of units, of one seed and of matched units side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from seedscope.figures import (
    AGAINST,
    MARK,
    NEUTRAL,
    SEQUENTIAL,
    Bar,
    Beside,
    Facts,
    Image,
    Mark,
    Panel,
    Scale,
    Sheet,
    Strokes,
    Words,
    board,
    centred,
)
from seedscope.formulas.fields import field_correlations, residual_fields
from seedscope.formulas.matching import matched
from seedscope.lenses.pair_figures import PAIRS_IN_WORDS, beside_their_nulls, matrix
from seedscope.lenses.pair_numbers import PairNumbers
from seedscope.lenses.place_fields.shown import Seeds
from seedscope.lenses.units import Units

_MOST, _VOTING, _MATCHED = 48, 8, 8  # units on a sheet: of fields, of votes, and of partners
_SEEDS, _CLASSES = 6, 12  # columns that can be seen beside each other
_SIDE, _GAP, _LINE, _TOP = 0.95, 0.1, 0.2, 0.1  # of a map, between maps, of the words above one; inches
_SHOWN = {"field_correlation": "beyond class tuning", "whole_field_correlation": "whole fields"}
_NULLS = {
    "random": ("any two units", NEUTRAL),
    "class_means": ("matched on class means alone", AGAINST),
    "within_class": ("matched on pictures shuffled\nwithin classes", MARK),
}


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.place_fields.PlaceFields.draw`."""
    units, live = Units.measured(measured), np.flatnonzero(measured.live.values)
    order = live[np.argsort(-measured.total_dominance.values[live], kind="stable")]
    field = measured.field.values.astype(np.float64).mean(0)
    draws = int(measured.attrs["noise_draws"])
    yield _fields_sheet(measured, units, order, field, draws)
    yield _votes_sheet(measured, units, order[:_VOTING], field)


def _fields_sheet(measured: xr.Dataset, units: Units, order: np.ndarray, field: np.ndarray, draws: int) -> Sheet:
    shown = order[:_MOST]
    high = float(field[shown].max(initial=0))
    scale = Scale(min(0.0, float(field[shown].min(initial=0))), high if high > 0 else 1.0, SEQUENTIAL)
    left_out = f" The first {_MOST} of {len(order)} are shown." if len(order) > _MOST else ""
    wide = min(8, max(1, len(shown)))
    cells = [(divmod(at, wide), field[unit], scale, units.name(int(unit))) for at, unit in enumerate(shown)]
    return Sheet(
        "place_fields",
        Facts.of(measured),
        f"To which places do the {units.live} answer?",
        f"The mean activation of each of the {units.live} for a square at each place, over {draws} draws of noise, on "
        "one scale for all. Lines: borders between classes. Those first that dominate most, over all classes."
        f"{left_out}",
        _maps(cells, measured.label_of_place.values, Bar(scale, "mean activation")),
    )


def _votes_sheet(measured: xr.Dataset, units: Units, shown: np.ndarray, field: np.ndarray) -> Sheet:
    """Show the field of the units that dominate most, times their weight for each class."""
    weight = measured.weight.values[:_CLASSES]
    votes = field[shown][:, None] * weight[:, shown].T[:, :, None, None]
    scale = centred(votes)
    cells = [
        ((row, k), votes[row, k], scale, f"{units.name(int(unit))} for {k}")
        for row, unit in enumerate(shown)
        for k in range(len(weight))
    ]
    left_out = f" The first {_CLASSES} classes are shown." if len(measured.weight) > _CLASSES else ""
    return Sheet(
        "place_votes",
        Facts.of(measured),
        f"What do the {units.words} that dominate most vote for, place by place?",
        "Each row is a unit, each column a class: its mean vote for the class (class-centred) for a square at each "
        f"place, blue for, red against, on one scale for all. Lines: borders between classes.{left_out}",
        _maps(cells, measured.label_of_place.values, Bar(scale, "mean vote (logit units)")),
    )


def sheets_over_seeds(measured: xr.Dataset, seeds: Seeds, named: Mapping[str, PairNumbers]) -> list[Sheet]:
    """Return the correlations with their nulls, and the fields of matched units side by side."""
    numbers = beside_their_nulls(named, _SHOWN, _NULLS, "correlation of fields", width=2.2)
    beyond = matrix(named["field_correlation"], "beyond class tuning,\nmatched units")
    about, units = Facts.of(measured), Units.measured(measured)
    words = (
        f"Correlation over odd places of the fields of the {units.live} of two seeds that are matched one to one by "
        "their activations for pictures with even places; beyond class tuning: less their means over the places of "
        f"each class. {PAIRS_IN_WORDS[0].upper()}{PAIRS_IN_WORDS[1:]}; dashes: other ways to match."
    )
    return [
        Sheet(
            "place_field_correlation", about, "Do matched units share their fields?", words, Beside([numbers, beyond])
        ),
        _matched_sheet(about, units, seeds, residual=False),
        _matched_sheet(about, units, seeds, residual=True),
    ]


def _matched_sheet(about: Facts, units: Units, seeds: Seeds, *, residual: bool) -> Sheet:
    """Show the units of the first seed that dominate most, and beside each its partners in other seeds."""
    label, few = seeds.label_of_place, range(min(len(seeds.seeds), _SEEDS))
    beyond = seeds.at_scored(residual=True)
    of_each = [residual_fields(one, label) for one in seeds.fields] if residual else seeds.fields
    shown = np.argsort(-seeds.dominance[0], kind="stable")[:_MATCHED]
    cells = []
    for column in few:
        rows, columns = matched(seeds.activation[0], seeds.activation[column]) if column else (shown, shown)
        partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
        r = field_correlations(beyond[0], beyond[column])
        for row, unit in enumerate(shown.tolist()):
            if unit in partner:
                other = partner[unit]
                name = f"{seeds.seeds[column]}: {units.name(int(seeds.live[column][other]))}"
                said = f"{name}, r {r[unit, other]:.2f}".replace("-", "−") if column else name
                values = of_each[column].mean(0)[other].reshape(seeds.shape)
                cells.append(((row, column), values, _own_scale(values, residual=residual), said))
    what = "fields beyond class tuning" if residual else "fields"
    bar = Bar(centred(np.ones(1)) if residual else Scale(0, 1), "value ÷ the map's largest" + (", by size" * residual))
    return Sheet(
        "matched_fields_beyond_class" if residual else "matched_fields",
        about,
        f"Matched units: their {what}",
        f"Each row is one of the {units.live} of seed {seeds.seeds[0]} that dominate most and its partners in other "
        f"seeds, matched on activations; above each: seed, unit, and r beyond class tuning with the first; a gap: no "
        f"partner there. Shown are {what}, each on its own scale.",
        _maps(cells, label.reshape(seeds.shape), bar),
    )


def _own_scale(values: np.ndarray, *, residual: bool) -> Scale:
    if residual or values.min() < 0:
        return centred(values)
    return Scale(0.0, float(values.max()) or 1.0, SEQUENTIAL)


def _maps(
    cells: Sequence[tuple[tuple[int, int], np.ndarray, Scale, str]], label_of_place: np.ndarray, bar: Bar
) -> Panel:
    """Pin maps in rows and columns, words above each, class borders on each."""
    if not cells:
        return Panel(width=5.0, height=0.8, axes=False, empty="no unit is ever active")
    wide, tall = _SIDE + _GAP, _SIDE * label_of_place.shape[0] / label_of_place.shape[1] + _LINE
    marks: list[Mark] = []
    lines: list[np.ndarray] = []
    names: list[Mark] = []
    for (row, column), values, scale, words in cells:
        left, top = column * wide + _GAP, _TOP + row * tall + _LINE
        down, right = top + tall - _LINE, left + _SIDE
        marks.append(Image(values, scale, (left, right, down, top)))
        names.append(Words(left + _SIDE / 2, top - 0.03, words, 6.5, stand="bottom"))
        lines += _borders(label_of_place, left, top, right, down)
    columns = 1 + max(place[1] for place, *_ in cells)
    rows = 1 + max(place[0] for place, *_ in cells)
    borders = [Strokes(lines, "white", 0.5)] if lines else []
    width = max(columns * wide + _GAP, 5.0)
    return board([*marks, *borders, *names], width, rows * tall + _TOP + 0.05, bar)


def _borders(label: np.ndarray, left: float, top: float, right: float, down: float) -> list[np.ndarray]:
    """Return lines between neighbouring places whose class differs anywhere along them."""
    found = []
    for at in np.flatnonzero((label[:, 1:] != label[:, :-1]).any(0)):
        x = left + (right - left) * (at + 1) / label.shape[1]
        found.append(np.array([[x, top], [x, down]]))
    for at in np.flatnonzero((label[1:] != label[:-1]).any(1)):
        y = top + (down - top) * (at + 1) / label.shape[0]
        found.append(np.array([[left, y], [right, y]]))
    return found
