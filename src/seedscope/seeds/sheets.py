"""What replicas look like beside each other: learning curves, every number by seed, seeds needed, conditions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    NEUTRAL,
    Axis,
    Band,
    Beside,
    Dots,
    Facts,
    Grid,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
    Stripe,
    of_member,
)
from seedscope.lenses.lens import is_gain

if TYPE_CHECKING:
    import pandas as pd

    from seedscope.seeds.conditions import Axis as Conditions
    from seedscope.seeds.headlines import Followed, Metrics

_NAMED = 12  # seeds that a key names
_SEEDS = (2, 5, 10, 20, 50, 100, 200, 400)


def learning_sheet(about: Facts, curves: pd.DataFrame) -> Sheet:
    """Show loss and accuracy by epoch, a line per seed."""
    validated = "validation_loss" in curves
    dotted = ", dotted: validation" if validated else ""
    return Sheet(
        "learning_curves",
        about,
        "Learning, one line per seed",
        "Loss and accuracy by epoch. Training values are those of the batches as they came by, before each step; probe "
        f"{'and validation ' if validated else ''}values are taken at the end of the epoch.",
        Beside([_learning_panel(about, curves, what, validated) for what in ("loss", "accuracy")]),
        curves[["seed", *(column for column in curves.columns if column != "seed")]],
        note=f"solid: probe, dashed: training{dotted}",
    )


def _learning_panel(about: Facts, curves: pd.DataFrame, what: str, validated: bool) -> Panel:
    parts = [("train", "--", 0.9), ("probe", "-", 1.3), *([("validation", ":", 1.1)] if validated else [])]
    marks: list[Mark] = []
    for index, seed in enumerate(about.seeds):
        of_seed = curves[curves["seed"] == seed]
        shape = "." if len(of_seed) == 1 else ""
        for part, style, width in parts:
            named = str(seed) if part == "probe" and len(about.seeds) <= _NAMED else ""
            values = of_seed[f"{part}_{what}"].to_numpy(float)
            marks.append(Line(of_seed["epoch"], values, of_member(index), style, width, shape, label=named))
    return Panel(
        marks,
        x=Axis("epoch", whole=True),
        y=Axis("loss (nats per picture)" if what == "loss" else what),
        width=4.0,
        height=2.6,
        empty="no epoch was trained" if curves.empty else "",
        key=Key("right", "seed") if what == "accuracy" else None,
    )


def numbers_sheet(about: Facts, lens: str, by_seed: Metrics, metrics: Mapping[str, Mapping[str, Any]]) -> Sheet:
    """Show every number of a lens by seed, with mean and interval."""
    return Sheet(
        f"numbers_of_{lens}",
        about,
        f"Every number of {lens.replace('_', ' ')} by seed, with mean and 95 % interval",
        "Each number by seed (dots), its mean (line) and 95 % interval over seeds (band), of shares on a logit scale, "
        "else the t interval; what is the same in every seed has none." + _tested(metrics, _names(lens, by_seed)),
        Grid([_number_panel(name, lens, by_seed, metrics[name]) for name in _names(lens, by_seed)], 5, gap=0.2),
        family="Every number by seed",
        mark=lens.replace("_", " "),
    )


def _names(lens: str, by_seed: Metrics) -> list[str]:
    return list(dict.fromkeys(name for metrics in by_seed.values() for name in metrics.get(lens, {})))


def _tested(metrics: Mapping[str, Mapping[str, Any]], shown: Sequence[str]) -> str:
    """Say how the gains over nulls are corrected, where any are shown."""
    if not any(map(is_gain, shown)):
        return ""
    count = sum(1 for name, found in metrics.items() if is_gain(name) and found.get("p") is not None)
    if not count:
        return ""
    family = f"corrected (Holm) for the {count} gains of this lens" if count > 1 else "the only gain of this lens"
    return f" p: of no gain over the null, t test over seeds, {family}; the bands are of one number each."


def _number_panel(name: str, lens: str, by_seed: Metrics, interval: Mapping[str, Any]) -> Panel:
    said = [metrics.get(lens, {}).get(name) for metrics in by_seed.values()]
    values = np.array([np.nan if value is None else value for value in said])
    marks: list[Mark] = []
    if interval["low"] is not None:
        marks.append(Stripe(interval["low"], interval["high"], AGAINST))
    if interval["mean"] is not None:
        marks.append(Rule(interval["mean"], AGAINST, width=1.2))
    marks.append(Dots(range(len(values)), values, FOR))
    fitting = max(1, 30 // (max(map(len, by_seed)) + 1))  # more labels would run into each other
    every = -(-len(values) // fitting)
    ticks = range(0, len(values), every)
    known = values[np.isfinite(values)]
    ends = [*known, *(bound for bound in (interval["low"], interval["high"]) if bound is not None)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.5
    return Panel(
        marks,
        textwrap.fill(name.replace("_", " ") + _p(name, interval), 28),
        Axis(ticks=ticks, names=list(by_seed)[::every], low=-0.6, high=len(values) - 0.4, size=7),
        Axis(low=low - room, high=high + room, size=7),
        width=1.75,
        height=1.15,
        empty="" if len(known) else "no value",
    )


def _p(name: str, interval: Mapping[str, Any]) -> str:
    p = interval.get("p") if is_gain(name) else None
    return "" if p is None else f" (p {p:.2g})"


def seeds_needed_sheet(
    about: Facts, shown: Sequence[tuple[Followed, pd.DataFrame]], answers: Mapping[str, str]
) -> Sheet:
    """Show the half-width of each number's interval against the number of seeds; ``answers`` are in words."""
    import pandas as pd

    return Sheet(
        "seeds_needed",
        about,
        "How many seeds do I need? Half-width of the 95 % interval",
        "The half-width to be expected of a 95 % interval over more or fewer seeds, from the spread of the seeds at "
        "hand (line; shaded: where it may lie, since few seeds know their own spread badly); dots: half-widths that "
        "subsets of these seeds have, mean and middle 80 %. Where the line meets the wanted half-width, there are "
        "seeds enough; in brackets the range of that answer.",
        Grid(
            [_half_widths(number, curve, answers[number.metric]) for number, curve in shown],
            min(3, len(shown)),
            key=Key("below", columns=3),
        ),
        pd.concat([curve for _, curve in shown], ignore_index=True),
    )


def _half_widths(number: Followed, curve: pd.DataFrame, answer: str) -> Panel:
    n = curve["seeds"].to_numpy(float)
    known = curve[curve["realised_mean"].notna()]
    seeds, mean = known["seeds"].to_numpy(float), known["realised_mean"].to_numpy(float)
    low, high = (known[f"realised_{share}_percent"].to_numpy(float) for share in (10, 90))
    marks: list[Mark] = [
        Band(n, curve["low"].to_numpy(float), curve["high"].to_numpy(float), FOR, 0.15),
        Line(n, curve["expected"].to_numpy(float), FOR, width=1.4, label="expected"),
        Spans(seeds, low, high),
        Dots(seeds, mean, "black", size=3.5, label="subsets of these"),
        Rule(number.wanted, AGAINST, width=1.1, label="wanted"),
    ]
    ticks = [tick for tick in _SEEDS if n[0] <= tick <= n[-1]]
    return Panel(
        marks,
        f"{number.words}\n±{number.wanted:.2g} asks for {answer} seeds",
        Axis("seeds", ticks, kind="log"),
        Axis("half-width", kind="log"),
        width=3.2,
        height=2.2,
    )


def conditions_sheet(
    sweep: str,
    axis: Conditions,
    base: Any,
    conditions: Sequence[Sequence[Followed]],
    seeds: Sequence[int],
    table: pd.DataFrame,
) -> Sheet:
    """Show the headline numbers against the setting that a sweep turns."""
    panels = list(zip(*conditions, strict=True))
    pairs = (
        " Of pairs of seeds a dot is the mean over the pairs that the seed is part of, and the interval is the "
        "jackknife's, which is about twice too wide where seeds have no more in common than by chance."
    )
    return Sheet(
        "conditions",
        Facts(sweep, seeds=tuple(seeds)),
        f"Sweep over {axis.key}",
        f"Headline numbers against {axis.key}, everything else alike, the seeds included: a dot is a seed, a grey line "
        "the same seed under the next condition, black the mean over seeds with its 95 % interval; dotted: the "
        "experiment's own value." + (pairs if any(numbers[0].of_pairs for numbers in panels) else ""),
        Grid(
            [_condition_panel(axis, base, numbers) for numbers in panels],
            min(3, len(panels)),
            key=Key("below", columns=4),
        ),
        table,
        note="" if len(seeds) > 1 else "one seed: no interval",
    )


def _condition_panel(axis: Conditions, base: Any, numbers: Sequence[Followed]) -> Panel:
    order = np.argsort(axis.place, kind="stable")
    place = axis.place[order]
    values = np.stack([number.by_seed for number in numbers])[order]
    intervals = [numbers[index].interval() for index in order]
    mean, low, high = (
        np.array([np.nan if bound is None else bound for bound in bounds], dtype=np.float64)
        for bounds in zip(*((one.mean, one.low, one.high) for one in intervals), strict=True)
    )
    marks: list[Mark] = []
    if (mark := axis.mark(base)) is not None:
        marks.append(Rule(mark, NEUTRAL, ":", 1.2, across=False, label="the experiment's own value"))
    marks += [Line(place, of_seed, NEUTRAL, width=0.5, opacity=0.5) for of_seed in values.T]
    every = np.repeat(place, values.shape[1])
    marks += [
        Dots(every, values.ravel(), FOR, size=3.5, label="a seed"),
        Line(place, mean, "black", width=1.4, shape="_", size=11, label="mean, 95 % interval"),
        Spans(place, low, high, width=1.4),
    ]
    if numbers[0].null is not None:
        expected = [numbers[index].null_mean for index in order]
        null = np.array([np.nan if one is None else one for one in expected])
        marks.append(Line(place, null, AGAINST, "--", label="by chance"))
    kind = "log" if axis.geometric else "linear"
    return Panel(
        marks,
        numbers[0].words,
        Axis(axis.key, place, [axis.labels[index] for index in order], kind=kind),
        width=3.2,
        height=2.1,
        empty="" if np.isfinite(values).any() else "no value",
    )
