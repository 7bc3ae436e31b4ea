"""Do the same units dominate in two seeds? Top-k sets by raw index, with the chance level.

    overlap[a, b, k] = |top(seed a, class k) ∩ top(seed b, class k)|

What chance is depends on what a seed numbers as it likes (see :mod:`seedscope.lenses.units`). The null undoes just
that, within each seed, chooses the top sets again and compares them again; p is the share of shuffles that overlap
at least as much, ``null`` the mean over all of them (formulas: :mod:`seedscope.formulas.overlap`), and ``null_low`` to
``null_high`` hold 95 % of them. p is the test. For pairs of unrelated seeds the jackknife is about twice too wide
(:mod:`seedscope.formulas.intervals`), so an overlap has an interval only where p is below 0.05, uncorrected: where
seeds are not unrelated.

    dense layer   the labels of live units are shuffled
    feature map   the channels that have a live unit are shuffled
    the picture   the sets are dealt out to the classes anew

Nothing ties unit i of one seed to unit i of another: each draws its own initial weights. So the labels of live units
are shuffled, no excess is expected, and an excess would mean that an index carries meaning; when all replicas share
their initial weights (``vary: [order]``), it does. In a feature map only the channels are drawn anew. A place means
the same in every seed, two seeds may well look at the same places, and that alone is no shared unit: whole channels
are shuffled, so that each place keeps its share of the top sets. A pixel means the same in every seed, so an overlap
is expected and says that training leads there again. What chance is there is a matter of the question; asked here is
whether the pixels are those of the *class*: each seed's sets are dealt out to the classes anew, which leaves what is
dominant for every class, such as pixels that are bright in most pictures.

Aligned units are another question, for a module beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import (
    ABSENT,
    SILENT,
    Axis,
    Bar,
    Dots,
    Facts,
    Grid,
    Key,
    Mark,
    Panel,
    Scale,
    Sheet,
    Spans,
    centred,
    class_names,
    grid_shape,
    heat_map,
    named,
    of_member,
    shared_cells,
)
from seedscope.formulas.intervals import holm, pair_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.overlap import (
    chance_of_channels,
    chance_of_classes,
    classes_with_sets,
    membership,
    pair_overlap,
    shuffled_channels,
    shuffled_classes,
)
from seedscope.formulas.votes import VERSIONS
from seedscope.lenses.comparison import Comparison, Pairs
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_SHUFFLES = 2000
_RELATED = 0.05  # p below which pairs of seeds are not unrelated, and have an interval
_NULL = {
    "dense": ("live units", "what random sets of live units would share"),
    "map": ("channels shuffled", "what is shared when each seed's channels are shuffled and places stay"),
    "pixel": ("classes shuffled", "what is shared when each seed's sets are dealt out to the classes anew"),
}
_WIDTH = 3.4  # of a heat map, inches
_STEP = 0.16  # between the versions of a class


def compare(measured: xr.Dataset) -> Comparison:
    """Compare the dominant units of all seeds: ``live``, ``top`` and ``dominance``, each with ``seed`` in front.

    One seed has no pair: the metrics then say n = 1 and no value. The null is drawn with a generator of its own, so
    equal measurements give equal bytes.
    """
    units, top = Units.measured(measured), measured.sizes["rank"]
    live = measured.live.values.astype(bool)
    member = {version: membership(measured.top.sel(version=version).values, units.count) for version in VERSIONS}
    rows = [row for version in VERSIONS for row in overlap_rows(version, member[version], live, units)]
    table = _overlap_table(rows)
    sheets = [_dominance_sheet(measured, units)]
    if measured.sizes["seed"] > 1:
        sheets.append(_overlap_sheet(table, Facts.of(measured), top, units))
    return Comparison(
        metrics={
            f"top{top}_overlap_{row['version']}": {key: row[key] for key in row if key not in ("version", "class")}
            for row in rows
            if row["class"] == "all"
        },
        sheets=sheets,
        tables={f"top{top}_overlap": table, f"top{top}_units": _top_table(measured, units)},
        pairs=_pairs(member, live, units, top),
    )


def expected_overlap(member: np.ndarray, live: np.ndarray, units: Units) -> np.ndarray:
    """Return the chance level of the overlap, exactly: (seed, seed, class).

    Args:
        member: (seed, class, unit), the top sets.
        live: (seed, unit).
        units: what the units are, which says what is shuffled.
    """
    if units.kind == "pixel":
        return chance_of_classes(member)
    return chance_of_channels(units.folded(member), units.folded(live))


def shuffled_overlap(
    member: np.ndarray, live: np.ndarray, units: Units, rng: np.random.Generator, times: int
) -> np.ndarray:
    """Return the mean pair overlap by class, (time, class), when what a seed numbers as it likes is shuffled."""
    if units.kind == "pixel":
        return shuffled_classes(member, rng, times)
    return shuffled_channels(units.folded(member), units.folded(live), rng, times)


def overlap_rows(version: str, member: np.ndarray, live: np.ndarray, units: Units) -> list[dict[str, Any]]:
    """Return the mean overlap of one version's sets for each class and over all, with interval, null and p."""
    n, n_classes = member.shape[:2]
    overlap, chance = pair_overlap(member), expected_overlap(member, live, units)
    upper = np.triu_indices(n, 1)
    null = shuffled_overlap(member, live, units, np.random.default_rng(0), _SHUFFLES) if n > 1 else None
    seen = classes_with_sets(member)
    rows = []
    for k in [*range(n_classes), "all"]:
        chosen = seen if k == "all" else np.intersect1d(seen, k)
        row: dict[str, Any] = {"version": version, "class": k, "mean": None, "low": None, "high": None, "n": n}
        row |= {"null": None, "null_low": None, "null_high": None, "p": None}
        rows.append(row)
        if not len(chosen):
            continue
        pairs, expected = overlap[..., chosen].mean(-1), chance[..., chosen].mean(-1)
        found = pair_interval(pairs)
        row["mean"] = found.mean
        if null is not None:
            drawn = null[:, chosen].mean(1)
            row["null"] = float(expected[upper].mean())
            row["null_low"], row["null_high"] = map(float, np.quantile(drawn, (0.025, 0.975)))
            row["p"] = permutation_p(pairs[upper].mean(), drawn)
            row |= found.as_dict() if row["p"] < _RELATED else {}
    return rows


def _overlap_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows)
    if (table["n"] > 1).all():
        # One family: every class in every version. The means over classes are a summary, not further tests.
        tested = (table["class"] != "all") & table["p"].notna()
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(np.float64))
    return table


def _pairs(member: Mapping[str, np.ndarray], live: np.ndarray, units: Units, top: int) -> dict[str, Pairs]:
    """Return the overlap of every pair of seeds, over the classes that have sets, by metric."""
    found = {}
    for version, sets in member.items():
        seen = classes_with_sets(sets)
        if len(seen):
            overlap, chance = pair_overlap(sets), expected_overlap(sets, live, units)
            found[f"top{top}_overlap_{version}"] = Pairs(overlap[..., seen].mean(-1), chance[..., seen].mean(-1), top)
    return found


def _top_table(measured: xr.Dataset, units: Units) -> pd.DataFrame:
    import pandas as pd

    part = measured.sel(version="centred")
    top, dominance = part.top.values, part.dominance.values
    rows = [
        (int(measured.seed[seed]), k, rank + 1, unit, units.name(unit), float(dominance[seed, k, unit]))
        for seed, k, rank in np.argwhere(top >= 0).tolist()
        for unit in [int(top[seed, k, rank])]
    ]
    return pd.DataFrame(rows, columns=["seed", "class", "rank", "unit", "name", "dominance"])


def _dominance_sheet(measured: xr.Dataset, units: Units) -> Sheet:
    """Show the centred dominance of every unit, a panel for each class and a row for each seed."""
    values = measured.dominance.sel(version="centred").values
    scale, dead = centred(values), ~measured.live.values.astype(bool)
    seeds = [str(seed) for seed in measured.seed.values]
    panels = [
        _dominance_panel(np.where(dead, np.nan, values[:, k]), scale, seeds, f"class {name}")
        for k, name in enumerate(class_names(measured))
    ]
    return Sheet(
        "dominance_heatmap",
        Facts.of(measured),
        "Dominance of each unit by seed and class",
        f"Mean centred vote of each of the {units.words} for each class's own pictures, one row per seed. One that "
        f"votes alike in every seed shows as a vertical stripe.{shared_cells(units.count, _WIDTH)}",
        Grid(
            panels,
            grid_shape(len(panels))[1],
            share_x=True,
            share_y=True,
            x_label=f"number of the {units.words} (grey: {units.silent} in that seed)",
            y_label="seed",
            bar=Bar(scale, "mean centred vote (logit units)"),
        ),
    )


def _dominance_panel(values: np.ndarray, scale: Scale, seeds: list[str], title: str) -> Panel:
    return Panel(
        [heat_map(values, _WIDTH, scale)],
        title,
        Axis(whole=True, low=-0.5, high=values.shape[1] - 0.5),
        named(seeds, turned=0, low=len(seeds) - 0.5, high=-0.5),
        width=_WIDTH,
        height=0.17 * len(seeds) + 0.2,
        empty="no probe picture" if np.isnan(values).all() else "",
        background=ABSENT,
    )


def _overlap_sheet(table: pd.DataFrame, about: Facts, top: int, units: Units) -> Sheet:
    """Show how many units two seeds share, of each class and in each version, beside the null."""
    what = "pixels" if units.kind == "pixel" else "units"
    by = {"dense": "By raw index", "map": "By channel and place", "pixel": "By place"}[units.kind]
    short, null = _NULL[units.kind]
    classes = ["mean of\nclasses" if k == "all" else str(k) for k in dict.fromkeys(table["class"])]
    marks: list[Mark] = []
    for index, version in enumerate(VERSIONS):
        part = table[table["version"] == version]
        at = np.arange(len(part)) + _STEP * (index - (len(VERSIONS) - 1) / 2)
        mean, low, high, level = (part[name].to_numpy(float) for name in ("mean", "low", "high", "null"))
        null_low, null_high = (part[name].to_numpy(float) for name in ("null_low", "null_high"))
        last = version == VERSIONS[-1]
        marks.append(Spans(at, null_low, null_high, SILENT, 5.0, label="95 % of shuffles" if last else ""))
        marks.append(Dots(at, mean, of_member(index), label=version.replace("_", " ")))
        marks.append(Spans(at, low, high, of_member(index)))
        label = f"chance:\n{short}" if last else ""
        marks.append(Spans(level, at - _STEP / 2, at + _STEP / 2, width=1.6, across=True, label=label))
    reach = np.nanmax(table[["mean", "high", "null_high"]].to_numpy(float), initial=0.95)
    panel = Panel(
        marks,
        x=named(classes, "class", turned=0, size=8),
        y=Axis(f"{what} shared, of {top}", low=0, high=1.05 * float(reach)),
        width=7.2,
        height=3.2,
        key=Key("right", "contribution"),
    )
    return Sheet(
        f"top{top}_overlap",
        about,
        f"Do the same {top} {what} dominate two seeds? {by}",
        f"How many of the {top} dominant {what} two seeds share: mean over pairs, for four "
        f"versions of dominance; black: {null}, in grey 95 % of such shuffles. A 95 % interval (jackknife over seeds) "
        "stands only where fewer than one shuffle in 20 shares as much: of unrelated seeds it would be about twice too "
        "wide, and there the shuffles are the test.",
        panel,
    )
