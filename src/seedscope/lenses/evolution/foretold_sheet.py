"""A sheet of what step 0 says of the end, of one seed or of several, beside what it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    MARK,
    NEUTRAL,
    Axis,
    Beside,
    Dots,
    Facts,
    Key,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
)
from seedscope.figures.over import over_seeds
from seedscope.lenses.evolution.foretold import CUES, PREDICTORS, mean_known

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_AREAS = {
    "head_auc": "survivors",
    "head_auc_unconditioned": "all\nunits",
    "head_auc_raw_unconditioned": "all units,\nraw",
    "head_auc_margin_unconditioned": "all units,\nmargin",
    "head_auc_mean_subtracted_unconditioned": "all units,\nmean-subtracted",
}
_SIGNS = {"head_auc": "head_auc_null_sign", "head_auc_unconditioned": "head_auc_null_sign_unconditioned"}
_SURVIVAL = {
    f"survival_{cue}": words for cue, words in zip(CUES, ("activity", "largest\nvote", "largest\nweight"), strict=True)
}
_TUNING = dict(zip(PREDICTORS, ("initial\nhead row", "initial\ntuning"), strict=True))


def foretold_sheet(root: xr.Dataset, top: int, name: str) -> Sheet:
    """Show what step 0 says of the end, of several seeds (a dimension ``seed``) or of one.

    Args:
        root: what was measured.
        top: size of the top sets.
        name: of the sheet.
    """
    several = "seed" in root.dims
    of_seeds = root if several else root.expand_dims("seed")
    dots = "a dot per seed, with mean and 95 % t interval over seeds" if several else "blue: this seed"
    units = "" if several else " Small grey dots: each unit."
    return Sheet(
        name,
        Facts.of(root),
        "What does step 0 say of the end?",
        "Left: Pearson's r over classes of a unit's final class means with its initial head row, and with its initial "
        f"class means, mean over the units that live in the end.{units} Middle: the AUC with which the initial head "
        f"weights rank the final top {top} of a class, among the units that live in the end (survivors; by centred "
        "votes, then by the other versions) or at the start or the end (all units); squares: by the sign of the weight "
        "alone. Right: the AUC with which the share of pictures that make a unit active, its largest mean vote or its "
        "largest head weight, each at step 0, tell who of the units that live then live in the end. "
        f"{dots[0].upper()}{dots[1:]}; orange: mean and 95 % of shuffled units.",
        Beside([_tuning(of_seeds, several), _areas(of_seeds), _survival(of_seeds)]),
        _table(of_seeds, top),
    )


def _tuning(root: xr.Dataset, several: bool) -> Panel:
    """Show how well the final tuning is read from each predictor."""
    marks: list[Mark] = [Rule(0, NEUTRAL, width=0.6)]
    found = False
    for at, name in enumerate(_TUNING):
        part = root.sel(predictor=name)
        values, null = _tuning_of(part)
        found |= bool(np.isfinite(values).any())
        each = part["tuning_foretold"].values
        if not several:
            known = each[np.isfinite(each)]
            beside = at - 0.25 + 0.5 * np.linspace(0, 1, len(known)) if len(known) > 1 else np.full(len(known), at)
            marks.append(Dots(beside, np.sort(known), NEUTRAL, size=2.5))
        marks += [*_null(at, null), *over_seeds(at, values)]
    return Panel(
        marks,
        "what a unit will mean",
        _axis(list(_TUNING.values())),
        Axis("r with the final tuning", high=1.02),
        width=2.4,
        height=2.7,
        empty="" if found else "no live unit",
    )


def _tuning_of(part: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over units (seed) and its null (seed, shuffle)."""
    values = np.array([mean_known(of_seed) for of_seed in part["tuning_foretold"].values])
    return values, part["tuning_foretold_null_shuffled"].values


def _areas(root: xr.Dataset) -> Panel:
    """Show how the initial head ranks the final top units."""
    marks: list[Mark] = [Rule(0.5, NEUTRAL, "--", 0.9)]
    for at, name in enumerate(_AREAS):
        values = root[f"{name}_mean"].values
        label = "" if at else "95 % of shuffled units"
        marks += [*_null(at, root[f"{name}_null_shuffled_at_start"].values, label), *over_seeds(at, values)]
        if name in _SIGNS:
            sign = mean_known(root[_SIGNS[name]].values)
            first = "" if at else "sign of the weight alone"
            marks.append(Dots([at], [sign], MARK, "s", 6, label=first))
    found = np.isfinite(root["head_auc_unconditioned_mean"].values).any()
    return Panel(
        marks,
        "who will dominate",
        _axis(list(_AREAS.values())),
        Axis("AUC of the initial head weights", high=1.02),
        width=5.4,
        height=2.7,
        empty="" if found else "no unit stands below another",
        key=Key("below", columns=2) if found else None,
    )


def _survival(root: xr.Dataset) -> Panel:
    """Show how step 0 tells who lives on."""
    marks: list[Mark] = [Rule(0.5, NEUTRAL, "--", 0.9)]
    found = False
    for at, name in enumerate(_SURVIVAL):
        values = root[f"{name}_mean"].values
        found |= bool(np.isfinite(values).any())
        marks += [*_null(at, root[f"{name}_null_shuffled_at_start"].values), *over_seeds(at, values)]
    return Panel(
        marks,
        "who will live",
        _axis(list(_SURVIVAL.values())),
        Axis("AUC among units live at step 0", high=1.02),
        width=2.8,
        height=2.7,
        empty="" if found else "all or none of them live on",
    )


def _null(at: float, drawn: np.ndarray, label: str = "") -> list[Mark]:
    """Show mean and 95 % of a null (seed, shuffle), whose draws are means over seeds."""
    known = drawn[np.isfinite(drawn).all(1)]
    if not len(known):
        return []
    over = known.mean(0)
    low, high = np.quantile(over, (0.025, 0.975))
    return [Spans([at], [low], [high], AGAINST, 5.0, label=label), Dots([at], [over.mean()], AGAINST, "_", 9)]


def _axis(names: Sequence[str]) -> Axis:
    return Axis("", range(len(names)), names, -0.6, len(names) - 0.4, size=8)


def _table(root: xr.Dataset, top: int) -> pd.DataFrame:
    """Return a row for each seed, question and what it is read from."""
    import pandas as pd

    from seedscope.lenses.evolution.formation import metric_name

    columns = {f"tuning_from_{name}": _tuning_of(root.sel(predictor=name)) for name in _TUNING}
    columns |= {
        metric_name(name, top): (root[f"{name}_mean"].values, root[f"{name}_null_shuffled_at_start"].values)
        for name in (*_AREAS, *_SURVIVAL)
    }
    seeds = np.asarray(root["seed"].values) if "seed" in root.coords else np.array([root.attrs["seed"]])
    rows = [
        {"seed": seed, "metric": name, "value": value, "null_mean": mean_known(drawn)}
        for name, (values, null) in columns.items()
        for seed, value, drawn in zip(seeds, values, null, strict=True)
    ]
    return pd.DataFrame(rows)
