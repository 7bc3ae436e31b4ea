"""A measure of every replica beside its nulls, over seeds: is what is left of it above 0?

    gain[s] = value[s] − null[s]      s: seed; both are measured on the same network, so the seeds are paired

The interval of the gain says whether a measure is above its null. That of the measure and that of the null may overlap
where every seed has a gain.

A lens has many gains, and of twenty intervals one misses 0 by chance. All gains of a lens, ``<what>_gain_<which>``, are
one family: each has the p of no gain, from the t test over seeds, corrected by Holm (1979) for all of them. Gains that
are the same in every seed are not tested.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seedscope.formulas.intervals import Interval, corrected_p_of_zero, mean_interval, share_interval
from seedscope.lenses.lens import is_gain

if TYPE_CHECKING:
    import pandas as pd


def beside_nulls(
    by_seed: Sequence[pd.DataFrame], own: str, nulls: Sequence[str], shares: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Return the means over seeds as a table, and the metrics of the nulls and of the gains over them.

    Args:
        by_seed: a table per seed with the columns ``map``, ``source``, ``measure`` and ``value``.
        own: the ``source`` that is measured, whose own metrics a lens's ``summarize`` gives.
        nulls: the sources it is held against: metrics ``<map>_<measure>_null_<source>`` and ``…_gain_<source>``.
        shares: the measures that are shares, in [0, 1].

    Returns:
        A row for each map, source and measure with ``value`` and ``mean``, ``low``, ``high``, ``n``; and the metrics.
    """
    import pandas as pd

    parts = [table.set_index(["map", "source", "measure"])["value"] for table in by_seed]
    together = pd.concat(parts, axis=1)  # a row for each number, a column for each seed
    values = dict(zip(together.index, together.to_numpy(dtype=float), strict=True))
    rows, metrics = [], {}
    for (name, source, measure), row in values.items():
        interval = (share_interval if measure in shares else mean_interval)(row).as_dict()
        rows.append({"map": name, "source": source, "measure": measure, "value": interval["mean"], **interval})
        if source in nulls:
            metrics[f"{name}_{measure}_null_{source}"] = interval
            metrics[f"{name}_{measure}_gain_{source}"] = mean_interval(values[name, own, measure] - row).as_dict()
    columns = ["map", "source", "measure", "value", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float, "low": float, "high": float}), metrics


def with_p_of_gains(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the metrics of a lens over seeds, its gains with ``p``, corrected for all that can be tested.

    A gain that brings a ``p`` of its own keeps it, and is not counted.
    """
    gains = [name for name, found in metrics.items() if is_gain(name) and "p" not in found]
    p = dict(zip(gains, corrected_p_of_zero([_interval(metrics[name]) for name in gains]), strict=True))
    return {name: {**found, **({"p": p[name]} if name in p else {})} for name, found in metrics.items()}


def _interval(found: Mapping[str, Any]) -> Interval:
    return Interval(found["mean"], found["low"], found["high"], found["n"], found.get("same", False))
