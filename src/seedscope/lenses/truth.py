"""Where the object is, from what the generator of the pictures knows: the boxes of :mod:`seedscope.formulas.boxes`.

Each of their four sides is the name of a variable of the data, one value per sample, or a fixed number of pixels. An
object that does not fill its box is one variable ``(sample, y, x)`` instead, not 0 on the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean
from seedscope.formulas.boxes import Boxes

if TYPE_CHECKING:
    import xarray as xr

Side = Literal["top", "left", "height", "width"]
Truth = Mapping[Side, str | int] | str
_SIDES: tuple[Side, ...] = ("top", "left", "height", "width")


def boxes_of(truth: Truth, pictures: xr.Dataset) -> Boxes:
    """Return the boxes that ``truth`` describes; a variable that the data lacks is named."""
    if isinstance(truth, str):
        return Boxes.around(_variable(truth, pictures, ("sample", "y", "x")) != 0)
    sides = {}
    for side in _SIDES:
        source = truth[side]
        values = (
            _variable(source, pictures, ("sample",))
            if isinstance(source, str)
            else np.full(pictures.sizes["sample"], source)
        )
        sides[side] = np.asarray(values, dtype=np.int64)
    return Boxes(**sides)


def _variable(name: str, pictures: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    if name not in pictures:
        known = [str(other) for other, values in pictures.items() if values.dims == dims]
        raise SeedscopeError(f"the data has no variable {name!r} to say where objects are; {did_you_mean(name, known)}")
    found = pictures[name].dims
    if found != dims:
        raise SeedscopeError(f"{name!r} of the data cannot say where objects are: it is {found}, not {dims}")
    return np.asarray(pictures[name].values)


def require_boxes(truth: Truth) -> None:
    """Refuse a description of the boxes that lacks one of its four numbers."""
    for side in () if isinstance(truth, str) else _SIDES:
        if side not in truth:
            raise SettingError("truth", f"it lacks {side!r}: name a variable of the data, or a number of pixels")
