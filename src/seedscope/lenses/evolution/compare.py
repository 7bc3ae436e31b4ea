"""How early do the final top units dominate, over seeds?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import Axis, Facts, Grid, Key, Panel, Rule, Sheet, of_member
from seedscope.figures.over import first_epoch, frame_axis, line_per_seed
from seedscope.files.arrays import root_of
from seedscope.formulas.intervals import mean_interval, share_interval
from seedscope.formulas.nulls import permutation_p
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.evolution.foretold import PREDICTORS, mean_known
from seedscope.lenses.evolution.foretold_sheet import foretold_sheet
from seedscope.lenses.evolution.formation import AREAS, MEASURES, formation_table, metric_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from seedscope.lenses.lens import Numbers


def compare(measured: Numbers, top: int) -> Comparison:
    """Hold what step 0 says of the end against shuffled unit labels, over seeds."""
    root = root_of(measured)
    trained = root.isel(seed=np.flatnonzero(_has_frame(root).sum(1) > 1))
    metrics = {metric_name(name, top): _at_start(trained, name) for name in ("overlap", *AREAS)}
    metrics |= {f"tuning_from_{predictor}": _tuning(trained, predictor) for predictor in PREDICTORS}
    sheets = [_top_units(root, top)]
    if trained.sizes["seed"]:
        sheets.append(foretold_sheet(trained, top, "evolution_from_step_0"))
    return Comparison(metrics, sheets)


def _has_frame(root: xr.Dataset) -> np.ndarray:
    """Return which seed has which frame, (seed, frame)."""
    return np.asarray(root["step"].broadcast_like(root["accuracy"]).transpose("seed", "frame").values >= 0)


def _at_start(trained: xr.Dataset, name: str) -> dict[str, Any]:
    """Return the mean of a measure at step 0 with its interval, what chance gives, and p; of no seed, no value."""
    values = trained[f"{name}_mean"]
    start = np.asarray((values.isel(frame=0) if "frame" in values.dims else values).values)
    known = ~np.isnan(start)
    beside: dict[str, float | None] = {"null": None, "p": None}
    if known.any():
        drawn = trained[f"{name}_null_shuffled_at_start"].values[known].mean(0)
        beside["null"] = float(trained[f"{name}_null_chance"].values[known].mean())
        beside |= {"p": permutation_p(start[known].mean(), drawn), "draws": len(drawn)}
    interval = share_interval if name in AREAS else mean_interval  # an area lies in [0, 1]
    return {**interval(start).as_dict(), **beside}


def _tuning(trained: xr.Dataset, predictor: str) -> dict[str, Any]:
    """Return the mean r of a predictor of the final tuning with its interval, what shuffled units give, and p."""
    of_it = trained.sel(predictor=predictor)
    values = np.array([mean_known(of_seed) for of_seed in of_it["tuning_foretold"].values])
    known = np.isfinite(values)
    beside: dict[str, float | None] = {"null": None, "p": None}
    if known.any():
        drawn = of_it["tuning_foretold_null_shuffled"].values[known].mean(0)
        p = permutation_p(float(values[known].mean()), drawn)
        beside = {"null": float(drawn.mean()), "p": p, "draws": len(drawn)}
    return {**mean_interval(values).as_dict(), **beside}


def _top_units(root: xr.Dataset, top: int) -> Sheet:
    """Show overlap and AUC over frames, one line per seed."""
    axis = frame_axis(_steps(root), "step of the optimiser, at each frame (dotted: end of epoch 1; dashed: chance)")
    panels = [_over_frames(root, name, top, replace(axis, label="")) for name in MEASURES]
    return Sheet(
        "evolution_of_top_units",
        Facts.of(root),
        f"When does the final top {top} of each class become its top {top}? One line per seed",
        f"How many of a class's final top {top} are in its top {top} at each frame of the training, and the "
        "probability that one of them stands above another unit that lives in the end: means over classes, one line "
        "per seed; dashed: chance.",
        Grid(panels, 2, x_label=axis.label, key=Key("right", "seed")),
        _table(root),
    )


def _over_frames(root: xr.Dataset, name: str, top: int, axis: Axis) -> Panel:
    values, seeds = root[f"{name}_mean"].values, [int(seed) for seed in root["seed"].values]
    panel = Panel(x=axis, y=Axis(MEASURES[name].format(top=top)), width=4.6)
    if np.isnan(values).all():
        return replace(panel, empty="no seed has live units outside its top set")
    epoch = root["epoch"] if "seed" not in root["epoch"].dims else root["epoch"].max("seed")
    chance = [
        Rule(float(level), of_member(index), "--") for index, level in enumerate(root[f"{name}_null_chance"].values)
    ]
    lines = line_per_seed(seeds, np.arange(values.shape[1]), values, shape="o")
    return replace(panel, marks=[*first_epoch(epoch.values), *chance, *lines])


def _steps(root: xr.Dataset) -> np.ndarray:
    """Return the steps of the longest training."""
    return np.asarray((root["step"].max("seed") if "seed" in root["step"].dims else root["step"]).values)


def _table(root: xr.Dataset) -> pd.DataFrame:
    import pandas as pd

    kept = [np.flatnonzero(frames) for frames in _has_frame(root)]
    tables = [formation_table(root.isel(seed=index, frame=frames)) for index, frames in enumerate(kept)]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "seed", np.repeat(root["seed"].values, [len(frames) for frames in kept]))
    return table
