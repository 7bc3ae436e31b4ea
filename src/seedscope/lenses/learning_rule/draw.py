"""The figures of the learning rule: what each layer learned, in which directions, and from which class."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    DIVERGING,
    NEUTRAL,
    SILENT,
    Above,
    Axis,
    Bar,
    Beside,
    Facts,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Words,
    board,
    centred,
    of_member,
)
from seedscope.figures.over import step_axis
from seedscope.lenses.learning_rule.own_class import own_classes

if TYPE_CHECKING:
    import xarray as xr

_SHOWN = 10  # rows whose parts are drawn
_DASHES = {"seen": "-", "end": "--"}
_WORDS = {"seen": "all inputs seen", "end": "inputs at the end"}
_SIDE, _GAP, _LEFT = 1.0, 0.12, 0.95  # of the pictures of parts, inches
_LOWEST = 1e-18  # that the error's axis shows


def sheets(measured: xr.DataTree) -> Iterator[Sheet]:
    """Yield the rule and the span through training, shares by class, and the parts of rows that are pictures."""
    measured = measured.load()
    layers = list(measured.children)
    yield _rule_and_span(measured)
    for layer in layers:
        yield _shares(measured, layer, is_head=layer == layers[-1])
    if measured[layers[0]].sizes["input"] == int(np.prod(measured.attrs["picture"])):
        yield _parts(measured, layers[0], is_head=len(layers) == 1)


def _rule_and_span(measured: xr.DataTree) -> Sheet:
    """Show the rule's error and the span share at every frame, and the change along the inputs' directions."""
    import pandas as pd

    tables = [
        group.to_dataset()[["span_share", "rule_error"]].to_dataframe().reset_index().assign(layer=layer)
        for layer, group in measured.children.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return Sheet(
        "rule_and_span",
        Facts.of(measured),
        "The learning rule dW = doutᵀ·X, and where it leads",
        "Left: how far the rule is from the gradient, at every frame; rounding is about 1e-15. Middle: how much of a "
        "layer's change since step 0 lies in the span of the inputs it ever took (solid) and of those it takes in the "
        "end (dashed); dotted: what a random change would have, 1 where the span is everything. Right: how much of the "
        "change (solid) and of the inputs themselves (dashed) lies along the strongest directions of the inputs.",
        Beside([_errors(measured), _spans(measured), _leading(measured)]),
        table[["layer", *(column for column in table.columns if column != "layer")]],
    )


def _errors(measured: xr.DataTree) -> Panel:
    step = measured.step.values
    errors = {layer: np.maximum(group.rule_error.values, _LOWEST) for layer, group in measured.children.items()}
    marks = [
        Line(step, error, of_member(index), shape=".", label=str(layer))
        for index, (layer, error) in enumerate(errors.items())
    ]
    high = max(1e-13, 10 * max(float(error.max()) for error in errors.values()))
    return Panel(
        marks,
        "error of the rule against\nautomatic differentiation",
        step_axis(step),
        Axis("largest difference / largest entry", low=_LOWEST, high=high, kind="log"),
        width=3.3,
        key=Key("upper left"),
    )


def _spans(measured: xr.DataTree) -> Panel:
    step = measured.step.values
    marks: list[Mark] = []
    lowest, learned = 1.0, False
    for index, (layer, group) in enumerate(measured.children.items()):
        for inputs, style in _DASHES.items():
            own = group.to_dataset().sel(inputs=inputs)
            share, rank, n = own.span_share.values, int(own["rank"]), int(own.n_inputs)
            words = f"{layer}, {_WORDS[inputs]}: rank {rank} of {n}"
            marks += [
                Line(step, share, of_member(index), style, shape=".", label=words),
                Rule(rank / n, of_member(index), ":", 1.0),
            ]
            lowest = float(np.nanmin([*share, rank / n, lowest]))
            learned |= not np.isnan(share).all()
    return Panel(
        marks,
        "share of the learned change\nin the span of the inputs",
        step_axis(step),
        Axis("share of ‖ΔW‖²", low=max(0.0, lowest - 0.05 * (1.02 - lowest) - 0.01), high=1.005),
        width=3.3,
        empty="" if learned else "nothing was learned",
        key=Key("below"),
    )


def _leading(measured: xr.DataTree) -> Panel:
    marks: list[Mark] = []
    for index, (layer, group) in enumerate(measured.children.items()):
        for values, style, what in ((group.along.values, "-", "change"), (group.energy.values, "--", "inputs")):
            part = np.arange(len(values) + 1) / len(values)
            if not np.isnan(values).any():
                marks.append(Line(part, [0, *np.cumsum(values)], of_member(index), style, label=f"{layer}: {what}"))
    marks.append(Line([0, 1], [0, 1], NEUTRAL, ":", 1.0, label="a random change"))
    return Panel(
        marks,
        "along the directions of the inputs,\nstrongest first",
        Axis("share of the directions"),
        Axis("share of the sum of squares, summed", low=0, high=1.03),
        width=3.3,
        key=Key("below", columns=2),
    )


def _shares(measured: xr.DataTree, layer: str, *, is_head: bool) -> Sheet:
    """Show which share of each row's change the samples of each class brought about."""
    own = measured[layer].to_dataset()
    share, units = own.share.sel(labelling="class").values, own.unit.values
    rows, classes = share.shape
    what = "row of" if is_head else "unit of"
    scale = Scale(-1, 1, DIVERGING, absent=SILENT)
    numbers = share if classes <= 20 and rows <= 40 else np.zeros((0, 0))
    marks: list[Mark] = [Image(share, scale)]
    marks += [
        Words(k, row, _number(value), size=8, color="white" if abs(value) > 0.6 else "black")
        for (row, k), value in np.ndenumerate(numbers)
        if np.isfinite(value)
    ]
    every = max(1, rows // 40)
    return Sheet(
        f"change_by_class_{layer}",
        Facts.of(measured),
        f"Whose samples changed each {what} {layer}?",
        "The training is split by the class of the sample: each number is the part of a row's learned change, "
        "projected on that change, that samples of one class brought about. A row adds up to 1 (but for the very first "
        "step, which is not split); a negative share pushed against what was learned. Colours end at −1 and 1. "
        f"Classes shuffled over samples: about {measured.class_share.values.mean():.2f} each."
        + _left_out(measured, share, is_head=is_head),
        Panel(
            marks,
            x=Axis("class of the samples", range(0, classes, max(1, classes // 20))),
            y=Axis(
                f"{what} {layer}" + (" (centred over targets)" if is_head and rows > 1 else ""),
                range(0, rows, every),
                [str(unit) for unit in units[::every]],
            ),
            width=max(4.5, 0.55 * classes),
            height=0.33 * max(rows, 3),
            bar=Bar(scale, "share of the row's change"),
        ),
        own.share.to_series().rename("share").reset_index(),
        family="Whose samples changed each row?",
        mark=layer,
    )


def _left_out(measured: xr.DataTree, share: np.ndarray, *, is_head: bool) -> str:
    words = "" if is_head else f" Of the hidden units the {len(share)} whose weights changed most are shown."
    astray, unchanged = float(measured.replay_error), int(np.isnan(share[:, 0]).sum())
    if astray:
        words += f" The replay did not end in the same bits: it is off by {astray:.1g} of the largest weight."
    if unchanged:
        words += f" Grey rows: {unchanged} that did not change at all."
    return words


def _parts(measured: xr.DataTree, layer: str, *, is_head: bool) -> Sheet:
    """Show the learned change of rows that look at pictures, beside what classes of sample put into it."""
    own = measured[layer].to_dataset()
    change, part = own.change.values.astype(np.float64), own.part.values.astype(np.float64)
    share = own.share.sel(labelling="class").values
    order = np.argsort(-np.linalg.norm(change, axis=1), kind="stable")[:_SHOWN]
    order = np.sort(order) if is_head else order
    order = order[~np.isnan(share[order, 0])]
    first = own_classes(measured)[order] if is_head else np.nan_to_num(share[order]).argmax(1)
    second = np.where(first[:, None] == np.arange(share.shape[1]), -np.inf, share[order]).argmax(1)
    lines = {
        "learned change": (
            change[order],
            [f"{'row' if is_head else 'unit'} {unit}" for unit in own.unit.values[order]],
        ),
        "own class" if is_head else "largest class": (part[first, order], _words(first, share, order)),
        "largest other class": (part[second, order], _words(second, share, order)),
        "all but the first class": (change[order] - part[first, order], _rest(first, share, order)),
    }
    colours = " Pictures in colour are averaged over their channels." if measured.attrs["picture"][0] > 1 else ""
    return Sheet(
        f"parts_{layer}",
        Facts.of(measured),
        f"What {layer} learned, and from which samples",
        "Top: what each row learned, W at the end minus W at step 0, as a picture; blue: brightness there speaks for "
        "the unit, red: against. Below, on a scale of their own: the part that samples of one class put into it, with "
        "its share of the change; at the bottom all classes but that of the second line. Second and last line add up "
        "to the first." + (" Rows are centred over targets." if is_head and len(change) > 1 else "") + colours,
        _lines_of_pictures(lines, measured.attrs["picture"])
        if len(order)
        else Panel(empty="nothing was learned: no weight changed"),
    )


def _lines_of_pictures(lines: dict[str, tuple[np.ndarray, list[str]]], shape: np.ndarray) -> Above:
    """Show each line of rows (row, input) as pictures; the first has a scale of its own, the others share one."""
    kinds = list(lines)
    boards = []
    for some, what in ((kinds[:1], "learned change"), (kinds[1:], "weight, by class")):
        scale = centred(np.concatenate([lines[kind][0] for kind in some]))
        boards.append(_board({kind: lines[kind] for kind in some}, shape, Bar(scale, what)))
    return Above(boards)


def _board(lines: dict[str, tuple[np.ndarray, list[str]]], shape: np.ndarray, bar: Bar) -> Panel:
    tall = _SIDE * float(np.clip(shape[1] / shape[2], 0.5, 2))
    marks: list[Mark] = []
    for line, (kind, (values, words)) in enumerate(lines.items()):
        top = line * (tall + 0.3) + 0.25
        marks.append(Words(0, top + tall / 2, textwrap.fill(kind, 13), size=9, align="left"))
        for column, (value, said) in enumerate(zip(values, words, strict=True)):
            left = _LEFT + column * (_SIDE + _GAP)
            marks.append(Image(value.reshape(shape).mean(0), bar.scale, (left, left + _SIDE, top + tall, top)))
            marks.append(Words(left + _SIDE / 2, top - 0.03, said, stand="bottom"))
    return board(marks, _LEFT + len(values) * (_SIDE + _GAP), len(lines) * (tall + 0.3), bar)


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # no -0.00


def _words(classes: np.ndarray, share: np.ndarray, order: np.ndarray) -> list[str]:
    return [f"class {k}: {_number(share[row, k])}" for k, row in zip(classes, order, strict=True)]


def _rest(classes: np.ndarray, share: np.ndarray, order: np.ndarray) -> list[str]:
    return [f"the rest: {_number(1 - share[row, k])}" for k, row in zip(classes, order, strict=True)]
