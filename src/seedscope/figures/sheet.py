"""Sheets: what a figure shows. A sheet has a title and panels; a panel has marks and axes. Nothing here draws.

    Sheet ─ title, description, table, facts
      └ body ─ a Panel, or panels in a Grid, Beside or Above each other (these may be nested)
           └ marks ─ see :mod:`seedscope.figures.marks`

Sizes are those of the panels themselves, inside their axes, in inches: room for titles, tick labels, keys and colour
bars is found by the renderer, and the page grows with what stands on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedscope.figures.colours import Scale
from seedscope.figures.marks import Image, Mark
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import ReplicaName, in_a_sentence, parsed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PLACES = ("right", "below", "upper left", "upper right", "lower left", "lower right")
_refused: ContextVar[str] = ContextVar("refused", default="")


@contextmanager
def no_drawing(reason: str) -> Iterator[None]:
    """Refuse every sheet that is made meanwhile, with the sentence ``reason``."""
    token = _refused.set(reason)
    try:
        yield
    finally:
        _refused.reset(token)


@dataclass(frozen=True)
class Facts:
    """What a figure is about.

    Attributes:
        experiment: its experiment.
        replica: the seed, or ``given``; ``None`` where it is about several.
        seeds: the seeds, where it is about several.
    """

    experiment: str
    replica: ReplicaName | None = None
    seeds: tuple[int, ...] = ()

    @classmethod
    def of(cls, measured: xr.Dataset | xr.DataTree) -> Facts:
        """Read them from what was measured: of one replica, or of several along a dimension ``seed``."""
        experiment = str(measured.attrs["experiment"])
        if "seed" in measured.dims:
            return cls(experiment, seeds=tuple(int(seed) for seed in measured.coords["seed"].values))
        return cls(experiment, parsed(str(measured.attrs["seed"])))

    def __str__(self) -> str:
        """Return them in the words of a title."""
        if self.replica is not None:
            return f"{self.experiment}, {in_a_sentence(self.replica)}"
        if self.seeds:
            return f"{self.experiment}, n = {len(self.seeds)} seed{'s' if len(self.seeds) != 1 else ''}"
        return self.experiment


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes:
        label: what it counts, with its unit.
        ticks: where they are; ``None`` leaves it to the numbers.
        names: what stands at each tick; ``None`` writes the numbers.
        low: where it begins; ``None`` leaves it to the marks.
        high: where it ends; below ``low`` it runs backwards.
        kind: ``linear``, ``log``, or ``symlog``: logarithmic with room for 0.
        whole: whether it counts things, and so has ticks at whole numbers only.
        turned: degrees by which the names are.
        size: of the names, points.
        coloured: colours of names by their index, which are then bold.
    """

    label: str = ""
    ticks: Sequence[float] | np.ndarray | None = None
    names: Sequence[str] | None = None
    low: float | None = None
    high: float | None = None
    kind: str = "linear"
    whole: bool = False
    turned: float = 0.0
    size: float = 8.0
    coloured: Mapping[int, str] = field(default_factory=dict)


NO_TICKS = Axis(ticks=())


@dataclass(frozen=True)
class Key:
    """Where the labels of marks are explained.

    Attributes:
        place: ``right`` or ``below`` of the panel, or a corner in it: ``upper left``, ``lower right`` ….
        title: above the labels.
        columns: how many stand beside each other.
    """

    place: str = "upper right"
    title: str = ""
    columns: int = 1

    def __post_init__(self) -> None:
        """Refuse a place that there is not."""
        if self.place not in _PLACES:
            raise SeedscopeError(f"a key stands at one of {', '.join(_PLACES)}, not at {self.place!r}")


@dataclass(frozen=True)
class Bar:
    """A colour bar, at the right of what it is given to."""

    scale: Scale
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        marks: what stands in it.
        title: above it.
        x: its x axis.
        y: its y axis.
        width: inches, without what stands around it.
        height: inches.
        empty: why there is nothing to see, if there is nothing; the marks then do not count.
        key: where labels are explained; ``None`` explains none.
        bar: a colour bar of its own.
        axes: whether axes are drawn; without them x and y still set the limits.
        lines: whether they have lines, or only words, as what fills its panel needs no frame.
        background: its colour.
        top: numbers or names above the panel, at places of its x axis: ticks, names, size and colours of this axis.
    """

    marks: Sequence[Mark] = ()
    title: str = ""
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    width: float = 4.0
    height: float = 3.0
    empty: str = ""
    key: Key | None = None
    bar: Bar | None = None
    axes: bool = True
    lines: bool = True
    background: str = "none"
    top: Axis | None = None


@dataclass(frozen=True)
class Grid:
    """Panels row by row, their edges aligned.

    Attributes:
        panels: the panels.
        columns: how many stand beside each other.
        share_x: whether all that have axes have the same x axis, or those of a ``column``; it is written below the
            lowest ones only.
        share_y: the same for y, of all or of a ``row``, at the left.
        group: how many neighbours belong together, such as bars and a map of the same class: where all share an axis,
            it is only those at the same place in their groups.
        x_label: one label for all x axes.
        y_label: one label for all y axes.
        bar: one colour bar for all.
        key: one key for all, of the labels of all panels, each once.
        gap: between panels, inches.
    """

    panels: Sequence[Panel]
    columns: int
    share_x: bool | Literal["column"] = False
    share_y: bool | Literal["row"] = False
    group: int = 1
    x_label: str = ""
    y_label: str = ""
    bar: Bar | None = None
    key: Key | None = None
    gap: float = 0.12


@dataclass(frozen=True)
class Beside:
    """Parts of a sheet beside each other, from the left; their tops are level."""

    parts: Sequence[Body]
    gap: float = 0.25


@dataclass(frozen=True)
class Above:
    """Parts of a sheet above each other, from the top; their left edges are level."""

    parts: Sequence[Body]
    gap: float = 0.15


Body = Panel | Grid | Beside | Above


@dataclass(frozen=True)
class Sheet:
    """A figure: what it shows, in words and numbers.

    Attributes:
        name: file name without ending.
        about: what it is about, which its title ends with.
        title: what it shows, or what it asks.
        description: how to read it, for a caption and for readers who cannot see it.
        body: its panels.
        table: the numbers behind it, where a person would want them.
        note: a line below the title.
        family: what it has in common with others of its kind: ``Votes for each class``; "" where it stands alone.
        mark: what tells it from these: ``class 3``.
    """

    name: str
    about: Facts
    title: str
    description: str
    body: Body
    table: pd.DataFrame | None = None
    note: str = ""
    family: str = ""
    mark: str = ""

    def __post_init__(self) -> None:
        """Refuse to be made where nothing may be drawn."""
        if _refused.get():
            raise SeedscopeError(_refused.get())

    @property
    def file(self) -> str:
        """Return its file name."""
        return f"{self.name}.png"

    @property
    def heading(self) -> str:
        """Return the title with what it is about."""
        return f"{self.title} ({self.about})"

    def facts(self, lens: str) -> dict[str, Any]:
        """Return all that is known of the figure, for those who read its file: plain JSON."""
        return {
            "experiment": self.about.experiment,
            "replica": self.about.replica,
            "seeds": list(self.about.seeds),
            "lens": lens,
            "title": self.title,
            "description": self.description,
            "family": self.family,
            "mark": self.mark,
        }


@dataclass(frozen=True, kw_only=True)
class Film(Sheet):
    """A sheet in which one image, marked as ``filmed``, changes from frame to frame, on a scale that does not.

    Attributes:
        frames: the values of that image, (frame, y, x).
        captions: a line below the title for each frame; no two are alike, for a GIF has no equal frames.
    """

    frames: np.ndarray
    captions: Sequence[str]

    @property
    def file(self) -> str:
        """Return its file name."""
        return f"{self.name}.gif"


def panels_of(body: Body) -> Iterator[Panel]:
    """Yield every panel of a sheet's body, from the top left."""
    if isinstance(body, Panel):
        yield body
    elif isinstance(body, Grid):
        yield from body.panels
    else:
        for part in body.parts:
            yield from panels_of(part)


def grid_shape(count: int) -> tuple[int, int]:
    """Return (rows, columns) of a nearly square grid that holds ``count`` panels."""
    columns = int(np.ceil(np.sqrt(count)))
    return -(-count // columns), columns


def named(names: Sequence[int | str], label: str = "", *, turned: float = 90.0, **more: Any) -> Axis:
    """Return an axis that names the thing at each of the positions 0, 1, …."""
    return Axis(label, range(len(names)), [str(name) for name in names], turned=turned, **{"size": 7.0, **more})


def class_names(measured: xr.Dataset | xr.DataTree) -> list[str]:
    """Return what each class is called: its number, and its name where that is another word."""
    names = np.atleast_1d(measured.attrs["class_names"]).tolist()
    return [str(k) if str(name) == str(k) else f"{k} ({name})" for k, name in enumerate(names)]


def picture(image: np.ndarray, words: str = "", side: float = 1.6) -> Panel:
    """Show a picture (channel, y, x) in [0, 1]: RGB, or of any other number of channels their mean, in grey."""
    shown = grey_or_rgb(image)
    height, width = shown.shape[:2]
    shrink = side / max(height, width)
    return Panel(
        [Image(shown)],
        words,
        Axis(low=-0.5, high=width - 0.5),
        Axis(low=height - 0.5, high=-0.5),
        width=width * shrink,
        height=height * shrink,
        axes=False,
    )


def grey_or_rgb(image: np.ndarray) -> np.ndarray:
    """Return a picture (channel, y, x) as (y, x, colour) in [0, 1]; where it has not 3 channels, their mean."""
    shown = image if len(image) == 3 else np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    return np.clip(np.moveaxis(shown, 0, -1), 0, 1)


def board(marks: Sequence[Mark], width: float, height: float, bar: Bar | None = None) -> Panel:
    """Return a page to pin things on: x from the left and y from the top, in inches, without axes.

    Many small pictures as marks of one panel take a third less time than a panel for each.
    """
    return Panel(
        marks,
        x=Axis(low=0, high=width),
        y=Axis(low=height, high=0),
        width=width,
        height=height,
        axes=False,
        bar=bar,
    )
