"""Compare all replicas of an experiment: every scalar over seeds, learning curves, and what each lens compares."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from seedscope import drawing as figures
from seedscope.drawing import Drawing, save_all
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_history, read_mapping
from seedscope.files.writing import write_json, write_text
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses import ComparingLens, Lens
from seedscope.lenses.comparison import Comparison
from seedscope.seeds.headlines import Metrics, headlines
from seedscope.seeds.seeds_needed import seeds_needed
from seedscope.seeds.together import together

if TYPE_CHECKING:
    import pandas as pd


_NOTHING = "The weights of this network are given: it is one replica, and there is nothing to compare it with.\n"


def compare_replicas(at: Artifacts, names: Sequence[ReplicaName], lenses: Mapping[str, Lens]) -> None:
    """Write the comparison's figures, tables and metrics; of given weights, that there is nothing to compare."""
    seeds = [name for name in names if name != GIVEN]
    if not seeds:
        save_all([], at.across_seeds, {"nothing_to_compare.txt": _NOTHING})
        write_text(at.learning, "epoch,probe_accuracy\n")
        write_json(at.across_metrics, {})
        return
    by_seed = _metrics_by_seed(at, seeds)
    comparisons = compare_lenses(at, seeds, lenses)
    comparisons["seeds_needed"] = seeds_needed(at.experiment, headlines(by_seed, comparisons))
    curves = learning_curves(at, seeds)
    drawings = [
        _learning_figure(at.experiment, curves, seeds),
        *(_metrics_figure(at.experiment, lens, by_seed, found) for lens, found in over_seeds(by_seed).items() if found),
    ]
    tables: dict[str, pd.DataFrame] = {}
    for comparison in comparisons.values():
        drawings += comparison.drawings
        tables |= comparison.tables
    metrics = over_replicas(by_seed, comparisons)
    texts = {f"{name}.csv": as_csv(table) for name, table in {**tables, "summary": summary(metrics)}.items()}
    save_all(drawings, at.across_seeds, texts)
    write_text(at.learning, as_csv(_mean_curve(curves)))
    write_json(at.across_metrics, metrics)


def compare_lenses(at: Artifacts, seeds: Sequence[int], lenses: Mapping[str, Lens]) -> dict[str, Comparison]:
    """Return what every lens that compares replicas says of these, by its name."""
    comparisons: dict[str, Comparison] = {}
    for name, lens in lenses.items():
        if isinstance(lens, ComparingLens):
            paths = {seed: at.measures(seed, name) for seed in seeds}
            comparisons[name] = lens.compare(together(paths, getattr(lens, "compares", None)))
    return comparisons


def learning_curves(at: Artifacts, seeds: Sequence[int]) -> pd.DataFrame:
    """Return the histories of all seeds in one table with a column ``seed``."""
    import pandas as pd

    histories = [pd.DataFrame(read_history(at.history(seed))).assign(seed=seed) for seed in seeds]
    return pd.concat(histories, ignore_index=True).astype({"epoch": int})


def _metrics_by_seed(at: Artifacts, seeds: Sequence[int]) -> Metrics:
    content = read_mapping(at.seeds_metrics)
    lacking = [seed for seed in seeds if not content.get(str(seed))]
    if lacking:
        raise SeedscopeError(f"{at.seeds_metrics} has no seed {lacking[0]}: delete it and run `dvc repro`")
    return {str(seed): content[str(seed)] for seed in seeds}


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as text: equal numbers give equal bytes."""
    return str(table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def over_replicas(by_seed: Metrics, comparisons: Mapping[str, Comparison]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return every metric over seeds by lens and name: means of scalars, and what only replicas together have."""
    metrics = over_seeds(by_seed)
    for lens, comparison in comparisons.items():
        if comparison.metrics:
            metrics.setdefault(lens, {}).update({name: dict(value) for name, value in comparison.metrics.items()})
    return metrics


def over_seeds(by_seed: Metrics) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the mean over seeds of every scalar, with its interval, by lens and name."""
    names: dict[str, dict[str, None]] = {}
    for metrics in by_seed.values():  # a seed may lack a scalar that another has
        for lens, values_of in metrics.items():
            names.setdefault(lens, {}).update(dict.fromkeys(values_of))
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for lens, scalars in names.items():
        for name in scalars:
            values = [metrics_of[lens].get(name) for metrics_of in by_seed.values()]
            numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            result.setdefault(lens, {})[name] = mean_interval(numbers).as_dict()
    return result


def summary(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return metrics over seeds as a table, a row for each."""
    import pandas as pd

    rows = [
        {"lens": lens, "metric": name, **values} for lens, group in metrics.items() for name, values in group.items()
    ]
    first = ["lens", "metric", "n", "mean", "low", "high"]
    table = pd.DataFrame(rows)
    return table[[*first, *(column for column in table.columns if column not in first)]]


def _mean_curve(curves: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds by epoch, with the interval of the probe accuracy."""
    import pandas as pd

    rows = []
    for epoch, part in curves.groupby("epoch"):
        interval = mean_interval(part["probe_accuracy"].to_numpy())
        means = part.drop(columns=["epoch", "seed"]).mean()
        rows.append(
            {
                "epoch": epoch,
                **means,
                "probe_accuracy_low": interval.low,
                "probe_accuracy_high": interval.high,
            }
        )
    columns = [column for column in curves.columns if column != "seed"]
    return pd.DataFrame(rows, columns=[*columns, "probe_accuracy_low", "probe_accuracy_high"])


def _learning_figure(experiment: str, curves: pd.DataFrame, seeds: Sequence[int]) -> Drawing:
    figure = figures.canvas(f"Learning, one line per seed ({experiment}, n = {len(seeds)} seeds)", 10, 4)
    axes = figures.panels(figure, 1, 2, wspace=0.22, top=0.75, right=1.0, bottom=0.85)
    validated = "validation_loss" in curves
    for ax, what in zip(axes, ("loss", "accuracy"), strict=True):
        for index, seed in enumerate(seeds):
            part = curves[curves["seed"] == seed]
            color = figures.PALETTE[index % len(figures.PALETTE)]
            marker = "." if len(part) == 1 else None
            ax.plot(part["epoch"], part[f"train_{what}"], "--", color=color, linewidth=0.9, marker=marker)
            ax.plot(
                part["epoch"],
                part[f"probe_{what}"],
                "-",
                color=color,
                linewidth=1.3,
                marker=marker,
                label=str(seed) if len(seeds) <= 12 else None,
            )
            if validated:
                ax.plot(part["epoch"], part[f"validation_{what}"], ":", color=color, linewidth=1.1, marker=marker)
        ax.set_xlabel("epoch", fontsize=9)
        ax.set_ylabel("loss (nats per picture)" if what == "loss" else what, fontsize=9)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if curves.empty:
            figures.say(ax, "no epoch was trained")
            ax.set_yticks([])
    figure.supxlabel("solid: probe, dashed: training" + (", dotted: validation" if validated else ""), fontsize=9)
    if 0 < len(seeds) <= 12:
        axes[1].legend(
            title="seed",
            fontsize=8,
            title_fontsize=8,
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1.0, 1),
        )
    return Drawing(
        "learning_curves",
        figure,
        "Loss and accuracy by epoch. Training values are those of the batches as they came by, "
        "before each step; probe "
        + ("and validation " if validated else "")
        + "values are taken at the end of the epoch.",
        curves[["seed", *(column for column in curves.columns if column != "seed")]],
    )


def _metrics_figure(experiment: str, lens: str, by_seed: Metrics, metrics: Mapping[str, Mapping[str, Any]]) -> Drawing:
    columns = min(5, max(3, len(metrics)))
    rows = -(-len(metrics) // columns)
    titles = [textwrap.fill(name.replace("_", " "), 28) for name in metrics]
    lines = max(title.count("\n") + 1 for title in titles)
    called, n = lens.replace("_", " "), len(by_seed)
    figure = figures.canvas(
        f"Every number of {called} by seed, with mean and 95 % interval ({experiment}, n = {n} seeds)",
        2.6 * columns,
        (1.3 + 0.16 * lines) * rows + 0.8,
    )
    axes = figures.panels(
        figure,
        rows,
        columns,
        len(metrics),
        hspace=0.4 + 0.17 * lines,
        wspace=0.32,
        top=0.6 + 0.16 * lines,
        bottom=0.35,
        left=0.55,
    )
    for ax, name, title in zip(axes, metrics, titles, strict=True):
        interval = metrics[name]
        values = [by_seed[seed][lens].get(name) for seed in by_seed]
        ax.plot(
            range(len(values)),
            [np.nan if v is None else v for v in values],
            "o",
            color=figures.FOR,
            markersize=4,
        )
        if interval["mean"] is not None:
            ax.axhline(interval["mean"], color=figures.AGAINST, linewidth=1.2)
        if interval["low"] is not None:
            ax.axhspan(interval["low"], interval["high"], color=figures.AGAINST, alpha=0.15, linewidth=0)
        ax.set_title(title, fontsize=8)
        fitting = 30 // (max(map(len, by_seed)) + 1)  # more labels would run into each other
        every = -(-len(values) // max(1, fitting))
        ax.set_xticks(range(0, len(values), every), list(by_seed)[::every], fontsize=7)
        known = [value for value in values if value is not None]
        if not known:
            figures.say(ax, "no value")
            ax.set_yticks([])
        elif min(known) == max(known):
            ax.set_ylim(known[0] - 0.5, known[0] + 0.5)
        else:
            ax.use_sticky_edges = False  # the interval's: values outside of it would be cut in half
            ax.margins(y=0.1)
            ax.autoscale_view(scalex=False)
        ax.set_xlim(-0.6, len(values) - 0.4)
        ax.tick_params(axis="y", labelsize=7)
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.yaxis.get_offset_text().set(fontsize=7, x=-0.25)  # a power of ten, beside the title
    return Drawing(
        f"numbers_of_{lens}",
        figure,
        "Each number by seed (dots), its mean (line) and 95 % t interval over seeds (band).",
    )
