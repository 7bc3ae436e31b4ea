"""Show how alike the seeds' layers are: matched units beside all nulls, every pair, space against units, training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    ABSENT,
    AGAINST,
    FOR,
    NEUTRAL,
    Axis,
    Bar,
    Beside,
    Dots,
    Facts,
    Grid,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Spans,
    heat_map,
    named,
    of_member,
)
from seedscope.figures.over import step_axis
from seedscope.formulas.universal import SHARE
from seedscope.lenses.alignment.numbers import Found

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NULLS = {
    "untrained": "untrained",
    "shuffled": "pictures\nshuffled",
    "within_class": "… within\nclass",
    "within_place": "… class\nand place",
    "rotated": "rotated",
    "rectified": "rotated,\nas sparse",
}
_SPREAD = 0.22  # of the dots of pairs, to both sides


def sheets(measured: xr.DataTree, found: Found, features: str, top: int) -> list[Sheet]:
    """Return every figure; of layers without a frame none through training."""
    about = Facts.of(measured)
    shown = [
        _matched_sheet(about, found, features, top),
        _pairs_sheet(about, found, features, top),
        _space_sheet(about, found, features),
        _universal_sheet(about, found, features),
    ]
    return [*shown, _training_sheet(about, found)] if found.frames else shown


def table(found: Found) -> pd.DataFrame:
    """Return every number of every pair of seeds, with the mean of each null."""
    import pandas as pd

    columns = {"seed_a": [found.seeds[a] for a, _ in found.pairs], "seed_b": [found.seeds[b] for _, b in found.pairs]}
    for name, values in found.value.items():
        columns[name] = values.tolist()
        columns |= {f"{name}_null_{which}": null.mean(0).tolist() for which, null in found.null.get(name, {}).items()}
    return pd.DataFrame(columns)


def _matched_sheet(about: Facts, found: Found, features: str, top: int) -> Sheet:
    names = {
        "matched_r": ("r_by_number", "Pearson's r of partners"),
        f"top{top}_shared_matched": (f"top{top}_shared_by_number", f"of the top {top} of a class, shared"),
        "profile_matched": ("profile_by_number", "rank correlation of dominance"),
    }
    return Sheet(
        "matched_units",
        about,
        f"Are units of {features} each other's likes in two seeds?",
        "Each unit is matched to one of the other seed on one half of the pictures, and scored on the other half; a "
        "dot is a pair of seeds, a bar the mean over pairs. Left: units of the same number, then matched ones. "
        "Orange: the same procedure under each null, a dot the mean of a pair over all draws, the line where 95 % of "
        "the draws' means over pairs lie. Matched units that do no better than rotated ones share a space and not "
        "units.",
        Beside([_panel_of_nulls(found, name, number, words) for name, (number, words) in names.items()]),
        table(found),
    )


def _panel_of_nulls(found: Found, name: str, by_number: str, words: str) -> Panel:
    nulls = [which for which in _NULLS if which in found.null[name]]
    marks = [*_of_pairs(0, found.value[by_number], NEUTRAL), *_of_pairs(1, found.value[name], FOR)]
    for at, which in enumerate(nulls, 2):
        null = found.null[name][which]
        marks += _of_pairs(at, null.mean(0), AGAINST)
        if which != "untrained":  # whose choices of units are no draws
            low, high = np.quantile(null.mean(1), (0.025, 0.975))
            marks.append(Spans([at + 0.36], [low], [high], AGAINST, width=2.0))
    mean = float(found.value[name].mean())
    level = [Rule(mean, FOR, ":", 0.8)] if np.isfinite(mean) else []
    labels = ["by\nnumber", "matched", *(_NULLS[which] for which in nulls)]
    return Panel(
        [*level, *marks],
        x=named(labels, turned=90, low=-0.6, high=len(labels) - 0.4),
        y=Axis(words),
        width=0.42 * len(labels),
        height=2.9,
        empty="" if np.isfinite(found.value[name]).any() else "no live unit in both",
    )


def _of_pairs(at: float, values: np.ndarray, color: str) -> list[Mark]:
    """Show a number of each pair around ``at``, and their mean."""
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    beside = _SPREAD * np.linspace(-1, 1, len(known)) if len(known) > 1 else np.zeros(1)
    mean = float(known.mean())
    opacity = 0.8 if len(known) <= 45 else 0.3
    return [
        Dots(at + beside, known, color, size=3.0, opacity=opacity),
        Line([at - 0.3, at + 0.3], [mean, mean], "black", width=1.6),
    ]


def _pairs_sheet(about: Facts, found: Found, features: str, top: int) -> Sheet:
    names = {
        "matched_r": "r of matched units",
        "procrustes": "the space (Procrustes)",
        f"top{top}_shared_matched": f"top {top} shared, matched",
    }
    return Sheet(
        "pairs_of_seeds",
        about,
        f"How alike is {features} in each pair of seeds?",
        "A cell for each pair of seeds: the held-out r of matched units, the Procrustes similarity of the spaces, and "
        f"how many of the top {top} units of a class have a partner among the other's. Grey: not looked at.",
        Beside([_matrix_panel(found, name, words) for name, words in names.items()], gap=0.5),
    )


def _matrix_panel(found: Found, name: str, words: str) -> Panel:
    values = np.full((len(found.seeds), len(found.seeds)), np.nan)
    for (a, b), value in zip(found.pairs, found.value[name], strict=True):
        values[a, b] = values[b, a] = value
    known = values[np.isfinite(values)]
    scale = Scale(float(known.min()), float(known.max())) if len(known) else Scale(0.0, 1.0)
    every = max(1, len(found.seeds) // 10)
    ticks = range(0, len(found.seeds), every)
    seeds = [str(found.seeds[tick]) for tick in ticks]
    return Panel(
        [heat_map(values, 2.0, scale)],
        words,
        Axis("seed", ticks, seeds, -0.5, len(values) - 0.5, size=7),
        Axis("seed", ticks, seeds, len(values) - 0.5, -0.5, size=7),
        width=2.0,
        height=2.0,
        bar=Bar(scale),
        background=ABSENT,
        empty="" if len(known) else "no live unit in both",
    )


def _space_sheet(about: Facts, found: Found, features: str) -> Sheet:
    shown: list[tuple[str, np.ndarray, str]] = [
        ("free linear\nmap (R²)", found.value["ridge_r2"], FOR),
        ("rotation\n(Procrustes)", found.value["procrustes"], FOR),
        ("… within\nclass", found.null["procrustes"]["within_class"].mean(0), AGAINST),
        ("units, one\nto one", found.value["permutation"], FOR),
        ("… of a\nrotated seed", found.null["permutation"]["rotated"].mean(0), AGAINST),
        ("… within\nclass", found.null["permutation"]["within_class"].mean(0), AGAINST),
        ("… un-\ntrained", found.null["permutation"]["untrained"].mean(0), AGAINST),
    ]
    marks = [mark for at, (_, values, color) in enumerate(shown) for mark in _of_pairs(at, values, color)]
    return Sheet(
        "space_or_units",
        about,
        f"Do seeds share the space of {features}, or its units?",
        "One seed's layer mapped onto another's on one half of the pictures, and scored on the other: by any linear "
        "map (share of the variance), by a rotation, and by pairing units one to one (the same correlation of all "
        "answers). What a rotation finds and units do not is a shared space without shared units. Orange: nulls, each"
        " repeats the whole procedure. A dot is a pair of seeds, a bar the mean over pairs.",
        Panel(
            marks,
            x=named([words for words, _, _ in shown], turned=0, low=-0.6, high=len(shown) - 0.4),
            y=Axis("similarity on the other half", high=1.02),
            width=0.95 * len(shown),
            height=3.0,
        ),
    )


def _universal_sheet(about: Facts, found: Found, features: str) -> Sheet:
    assert found.universal is not None
    marks: list[Mark] = [Rule(SHARE, AGAINST, "--")]
    for at, (reach, universal) in enumerate(zip(found.universal.reach, found.universal.universal, strict=True)):
        order = np.argsort(-reach, kind="stable")
        x = at + (np.arange(len(reach)) / max(1, len(reach) - 1) - 0.5) * 0.8
        color = [FOR if universal[i] else NEUTRAL for i in order]
        marks.append(Dots(x, reach[order], color, size=3.0))
    every = max(1, len(found.seeds) // 20)
    ticks = range(0, len(found.seeds), every)
    count = [int(of.sum()) for of in found.universal.universal]
    return Sheet(
        "universal_units",
        about,
        f"Is there a unit of {features} that every seed has?",
        "A dot is a live unit: in which share of the other seeds it has a like, a partner on either half of the "
        "pictures whose held-out r lies above the 95 % quantile of this unit under every null. Units above the dashed"
        " line whose likes are likes of each other, too, are universal (blue).",
        Panel(
            marks,
            x=Axis("seed", ticks, [str(found.seeds[tick]) for tick in ticks], -0.6, len(found.seeds) - 0.4),
            y=Axis("share of the other seeds with a like", low=-0.03, high=1.03),
            width=max(3.5, min(9.0, 1.1 * len(found.seeds))),
            height=2.8,
        ),
        note=f"universal units: {_range(count)} of {_range(found.units)} live ones",
    )


def _range(counts: Sequence[int]) -> str:
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _training_sheet(about: Facts, found: Found) -> Sheet:
    panels = [_layer_panel(found, layer, at) for at, layer in enumerate(found.frames)]
    return Sheet(
        "cka_through_training",
        about,
        "When do two seeds come to see the same? CKA through training",
        "Unbiased linear CKA between the layers of two seeds, at each step that was kept, channels averaged over "
        "space: each pair (grey) and the mean over pairs; dashed: at the end, with pictures shuffled within classes.",
        Grid(panels, min(3, len(panels)), share_y=True, y_label="CKA of two seeds"),
    )


def _layer_panel(found: Found, layer: str, at: int) -> Panel:
    step, values = found.step[layer], found.frames[layer]
    shown = values.T if len(found.pairs) <= 45 else values.T[:45]
    marks: list[Mark] = [Line(step, of_pair, NEUTRAL, width=0.5, opacity=0.6) for of_pair in shown]
    known = np.isfinite(values).all(1)
    marks.append(Line(step[known], values[known].mean(1), of_member(at), width=1.6, shape="o"))
    marks.append(Rule(float(found.null[f"{layer}_cka"]["within_class"].mean()), AGAINST, "--", 1.1))
    return Panel(
        marks,
        layer,
        step_axis(step),
        Axis(low=-0.1, high=1.04),
        width=2.6,
        height=2.0,
        empty="" if known.any() else "no value",
    )
