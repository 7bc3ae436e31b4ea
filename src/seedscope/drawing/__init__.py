"""Drawing that lenses share: a figure with its words, and the marks it is made of.

Figures are drawn with ``matplotlib.figure.Figure`` (no global state), carry their title and description inside
the PNG or GIF, and have equal bytes for equal numbers. Diverging colours have 0 at their centre; the palette (Okabe and
Ito 2008) can be told apart with any colour vision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seedscope.drawing.gif import write_gif
from seedscope.files.writing import keep_only, replacing, write_text

if TYPE_CHECKING:
    import pandas as pd

FOR, AGAINST, NEUTRAL, MARK = "#0072B2", "#D55E00", "#767676", "#009E73"
SILENT = "#c9c9c9"
DIVERGING, SEQUENTIAL = "RdBu", "viridis"
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7A5195",
    "#8C564B",
    "#4D4D4D",
    "#A0A000",
)
DPI = 100


@dataclass(frozen=True)
class Drawing:
    """A figure and its words.

    Attributes:
        name: file name without ending.
        figure: what is drawn; its suptitle is the title.
        description: how to read it, for a caption and for readers who cannot see it.
        table: the numbers behind it, where a person would want them.
    """

    name: str
    figure: Figure
    description: str
    table: pd.DataFrame | None = None

    @property
    def file(self) -> str:
        """Return its file name."""
        return f"{self.name}.png"


@dataclass(frozen=True, kw_only=True)
class Animation(Drawing):
    """A figure with marks that move from frame to frame, on scales that do not.

    Attributes:
        frames: how many.
        show: puts the moving marks into the state of a frame.
        moving: all that it changes; each frame has a caption of its own among them, for a GIF has no equal frames.
    """

    frames: int
    show: Callable[[int], None]
    moving: Sequence[Artist]

    @property
    def file(self) -> str:
        """Return its file name."""
        return f"{self.name}.gif"


def save_all(drawings: Iterable[Drawing], folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write figures with their tables, and texts by file name, into ``folder``; remove what else lies there."""
    written = [path for drawing in drawings for path in save(drawing, folder)]
    for name, text in texts.items():
        write_text(folder / name, text)
        written.append(folder / name)
    keep_only(folder, written)


def save(drawing: Drawing, folder: Path) -> list[Path]:
    """Write the figure, and its table where it has one, into ``folder``; return the files."""
    written = [folder / drawing.file]
    title = drawing.figure.get_suptitle()
    with replacing(written[0]) as temporary:
        if isinstance(drawing, Animation):
            write_gif(temporary, _film(drawing), f"{title}\n{drawing.description}")
        else:
            words = {"Software": None, "Title": title, "Description": drawing.description}
            fast = {"compress_level": 3}
            drawing.figure.savefig(temporary, format="png", dpi=DPI, metadata=words, pil_kwargs=fast)
    if drawing.table is not None:
        written.append(folder / f"{drawing.name}.csv")
        with replacing(written[1]) as temporary:
            drawing.table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    return written


def _film(animation: Animation) -> np.ndarray:
    """Return all frames (frame, y, x, colour): what stands still is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for artist in animation.moving:
        artist.set_animated(True)
    figure = animation.figure
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its methods untyped
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    film = np.empty((animation.frames, *np.shape(canvas.buffer_rgba())[:2], 3), dtype=np.uint8)
    for frame in range(animation.frames):
        canvas.restore_region(still)
        animation.show(frame)
        for artist in animation.moving:
            figure.draw_artist(artist)
        film[frame] = np.asarray(canvas.buffer_rgba())[..., :3]
    return film


def canvas(title: str, width: float, height: float) -> Figure:
    """Return an empty figure of width × height inches with its title above."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.suptitle(title, fontsize=12, x=0.5, y=1 - 0.12 / height, va="top")
    return figure


def panels(
    figure: Figure,
    rows: int,
    columns: int,
    used: int | None = None,
    *,
    top: float = 0.55,
    bottom: float = 0.55,
    left: float = 0.65,
    right: float = 0.2,
    wspace: float = 0.3,
    hspace: float = 0.45,
    share_x: bool = False,
    share_y: bool = False,
) -> list[Axes]:
    """Return the axes of a grid, row by row; margins in inches, gaps as a share of a panel.

    ``used`` panels are made of ``rows × columns``; shared axes show their labels at the border only.
    """
    width, height = figure.get_size_inches()
    grid = figure.add_gridspec(
        rows,
        columns,
        left=left / width,
        right=1 - right / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=wspace,
        hspace=hspace,
    )
    count = rows * columns if used is None else used
    axes: list[Axes] = []
    for index in range(count):
        row, column = divmod(index, columns)
        first = axes[0] if axes else None
        ax = figure.add_subplot(grid[row, column], sharex=first if share_x else None, sharey=first if share_y else None)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        if share_x and index + columns < count:
            ax.tick_params(labelbottom=False)
        if share_y and column:
            ax.tick_params(labelleft=False)
        axes.append(ax)
    return axes


def bars(
    ax: Axes, positions: np.ndarray, heights: np.ndarray, colors: Any, *, base: Any = 0.0, width: float = 0.8
) -> None:
    """Draw vertical bars from ``base`` to ``base + heights`` as one collection, faster than ``Axes.bar``."""
    positions, heights = np.asarray(positions, float), np.asarray(heights, float)
    low = np.broadcast_to(np.asarray(base, float), heights.shape)
    x0, x1, y0, y1 = positions - width / 2, positions + width / 2, low, low + heights
    corners = np.stack([np.stack([x0, y0], 1), np.stack([x1, y0], 1), np.stack([x1, y1], 1), np.stack([x0, y1], 1)], 1)
    ax.add_collection(PolyCollection(list(corners), facecolors=colors, linewidths=0))
    ax.autoscale_view()


def spans(ax: Axes, positions: np.ndarray, low: np.ndarray, high: np.ndarray, **style: Any) -> None:
    """Draw vertical line segments from ``low`` to ``high``, such as intervals."""
    segments = np.stack([np.stack([positions, low], 1), np.stack([positions, high], 1)], 1)
    ax.add_collection(LineCollection(list(segments), **{"colors": "black", "linewidths": 0.8, **style}))
    ax.autoscale_view()


def gap(ax: Axes, position: float) -> None:
    """Mark that something is left out between two neighbours."""
    ax.axvline(position, color=NEUTRAL, linestyle=":", linewidth=1.2)


def say(ax: Axes, words: str) -> None:
    """Write into an empty panel why it is empty; its x axis then counts nothing."""
    ax.text(0.5, 0.55, words, transform=ax.transAxes, ha="center", va="bottom", fontsize=8.5, color=NEUTRAL)
    if ax.get_shared_x_axes().get_siblings(ax) == [ax]:
        ax.set_xticks([])


def count_axis(ax: Axes) -> None:
    """Let the x axis, which counts units, have ticks at whole numbers only."""
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def sign_colors(values: np.ndarray) -> list[str]:
    """Return the colour of votes for (positive) and against (negative)."""
    return [FOR if value >= 0 else AGAINST for value in np.asarray(values)]


def centred(values: np.ndarray) -> Normalize:
    """Return a colour scale, symmetric around 0, that holds all finite ``values``."""
    finite = np.abs(values[np.isfinite(values)])
    reach = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    return Normalize(-reach, reach)


def scale_of(low: float, high: float) -> tuple[Normalize, Colormap]:
    """Return scale and colours for values from ``low`` to ``high``: 0 at the centre where there are negatives."""
    if low < 0:
        return centred(np.array([low, high])), colormaps[DIVERGING]
    return Normalize(0, high if high > 0 else 1.0), colormaps[SEQUENTIAL]


def heat_map(ax: Axes, values: np.ndarray, norm: Normalize, cmap: str | Colormap = DIVERGING) -> Any:
    """Draw a matrix with its first row on top, and return the image for a colour bar.

    Where there are more columns than pixels, neighbours share a cell that shows the largest of them, by size: else
    some units would go unseen.
    """
    rows, columns = values.shape
    cells = heat_cells(ax, values)
    extent = (-0.5, cells.shape[1] * _columns_per_cell(ax, columns) - 0.5, rows - 0.5, -0.5)
    image = ax.imshow(cells, norm=norm, cmap=cmap, aspect="auto", interpolation="nearest", extent=extent)
    ax.set_xlim(-0.5, columns - 0.5)
    return image


def heat_cells(ax: Axes, values: np.ndarray) -> np.ndarray:
    """Return the cells of a heat map of ``values``, (row, cell), to be put into its image."""
    rows, columns = values.shape
    shared = _columns_per_cell(ax, columns)
    padded = np.pad(values, ((0, 0), (0, -columns % shared)), constant_values=np.nan).reshape(rows, -1, shared)
    largest = np.where(np.isnan(padded), -1, np.abs(padded)).argmax(-1)[..., None]
    return np.take_along_axis(padded, largest, -1)[..., 0]


def _columns_per_cell(ax: Axes, columns: int) -> int:
    return max(1, -(-columns // max(1, int(ax.bbox.width))))  # in pixels, as saved


def shared_cells(ax: Axes, columns: int) -> str:
    """Return the sentence that a heat map of that many columns needs in its description, if any."""
    shared = _columns_per_cell(ax, columns)
    return f" Each cell stands for {shared} neighbours and shows the largest." if shared > 1 else ""


def color_bar(figure: Figure, image: Any, box: Sequence[float], label: str) -> None:
    """Add a colour bar in ``box`` (left, bottom, width, height as shares of the figure)."""
    ax = figure.add_axes((box[0], box[1], box[2], box[3]))
    figure.colorbar(image, cax=ax).set_label(label, fontsize=9)
    ax.tick_params(labelsize=8)


def show_picture(ax: Axes, image: np.ndarray) -> None:
    """Draw a picture (channel, y, x) in [0, 1] without axes: RGB, or of any other number of channels their mean."""
    shown = np.moveaxis(image, 0, -1) if len(image) == 3 else image.mean(0)
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def grid_shape(count: int) -> tuple[int, int]:
    """Return (rows, columns) of a nearly square grid that holds ``count`` panels."""
    columns = int(np.ceil(np.sqrt(count)))
    return -(-count // columns), columns


def label_units(ax: Axes, units: Iterable[int | str], *, rotation: int = 90) -> None:
    """Name the unit under each of the positions 0, 1, ….."""
    names = [str(unit) for unit in units]
    ax.set_xticks(range(len(names)), names, rotation=rotation, fontsize=7)
