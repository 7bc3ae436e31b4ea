"""Films of a training: maps of a picture, outputs, logits and votes, each on one scale from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    NO_TICKS,
    SILENT,
    Axis,
    Bar,
    Body,
    Dots,
    Facts,
    Film,
    Mark,
    Panel,
    class_names,
    heat_cells,
    heat_map,
    scale_of,
    shared_cells,
)
from seedscope.figures.mosaic import MapGrid, maps_beside, shown
from seedscope.files.arrays import group_of, root_of

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.lens import Numbers

_LONGEST = 60  # frames of a film; of more, evenly chosen ones are shown
_MANY, _TICKS = 60, 25  # rows, and columns, that still can be named one by one


def films(measured: Numbers, layers: Sequence[str]) -> Iterator[Film]:
    """Yield the films of the maps of ``layers``, of the outputs, of the logits and of the votes."""
    root = root_of(measured)
    count = root.sizes["frame"]
    filmed = np.unique(np.linspace(0, count - 1, min(count, _LONGEST)).round().astype(int))
    root = root.isel(frame=filmed)
    for layer in layers:
        yield _maps(root, layer, group_of(measured, layer)["map"].values[filmed])
    yield _outputs(root)
    yield _logits(root)
    yield _votes(root)


def _maps(root: xr.Dataset, layer: str, maps: np.ndarray) -> Film:
    """Film maps (frame, channel, y, x) of the picture beside them."""
    low, high = float(min(maps.min(), 0)), float(max(maps.max(), 0))
    silent = ~(maps != 0).any((2, 3))  # (frame, channel)
    grid, bottom = MapGrid(*maps.shape[1:]), scale_of(low, high).low
    sample = int(root["exhibit_sample"][0])
    words = f"sample {sample}: class {int(root['exhibit_label'][0])}"
    return Film(
        f"{layer}_fmap_evolution",
        Facts.of(root),
        f"Maps of {layer} for one picture during training",
        f"The output of each channel of {layer} for sample {sample} at each frame of the training, on one "
        f"scale; a channel that is 0 all over is grey.{grid.shared_words()}",
        maps_beside(root["image"].values, words, grid, maps[0], low, high, silent=silent[0], filmed=True),
        family="Maps during training",
        mark=layer,
        frames=np.stack([grid.tile(shown(of_frame, off, bottom)) for of_frame, off in zip(maps, silent, strict=True)]),
        captions=[
            f"{caption}; {off} of {grid.count} channels all 0 (grey)"
            for caption, off in zip(_captions(root), silent.sum(1), strict=True)
        ],
    )


def _outputs(root: xr.Dataset) -> Film:
    features = root.attrs["features"]
    names = class_names(root)
    outputs = np.where(root["live"].values[:, None], root["exhibit_activation"].values, np.nan)
    body, frames, shared = _matrix(
        outputs,
        _class_axis([names[k] for k in root["exhibit_label"].values], "class of the picture"),
        Axis(f"unit of {features} (grey: dead at this frame)", whole=True),
        "activation",
    )
    return Film(
        f"{features}_fmap_evolution",
        Facts.of(root),
        f"Outputs of {features} for one picture of each class during training",
        f"The output of each live unit of {features} for the first exhibit of each class at each frame of the "
        f"training, on one scale. A unit is grey where none of the followed pictures makes it active.{shared}",
        body,
        frames=frames,
        captions=_captions(root),
    )


def _logits(root: xr.Dataset) -> Film:
    one, columns = root.sizes["target"] == 1, range(0, root.sizes["target"], -(-root.sizes["target"] // _TICKS))
    body, frames, shared = _matrix(
        root["mean_logit"].values,
        _class_axis(class_names(root), "class of the pictures"),
        replace(NO_TICKS, label="the only logit: for class 1") if one else Axis("class of the logit", columns),
        "mean logit",
    )
    return Film(
        "logits_evolution",
        Facts.of(root),
        "Mean logits by class during training",
        "The mean logits over the followed pictures of each class at each frame of the training, on one scale: the "
        "decision is formed "
        + ("where the sign is that of the class." if one else "where the diagonal is largest in its row.")
        + shared,
        body,
        frames=frames,
        captions=_captions(root),
    )


def _votes(root: xr.Dataset) -> Film:
    features, top = root.attrs["features"], root["top"].values
    k, rank = np.nonzero(top >= 0)
    body, frames, shared = _matrix(
        np.where(root["live"].values[:, None], root["dominance"].values, np.nan),
        _class_axis(class_names(root), "class of the pictures"),
        Axis(f"unit of {features} (grey: dead at this frame)", whole=True),
        "centred vote (logit units)",
        [Dots(top[k, rank], k, "black", size=2.5)] if len(k) else [],
    )
    return Film(
        "contribution_evolution",
        Facts.of(root),
        "Mean centred votes for each class during training",
        f"The mean centred vote of each live unit of {features} for a class over its followed pictures, at each frame "
        f"of the training, on one scale. Dots: the {top.shape[1]} units that vote most for the class in the end."
        f"{shared}",
        body,
        frames=frames,
        captions=_captions(root),
    )


def _matrix(
    values: np.ndarray, rows: Axis, columns: Axis, unit: str, over: Sequence[Mark] = ()
) -> tuple[Body, np.ndarray, str]:
    """Return the panel of matrices (frame, row, column) with marks over it, its frames, and words for shared cells.

    All frames have one scale, and NaN is grey.
    """
    _, n_rows, n_columns = values.shape
    width = float(np.clip(0.16 * n_columns, 4.0, 9.0))
    finite = values[np.isfinite(values)]
    scale = replace(scale_of(float(finite.min(initial=0)), float(finite.max(initial=0))), absent=SILENT)
    image = replace(heat_map(values[0], width, scale), filmed=True)
    panel = Panel(
        [image, *over],
        x=columns,
        y=rows,
        width=width,
        height=float(np.clip(0.27 * n_rows, 1.5, 9)),
        bar=Bar(scale, unit),
    )
    return panel, np.stack([heat_cells(of_frame, width) for of_frame in values]), shared_cells(n_columns, width)


def _class_axis(names: Sequence[str], label: str) -> Axis:
    """Return an axis that names the rows, or every few of them where there are many."""
    named = range(0, len(names), -(-len(names) // _MANY))
    return Axis(label, named, [names[row] for row in named])


def _captions(root: xr.Dataset) -> list[str]:
    n = root.sizes["sample"]
    of_frames = zip(root["step"].values, root["epoch"].values, root["accuracy"].values, strict=True)
    return [
        f"step {step} (epoch {epoch:.3g}): accuracy {accuracy:.3f} on {n} probe pictures"
        for step, epoch, accuracy in of_frames
    ]
