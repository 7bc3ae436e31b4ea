"""The figures of one replica: which classes are confused, where in the picture, and who voted so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    SEQUENTIAL,
    Axis,
    Bar,
    Bars,
    Beside,
    Body,
    Facts,
    Grid,
    Image,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Spans,
    Words,
    class_names,
    named,
    picture,
)
from seedscope.formulas.intervals import wilson_interval
from seedscope.lenses.mistakes.borders import border_distance, borders, filled
from seedscope.lenses.mistakes.named import NAMED
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """Yield the confusion matrix, accuracy by place where places are known, and the votes of mistakes."""
    measured = measured.load()
    yield confusion_matrix(measured)
    if "place_n" in measured:
        yield accuracy_by_place(measured)
    yield misclassified(measured)


def confusion_matrix(measured: xr.Dataset) -> Sheet:
    """Show how many pictures of each class were decided as each class, on a logarithmic scale."""
    import pandas as pd

    counts, classes = measured.confusion.values, class_names(measured)
    n_classes, side = len(counts), float(np.clip(0.56 * len(counts), 2.5, 5.6))
    logarithm = np.log(np.where(counts > 0, counts, np.nan))
    scale = Scale(0.0, float(np.log(max(int(counts.max()), 2))), "Blues", "white")
    marks: list[Mark] = [Image(logarithm, scale)]
    for row, column in np.argwhere(counts > 0):
        colour = "white" if logarithm[row, column] > 0.6 * scale.high else "black"
        marks.append(Words(column, row, str(counts[row, column]), 8, colour))
    table = pd.DataFrame(counts, columns=[str(k) for k in range(n_classes)])
    table.insert(0, "true", range(n_classes))
    return Sheet(
        "confusion_matrix",
        Facts.of(measured),
        f"Confusion: {measured.sizes['mistake']} of {counts.sum()} probe pictures wrongly decided",
        "How many probe pictures of each true class (row) were decided as each class (column), the darker the "
        "more, on a logarithmic scale; empty cells are 0.",
        Panel(
            marks,
            x=Axis("decided class", range(n_classes), low=-0.5, high=n_classes - 0.5),
            y=named(classes, "true class", turned=0, size=8, low=n_classes - 0.5, high=-0.5),
            width=side,
            height=0.9 * side,
        ),
        table=table,
    )


def accuracy_by_place(measured: xr.Dataset) -> Sheet:
    """Show the accuracy at each place of the square, and by the distance to a place of another class."""
    hits, n = measured.place_hits.values, measured.place_n.values
    label_of_place = np.full(n.shape, -1)
    label_of_place[measured.square_y.values.astype(int), measured.square_x.values.astype(int)] = measured.label.values
    label_of_place = filled(label_of_place)
    table = _by_distance(hits, n, border_distance(label_of_place))
    return Sheet(
        "accuracy_by_place",
        Facts.of(measured),
        "Accuracy by place of the square",
        "Left: accuracy for each top-left pixel of the square. Right: accuracy by the distance to the nearest place "
        "that belongs to another class, with 95 % Wilson intervals.",
        Beside([_map_of_places(hits, n, label_of_place), _curve_of_distances(table)], gap=0.4),
        table=table,
    )


def _map_of_places(hits: np.ndarray, n: np.ndarray, label_of_place: np.ndarray) -> Panel:
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, hits / n, np.nan)
    rows, columns = n.shape
    scale, shrink = Scale(0.0, 1.0, SEQUENTIAL), 3.9 / max(rows, columns)
    marks: list[Mark] = [Image(share, scale)]
    for axis in (0, 1):
        marks += [Rule(at + 0.5, "white", across=axis == 0) for at in np.flatnonzero(borders(label_of_place, axis))]
    return Panel(
        marks,
        f"{int(np.median(n[n > 0]))} pictures at a typical place; grey: none; white: cell borders",
        Axis("left edge of the square, pixel", whole=True, low=-0.5, high=columns - 0.5),
        Axis("top edge of the square, pixel", whole=True, low=rows - 0.5, high=-0.5),
        columns * shrink,
        rows * shrink,
        bar=Bar(scale, "accuracy"),
    )


def _by_distance(hits: np.ndarray, n: np.ndarray, distance: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    steps = np.unique(distance[n > 0])
    total = np.array([n[distance == step].sum() for step in steps])
    correct = np.array([hits[distance == step].sum() for step in steps])
    low, high = wilson_interval(correct, total)
    numbers = {"n": total, "correct": correct, "accuracy": correct / total, "low": low, "high": high}
    return pd.DataFrame({"pixels_to_border": steps, **numbers})


def _curve_of_distances(table: pd.DataFrame) -> Panel:
    steps = table["pixels_to_border"].to_numpy()
    low = table["low"].to_numpy()
    return Panel(
        [
            Spans(steps, low, table["high"].to_numpy(), width=1.2),
            Line(steps, table["accuracy"].to_numpy(), FOR, shape="o", size=4),
        ],
        "Mistakes lie at the borders between cells?",
        Axis("pixels to the nearest place of another class", steps),
        Axis("accuracy (95 % interval)", low=min(0.9, float(np.nanmin(low)) - 0.02), high=1.005),
        width=4.2,
        height=3.9,
    )


def misclassified(measured: xr.Dataset) -> Sheet:
    """Show the most confidently misclassified pictures, each with who pulled and who failed to object."""
    shown, units = measured.shown_position.values, Units.measured(measured)
    description = (
        "The most confidently misclassified pictures. Middle: the units whose votes pulled most towards the wrong "
        "class. Right: the units that objected less than they do in correctly decided pictures of the class."
    )
    body: Body = Panel(
        width=6.0, height=0.7, axes=False, empty="No probe picture was misclassified: there is nothing to explain."
    )
    if len(shown):
        panels = [panel for index in range(len(shown)) for panel in _mistake(measured, index, units)]
        below = f"{units.words}{units.key}"
        body = Grid(panels, 3 * min(3, len(shown)), share_y=True, group=3, x_label=below, gap=0.2)
    return Sheet(
        "misclassified_votes",
        Facts.of(measured),
        "Who voted for the wrong class, and who failed to object?",
        description if len(shown) else "No probe picture was misclassified.",
        body,
    )


def _mistake(measured: xr.Dataset, index: int, units: Units) -> list[Panel]:
    """Show one picture, who pulled it to the wrong class, and who objected too little."""
    position = int(measured.shown_position[index])
    mistake = int(np.flatnonzero(measured.wrong_position.values == position)[0])
    true, decided = int(measured.label[position]), int(measured.predicted[position])
    live = measured.live.values
    words = (
        f"sample {int(measured.sample[position])}\n{true} taken for {decided}\nby {float(measured.margin[mistake]):.2f}"
    )
    why = f"no {true} was\ndecided correctly" if live.any() else "no unit votes"
    return [
        picture(measured.shown_image.values[index], words, side=1.2),
        _largest(measured.pull.values[mistake], live, units, f"pulled to {decided}", AGAINST, why),
        _largest(measured.shortfall.values[mistake], live, units, "objected too little", MARK, why),
    ]


def _largest(values: np.ndarray, live: np.ndarray, units: Units, title: str, colour: str, why: str) -> Panel:
    """Show the few largest values of live units."""
    candidates = np.flatnonzero(live & ~np.isnan(values))
    chosen = candidates[np.argsort(-values[candidates], kind="stable")][:NAMED]
    names = units.names(chosen)
    return Panel(
        [Bars(np.arange(len(chosen)), values[chosen], colour), Rule(0, "black", width=0.6)],
        title,
        named(names, turned=90 if max(map(len, names), default=0) > 2 else 0, low=-0.6, high=len(chosen) - 0.4),
        Axis("logit units", size=7),
        width=1.1,
        height=1.6,
        empty="" if len(chosen) else why,
    )
