"""A few scalars of what was measured."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from seedscope.lenses.places.agreement import AGREEMENTS

if TYPE_CHECKING:
    import xarray as xr


def summary(of_maps: xr.Dataset) -> dict[str, float]:
    """Return how concentrated the votes are, whether they come from the object, and how well heat maps agree.

    The share of votes on the object is held against that of another picture's votes with the same answer on the same
    cells, and against even votes.
    """
    found = {"completeness_error": float(of_maps.completeness_error)}
    for name in ("places_for_80_percent", "channels_for_80_percent"):
        found[name] = float(of_maps[name].mean())
    for where in ("on_object", "near_object") if "votes" in of_maps else ():
        found[f"votes_{where}"] = _share(of_maps, where, "")
        found[f"votes_{where}_null_same_answer"] = _share(of_maps, where, "_same_answer")
        found[f"votes_{where}_null_even"] = float(of_maps[f"cells_{where}"].mean())
    mean = of_maps.agreement.sel(source="own").mean("compared_picture")
    for name, measure in product(of_maps.by.values, AGREEMENTS):
        found[f"{name}_{measure}"] = float(mean.sel(by=name, measure=measure))
    return found


def _share(of_maps: xr.Dataset, where: str, whose: str) -> float:
    total = float(of_maps[f"votes{whose}"].sum())
    return float(of_maps[f"votes_{where}{whose}"].sum()) / total if total else float("nan")
