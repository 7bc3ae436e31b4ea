"""Figures of one replica: what makes its votes vary, pictures with their votes, and how much change is borne."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    NEUTRAL,
    Above,
    Axis,
    Bars,
    Beside,
    Facts,
    Grid,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
    Words,
    board,
    class_names,
    grey_or_rgb,
    named,
    sign_colours,
)
from seedscope.formulas.variance import shares
from seedscope.lenses.variation.designs import SOURCES, designs_of
from seedscope.lenses.variation.panels import SOURCE_COLOURS, curve_grid, settings_sheet

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_BARS = 40  # units drawn
_WIDE, _TALL = 9.6, 1.05  # of a strip, and of its pictures, inches
_STRIPS = ("same place, new noise", "same noise, another place")


def draw(measured: xr.Dataset, top: int) -> Iterator[Sheet]:
    """Yield what makes votes vary, pictures with their votes, and robustness; each where its design was made."""
    measured = measured.load()
    if "component" in measured:
        yield _variance(measured)
        if "setting_share" in measured:
            yield settings_sheet(measured, "vote_variance_by_setting")
        yield _same_class(measured)
    if "accuracy" in measured:
        yield _robustness(measured, top)


def _variance(measured: xr.Dataset) -> Sheet:
    pooled = zip(SOURCES, shares(measured["component"].values.sum((1, 2))), strict=True)
    varies = bool((measured["component"].values.sum((0, 1)) > 0).any())
    counts = sorted({(int(p), int(n)) for p, n in zip(measured["n_places"], measured["n_noises"], strict=True) if p})
    sizes = " or ".join(f"{p} places × {n} noise fields" for p, n in counts)
    return Sheet(
        "vote_variance",
        Facts.of(measured),
        "What makes a unit's vote for its class vary?",
        f"The variance of each unit's centred votes for the pictures' own class over {sizes} of each class, split by "
        "a two-way analysis of variance into unbiased components (negative estimates are drawn as 0; the table keeps "
        "them). Interaction: what place and noise do not explain each by itself. Shuffled: the same pictures "
        "assigned to places and noise at random. All this is so at this data set's setting: how much place has over "
        "noise depends on how strong the noise is and how far the places of a class lie apart.",
        Beside([_units(measured), _classes(measured, varies)]),
        _variance_table(measured),
        note=", ".join(f"{name} {share:.0%}" for name, share in pooled) if varies else "no vote varies",
    )


def _units(measured: xr.Dataset) -> Grid:
    """Show the variance of each unit's votes, and the shares of its sources."""
    of_unit = measured["component"].values.sum(1)
    total = of_unit.sum(0)
    order = np.argsort(-total, kind="stable")
    shown = order[total[order] > 0][:_BARS]
    n_live = int(measured["live"].sum())
    empty = "" if len(shown) else "no vote varies" if n_live else "no live unit"
    positions, x = np.arange(len(shown)), named(shown.tolist(), f"unit of {measured.attrs['features']}")
    x = replace(x, low=-0.7, high=max(len(shown), 1) - 0.3)
    variance = Panel(
        [Bars(positions, total[shown], NEUTRAL)],
        f"{len(shown)} of {n_live} live units, by the variance of their votes",
        x,
        Axis("logit²"),
        width=5.6,
        height=1.15,
        empty=empty,
    )
    stack = Panel(_stack(positions, of_unit[:, shown]), "", x, _SHARE, width=5.6, height=2.6, empty=empty)
    return Grid([variance, stack], 1, share_x=True)


def _classes(measured: xr.Dataset, varies: bool) -> Panel:
    """Show the shares of the sources for each class, all votes and the margin, beside those of shuffled pictures."""
    component, margin = measured["component"].values, measured["margin_component"].values
    classes = np.flatnonzero(measured["n_places"].values)
    stacks = [*component.sum(2)[:, classes].T, component.sum((1, 2)), margin.sum(1)]
    names = [*(str(k) for k in classes), "all\nvotes", "margin"]
    if varies:
        stacks.append(measured["share_null_shuffled"].values.mean(1))
        names.append("shuf-\nfled")
    step = max(1.7, 0.15 * len(classes))  # the words below need room
    places = np.array([*range(len(classes)), *(len(classes) - 1 + step * np.arange(1, len(names) - len(classes) + 1))])
    every = -(-len(classes) // 12)
    kept = [index for index in range(len(names)) if index >= len(classes) or index % every == 0]
    return Panel(
        _stack(places, np.stack(stacks, 1)),
        x=Axis("votes for the class, summed over units", places[kept], [names[index] for index in kept]),
        y=_SHARE,
        width=4.0,
        height=3.9,
        key=Key("below", columns=3),
    )


_SHARE = Axis("share of the variance", low=0, high=1)


def _stack(positions: np.ndarray, parts: np.ndarray) -> list[Mark]:
    """Stack the shares of components (source, position): negative ones count as 0, and 0 where nothing varies."""
    base, marks = np.zeros(len(positions)), []
    for name, part in zip(SOURCES, np.nan_to_num(shares(np.clip(parts, 0, None))), strict=True):
        marks.append(Bars(positions, part, SOURCE_COLOURS[name], base, label=name))
        base = base + part
    return list(marks)


def _variance_table(measured: xr.Dataset) -> pd.DataFrame:
    """Return components and sums of squares of each class: of each live unit's votes, and of the margin."""
    import pandas as pd

    names = ("component", "sum_of_squares")
    of_votes = {name: measured[name].values for name in names}  # (source, class, unit)
    of_margin = {name: measured[f"margin_{name}"].values for name in names}
    rows = []
    for k in np.flatnonzero(measured["n_places"].values):
        for unit in np.flatnonzero(measured["live"].values):
            numbers = {name: values[:, k, unit] for name, values in of_votes.items()}
            rows.append({"class": int(k), "unit": str(unit), **_by_source(numbers)})
        numbers = {name: values[:, k] for name, values in of_margin.items()}
        rows.append({"class": int(k), "unit": "margin", **_by_source(numbers)})
    return pd.DataFrame(rows)


def _by_source(numbers: dict[str, np.ndarray]) -> dict[str, float]:
    return {f"{source}_{name}": values[i] for name, values in numbers.items() for i, source in enumerate(SOURCES)}


def _same_class(measured: xr.Dataset) -> Sheet:
    """Show pictures of one class in two strips, each picture with the votes for the class."""
    k, named_units = int(measured.attrs["class_shown"]), measured.sizes["rank"]
    parts: list[Panel] = []
    for strip, words in enumerate(_STRIPS):
        last = strip == len(_STRIPS) - 1
        parts += [
            _pictures(measured, strip, words),
            _votes(measured, strip, f"unit of {measured.attrs['features']}" * last),
        ]
    return Sheet(
        "same_class_different_votes",
        Facts.of(measured),
        f"Same class, different votes: class {class_names(measured)[k]}",
        f"Pictures of class {k} that differ in the noise alone (above) or in the place alone (below), each with the "
        f"centred votes for {k} of the same {named_units} units: those with the largest mean |vote| over the class's "
        "crossed pictures.",
        Above(parts),
    )


def _pictures(measured: xr.Dataset, strip: int, words: str) -> Panel:
    """Show a strip of pictures, above each what was decided."""
    k, images = int(measured.attrs["class_shown"]), measured["strip_image"].values[strip]
    decided, margin = measured["strip_decided"].values[strip], measured["strip_margin"].values[strip]
    column = _WIDE / len(images)
    tall, wide = images.shape[-2:]
    height = min(_TALL, 0.94 * column * tall / wide)
    half = height * wide / tall / 2
    marks: list[Mark] = [Words(0, 0.1, words, 10, align="left", bold=True)]
    for picture, image in enumerate(images):
        x = (picture + 0.5) * column
        said = f"decided: {decided[picture]}, margin {margin[picture]:.2f}".replace("-", "−")
        marks.append(Words(x, 0.36, said, 8, "black" if decided[picture] == k else AGAINST))
        marks.append(Image(grey_or_rgb(image), extent=(x - half, x + half, 0.5 + height, 0.5)))
    return board(marks, _WIDE, 0.5 + height)


def _votes(measured: xr.Dataset, strip: int, label: str) -> Panel:
    """Show the votes in each picture of a strip, on the scale of all strips."""
    votes, units = measured["strip_vote"].values, measured["strip_unit"].values
    _, count, shown = votes.shape
    y = Axis(f"vote for {int(measured.attrs['class_shown'])}\n(logit units)")
    if not shown:
        return Panel(y=y, width=_WIDE, height=1.0, empty="no live unit")
    low, high = min(float(votes.min()), 0.0), max(float(votes.max()), 0.0)
    room = 0.06 * (high - low or 1.0)
    positions = (np.arange(count)[:, None] + (np.arange(shown) + 1.5) / (shown + 2)).ravel()
    heights = votes[strip].ravel()
    turned = 90.0 if (units > 99).any() else 0.0
    return Panel(
        [
            Rule(0, "black", width=0.6),
            Bars(positions, heights, sign_colours(heights), width=0.8 / (shown + 2)),
            *(Rule(border, width=0.4, across=False) for border in range(1, count)),
        ],
        x=Axis(label, positions, [str(unit) for unit in units] * count, 0, count, turned=turned, size=6.5),
        y=replace(y, low=low - room if low < 0 else 0.0, high=high + room if high > 0 else 0.0),
        width=_WIDE,
        height=1.0,
    )


def _robustness(measured: xr.Dataset, top: int) -> Sheet:
    """Show accuracy, margin and who votes, as one thing changes."""
    again = [part["overlap_null_other_pictures"].values[0] for _, part in designs_of(measured)]
    told = ", ".join(f"{value:.2f}" for value in again if np.isfinite(value)) or "none"
    n_classes, chance = len(class_names(measured)), float(measured["overlap_null_chance"])

    def marks(name: str, part: xr.Dataset) -> Sequence[Mark]:
        if name == "accuracy":
            return [*_with_interval(part, name, FOR, "mean"), Rule(1 / n_classes, "black", "--", 0.9, label="chance")]
        if name == "margin":
            median = Line(part["level"].values, part["margin_median"].values, MARK, "--", 1.1, label="median")
            return [*_with_interval(part, name, FOR, "mean"), median, Rule(0, "black", width=0.6)]
        return _overlaps(part, chance) if measured["live"].any() else []

    names = [str(name) for name, array in measured.data_vars.items() if array.dims == ("condition",)]
    table = measured[names].to_dataframe()
    return Sheet(
        "robustness",
        Facts.of(measured),
        "How much change do the decision and its voters bear?",
        "Accuracy (95 % Wilson interval over pictures), margin of the true class (mean with its 95 % interval, median) "
        f"and how many of the top {top} voters, of each class and of each picture, are those of the base level "
        "(dotted vertical line), as one thing changes in the same pictures; pictures that changed class have no "
        "overlap of their own. Dotted: a picture with the next of its class at the base level, and with those of other "
        f"classes, asked for the class of the first. Base level and probe pictures, which are others, share {told} of "
        f"a class's. Units dead on all probe pictures cast at most {float(measured['woken_share'].max()):.1%} of all "
        "|votes| at any level.",
        curve_grid(measured, ("accuracy", "margin", "overlap"), top, marks, "no live unit"),
        table.set_index(["design", "level", "base"]).reset_index(),
    )


def _overlaps(part: xr.Dataset, chance: float) -> list[Mark]:
    """Show how many top voters of a class and of a picture are those of the base level."""
    level, null = part["level"].values, part["picture_overlap_null_another_picture"].values
    stranger = part["picture_overlap_null_other_class"].values
    known = np.isfinite(part["picture_overlap"].values)
    return [
        Line(level, part["overlap"].values, FOR, shape="o", width=1.2, label="of a class"),
        *_with_interval(part.isel(condition=known), "picture_overlap", AGAINST, "of a picture", shape="s"),
        Line(level[known], null[known], AGAINST, ":", 1.3, label="of two pictures of a class"),
        Line(level[known], stranger[known], MARK, ":", 1.3, label="of pictures of two classes"),
        Rule(chance, "black", "--", 0.9, label="chance, live units"),
    ]


def _with_interval(part: xr.Dataset, name: str, color: str, label: str, shape: str = "o") -> list[Mark]:
    level, low, high = (part[each].values for each in ("level", f"{name}_low", f"{name}_high"))
    line = Line(level, part[name].values, color, width=1.2, shape=shape, label=label)
    return [line, Spans(level, low, high, color, 1.2)]
