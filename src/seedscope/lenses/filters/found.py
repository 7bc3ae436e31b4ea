"""What gradient ascent found in one layer of one network, as it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def networks(measured: xr.DataTree) -> list[str]:
    """Return which networks were looked at: ``trained``, and perhaps ``untrained``."""
    return [str(network) for network in measured.coords["network"].values]


def found_in(measured: xr.DataTree, layer: str, network: str) -> xr.Dataset:
    """Return what was found in one layer of a network."""
    return measured.children[layer].to_dataset().sel(network=network)


def kind_of(found: xr.Dataset) -> str:
    """Return what the layer consists of: ``channel``, or ``unit`` where it is dense."""
    return str(found["silent"].dims[-1])


def raised(found: xr.Dataset) -> np.ndarray:
    """Return which channels the ascent or a probe picture raises."""
    silent: np.ndarray = found["silent"].values
    return ~silent | (found["probe"].values > 0)
