"""Compare all replicas of an experiment: every scalar over seeds, learning curves, and what each lens compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import Facts
from seedscope.figures.renderer import save, save_all
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import GIVEN, ReplicaName
from seedscope.files.paths import Artifacts
from seedscope.files.reading import read_history, read_mapping
from seedscope.files.writing import keep_only, write_json, write_text
from seedscope.formulas.intervals import Interval, mean_interval, share_interval
from seedscope.lenses import ComparingLens, Lens
from seedscope.lenses.at_once import AtOnce, in_turn
from seedscope.lenses.beside_nulls import with_p_of_gains
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.lens import is_share
from seedscope.seeds.findings import findings_of, findings_table
from seedscope.seeds.findings_sheet import findings_sheet
from seedscope.seeds.headlines import Metrics, Training, followed
from seedscope.seeds.seeds_needed import seeds_needed
from seedscope.seeds.sheets import learning_sheet, numbers_sheet
from seedscope.seeds.together import together

if TYPE_CHECKING:
    import pandas as pd


_NOTHING = "The weights of this network are given: it is one replica, and there is nothing to compare it with.\n"


def compare_replicas(
    at: Artifacts, names: Sequence[ReplicaName], lenses: Mapping[str, Lens], at_once: AtOnce = in_turn
) -> None:
    """Write the comparison's figures, tables and metrics; of given weights, that there is nothing to compare.

    ``at_once`` makes independent calls: lenses are compared, and figures drawn, beside each other.
    """
    seeds = [name for name in names if name != GIVEN]
    if not seeds:
        save_all([], at.across_seeds, {"nothing_to_compare.txt": _NOTHING})
        write_text(at.learning, "epoch,probe_accuracy\n")
        write_json(at.across_metrics, {})
        write_json(at.findings, {})
        return
    by_seed = _metrics_by_seed(at, seeds)
    comparisons = compare_lenses(at, seeds, lenses, at_once)
    about = Facts(at.experiment, seeds=tuple(seeds))
    comparisons["seeds_needed"] = seeds_needed(about, followed(by_seed, lenses, comparisons))
    curves = learning_curves(at, seeds)
    sheets = [("training", learning_sheet(about, curves))]
    metrics = over_replicas(by_seed, comparisons, lenses)
    sheets += [
        (lens, numbers_sheet(about, lens, by_seed, metrics[lens]))
        for lens, found in over_seeds(by_seed, lenses).items()
        if found
    ]
    tables: dict[str, pd.DataFrame] = {}
    for lens, comparison in comparisons.items():
        sheets += [(lens, sheet) for sheet in comparison.sheets]
        tables |= comparison.tables
    findings = findings_of(lenses, metrics)
    if findings:
        sheets.append(("findings", findings_sheet(about, findings)))
        tables["findings"] = findings_table(findings)
    texts = {f"{name}.csv": as_csv(table) for name, table in {**tables, "summary": summary(metrics)}.items()}
    drawn = at_once([partial(save, sheet, at.across_seeds, lens) for lens, sheet in sheets])
    for name, text in texts.items():
        write_text(at.across_seeds / name, text)
    keep_only(at.across_seeds, {path for paths in drawn for path in paths} | {at.across_seeds / name for name in texts})
    write_text(at.learning, as_csv(_mean_curve(curves)))
    write_json(at.across_metrics, metrics)
    write_json(at.findings, findings)


def compare_lenses(
    at: Artifacts, seeds: Sequence[int], lenses: Mapping[str, Lens], at_once: AtOnce = in_turn
) -> dict[str, Comparison]:
    """Return what every lens that compares replicas says of these, by its name.

    Lenses are compared beside each other; those that spread their work themselves come after the others.
    """
    comparing = {name: lens for name, lens in lenses.items() if isinstance(lens, ComparingLens)}
    whole = [name for name, lens in comparing.items() if not _spreads(lens)]
    found = at_once([partial(_compared, comparing[name], _measured(at, seeds, name)) for name in whole])
    comparisons = dict(zip(whole, found, strict=True))
    for name, lens in comparing.items():
        if _spreads(lens):
            comparisons[name] = _compared(lens, _measured(at, seeds, name), at_once=at_once)
    return {name: comparisons[name] for name in comparing}


def _spreads(lens: ComparingLens) -> bool:
    return "at_once" in signature(lens.compare).parameters


def _measured(at: Artifacts, seeds: Sequence[int], lens: str) -> dict[int, Path]:
    return {seed: at.measures(seed, lens) for seed in seeds}


def _compared(lens: Any, paths: Mapping[int, Path], **spreading: AtOnce) -> Comparison:
    comparison: Comparison = lens.compare(together(paths, getattr(lens, "compares", None)), **spreading)
    return comparison


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


def over_replicas(
    by_seed: Metrics, comparisons: Mapping[str, Comparison], lenses: Mapping[str, Lens] | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return every metric over seeds by lens and name: means of scalars, and what only replicas together have.

    The gains of a lens have the p of no gain, corrected for all of them (:mod:`seedscope.lenses.beside_nulls`).
    """
    metrics = over_seeds(by_seed, lenses)
    for lens, comparison in comparisons.items():
        if comparison.metrics:
            metrics.setdefault(lens, {}).update({name: dict(value) for name, value in comparison.metrics.items()})
    return {lens: with_p_of_gains(found) for lens, found in metrics.items()}


def over_seeds(by_seed: Metrics, lenses: Mapping[str, Lens] | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the mean over seeds of every scalar, with its interval, by lens and name.

    Raises:
        SeedscopeError: a lens declares a number to be a share that is none.
    """
    kinds: dict[str, object] = {"training": Training, **(lenses or {})}
    names: dict[str, dict[str, None]] = {}
    for metrics in by_seed.values():  # a seed may lack a scalar that another has
        for lens, values_of in metrics.items():
            names.setdefault(lens, {}).update(dict.fromkeys(values_of))
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for lens, scalars in names.items():
        for name in scalars:
            values = [metrics_of[lens].get(name) for metrics_of in by_seed.values()]
            numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            interval = _share(lens, name, numbers) if is_share(kinds.get(lens), name) else mean_interval(numbers)
            result.setdefault(lens, {})[name] = interval.as_dict()
    return result


def _share(lens: str, name: str, values: np.ndarray) -> Interval:
    try:
        return share_interval(values)
    except ValueError as error:
        raise SeedscopeError(f"lens {lens} declares {name} to be a share, in [0, 1], but {error}") from error


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
        low, high = share_interval(part["probe_accuracy"].to_numpy()).ends or (None, None)
        means = part.drop(columns=["epoch", "seed"]).mean()
        rows.append(
            {
                "epoch": epoch,
                **means,
                "probe_accuracy_low": low,
                "probe_accuracy_high": high,
            }
        )
    columns = [column for column in curves.columns if column != "seed"]
    return pd.DataFrame(rows, columns=[*columns, "probe_accuracy_low", "probe_accuracy_high"])
