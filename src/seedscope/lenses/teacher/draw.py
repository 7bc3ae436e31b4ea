"""The figures of the teacher: what hidden units are asked to become through training, and whether they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    NEUTRAL,
    PALETTE,
    SILENT,
    Above,
    Axis,
    Bar,
    Beside,
    Facts,
    Grid,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    centred,
    heat_map,
    shared_cells,
)
from seedscope.figures.over import step_axis
from seedscope.lenses.teacher.kinds import VERSIONS

if TYPE_CHECKING:
    import xarray as xr

_KINDS = {"training": "-", "probe": "--"}
_WORDS = dict(zip(VERSIONS, ("after the ReLU", "before the ReLU, gated"), strict=True))
_WIDE = 8.0  # of a heat map, inches


def sheets(measured: xr.DataTree) -> Iterator[Sheet]:
    """Yield the four figures of each hidden layer."""
    measured = measured.load()
    about, step = Facts.of(measured), measured.step.values
    for layer, group in measured.children.items():
        own = group.to_dataset()
        for sheet in (_distance, _sparsity, _followed):
            yield sheet(about, str(layer), own, step)
        yield _by_class(about, str(layer), own)


def _curve(step: np.ndarray, values: np.ndarray, style: str, color: str, label: str) -> Line:
    return Line(step, values, color, style, shape=".", label=label)


def _distance(about: Facts, layer: str, own: xr.Dataset, step: np.ndarray) -> Sheet:
    """Show how far the teacher is from the outputs, relative to them and as it is."""

    def panel(name: str, words: str) -> Panel:
        marks = [
            _curve(
                step,
                own[name].sel(version=version, pictures=pictures).values,
                style,
                PALETTE[v],
                f"{said}: {pictures}",
            )
            for v, (version, said) in enumerate(_WORDS.items())
            for pictures, style in _KINDS.items()
        ]
        return Panel(marks, x=step_axis(step), y=Axis(words, low=0))

    panels = [
        panel("distance", "Σ ‖teacher − outputs‖ / Σ ‖outputs‖"),
        panel("length", "mean ‖teacher − outputs‖ (activation units)"),
    ]
    return Sheet(
        f"teacher_distance_{layer}",
        about,
        f"How far is the teacher of {layer} from its outputs?",
        "The teacher is the outputs minus the gradient of each picture's loss at them. Left: its distance relative to "
        "the outputs' size, over training; right: as it is. Where the network is right and sure, nothing is left to "
        "teach. Solid: pictures it learned from, dashed: probe pictures.",
        Grid(panels, 2, key=Key("below", columns=4)),
        own[["distance", "length"]].to_dataframe().reset_index(),
        family="How far is the teacher from the outputs?",
        mark=layer,
    )


_SHARES = (
    ("outputs_zeros", "outputs: exactly 0", "-", NEUTRAL),
    ("zeros", "teacher: exactly 0", "-", PALETTE[0]),
    ("negative", "teacher: negative", "-", PALETTE[1]),
    ("outputs_on", "outputs: above 1 % of the largest", "--", NEUTRAL),
    ("on", "teacher: above 1 % of the largest output", "--", PALETTE[0]),
)


def _sparsity(about: Facts, layer: str, own: xr.Dataset, step: np.ndarray) -> Sheet:
    """Show zeros, units on, negative entries and the agreement of signs."""
    here = own.sel(version="post", pictures="probe")
    entries = [_curve(step, here[name].values, style, color, words) for name, words, style, color in _SHARES]
    signs = [
        _curve(step, here.sign_agreement.values, "-", PALETTE[2], "the picture's own class"),
        _curve(step, here.sign_agreement_null.values, ":", NEUTRAL, "labels shuffled"),
    ]
    share = Axis("share of pairs of picture and unit", low=-0.02, high=1.02)
    nothing = "not the last hidden layer, or nothing to ask of it"
    return Sheet(
        f"teacher_sparsity_{layer}",
        about,
        f"Is the teacher of {layer} sparse, and what is its sign?",
        "Probe pictures. Left: how many entries of outputs and teacher are 0, negative, or above a hundredth of the "
        "picture's largest output. Right: how often the sign of what a unit is asked (rise or fall) is that of its "
        "vote for the picture's class, against the mean of the others; with shuffled labels for comparison.",
        Beside(
            [
                Panel(entries, "entries after the ReLU", step_axis(step), share, key=Key("below", columns=2)),
                Panel(
                    signs,
                    "asked to rise if, and only if, it votes for the class",
                    step_axis(step),
                    replace(share, label="share of pairs of picture and live unit"),
                    empty=nothing if np.isnan(here.sign_agreement.values).all() else "",
                    key=Key("below", columns=2),
                ),
            ]
        ),
        here[[name for name, *_ in _SHARES] + ["sign_agreement", "sign_agreement_null"]].to_dataframe().reset_index(),
        family="Is the teacher sparse, and what is its sign?",
        mark=layer,
    )


def _followed(about: Facts, layer: str, own: xr.Dataset, step: np.ndarray) -> Sheet:
    """Show whether the outputs move where the teacher of the frame before lies."""
    shown = {
        "none": ("its own correction", PALETTE[0]),
        "class": ("of another picture of the class", PALETTE[4]),
        "all": ("of any other picture", NEUTRAL),
    }

    def panel(version: str, words: str) -> Panel:
        marks: list[Mark] = [Rule(0, width=0.6)]
        for shuffle, (what, color) in shown.items():
            for pictures, style in _KINDS.items():
                values = own.followed.sel(version=version, shuffle=shuffle, pictures=pictures).values
                marks.append(_curve(step, values, style, color, f"{what}: {pictures}"))
        empty = "nothing moved" if np.isnan(own.followed.values).all() else ""
        return Panel(marks, words, step_axis(step), Axis("cosine of change and correction"), empty=empty)

    return Sheet(
        f"teacher_followed_{layer}",
        about,
        f"Do the outputs of {layer} move towards their teacher?",
        "For each pair of frames: the cosine between how a picture's outputs changed and what the teacher of the frame "
        "before asked, mean over pictures; 1: exactly there, 0: unrelated. Orange and grey: the same with another "
        "picture's correction, of the same class or of any. Solid: pictures it learned from, dashed: probe pictures.",
        Grid([panel(*one) for one in _WORDS.items()], 2, share_y=True, key=Key("below", columns=3)),
        own.followed.to_dataframe().reset_index(),
        family="Do the outputs move towards their teacher?",
        mark=layer,
    )


def _by_class(about: Facts, layer: str, own: xr.Dataset) -> Sheet:
    """Show what the pictures of each class ask of each unit, at step 0 and in the end."""
    asked = own.asked.sel(pictures="training").values  # (moment, class, unit)
    final = np.nan_to_num(asked[-1])
    order = np.lexsort((-final.max(0), final.argmax(0)))
    every = range(0, asked.shape[1], max(1, asked.shape[1] // 10))
    units = "units, by the class that asks most of them in the end"

    def panel(values: np.ndarray, words: str, label: str) -> Panel:
        scale = replace(centred(values), absent=SILENT)
        return Panel(
            [heat_map(values[:, order], _WIDE, scale)],
            f"{words}: mean of teacher − outputs",
            Axis(label, ticks=()),
            Axis("class", ticks=every),
            width=_WIDE,
            height=1.9,
            bar=Bar(scale, "activation units"),
        )

    return Sheet(
        f"teacher_by_class_{layer}",
        about,
        f"What does each class ask of each unit of {layer}?",
        "The mean correction (after the ReLU) that training pictures of each class ask of each unit; blue: rise, red: "
        "fall. The two panels have scales of their own: in the end little is asked. Grey: no picture of the class."
        + shared_cells(asked.shape[2], _WIDE),
        Above([panel(asked[0], "at step 0", ""), panel(asked[1], "at the end of training", units)]),
        family="What does each class ask of each unit?",
        mark=layer,
    )
