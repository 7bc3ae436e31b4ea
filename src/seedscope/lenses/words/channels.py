"""Every channel of a layer under its word: its kernel, where it sees the picture, and what it prefers.

All cells are marks on one board: a panel for each would take many times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import Facts, Image, Mark, Panel, Shapes, Sheet, Strokes, Words, board, box, disc
from seedscope.figures.marks import Colours
from seedscope.lenses.words.shares import null_in_words
from seedscope.lenses.words.stimuli import colour
from seedscope.lenses.words.vocabulary import COLOUR, EDGE, NONE, PLURAL, SPOT, in_words, known_words, shares

if TYPE_CHECKING:
    import xarray as xr

_WIDE, _LARGEST = 8.4, 0.72  # of all cells and of the largest one, inches
_LINE, _NUMBER, _VALUE = 0.3, 0.16, 0.14  # of a heading, a channel's number and what it prefers, inches


def channels(measured: xr.DataTree, layer: str) -> Sheet:
    """Show every channel of a layer under its word."""
    part, words = measured[layer].to_dataset(), known_words(measured)
    with_kernels = _kernels(part) is not None
    return Sheet(
        f"{layer}_words",
        Facts.of(measured),
        f"What each channel of {layer} answers to",
        f"Every channel of {layer} under the word for what it answers to, with its number above. An edge: a line along "
        "the stripes that raise it most. A spot: bright or dark, as large as the best one is beside the receptive "
        f"field ({'×'.join(map(str, part.receptive_field.values))} pixels). A colour: the hue that raises it most. "
        + ("At the left its kernel, each on a scale of its own, mid grey is 0. " if with_kernels else "")
        + "A word says something of learning only where its share lies above the null's. "
        f"{in_words(part, words, measured.attrs['null'])}.",
        _sections(part, words),
        note="number of the channel"
        + (": kernel, then what it prefers" if with_kernels else "")
        + f"; null: {null_in_words(measured)}",
        family="What each channel answers to",
        mark=layer,
    )


def _kernels(part: xr.Dataset) -> np.ndarray | None:
    """Return the kernels (channel, colour, y, x) that can be seen as pictures, if there are any."""
    kernels = part.kernel.values if "kernel" in part else None
    return kernels if kernels is not None and kernels.shape[1] in (1, 3) else None


def _sections(part: xr.Dataset, words: list[int]) -> Panel:
    """Show the channels of each word that there is below its heading."""
    count, (_, null) = part.sizes["channel"], shares(part)
    cells = _Cells.of(part)
    marks: list[Mark] = []
    y = 0.0
    for word in words:
        members = _ordered(part, word)
        if not len(members):
            continue
        share = f"{len(members)} of {count} ({len(members) / count:.0%}), null {null[word]:.0%}"
        marks.append(Words(0, y + 0.6 * _LINE, f"{PLURAL[word]}: {share}", size=9.5, align="left", bold=True))
        y += _LINE
        for position, channel in enumerate(members):
            row, column = divmod(position, cells.columns)
            cells.show(int(channel), word, column * cells.step, y + row * cells.height(word))
        y += cells.height(word) * -(-len(members) // cells.columns) + 0.06
    return board([*marks, *cells.marks()], max(cells.columns * cells.step, 4.0), y)


def _ordered(part: xr.Dataset, word: int) -> np.ndarray:
    """Return the channels with a word, neighbours alike."""
    members = np.flatnonzero(part.answer.values == word)
    keys = {
        EDGE: (part.preferred_orientation.values,),
        SPOT: (part.spot_radius.values, part.spot_polarity.values),
        COLOUR: (part.preferred_hue.values,),
    }.get(word, ())
    order: np.ndarray = members[np.lexsort((members, *(np.nan_to_num(key)[members] for key in keys)))]
    return order


@dataclass(frozen=True)
class _Cells:
    """The cells of channels, in inches; squares, discs and lines are gathered, to be drawn at once.

    Attributes:
        part: the numbers of the layer.
        kernels: (channel, colour, y, x), shown at the left of what a channel prefers; ``None`` shows none.
        columns: how many stand in a row.
        side: of a picture.
        step: from cell to cell.
    """

    part: xr.Dataset
    kernels: np.ndarray | None
    columns: int
    side: float
    step: float
    _loose: list[Mark] = field(default_factory=list)
    _squares: list[np.ndarray] = field(default_factory=list)
    _faces: list[Colours] = field(default_factory=list)
    _discs: list[np.ndarray] = field(default_factory=list)
    _brightness: list[str] = field(default_factory=list)
    _lines: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, part: xr.Dataset) -> _Cells:
        count, kernels = part.sizes["channel"], _kernels(part)
        fitting = next((size for size in (8, 12, 16, 24, 32) if size * size >= 2 * count), 48)
        columns, wide = min(count, fitting), 1.0 if kernels is None else 1.9
        cell = min(_LARGEST, _WIDE / (columns * wide))
        return cls(part, kernels, columns, 0.86 * cell, wide * cell)

    def height(self, word: int) -> float:
        """Return the height of a row of channels with this word."""
        picture = self.side / 0.86 if word < NONE or self.kernels is not None else 0.0
        return _NUMBER + picture + (_VALUE if word < NONE and self.columns <= 16 else 0.0)

    def show(self, channel: int, word: int, x: float, y: float) -> None:
        """Put a channel where the upper left corner of its cell is."""
        size = 7.0 if self.columns <= 24 else 5.5
        self._loose.append(Words(x + self.side / 2, y + _NUMBER / 2, str(channel), size=size))
        y += _NUMBER
        if self.kernels is not None:
            kernel = np.moveaxis(self.kernels[channel], 0, -1)
            shown = np.repeat(kernel / (2 * np.abs(kernel).max() or 1.0) + 0.5, 3 // kernel.shape[-1], -1)
            self._loose.append(Image(shown, extent=(x, x + self.side, y + self.side, y)))
            self._square(x, y, "none")
            x += 1.07 * self.side
        if word < NONE:
            self._prefers(channel, word, x, y)

    def _prefers(self, channel: int, word: int, x: float, y: float) -> None:
        """Show what a channel with one of the three words prefers, and say it where there is room."""
        part, middle = self.part.isel(channel=channel), np.array([x + self.side / 2, y + self.side / 2])
        if word == COLOUR:
            hue = float(part.preferred_hue)
            self._square(x, y, colour(np.array(hue)))
            said = f"{round(hue) % 360}°"
        elif word == SPOT:
            dark, radius = int(part.spot_polarity), float(part.spot_radius)
            self._square(x, y, "#808080")
            share = float(np.clip(2 * radius / self.part.receptive_field.values.max(), 0.16, 0.9))
            self._discs.append(disc(float(middle[0]), float(middle[1]), share * self.side))
            self._brightness.append("black" if dark else "white")
            said = f"{part.polarity.values[dark]} {radius:.1f}"
        else:
            orientation = float(part.preferred_orientation)
            self._square(x, y, "#ececec")
            angle = np.deg2rad(orientation)
            reach = 0.42 * self.side * np.array([np.cos(angle), -np.sin(angle)])  # the y axis points down
            self._lines.append(np.array([middle - reach, middle + reach]))
            said = f"{round(orientation) % 180}°"
        if self.columns <= 16:
            self._loose.append(Words(float(middle[0]), y + 0.05 + 1.08 * self.side, said, size=7))

    def _square(self, x: float, y: float, face: Colours) -> None:
        self._squares.append(box(y, x, self.side, self.side))
        self._faces.append(face)

    def marks(self) -> list[Mark]:
        """Return all that was put into cells."""
        return [
            *self._loose,
            Shapes(self._squares, self._faces, "#b0b0b0", 0.5),
            Shapes(self._discs, self._brightness),
            Strokes(self._lines, "black", max(1.0, 5 * self.side)),
        ]
