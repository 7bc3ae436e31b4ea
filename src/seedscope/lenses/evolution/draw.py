"""Figures of one replica's training: films, and when its final top units came to be so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    NEUTRAL,
    NO_TICKS,
    SEQUENTIAL,
    Axis,
    Band,
    Bar,
    Beside,
    Dots,
    Facts,
    Grid,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Strokes,
    Words,
    class_names,
    heat_map,
)
from seedscope.figures.over import first_epoch, frame_axis
from seedscope.files.arrays import root_of
from seedscope.lenses.evolution.films import films
from seedscope.lenses.evolution.foretold_sheet import foretold_sheet
from seedscope.lenses.evolution.formation import MEASURES, formation_table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from seedscope.lenses.lens import Numbers

_MANY = 60  # rows that still can be named one by one


def draw(measured: Numbers, layers: Sequence[str], top: int) -> Iterator[Sheet]:
    """Yield the films, then the stills."""
    yield from films(measured, layers)
    root = root_of(measured)
    yield _dominance_evolution(root, top)
    if root.sizes["frame"] > 1:
        yield foretold_sheet(root, top, "from_step_0")
    yield _logit_margin(root)


def _dominance_evolution(root: xr.Dataset, top: int) -> Sheet:
    """Show the rank of each final top unit over frames, and overlap and AUC against their nulls."""
    members = [(k, int(unit)) for k, units in enumerate(root["top"].values) for unit in units if unit >= 0]
    live = int(root["live"].values[-1].sum())
    height = float(np.clip(0.13 * len(members), 4.6, 12))
    right = [_held_against_null(root, name, top, (height - 0.5) / 2) for name in MEASURES]
    return Sheet(
        "dominance_evolution",
        Facts.of(root),
        f"When did the final top {top} of each class become its top {top}?",
        f"Left: the rank, by mean centred vote among the {live} units that are live in the end, of each unit that is "
        f"in the top {top} of a class in the end; a dot where it is in the top {top}. Right: how many of them are in "
        f"the top {top} at each frame, and the probability that one of them stands above another live unit; grey: the "
        "same with shuffled unit labels. Head alone: by its centred weights at step 0. Only units that live in the end "
        "take part, which step 0 does not know.",
        Beside([_ranks(root, members, top, height), Grid(right, 1, share_x=True, key=Key("below", columns=3))]),
        formation_table(root),
        note=f"{live} live units",
    )


def _ranks(root: xr.Dataset, members: Sequence[tuple[int, int]], top: int, height: float) -> Panel:
    """Show the rank of each member (class, unit) at each frame."""
    live, width = int(root["live"].values[-1].sum()), 5.4
    scale = Scale(1, max(live, 2), f"{SEQUENTIAL}_r")
    panel = Panel(
        title=f"rank of each final top unit (dot: in the top {top})",
        x=frame_axis(root["step"].values),
        y=_member_axis(members, class_names(root)),
        width=width,
        height=height,
        bar=Bar(scale, "rank (1: largest vote)"),
    )
    if not members:
        return replace(panel, empty="no live unit", y=NO_TICKS, bar=None)
    rank = np.stack([root["unit_rank"].values[:, k, unit] for k, unit in members])
    row, frame = np.nonzero(rank <= top)
    n_frames = rank.shape[1]
    borders = np.flatnonzero(np.diff([k for k, _ in members])) + 0.5
    marks: list[Mark] = [
        heat_map(rank, width, scale),
        *first_epoch(root["epoch"].values),
        Dots(frame, row, "black", size=min(2.2, 250 / n_frames)),
        Strokes([np.array([[-0.5, border], [n_frames - 0.5, border]]) for border in borders], "white", 2.5),
    ]
    return replace(panel, marks=marks)


def _member_axis(members: Sequence[tuple[int, int]], names: Sequence[str]) -> Axis:
    """Return an axis that names each member (class, unit), its class at the first; or classes alone, where many."""
    rows = range(len(members))
    first = [row for row in rows if row == 0 or members[row][0] != members[row - 1][0]]
    if len(members) > _MANY:
        first = first[:: -(-len(first) // 40)]
        return Axis("class", first, [str(members[row][0]) for row in first], size=6.5)
    words = [f"{names[k]} · {unit}" if row in first else str(unit) for row, (k, unit) in enumerate(members)]
    return Axis("class · unit", rows, words, size=6.5)


def _held_against_null(root: xr.Dataset, name: str, top: int, height: float) -> Panel:
    """Show overlap or AUC over frames: each class, their mean, and shuffled unit labels."""
    mean, drawn = root[f"{name}_mean"].values, root[f"{name}_null_shuffled"].values
    chance, x = float(root[f"{name}_null_chance"]), np.arange(len(mean))
    live = int(root["live"].values[-1].sum())
    panel = Panel(x=frame_axis(root["step"].values), y=Axis(MEASURES[name].format(top=top)), width=4.6, height=height)
    if np.isnan(mean).all():
        why = f"the {live} live units are all in the top {top}" if live else "no live unit"
        return replace(panel, empty=why)
    head = f" (head alone: {float(root['head_auc_mean']):.2f})" if name == "auc" else ""
    untrained = f"at step 0: {mean[0]:.2f}{head}, chance {chance:.2f}, p = {float(root[f'{name}_p'][0]):.2g}"
    marks: list[Mark] = [
        Band(x, drawn[:, 0], drawn[:, 1], "#cccccc", 1.0, label="95 % of shuffles"),
        *first_epoch(root["epoch"].values),
        Rule(chance, "black", width=1.0, label="chance"),
        *(Line(x, of_class, FOR, width=0.5, opacity=0.45) for of_class in root[name].values.T),
        Line(x, mean, AGAINST, width=1.8, shape="o", label="mean over classes (blue: each class)"),
    ]
    return replace(panel, marks=marks, title=untrained if len(mean) > 1 else "one frame: compared with itself")


def _logit_margin(root: xr.Dataset) -> Sheet:
    """Show the margin's quartiles and the accuracy over frames."""
    n = root.sizes["sample"]
    axis = replace(frame_axis(root["step"].values), label="")
    names = class_names(root)
    accuracy = Panel(
        [
            *first_epoch(root["epoch"].values),
            Line(np.arange(root.sizes["frame"]), root["accuracy"].values, AGAINST, width=1.8, shape="o"),
            Rule(1 / len(names), NEUTRAL, "--"),
            Words(1, 1 / len(names), f"1 of {len(names)} classes", 8, align="right", stand="bottom", fraction="x"),
        ],
        x=axis,
        y=Axis(f"accuracy on {n} probe pictures", low=0, high=1.02),
        width=4.6,
    )
    return Sheet(
        "logit_margin_evolution",
        Facts.of(root),
        "Margin of the true class during training",
        "Left: the logit of the true class minus the strongest other at each frame of the training, median and "
        "quartiles over the followed pictures; below 0 the decision is wrong. Right: their accuracy.",
        Grid([_margin(root, axis), accuracy], 2, x_label=frame_axis(root["step"].values).label),
        _margin_table(root),
    )


def _margin(root: xr.Dataset, axis: Axis) -> Panel:
    margin, label, x = root["margin"].values, root["label"].values, np.arange(root.sizes["frame"])
    low, median, high = _quartiles(margin)
    of_class = [np.median(margin[:, label == k], axis=1) for k in np.unique(label)]
    marks: list[Mark] = [
        Band(x, low, high, FOR, label="quartiles"),
        *first_epoch(root["epoch"].values),
        *(
            Line(x, medians, NEUTRAL, width=0.6, label="median of each class" if not index else "")
            for index, medians in enumerate(of_class)
        ),
        Line(x, median, FOR, width=1.8, shape="o", label=f"median of {margin.shape[1]} pictures"),
        Rule(0, "black", width=0.6),
    ]
    return Panel(marks, x=axis, y=Axis("logit of the true class − strongest other"), width=4.6, key=Key("upper left"))


def _margin_table(root: xr.Dataset) -> pd.DataFrame:
    import pandas as pd

    low, median, high = _quartiles(root["margin"].values)
    return pd.DataFrame(
        {
            "step": root["step"].values,
            "epoch": root["epoch"].values,
            "margin_low_quartile": low,
            "margin_median": median,
            "margin_high_quartile": high,
            "accuracy": root["accuracy"].values,
        }
    )


def _quartiles(margin: np.ndarray) -> np.ndarray:
    return np.quantile(margin, (0.25, 0.5, 0.75), axis=1)
