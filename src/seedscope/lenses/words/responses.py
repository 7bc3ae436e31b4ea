"""How far does each stimulus move the channels of a layer?

A layer is shown the smallest pictures that hold its receptive field for some place: as large as the field and one
stride. What a place sees there is all that it could see of a larger picture. Where the layer cannot be computed on
less than the whole picture, it is shown that. Changes below 1e-4 of the channel's largest are the noise of single
precision and count as 0; a channel whose largest is below 1e-6 of its answer to grey does not change at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.activations.receptive_field import ReceptiveField, receptive_fields
from seedscope.files.errors import SeedscopeError
from seedscope.formulas.gratings import ORIENTATIONS, at_best_period, grating
from seedscope.formulas.selectivity import orientation_selectivity
from seedscope.lenses.words.stimuli import HUES, SIGNS, colour, even, periods, rings

if TYPE_CHECKING:
    from torch import nn

_SMALLEST = 16  # side of the first pictures tried, pixels
_NOISE, _ROUNDING = 1e-4, 1e-6


@dataclass(frozen=True)
class View:
    """How a layer is looked at.

    Attributes:
        layer: its name.
        field: its receptive field, on pictures of ``shape``.
        shape: of the pictures that it is shown, (channel, y, x).
    """

    layer: str
    field: ReceptiveField
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Answers:
    """What the channels of one layer answered; a rise is the largest over places, and not below 0.

    Attributes:
        grating: rise by gratings (channel, period, orientation), the largest over phases.
        spot: rise by rings around a bright and a dark spot (channel, polarity, period).
        grey: rise by black or white (channel).
        hue: change by each hue, signed, (channel, hue); no hues for pictures that have not three colours.
        largest: change by any stimulus at any place, up or down, (channel), ≥ 0.
        highest: output to any stimulus, grey among them, (channel).
        periods: pixels (period).
    """

    grating: np.ndarray
    spot: np.ndarray
    grey: np.ndarray
    hue: np.ndarray
    largest: np.ndarray
    highest: np.ndarray
    periods: np.ndarray

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return len(self.grey)


def view_of(network: nn.Module, layer: str, shape: tuple[int, int, int]) -> View:
    """Return how to look at a layer of a network for pictures of ``shape`` (channel, y, x).

    Raises:
        SeedscopeError: the layer sees as much as the whole picture, or does not depend on it.
    """
    depth, *extent = shape
    side = _SMALLEST
    while side < min(extent):
        field = _field(network, layer, (depth, side, side))
        if field is not None and _is_whole(field, side):
            height, width = (int(np.ceil(size + stride)) for size, stride in zip(field.size, field.stride, strict=True))
            closer = _field(network, layer, (depth, height, width))
            if closer is not None and closer.size == field.size:
                return View(layer, closer, (depth, height, width))
            return View(layer, field, (depth, side, side))
        side *= 2
    field = receptive_fields(network, [layer], shape)[layer]
    if any(seen >= pixels for seen, pixels in zip(field.size, extent, strict=True)):
        raise SeedscopeError(
            f"layer {layer!r} sees the whole picture of {extent[0]}×{extent[1]} pixels, so its receptive field does "
            "not fit into it: take it out of `layers`"
        )
    return View(layer, field, shape)


def _field(network: nn.Module, layer: str, shape: tuple[int, int, int]) -> ReceptiveField | None:
    """Return the receptive field on pictures of this shape; ``None`` where the layer cannot be computed on them."""
    try:
        return receptive_fields(network, [layer], shape)[layer]
    except (RuntimeError, ValueError):  # torch's, of a picture that is too small
        return None


def _is_whole(field: ReceptiveField, side: int) -> bool:
    """Return whether a field found on a picture of that side is all that a place of a larger picture would see.

    A larger one would be cut off: by one border, with the same cut at the other (then their distance is what is left of
    the picture) or in one place only, or by both, in places whose distance is 0.
    """
    size, stride = np.array(field.size), np.array(field.stride)
    return bool((stride > 0).all() and (size + 2 * stride <= side).all())  # of one place the stride is NaN


def answers(network: nn.Module, view: View) -> Answers:
    """Show all stimuli to a layer."""
    import torch

    from seedscope.activations.capture import evaluating, output_of

    inside, shape = view.field.inside, view.shape

    def maps(pictures: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32))
        found: np.ndarray = output_of(network, view.layer, batch).double().numpy()[..., inside]
        return found  # (picture, channel, place)

    with evaluating(network):
        grey = maps(even(shape, np.full((1, shape[0]), 0.5)))
        level = grey.max((0, 2))
        largest, highest = np.zeros(len(level)), level

        def change(pictures: np.ndarray) -> np.ndarray:
            nonlocal largest, highest
            found = maps(pictures)
            moved = found - grey
            largest = np.maximum(largest, np.abs(moved).max((0, 2)))
            highest = np.maximum(highest, found.max((0, 2)))
            return moved

        waves = periods(view.field.side)
        by_wave = [[change(grating(shape, angle, p)).max((0, 2)) for angle in ORIENTATIONS] for p in waves]
        by_ring = [change(rings(shape, p, view.field.side)).max(2) for p in waves]  # (picture, channel)
        by_grey = change(even(shape, np.repeat([[0.0], [1.0]], shape[0], 1))).max((0, 2))
        by_hue = change(even(shape, colour(HUES))).mean(2) if shape[0] == 3 else np.zeros((0, len(level)))
    largest = np.where(largest > _ROUNDING * np.abs(level), largest, 0.0)

    def risen(values: np.ndarray) -> np.ndarray:
        """Put the channel first and leave out what may be rounding."""
        values = np.moveaxis(values, -1, 0)
        return np.where(np.abs(values) > _NOISE * largest.reshape(-1, *[1] * (values.ndim - 1)), values, 0.0)

    per_sign = np.stack([rise.reshape(len(SIGNS), -1, len(level)).max(1) for rise in by_ring], 1)
    return Answers(
        grating=np.maximum(risen(np.array(by_wave)), 0) * (largest > 0)[:, None, None],
        spot=np.maximum(risen(per_sign), 0) * (largest > 0)[:, None, None],
        grey=np.maximum(risen(by_grey), 0) * (largest > 0),
        hue=risen(by_hue) * (largest > 0)[:, None],
        largest=largest,
        highest=highest,
        periods=waves,
    )


def across(grating: np.ndarray) -> np.ndarray:
    """Return the rise (channel) by gratings of any period across the one that raises a channel most."""
    by_orientation = grating.max(1)
    half = by_orientation.shape[1] // 2
    turned = (by_orientation.argmax(1) + half) % by_orientation.shape[1]
    return np.take_along_axis(by_orientation, turned[:, None], 1)[:, 0]


def curves(found: Answers) -> dict[str, np.ndarray]:
    """Return of each channel what it prefers, and its curves.

    ``orientation`` and ``hue`` are in degrees, NaN where there is no preference; ``polarity`` 0 is a bright spot.
    """
    tuning, best = at_best_period(found.grating)
    index, preferred = orientation_selectivity(tuning, ORIENTATIONS)
    spots = found.spot.reshape(found.channels, -1)
    polarity, size = np.divmod(spots.argmax(1), len(found.periods))
    by_hue = np.full((found.channels, len(HUES)), np.nan)
    by_hue[:, : found.hue.shape[1]] = found.hue
    return {
        "by_orientation": tuning,
        "by_radius": found.spot,
        "by_hue": by_hue,
        "orientation_selectivity": index,
        "preferred_orientation": preferred,
        "best_period": np.where(tuning.max(1) > 0, found.periods[best], np.nan),
        "spot_radius": np.where(spots.max(1) > 0, found.periods[size] / 4, np.nan),
        "spot_polarity": polarity,
        "preferred_hue": preferred_hue(found.hue),
        "grating_rise": found.grating.max((1, 2)),
        "across_rise": across(found.grating),
        "spot_rise": spots.max(1),
        "grey_rise": found.grey,
        "hue_rise": found.hue.max(1, initial=0),
        "largest_change": found.largest,
    }


def preferred_hue(change: np.ndarray) -> np.ndarray:
    """Return the phase of the first harmonic of (…, hue) around the circle, degrees in [0, 360); NaN where it is 0."""
    if change.shape[-1] == 0:
        return np.full(change.shape[:-1], np.nan)
    vector = (change * np.exp(1j * np.deg2rad(HUES))).sum(-1)
    seen = np.abs(vector) > 1e-6 * np.abs(change).sum(-1)
    return np.where(seen, np.rad2deg(np.angle(vector)) % 360, np.nan)
