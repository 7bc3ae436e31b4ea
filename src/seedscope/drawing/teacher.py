"""Figures of the ``teacher`` lens: what hidden units are asked to become through training, and whether they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_KINDS = {"training": "-", "probe": "--"}
_VERSIONS = {"post": "after the ReLU", "pre": "before the ReLU, gated"}


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, seed {measured.attrs['seed']})"


def _curve(ax: Axes, step: np.ndarray, values: np.ndarray, style: str, color: str, label: str) -> None:
    ax.plot(step, values, style, marker=".", color=color, linewidth=1.3, label=label)


def _through_training(axes: list[Axes], step: np.ndarray) -> None:
    for ax in axes:
        ax.set_xscale("symlog", linthresh=1, linscale=0.35)
        ax.set_xlim(0, max(1, step[-1]))
        ax.set_xlabel("step of the optimiser", fontsize=9)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=8, frameon=False)


def distance(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw how far the teacher is from the outputs, relative to them and as it is."""
    own, step = measured.sel(layer=layer), measured.step.values
    figure = figures.canvas(_title(f"How far is the teacher of {layer} from its outputs?", measured), 11, 4.4)
    relative, absolute = figures.panels(figure, 1, 2, top=0.8, wspace=0.22)
    for v, (version, words) in enumerate(_VERSIONS.items()):
        for pictures, style in _KINDS.items():
            here = own.sel(version=version, pictures=pictures)
            color, label = figures.PALETTE[v], f"{words}: {pictures}"
            _curve(relative, step, here.distance.values, style, color, label)
            _curve(absolute, step, here.length.values, style, color, label)
    relative.set_ylabel("Σ ‖teacher − outputs‖ / Σ ‖outputs‖", fontsize=9)
    absolute.set_ylabel("mean ‖teacher − outputs‖ (activation units)", fontsize=9)
    for ax in (relative, absolute):
        ax.set_ylim(bottom=0)
    _through_training([relative, absolute], step)
    return Drawing(
        f"teacher_distance_{layer}",
        figure,
        "The teacher is the outputs minus the gradient of each picture's loss at them. Left: its distance relative to "
        "the outputs' size, over training; right: as it is. Where the network is right and sure, nothing is left to "
        "teach. Solid: pictures it learned from, dashed: probe pictures.",
        own[["distance", "length"]].to_dataframe().reset_index(),
    )


def sparsity(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw zeros, units on, negative entries and the agreement of signs."""
    own, step = measured.sel(layer=layer, version="post", pictures="probe"), measured.step.values
    figure = figures.canvas(_title(f"Is the teacher of {layer} sparse, and what is its sign?", measured), 11, 4.4)
    left, right = figures.panels(figure, 1, 2, top=0.8, wspace=0.22)
    shown = (
        ("outputs_zeros", "outputs: exactly 0", "-", figures.NEUTRAL),
        ("zeros", "teacher: exactly 0", "-", figures.PALETTE[0]),
        ("negative", "teacher: negative", "-", figures.PALETTE[1]),
        ("outputs_on", "outputs: above 1 % of the largest", "--", figures.NEUTRAL),
        ("on", "teacher: above 1 % of the largest output", "--", figures.PALETTE[0]),
    )
    for name, words, style, color in shown:
        _curve(left, step, own[name].values, style, color, words)
    left.set_ylabel("share of pairs of picture and unit", fontsize=9)
    left.set_title("entries after the ReLU", fontsize=9.5)
    _curve(right, step, own.sign_agreement.values, "-", figures.PALETTE[2], "the picture's own class")
    _curve(right, step, own.sign_agreement_shuffled.values, ":", figures.NEUTRAL, "labels shuffled")
    right.set_ylabel("share of pairs of picture and live unit", fontsize=9)
    right.set_title("asked to rise if, and only if, it votes for the class", fontsize=9.5)
    if np.isnan(own.sign_agreement.values).all():
        figures.say(right, "not the last hidden layer, or nothing to ask of it")
    for ax in (left, right):
        ax.set_ylim(-0.02, 1.02)
    left.set_ylim(-0.02, 1.6)  # room for the key
    left.set_yticks(np.linspace(0, 1, 6))
    _through_training([left, right], step)
    return Drawing(
        f"teacher_sparsity_{layer}",
        figure,
        "Probe pictures. Left: how many entries of outputs and teacher are 0, negative, or above a hundredth of the "
        "picture's largest output. Right: how often the sign of what a unit is asked (rise or fall) is that of its "
        "vote for the picture's class, against the mean of the others; with shuffled labels for comparison.",
        own[[name for name, *_ in shown] + ["sign_agreement", "sign_agreement_shuffled"]].to_dataframe().reset_index(),
    )


def followed(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw whether the outputs move where the teacher of the frame before lies."""
    own, step = measured.sel(layer=layer), measured.step.values
    figure = figures.canvas(_title(f"Do the outputs of {layer} move towards their teacher?", measured), 12, 4.4)
    axes = figures.panels(figure, 1, 2, top=0.8, wspace=0.15, share_y=True)
    shown = {"none": ("its own correction", "#0072B2"), "class": ("of another picture of the class", "#E69F00")}
    shown |= {"all": ("of any other picture", figures.NEUTRAL)}
    for ax, (version, words) in zip(axes, _VERSIONS.items(), strict=True):
        for shuffle, (what, color) in shown.items():
            for pictures, style in _KINDS.items():
                values = own.followed.sel(version=version, shuffle=shuffle, pictures=pictures).values
                _curve(ax, step, values, style, color, f"{what}: {pictures}")
        ax.axhline(0, color=figures.NEUTRAL, linewidth=0.6)
        ax.set_title(words, fontsize=9.5)
        if np.isnan(own.followed.values).all():
            figures.say(ax, "nothing moved")
    axes[0].set_ylabel("cosine of change and correction", fontsize=9)
    _through_training(axes, step)
    return Drawing(
        f"teacher_followed_{layer}",
        figure,
        "For each pair of frames: the cosine between how a picture's outputs changed and what the teacher of the frame "
        "before asked, mean over pictures; 1: exactly there, 0: unrelated. Orange and grey: the same with another "
        "picture's correction, of the same class or of any. Solid: pictures it learned from, dashed: probe pictures.",
        own.followed.to_dataframe().reset_index(),
    )


def by_class(measured: xr.Dataset, layer: str) -> Drawing:
    """Draw what the pictures of each class ask of each unit, at step 0 and in the end."""
    asked = measured[f"asked_{layer}"].sel(pictures="training").values  # (moment, class, unit)
    final = np.nan_to_num(asked[-1])
    order = np.lexsort((-final.max(0), final.argmax(0)))
    figure = figures.canvas(_title(f"What does each class ask of each unit of {layer}?", measured), 11, 6.4)
    axes = figures.panels(figure, 2, 1, top=0.8, right=1.2, hspace=0.35)
    for index, (ax, values, words) in enumerate(zip(axes, asked, ("at step 0", "at the end of training"), strict=True)):
        ax.set_facecolor(figures.SILENT)
        image = figures.heat_map(ax, values[:, order], figures.centred(values))
        ax.set_title(f"{words}: mean of teacher − outputs", fontsize=9.5)
        ax.set_ylabel("class", fontsize=9)
        every = max(1, len(values) // 10)
        ax.set_yticks(range(0, len(values), every))
        figures.color_bar(figure, image, (0.91, 0.57 - 0.455 * index, 0.013, 0.29), "activation units")
        ax.set_xticks([])
    axes[1].set_xlabel("units, by the class that asks most of them in the end", fontsize=9)
    return Drawing(
        f"teacher_by_class_{layer}",
        figure,
        "The mean correction (after the ReLU) that training pictures of each class ask of each unit; blue: rise, red: "
        "fall. The two panels have scales of their own: in the end little is asked. Grey: no picture of the class."
        + figures.shared_cells(axes[0], asked.shape[2]),
    )
