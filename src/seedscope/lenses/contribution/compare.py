"""Do the same units dominate in two seeds? Top-k sets by raw index, with the chance level.

    overlap[a, b, k] = |top(seed a, class k) ∩ top(seed b, class k)|

What chance is depends on what a seed numbers as it likes (see :mod:`seedscope.lenses.units`). The null undoes just
that, within each seed, chooses the top sets again and compares them again; p is the share of shuffles that overlap
at least as much, and ``chance`` the mean over all of them:

    dense layer   units        chance[a, b, k] = t_a · t_b · |L_a ∩ L_b| / (|L_a| · |L_b|)
    feature map   channels     chance[a, b, k] = Σ_p t_a(p) · t_b(p) · |L_a ∩ L_b| / (|L_a| · |L_b|)
    the picture   classes      chance[a, b, k] = mean over all classes i, j of |top(a, i) ∩ top(b, j)|

    t, t(p): size of the set for class k, and its part at place p;   L: the live units, or the channels with one

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

from seedscope import drawing as figures
from seedscope.drawing import Drawing
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
from seedscope.lenses.comparison import Comparison, Pairs
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_SHUFFLES = 2000
_CHANCE = {
    "dense": ("live units", "what random sets of live units would share"),
    "map": ("channels shuffled", "what is shared when each seed's channels are shuffled and places stay"),
    "pixel": ("classes shuffled", "what is shared when each seed's sets are dealt out to the classes anew"),
}


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


def compare_dominance(measured: Mapping[int, xr.Dataset], top: int) -> Comparison:
    """Compare the dominant units of all seeds, as ``Contribution.measure`` returned them.

    One seed has no pair: the metrics then say n = 1 and no value. The null is drawn with a generator of its own, so
    equal measurements give equal bytes.
    """
    import pandas as pd

    seeds = sorted(measured)
    first = measured[seeds[0]]
    versions = [str(version) for version in first.version.values]
    units = Units.measured(first)
    live = np.stack([measured[seed].live.values.astype(bool) for seed in seeds])
    rows: list[dict[str, Any]] = []
    pairs: dict[str, Pairs] = {}
    for version in versions:
        member = np.stack([membership(measured[seed].top.sel(version=version).values, units.count) for seed in seeds])
        rows += _overlap_rows(version, member, live, units)
        seen = classes_with_sets(member)
        if len(seen):
            overlap, chance = pair_overlap(member), expected_overlap(member, live, units)
            pairs[f"top{top}_overlap_{version}"] = Pairs(overlap[..., seen].mean(-1), chance[..., seen].mean(-1), top)
    table = pd.DataFrame(rows)
    if len(seeds) > 1:
        # One family: every class in every version. The means over classes are a summary, not further tests.
        tested = (table["class"] != "all") & table["p"].notna()
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(np.float64))
    metrics = {
        f"top{top}_overlap_{row['version']}": {key: row[key] for key in ("mean", "low", "high", "n", "chance", "p")}
        for row in rows
        if row["class"] == "all"
    }
    drawings = [_dominance_heat_map(measured, seeds)]
    if len(seeds) > 1:
        drawings.append(_overlap_figure(table, first, top, len(seeds)))
    return Comparison(
        metrics=metrics,
        drawings=drawings,
        tables={f"top{top}_overlap": table, f"top{top}_units": _top_table(measured, seeds)},
        pairs=pairs,
    )


def _overlap_rows(version: str, member: np.ndarray, live: np.ndarray, units: Units) -> list[dict[str, Any]]:
    n, n_classes = member.shape[:2]
    overlap, chance = pair_overlap(member), expected_overlap(member, live, units)
    upper = np.triu_indices(n, 1)
    null = shuffled_overlap(member, live, units, np.random.default_rng(0), _SHUFFLES) if n > 1 else None
    seen = classes_with_sets(member)
    rows = []
    for k in [*range(n_classes), "all"]:
        chosen = seen if k == "all" else np.intersect1d(seen, k)
        row: dict[str, Any] = {"version": version, "class": k, "mean": None, "low": None, "high": None, "n": n}
        row |= {"chance": None, "p": None}
        rows.append(row)
        if not len(chosen):
            continue
        pairs, expected = overlap[..., chosen].mean(-1), chance[..., chosen].mean(-1)
        row |= pair_interval(pairs).as_dict()
        if null is not None:
            drawn = null[:, chosen].mean(1)
            row["chance"] = float(expected[upper].mean())
            row["p"] = permutation_p(pairs[upper].mean(), drawn)
    return rows


def _top_table(measured: Mapping[int, xr.Dataset], seeds: list[int]) -> pd.DataFrame:
    import pandas as pd

    units = Units.measured(measured[seeds[0]])
    rows = []
    for seed in seeds:
        part = measured[seed].sel(version="centred")
        for k in range(part.sizes["true"]):
            for rank, unit in enumerate(part.top.values[k]):
                if unit >= 0:
                    value = float(part.dominance.values[k, unit])
                    rows.append((seed, k, rank + 1, int(unit), units.name(unit), value))
    return pd.DataFrame(rows, columns=["seed", "class", "rank", "unit", "name", "dominance"])


def _dominance_heat_map(measured: Mapping[int, xr.Dataset], seeds: list[int]) -> Drawing:
    first = measured[seeds[0]]
    values = np.stack([measured[seed].dominance.sel(version="centred").values for seed in seeds])
    dead = ~np.stack([measured[seed].live.values.astype(bool) for seed in seeds])
    n_classes = values.shape[1]
    rows, columns = figures.grid_shape(n_classes)
    height = 0.17 * len(seeds) + 0.35  # of a panel, inches
    width = 4.3 * columns + 1.2
    figure = figures.canvas(
        f"Dominance of each unit by seed and class ({first.attrs['experiment']}, n = {len(seeds)} seeds)",
        width,
        (height + 0.55) * rows + 1.1,
    )
    axes = figures.panels(
        figure,
        rows,
        columns,
        n_classes,
        top=0.85,
        right=1.3,
        hspace=0.55 / height,
        wspace=0.06,
        share_x=True,
        share_y=True,
    )
    scale = figures.centred(values)
    for k, ax in enumerate(axes):
        if np.isnan(values[:, k]).all():
            figures.say(ax, "no probe picture")
        shown = np.where(dead, np.nan, values[:, k])
        ax.set_facecolor("#d9d9d9")
        image = figures.heat_map(ax, shown, scale)
        ax.set_title(f"class {k}", fontsize=9)
        ax.set_yticks(range(len(seeds)), [str(seed) for seed in seeds], fontsize=7)
    units = Units.measured(first)
    figure.supxlabel(f"number of the {units.words} (grey: {units.silent} in that seed)", fontsize=9)
    figure.supylabel("seed", fontsize=9, x=0.005)
    figures.count_axis(axes[0])
    figures.color_bar(figure, image, (1 - 1.1 / width, 0.15, 0.15 / width, 0.7), "mean centred vote (logit units)")
    return Drawing(
        "dominance_heatmap",
        figure,
        f"Mean centred vote of each of the {units.words} for each class's own pictures, one row per seed. One that "
        f"votes alike in every seed shows as a vertical stripe.{figures.shared_cells(axes[0], values.shape[2])}",
    )


def _overlap_figure(table: pd.DataFrame, first: xr.Dataset, top: int, n: int) -> Drawing:
    versions = list(dict.fromkeys(table["version"]))
    units = Units.measured(first)
    what = "pixels" if units.kind == "pixel" else "units"
    by = {"dense": "By raw index", "map": "By channel and place", "pixel": "By place"}[units.kind]
    figure = figures.canvas(
        f"Do the same {top} {what} dominate two seeds? {by} ({first.attrs['experiment']}, n = {n} seeds)",
        10,
        4.4,
    )
    (ax,) = figures.panels(figure, 1, 1, right=2.0, bottom=0.6)
    classes = list(dict.fromkeys(table["class"]))
    for index, version in enumerate(versions):
        part = table[table["version"] == version]
        positions = np.arange(len(part)) + 0.16 * (index - (len(versions) - 1) / 2)
        ax.plot(
            positions,
            part["mean"].to_numpy(float),
            "o",
            markersize=4,
            color=figures.PALETTE[index],
            label=version.replace("_", " "),
        )
        low, high = part["low"].to_numpy(float), part["high"].to_numpy(float)
        known = np.isfinite(low)
        figures.spans(ax, positions[known], low[known], high[known], colors=figures.PALETTE[index])
        ax.hlines(
            part["chance"].to_numpy(float),
            positions - 0.08,
            positions + 0.08,
            color="black",
            linewidth=1.6,
            label="" if index < len(versions) - 1 else f"chance:\n{_CHANCE[units.kind][0]}",
        )
    ax.set_xticks(range(len(classes)), [str(k) if k != "all" else "mean of\nclasses" for k in classes])
    ax.set_xlabel("class", fontsize=9)
    ax.set_ylabel(f"{what} shared, of {top} (95 % interval)", fontsize=9)
    ax.set_ylim(0, max(1.0, *ax.get_ylim()))
    ax.legend(
        fontsize=8,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        title="contribution",
        title_fontsize=8,
    )
    return Drawing(
        f"top{top}_overlap",
        figure,
        f"How many of the {top} dominant {what} two seeds share: mean over pairs with a jackknife interval over "
        f"seeds, for four versions of dominance; black: {_CHANCE[units.kind][1]}.",
    )
