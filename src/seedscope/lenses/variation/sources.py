"""What makes votes vary: the crossed design, every place of a class under every noise field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.files.errors import SeedscopeError
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.ranks import top_units
from seedscope.formulas.variance import shares, sums_of_squares, variance_components
from seedscope.formulas.votes import Votes
from seedscope.lenses.variation.designs import CROSSED, SOURCES

if TYPE_CHECKING:
    import xarray as xr

_SHUFFLES = 20
_SHOWN = 6  # pictures in a strip
_NAMED = 8  # units whose votes stand under each


def sources(varied: xr.Dataset, votes: Votes, logit: np.ndarray, live: np.ndarray, n_classes: int) -> xr.Dataset:
    """Return variance by source, (source, class, unit), with its null, and strips of pictures to look at."""
    import xarray as xr

    cells = _cells(varied, _pictures(varied, CROSSED))
    margin = true_margin(logit, varied.label.values)
    sizes = np.array([cells[k].shape if k in cells else (0, 0) for k in range(n_classes)])
    class_shown = list(cells)[len(cells) // 2]
    return xr.Dataset(
        {
            **_of_votes(cells, votes, live, n_classes),
            **_of_margins(cells, margin, n_classes),
            "n_places": ("true", sizes[:, 0]),
            "n_noises": ("true", sizes[:, 1]),
            **_strips(varied, cells[class_shown], votes, logit, live, class_shown),
        },
        coords={"source": list(SOURCES)},
        attrs={"class_shown": class_shown},
    )


def settings(varied: xr.Dataset, votes: Votes, live: np.ndarray) -> xr.Dataset | None:
    """Return the shares of the sources, (source, setting), where the crossed pictures were made at other settings too.

    The base setting of each design is that of the crossed pictures themselves. ``None`` where there are no others.
    """
    import xarray as xr

    own = dict.fromkeys(name for name in varied["design"].values.astype(str).tolist() if name.startswith(f"{CROSSED}_"))
    rows: list[tuple[str, float, bool, np.ndarray]] = []
    for design in own:
        level = varied["level"].values[_pictures(varied, design)]
        points = [(float(one), False, _pictures(varied, design, one)) for one in np.unique(level)]
        base = varied["level"].attrs.get(f"{design}_base")
        if base is not None:
            points.append((float(base), True, _pictures(varied, CROSSED)))
        for one, is_base, where in sorted(points, key=lambda point: point[0]):
            rows.append((design, one, is_base, _shares(_cells(varied, where), votes, live)))
    if not rows:
        return None
    designs, levels, bases, values = zip(*rows, strict=True)
    measured = xr.Dataset(
        {"setting_share": (("source", "setting"), np.stack(values, 1))},
        coords={
            "setting_design": ("setting", list(designs)),
            "setting_level": ("setting", list(levels)),
            "setting_base": ("setting", list(bases)),
        },
    )
    measured["setting_level"].attrs = {name: str(varied["level"].attrs.get(name, name)) for name in own}
    return measured


def _shares(cells: Mapping[int, np.ndarray], votes: Votes, live: np.ndarray) -> np.ndarray:
    """Return the shares of the sources in the variance of the votes, over classes and units, (source)."""
    weight = votes.class_weight(centred=True)
    parts = np.zeros(3)
    for k, cell in cells.items():
        vote = votes.activation[cell][..., live] * weight[k, live]
        parts += variance_components(sums_of_squares(vote), *cell.shape).sum(1)
    return shares(parts)


def _pictures(varied: xr.Dataset, design: str, level: float | None = None) -> np.ndarray:
    """Return the positions of the pictures of a design, at one of its levels or at all."""
    found = varied["design"].values.astype(str) == design
    return np.flatnonzero(found if level is None else found & (varied["level"].values == level))


def _of_votes(cells: Mapping[int, np.ndarray], votes: Votes, live: np.ndarray, n_classes: int) -> dict[str, Any]:
    """Return sums of squares and components of each unit's votes, and shares of shuffled pictures."""
    weight, units = votes.class_weight(centred=True), votes.activation.shape[1]
    squares, component = (np.zeros((3, n_classes, units)) for _ in range(2))
    shuffled, shuffled_squares = (np.zeros((3, _SHUFFLES)) for _ in range(2))
    rng = np.random.default_rng(0)
    for k, cell in cells.items():
        vote = votes.activation[cell] * (weight[k] * live)
        squares[:, k] = sums_of_squares(vote)
        component[:, k] = variance_components(squares[:, k], *cell.shape)
        flat = vote.reshape(cell.size, units)[:, live]
        for shuffle in range(_SHUFFLES):
            drawn = sums_of_squares(flat[rng.permutation(cell.size)].reshape(*cell.shape, -1))
            shuffled_squares[:, shuffle] += drawn.sum(1)
            shuffled[:, shuffle] += variance_components(drawn, *cell.shape).sum(1)
    return {
        "sum_of_squares": (("source", "true", "unit"), squares),
        "component": (("source", "true", "unit"), component),
        "share_null_shuffled": (("source", "shuffle"), shares(shuffled)),
        "squares_share_null_shuffled": (("source", "shuffle"), shares(shuffled_squares)),
    }


def _of_margins(cells: Mapping[int, np.ndarray], margin: np.ndarray, n_classes: int) -> dict[str, Any]:
    """Return sums of squares and components of the margins of each class."""
    squares, component = (np.zeros((3, n_classes)) for _ in range(2))
    for k, cell in cells.items():
        squares[:, k] = sums_of_squares(margin[cell])
        component[:, k] = variance_components(squares[:, k], *cell.shape)
    return {
        "margin_sum_of_squares": (("source", "true"), squares),
        "margin_component": (("source", "true"), component),
    }


def _strips(
    varied: xr.Dataset, cell: np.ndarray, votes: Votes, logit: np.ndarray, live: np.ndarray, k: int
) -> dict[str, Any]:
    """Return two strips of pictures of class ``k``, of one place and under one noise field, with their votes for it."""
    count = min(_SHOWN, *cell.shape)
    strip = np.stack([cell[0, :count], cell[:count, 0]])
    own = votes.activation * votes.class_weight(centred=True)[k]
    unit = top_units(np.abs(own[cell]).mean((0, 1)), live, min(_NAMED, int(live.sum())))
    return {
        "strip_image": (
            ("strip", "picture", "channel", "y", "x"),
            varied.image.values[strip],
        ),
        "strip_unit": ("rank", unit),
        "strip_vote": (("strip", "picture", "rank"), own[strip][..., unit]),
        "strip_decided": (("strip", "picture"), predicted_class(logit)[strip]),
        "strip_margin": (("strip", "picture"), true_margin(logit, varied.label.values)[strip]),
    }


def _cells(varied: xr.Dataset, crossed: np.ndarray) -> dict[int, np.ndarray]:
    """Return the positions of crossed pictures by class, (place, noise field)."""
    label, place, noise = (varied[name].values[crossed] for name in ("label", "place", "noise_draw"))
    cells = {}
    for k in np.unique(label):
        own = np.flatnonzero(label == k)
        places, row = np.unique(place[own], return_inverse=True)
        noises, column = np.unique(noise[own], return_inverse=True)
        shape = (len(places), len(noises))
        taken = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
        if min(shape) < 2 or (taken != 1).any():
            raise SeedscopeError(
                f"variations: class {k} has {len(own)} crossed pictures of {shape[0]} places and {shape[1]} noise "
                "fields; there must be one of each pair, of at least two places and two fields"
            )
        cell = np.empty(shape, dtype=np.int64)
        cell[row, column] = crossed[own]
        cells[int(k)] = cell
    return cells
