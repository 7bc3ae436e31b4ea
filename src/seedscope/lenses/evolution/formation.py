"""How the final top units came to be, in a table: what draw and compare both write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MEASURES = {
    "overlap": "units shared with the final top {top}",
    "auc": "AUC: final top above the others",
}


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
