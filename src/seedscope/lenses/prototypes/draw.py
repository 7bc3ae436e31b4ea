"""Draw the pictures that drive the units most that dominate most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from seedscope.figures import Facts, Image, Mark, Panel, Sheet, Words, board, class_names, grey_or_rgb
from seedscope.lenses.units import Units

_SIDE, _GAP, _LINE, _LEFT, _TOP = 0.9, 0.1, 0.2, 0.9, 0.1  # of a picture, between them, of the words above; inches


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.prototypes.Prototypes.draw`."""
    units = Units.measured(measured)
    of_maps = units.kind == "map"
    words = f"channels of {units.layer}" if of_maps else units.words
    number, names = measured.shown_number.values.tolist(), class_names(measured)
    more = " A channel counts with its mean over places." if of_maps else ""
    if len(names) <= 12 and any(name != str(k) for k, name in enumerate(names)):
        more += f" Classes: {', '.join(names)}."
    yield Sheet(
        "prototypes",
        Facts.of(measured),
        f"Which pictures drive the {words} most?",
        f"Each row is one of the {words} that dominate most, over all classes, and the probe pictures with its largest "
        f"activations; above each: class, and activation.{more}",
        _rows(measured, [str(one) if of_maps else units.name(one) for one in number]),
    )


def _rows(measured: xr.Dataset, names: list[str]) -> Panel:
    """Pin the prototypes of each unit in a row."""
    image, activation = measured.image.values, measured.shown_activation.values
    label = measured.shown_label.values
    if not len(names):
        return Panel(width=5.0, height=0.8, axes=False, empty="no unit is ever active")
    tall = _SIDE * image.shape[-2] / image.shape[-1] + _LINE
    marks: list[Mark] = []
    for row, name in enumerate(names):
        top = _TOP + row * tall + _LINE
        marks.append(Words(_LEFT - 0.1, top + (tall - _LINE) / 2, name, 8, align="right"))
        for rank in np.flatnonzero(label[row] >= 0):
            left = _LEFT + rank * (_SIDE + _GAP)
            down = top + tall - _LINE
            marks.append(Image(grey_or_rgb(image[row, rank]), extent=(left, left + _SIDE, down, top)))
            said = f"{label[row, rank]}: {activation[row, rank]:.3g}".replace("-", "−")
            marks.append(Words(left + _SIDE / 2, top - 0.03, said, 6.5, stand="bottom"))
    width = max(5.0, _LEFT + image.shape[1] * (_SIDE + _GAP))
    return board(marks, width, _TOP + len(names) * tall + 0.05)
