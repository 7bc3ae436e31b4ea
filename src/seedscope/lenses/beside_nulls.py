"""A measure of every replica beside its nulls, over seeds: is what is left of it above 0?

    gain[s] = value[s] − null[s]      s: seed; both are measured on the same network, so the seeds are paired

The interval of the gain says whether a measure is above its null. That of the measure and that of the null may overlap
where every seed has a gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seedscope.formulas.intervals import mean_interval

if TYPE_CHECKING:
    import pandas as pd


def beside_nulls(
    by_seed: Sequence[pd.DataFrame], own: str, nulls: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Return the means over seeds as a table, and the metrics of the nulls and of the gains over them.

    Args:
        by_seed: a table per seed with the columns ``map``, ``source``, ``measure`` and ``value``.
        own: the ``source`` that is measured, whose own metrics a lens's ``summarize`` gives.
        nulls: the sources it is held against: metrics ``<map>_<measure>_null_<source>`` and ``…_gain_<source>``.

    Returns:
        A row for each map, source and measure with ``value`` and ``mean``, ``low``, ``high``, ``n``; and the metrics.
    """
    import pandas as pd

    parts = [table.set_index(["map", "source", "measure"])["value"] for table in by_seed]
    together = pd.concat(parts, axis=1)  # a row for each number, a column for each seed
    values = dict(zip(together.index, together.to_numpy(dtype=float), strict=True))
    rows, metrics = [], {}
    for (name, source, measure), row in values.items():
        interval = mean_interval(row).as_dict()
        rows.append({"map": name, "source": source, "measure": measure, "value": interval["mean"], **interval})
        if source in nulls:
            metrics[f"{name}_{measure}_null_{source}"] = interval
            metrics[f"{name}_{measure}_gain_{source}"] = mean_interval(values[name, own, measure] - row).as_dict()
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float}), metrics
