"""One panel as matplotlib's axes: its marks, its axes and its key."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator

from seedscope.figures.colours import NEUTRAL, Scale
from seedscope.figures.marks import (
    Band,
    Bars,
    Dots,
    Image,
    Line,
    Mark,
    Rule,
    Shapes,
    Spans,
    Stripe,
    Strokes,
    Words,
)
from seedscope.figures.sheet import Axis, Key, Panel

TICK = 0.045  # length of a tick, inches
_UNIT = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def coloured(scale: Scale) -> tuple[Normalize, Colormap]:
    """Return a scale as matplotlib has it."""
    colours = colormaps[scale.colours].with_extremes(bad=scale.absent, under=scale.below)
    return Normalize(scale.low, scale.high), colours


def fill(ax: Axes, panel: Panel) -> None:
    """Draw a panel's marks and set its limits; :func:`frame` draws its axes when these are known."""
    ax.set_axis_off()
    if panel.background != "none":
        ground = PolyCollection([_UNIT], facecolors=panel.background, transform=ax.transAxes, zorder=0)
        ax.add_collection(ground, autolim=False)
    if panel.empty:
        ax.text(0.5, 0.55, panel.empty, transform=ax.transAxes, ha="center", va="bottom", fontsize=8.5, color=NEUTRAL)
    else:
        for order, mark in enumerate(panel.marks):
            _DRAW[type(mark)](ax, mark, 2 + order / 1000)
    _set_axis(ax, "x", panel.x, panel.width)
    _set_axis(ax, "y", panel.y, panel.height)


def ticks(ax: Axes, panel: Panel, which: str) -> tuple[np.ndarray, list[str]]:
    """Return where the ticks of an axis are, as shares of its length, and what they say."""
    axis = panel.x if which == "x" else panel.y
    if not panel.axes or (panel.empty and axis.names is None):
        return np.zeros(0), []
    limits = ax.get_xlim() if which == "x" else ax.get_ylim()
    low, high = sorted(limits)
    on = ax.xaxis if which == "x" else ax.yaxis
    if axis.ticks is None:
        places = np.asarray(on.get_majorticklocs(), dtype=float)
        words = list(map(str, on.get_major_formatter().format_ticks(places)))  # type: ignore[arg-type]  # any sequence
    else:
        places = np.asarray(list(axis.ticks), dtype=float)
        words = list(axis.names) if axis.names is not None else [f"{place:g}".replace("-", "−") for place in places]
    slack = 1e-9 * (high - low)
    inside = np.flatnonzero((low - slack <= places) & (places <= high + slack))
    start, end = on.get_transform().transform(np.array(limits, dtype=float))
    return (on.get_transform().transform(places[inside]) - start) / (end - start), [words[one] for one in inside]


def frame(ax: Axes, panel: Panel) -> None:
    """Draw the lines of both axes with their ticks: matplotlib's own take twenty times as long."""
    if not (panel.axes and panel.lines):
        return
    lines = [np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])]
    for place in ticks(ax, panel, "x")[0]:
        lines.append(np.array([[place, 0.0], [place, -TICK / panel.height]]))
    for place in ticks(ax, panel, "y")[0]:
        lines.append(np.array([[0.0, place], [-TICK / panel.width, place]]))
    drawn = LineCollection(
        lines, colors="black", linewidths=0.8, transform=ax.transAxes, clip_on=False, zorder=2.9, capstyle="projecting"
    )
    ax.add_collection(drawn, autolim=False)


def legend(ax: Axes, key: Key, **where: Any) -> None:
    """Explain the labels of a panel's marks, if there are any, in it or beside it."""
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    ax.legend(
        handles,
        labels,
        title=key.title or None,
        ncols=key.columns,
        fontsize=8,
        title_fontsize=8,
        frameon=False,
        **({"loc": key.place} if key.place not in ("right", "below") else where),
    )


def _set_axis(ax: Axes, which: str, axis: Axis, inches: float) -> None:
    on = ax.xaxis if which == "x" else ax.yaxis
    most = int(np.clip(inches * 72 / (axis.size * (3 if which == "x" else 2)), 1, 9))  # numbers that there is room for
    if axis.kind != "linear":
        more = {"linthresh": 1, "linscale": 0.35} if axis.kind == "symlog" else {}
        (ax.set_xscale if which == "x" else ax.set_yscale)(axis.kind, **more)
        on.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    elif axis.whole:
        on.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    else:
        on.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
        ax.ticklabel_format(axis=which, useOffset=False, style="plain")  # type: ignore[arg-type]  # "x" or "y"
    now = ax.get_xlim() if which == "x" else ax.get_ylim()
    low, high = (found if wanted is None else wanted for wanted, found in zip((axis.low, axis.high), now, strict=True))
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)


def _bars(ax: Axes, bars: Bars, order: float) -> None:
    at, height = np.asarray(bars.at, dtype=float), np.asarray(bars.height, dtype=float)
    at = np.broadcast_to(at, height.shape)
    low = np.broadcast_to(np.asarray(bars.base, dtype=float), height.shape)
    along, beyond, start, end = at - bars.width / 2, at + bars.width / 2, low, low + height
    corners = [(along, start), (beyond, start), (beyond, end), (along, end)]
    points = np.stack([np.stack(corner[::-1] if bars.across else corner, 1) for corner in corners], 1)
    ax.add_collection(PolyCollection(list(points), facecolors=bars.color, linewidths=0, label=bars.label, zorder=order))
    ax.autoscale_view()


def _spans(ax: Axes, spans: Spans, order: float) -> None:
    at, low, high = (np.atleast_1d(np.asarray(one, dtype=float)) for one in (spans.at, spans.low, spans.high))
    at, low, high = np.broadcast_arrays(at, low, high)
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return
    ends = [np.stack((end, at) if spans.across else (at, end), 1)[known] for end in (low, high)]
    colors = spans.color if isinstance(spans.color, str) else np.asarray(spans.color)[known]
    segments = list(np.stack(ends, 1))
    ax.add_collection(LineCollection(segments, colors=colors, linewidths=spans.width, label=spans.label, zorder=order))
    ax.autoscale_view()


def _dots(ax: Axes, dots: Dots, order: float) -> None:
    thick = 1.6 if dots.shape in "|_+x" else 0
    style: dict[str, Any] = {"alpha": dots.opacity, "label": dots.label, "clip_on": dots.clipped, "zorder": order}
    if isinstance(dots.color, str):
        wide = thick or (1.2 if not dots.filled or (dots.shape in "sD" and dots.size > 5) else 0)
        if not dots.filled:
            style["markerfacecolor"] = "none"
        ax.plot(dots.x, dots.y, dots.shape, color=dots.color, markersize=dots.size, markeredgewidth=wide, **style)
    else:
        ax.scatter(dots.x, dots.y, c=dots.color, s=dots.size**2, marker=dots.shape, linewidths=thick, **style)


def _line(ax: Axes, line: Line, order: float) -> None:
    ax.plot(
        line.x,
        line.y,
        color=line.color,
        linestyle=line.style,
        linewidth=line.width,
        marker=line.shape or None,
        markersize=line.size,
        alpha=line.opacity,
        label=line.label,
        zorder=order,
    )


def _band(ax: Axes, band: Band, order: float) -> None:
    style: dict[str, Any] = {"color": band.color, "alpha": band.opacity, "linewidth": 0, "label": band.label}
    ax.fill_between(band.x, band.low, band.high, zorder=order, **style)


def _rule(ax: Axes, rule: Rule, order: float) -> None:
    (ax.axhline if rule.across else ax.axvline)(
        rule.at, color=rule.color, linestyle=rule.style, linewidth=rule.width, label=rule.label, zorder=order
    )


def _stripe(ax: Axes, stripe: Stripe, order: float) -> None:
    (ax.axhspan if stripe.across else ax.axvspan)(
        stripe.low, stripe.high, color=stripe.color, alpha=stripe.opacity, linewidth=0, label=stripe.label, zorder=order
    )


def _image(ax: Axes, image: Image, order: float) -> None:
    # Numbers keep their cells; a picture that gets fewer pixels than it has is smoothed, else its edges are torn.
    smoothing = "nearest" if image.scale is not None else "auto"
    style: dict[str, Any] = {"interpolation": smoothing, "aspect": "auto", "alpha": image.opacity}
    if image.scale is not None:
        style["norm"], style["cmap"] = coloured(image.scale)
    rows, columns = np.shape(image.values)[:2]
    extent = image.extent or (-0.5, columns - 0.5, rows - 0.5, -0.5)
    shown = ax.imshow(image.values, extent=extent, zorder=order, **style)
    shown.set_gid("filmed" if image.filmed else None)


def _words(ax: Axes, words: Words, order: float) -> None:
    transform = {
        "": ax.transData,
        "x": ax.get_yaxis_transform(),
        "y": ax.get_xaxis_transform(),
        "xy": ax.transAxes,
    }[words.fraction]
    style: dict[str, Any] = {}
    if words.paper:
        style["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    if words.halo:
        from matplotlib.patheffects import withStroke

        style["path_effects"] = [withStroke(linewidth=2.5, foreground="white")]
    ax.text(
        float(words.x),
        float(words.y),
        words.text,
        transform=transform,
        ha=words.align,
        va=words.stand,
        fontsize=words.size,
        color=words.color,
        fontweight="bold" if words.bold else "normal",
        rotation=words.turned,
        parse_math=False,
        zorder=order,
        **style,
    )


def _shapes(ax: Axes, shapes: Shapes, order: float) -> None:
    if len(shapes.corners):
        ax.add_collection(
            PolyCollection(
                list(shapes.corners),
                facecolors=shapes.face,
                edgecolors=shapes.edge,
                linewidths=shapes.width,
                zorder=order,
            )
        )
        ax.autoscale_view()


def _strokes(ax: Axes, strokes: Strokes, order: float) -> None:
    if len(strokes.points):
        ax.add_collection(
            LineCollection(
                list(strokes.points),
                colors=strokes.color,
                linewidths=strokes.width,
                linestyles=strokes.style,
                alpha=strokes.opacity,
                zorder=order,
            )
        )
        ax.autoscale_view()


_DRAW: dict[type[Mark], Any] = {
    Bars: _bars,
    Spans: _spans,
    Dots: _dots,
    Line: _line,
    Band: _band,
    Rule: _rule,
    Stripe: _stripe,
    Image: _image,
    Words: _words,
    Shapes: _shapes,
    Strokes: _strokes,
}
