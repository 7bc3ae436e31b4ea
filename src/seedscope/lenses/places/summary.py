"""A few scalars of what was measured."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from seedscope.lenses.places.agreement import AGREEMENTS

if TYPE_CHECKING:
    import xarray as xr

SIGNS = ("", "_positive", "_absolute")


def summary(of_maps: xr.Dataset) -> dict[str, float]:
    """Return how concentrated the votes are, whether they come from the object, and how well heat maps agree.

    The share of votes on the object, net, of those for the answer and of all by size, is held against that of another
    picture's votes with the same answer on the same cells, and against even votes.
    """
    found = {"completeness_error": float(of_maps.completeness_error)}
    for name in ("places_for_80_percent", "channels_for_80_percent"):
        found[name] = float(of_maps[name].mean())
    for where, sign in product(("on_object", "near_object"), SIGNS) if "votes" in of_maps else ():
        found[f"votes_{where}{sign}"] = share(of_maps, where, sign)
        found[f"votes_{where}{sign}_null_same_answer"] = share(of_maps, where, sign, "_same_answer")
        found[f"votes_{where}{sign}_null_even"] = float(of_maps[f"cells_{where}"].mean())
    mean = of_maps.agreement.sel(source="own").mean("compared_picture")
    for name, measure in product(of_maps.by.values, AGREEMENTS):
        found[f"{name}_{measure}"] = float(mean.sel(by=name, measure=measure))
    return found


def share(of_maps: xr.Dataset, where: str, sign: str, whose: str = "") -> float:
    """Return the share of the votes of one of ``SIGNS`` that come from some cells; NaN where there are no votes."""
    total = float(of_maps[f"votes{sign}{whose}"].sum())
    return float(of_maps[f"votes_{where}{sign}{whose}"].sum()) / total if total else float("nan")
