"""Which heat maps there are: a method, and the layer that it looks at, or the picture itself.

What was measured is a tree with a group for each layer, and one for the picture. In each are the same variables with a
dimension ``by``, so that a map's numbers are ``measured[layer][variable].sel(by=method)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedscope.lenses.attribution import PICTURE

if TYPE_CHECKING:
    import xarray as xr

Method = Literal["grad_cam", "occlusion", "integrated_gradients"]
EXPLAINED = ("logit", "centred")
SOURCES = ("trained", "untrained", "same_class")
OTHERS = ("randomised", "another_picture")  # what a map of given weights is held against
PRIORS = ("centre_prior", "brightest_window")

Groups = Mapping[str, Mapping[str, Any]]
"""Variables by group and name, as xarray takes them; the root is ``/``."""


@dataclass(frozen=True)
class Map:
    """One kind of heat map: by ``method``, of ``layer`` or of the ``picture`` itself."""

    method: Method
    layer: str = PICTURE

    @property
    def name(self) -> str:
        """Return what its metrics begin with: the method, and the layer where there is one."""
        return self.method if self.layer == PICTURE else f"{self.method}_{self.layer}"

    def of(self, measured: xr.DataTree, variable: str) -> xr.DataArray:
        """Return a variable of what was measured, of this map."""
        return measured.children[self.layer].dataset[variable].sel(by=self.method)


def maps_of(methods: Sequence[Method], layers: Sequence[str]) -> list[Map]:
    """Return all maps, method by method: Grad-CAM has one of each layer."""
    return [Map(method, layer) for method in methods for layer in (layers if method == "grad_cam" else [PICTURE])]


def grouped(variable: str, dims: Sequence[str], values: Mapping[Map, np.ndarray | float]) -> Groups:
    """Return a variable with these dimensions, of each map, as groups: (by, *dims) by layer."""
    layers: dict[str, list[Map]] = {}
    for one in values:
        layers.setdefault(one.layer, []).append(one)
    return {
        layer: {
            "by": ("by", [one.method for one in maps]),
            variable: (("by", *dims), np.stack([values[one] for one in maps])),
        }
        for layer, maps in layers.items()
    }


def merged(parts: Iterable[Groups]) -> dict[str, dict[str, Any]]:
    """Return groups with the variables of all parts."""
    whole: dict[str, dict[str, Any]] = {}
    for part in parts:
        for group, variables in part.items():
            whole.setdefault(group, {}).update(variables)
    return whole
