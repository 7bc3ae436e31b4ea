"""Draw margins of one replica, and what pairs of seeds have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    NEUTRAL,
    PALETTE,
    SILENT,
    Above,
    Axis,
    Bars,
    Beside,
    Dots,
    Facts,
    Key,
    Mark,
    Panel,
    Rule,
    Sheet,
    class_names,
    named,
)
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.lenses.agreement.decisions import Decisions, wrong_in
from seedscope.lenses.pair_figures import PAIRS_IN_WORDS, beside_their_nulls, matrix
from seedscope.lenses.pair_numbers import PairNumbers

_SHOWN = {
    "error_consistency": "the same mistakes:\nerror consistency κ",
    "margin_agreement": "the same hard pictures:\nρ of margins",
    "margin_agreement_within_class": "… within a class:\nρ of margins",
}
_NULLS = {
    "within_class": ("permuted within classes", AGAINST),
    "within_place": ("permuted within classes and\nparts of their region", MARK),
}
_MOST_NAMED = 30  # classes


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.agreement.Agreement.draw`."""
    label, logit = measured.label.values, measured.logit.values.astype(np.float64)
    margin, wrong = true_margin(logit, label), predicted_class(logit) != label
    beside = np.zeros(len(label))
    for k in np.unique(label):
        beside[label == k] = np.linspace(-0.3, 0.3, int((label == k).sum()))
    marks: list[Mark] = [
        Rule(0.0, width=0.8),
        Dots(label + beside, margin, SILENT, size=2.0, label="right"),
        Dots((label + beside)[wrong], margin[wrong], AGAINST, size=4.0, label="wrong"),
    ]
    names, few = class_names(measured), len(measured.attrs["class_names"]) <= _MOST_NAMED
    yield Sheet(
        "margins",
        Facts.of(measured),
        f"How clearly are pictures decided? {int(wrong.sum())} of {len(label)} are wrong",
        "The margin of every probe picture, by class: the logit of its true class minus the strongest other.",
        Panel(
            marks,
            x=named(names, "class", turned=30 if max(map(len, names)) > 3 else 0) if few else Axis("class"),
            y=Axis("margin (logit units)"),
            width=7.0,
            height=2.8,
            key=Key("right"),
        ),
    )


def sheet_over_seeds(measured: xr.Dataset, decisions: Decisions, found: Mapping[str, PairNumbers]) -> Sheet:
    """Show how alike pairs of seeds decide, beside what classes and places alone give."""
    seeds = len(decisions.seeds)
    matrices = [matrix(found[name], words) for name, words in _SHOWN.items() if name != "margin_agreement"]
    faultless = seeds - int(decisions.fallible.sum())
    left_out = f" {faultless} seeds make no mistake, or nothing else, and have no κ." if faultless else ""
    similarities = beside_their_nulls(found, _SHOWN, _NULLS, "κ or ρ of a pair of seeds")
    strictest = _NULLS[list(decisions.groups)[-1]][0].replace("\n", " ")
    return Sheet(
        "agreement",
        Facts.of(measured),
        "Do two seeds make the same mistakes, and find the same pictures hard?",
        f"Top left: {PAIRS_IN_WORDS}; dashes: what is expected where each seed's mistakes, or margins, are permuted. "
        f"Top right: how many pictures how many seeds decide wrongly; dashes: {strictest}. Below: every pair, and the "
        f"margins of two seeds.{left_out}",
        Above(
            [
                Beside([similarities, _times_wrong(decisions)], gap=0.5),
                Beside([*matrices, _two_seeds(decisions)], gap=0.45),
            ],
            gap=0.3,
        ),
    )


def _times_wrong(decisions: Decisions) -> Panel:
    """Show how many pictures are decided wrongly by one seed, by two, …."""
    times, expected = wrong_in(decisions)
    at = np.arange(1, len(times))
    words, colour = _NULLS[list(decisions.groups)[-1]]
    top = max(1.0, float(times[1:].max()), float(expected[1:].max()))
    return Panel(
        [
            Bars(at, times[1:], FOR, label="pictures"),
            Dots(at, expected[1:], colour, "_", 12, label=words),
        ],
        x=Axis("seeds that decide a picture wrongly", whole=True, low=0.4, high=len(times) - 0.4),
        y=Axis("pictures", low=0, high=1.08 * top),
        width=2.9,
        height=2.8,
        empty="" if times[1:].any() else "no picture is decided wrongly",
        key=Key("below", columns=2),
    )


def _two_seeds(decisions: Decisions) -> Panel:
    """Show the margins of the first two seeds against each other."""
    a, b = decisions.margin[:2]
    colors = np.array(PALETTE)[decisions.label % len(PALETTE)]
    return Panel(
        [
            Rule(0.0, NEUTRAL, width=0.6),
            Rule(0.0, NEUTRAL, width=0.6, across=False),
            Dots(a, b, colors, size=1.8, opacity=0.6),
        ],
        "margins; colours: classes",
        Axis(f"seed {int(decisions.seeds[0])}"),
        Axis(f"seed {int(decisions.seeds[1])}"),
        width=2.1,
        height=2.1,
    )
