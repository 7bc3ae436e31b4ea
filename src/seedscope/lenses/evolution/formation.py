"""How the final top units came to be: what measure, draw and compare share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MEASURES = {
    "overlap": "units shared with the final top {top}",
    "auc": "AUC: final top above the others",
}

AREAS = (
    "auc",
    "auc_unconditioned",
    "head_auc",
    "head_auc_unconditioned",
    "head_auc_raw",
    "head_auc_margin",
    "head_auc_mean_subtracted",
    "head_auc_raw_unconditioned",
    "head_auc_margin_unconditioned",
    "head_auc_mean_subtracted_unconditioned",
    "survival_activity",
    "survival_dominance",
    "survival_head",
)
"""The variables ``<name>_mean`` that are an AUC of step 0: of the final top units, and of who lives on."""


def metric_name(name: str, top: int) -> str:
    """Return the metric of ``overlap`` or one of :data:`AREAS`, by the size of the top sets."""
    if name.startswith("survival"):
        return name.replace("survival_", "survival_from_initial_")
    base, _, which = name.partition("auc_")
    return f"top{top}_{base}auc_at_start_{which}" if which else f"top{top}_{name}_at_start"


def formation_table(root: xr.Dataset) -> pd.DataFrame:
    """Return, by frame of one seed, overlap and AUC."""
    import pandas as pd

    columns = [f"{name}{part}" for name in MEASURES for part in ("_mean", "_p")]
    return pd.DataFrame(
        {
            "frame": root["frame"].values,
            "step": root["step"].values,
            "epoch": root["epoch"].values,
            "accuracy": root["accuracy"].values,
            "live_units": root["live"].values.sum(1),
            "overlap_null_chance": float(root["overlap_null_chance"]),
            **{column: root[column].values for column in columns},
        }
    )
