"""A few scalars of what was measured; a map is told by its name, ``grad_cam_conv1`` or ``occlusion``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seedscope.formulas.localization import MEASURES
from seedscope.lenses.heat_maps.maps import EXPLAINED, Map

if TYPE_CHECKING:
    import xarray as xr


def summary(measured: xr.DataTree, maps: Sequence[Map]) -> dict[str, float]:
    """Return how well the heat finds the object, what integrated gradients lack, and how many maps have no heat.

    The share of given weights' maps that is left with shuffled weights is held against that of another picture's map.
    """
    found: dict[str, float] = {}
    for one in maps:
        variables = measured.children[one.layer].dataset
        if "inside" in variables:
            mean = one.of(measured, "inside").sel(source="trained").mean("sample")
            found |= {f"{one.name}_{measure}": float(mean.sel(measure=measure)) for measure in MEASURES}
        if "similarity" in variables:
            alike = one.of(measured, "similarity").mean("shown_sample")
            found[f"{one.name}_like_randomised"] = float(alike.sel(other="randomised"))
            found[f"{one.name}_like_randomised_null_another_picture"] = float(alike.sel(other="another_picture"))
            found["compared_pictures"] = float(measured.sizes["shown_sample"])
        if one.method == "integrated_gradients":
            found["integrated_gradients_lack"] = float(variables.lacking)
        if one.method == "grad_cam":
            if "closed_form_error" in variables:
                found[f"{one.name}_closed_form_error"] = float(variables.closed_form_error)
            for explained in EXPLAINED:
                found[f"{one.name}_no_heat_{explained}"] = float(variables.no_heat.sel(explained=explained))
    return found
