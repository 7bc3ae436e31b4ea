"""Which classes does the network find likeliest in each picture?

    p[s, k] = exp(logit[s, k]) / Σ_j exp(logit[s, j])      of one logit z: p = 1 / (1 + exp(−z)) of the positive class
    the first rank of picture s is the class with the largest p, the second the next, …; of equal ones the first class

Names as ImageNet has them, ``n02504458 African elephant, Loxodonta africana``, are split into the WordNet id and the
first name. Where the classes of the pictures are known, it is also measured how often they are the first, or among the
first ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.rows import grey_or_rgb
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.names import imagenet_name, in_a_sentence
from seedscope.formulas.decisions import probabilities
from seedscope.lenses import Network, Replica

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

_TOGETHER = 1024  # pictures whose logits are read at a time
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 9.0, 0.25, 0.7, 0.6, 0.55  # of the figure and its borders, inches
_SIDE, _BAR, _GAP = 0.9, 0.26, 0.16  # of a picture, of a line of words, between pictures, inches
_BARS = 4.3  # where they begin, inches


@dataclass(frozen=True)
class TopClasses:
    """The lens.

    Attributes:
        top: how many classes of each picture are named.
        shown: how many pictures the figure shows, the first ones; the table has all.
    """

    top: Annotated[int, Ge(1)] = 3
    shown: Annotated[int, Ge(1)] = 20

    def check(self, network: Network) -> None:
        """Refuse a network that ends before it decides, and more classes than there are."""
        if "logit" not in network.layers:
            raise SeedscopeError(
                "the network ends before it decides, so no class is likely: take this lens out of the experiment"
            )
        if self.top > network.n_classes:
            raise SettingError("top", f"there are {network.n_classes} classes")

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``target`` and ``probability`` (sample, rank), and the pictures to be shown, ``image`` (shown, …)."""
        import xarray as xr

        logit = replica.activations["logit"]
        count = logit.sizes["sample"]
        found = [_likeliest(logit[at : at + _TOGETHER].values, self.top) for at in range(0, count, _TOGETHER)]
        first = replica.probe.isel(sample=slice(self.shown))
        variables = {
            "target": (("sample", "rank"), np.concatenate([target for target, _ in found])),
            "probability": (("sample", "rank"), np.concatenate([probability for _, probability in found])),
            "label": (("sample",), replica.probe.label.values),
            "image": (("shown", "channel", "y", "x"), first.image.values),
        }
        if "file" in replica.probe:
            variables["file"] = (("sample",), replica.probe.file.values)
        return xr.Dataset(
            variables,
            coords={"sample": replica.probe.sample.values, "rank": np.arange(1, self.top + 1)},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "class_names": list(replica.class_names),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return means over pictures: p of the first class, p of all named; where known, how often they are right."""
        label = measured.label.values
        summary = {
            "pictures": float(len(label)),
            "p_of_first": float(measured.probability[:, 0].mean()),
            f"p_of_first_{self.top}": float(measured.probability.sum("rank").mean()),
        }
        if (label >= 0).all():
            right = measured.target.values == label[:, None]
            summary |= {"first_is_right": float(right[:, 0].mean())}
            summary |= {f"right_among_first_{self.top}": float(right.any(1).mean())}
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the pictures with their likeliest classes; the table has every picture."""
        measured = measured.load()
        classes, count, every = len(_names(measured)), measured.sizes["shown"], measured.sizes["sample"]
        beyond = f" The first {count} of {every} pictures are shown; the table has all." if every > count else ""
        known = " The name of a picture's true class is bold." if (measured.label.values >= 0).any() else ""
        yield Drawing(
            "top_classes",
            _figure(measured),
            f"The {self.top} classes to which the network gives the largest probability, of {classes} that it decides "
            f"among.{known}{beyond}",
            _table(measured),
        )


def _likeliest(logit: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest classes and their probabilities, each (sample, rank)."""
    probability = probabilities(logit)
    target = np.argsort(-probability, axis=1, kind="stable")[:, :top]
    return target, np.take_along_axis(probability, target, 1)


def _names(measured: xr.Dataset) -> list[tuple[str, str]]:
    """Return the WordNet id ("" where there is none) and the name of each class."""
    return [imagenet_name(str(name)) for name in np.atleast_1d(measured.attrs["class_names"])]


def _figure(measured: xr.Dataset) -> Figure:
    """Draw each picture beside a bar for each of its likeliest classes."""
    names, top = _names(measured), measured.sizes["rank"]
    target, probability = measured.target.values, measured.probability.values
    each = max(_SIDE, top * _BAR) + _GAP
    height = _TOP + measured.sizes["shown"] * each + _BOTTOM
    where = f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"
    figure = figures.canvas(f"The {top} likeliest classes of each picture ({where})", _WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1))  # in inches, from the top
    page.set_axis_off()
    page.set_autoscale_on(False)
    page.set_xlim(0, _WIDTH)
    page.set_ylim(height, 0)
    box = (_BARS / _WIDTH, _BOTTOM / height, 1 - (_BARS + _RIGHT) / _WIDTH, 1 - (_TOP + _BOTTOM) / height)
    bars = figure.add_axes(box)
    bars.set_xlim(0, 1)
    bars.set_ylim(height - _BOTTOM, _TOP)
    for s, image in enumerate(measured.image.values):
        upper, shape = _TOP + s * each, image.shape[1:]
        tall, wide = _SIDE * min(1, shape[0] / shape[1]), _SIDE * min(1, shape[1] / shape[0])
        page.imshow(grey_or_rgb(image), extent=(_LEFT, _LEFT + wide, upper + tall, upper), aspect="auto")
        for r, (k, p) in enumerate(zip(target[s], probability[s], strict=True)):
            y = upper + (r + 0.5) * _BAR
            bars.barh(y, p, height=0.7 * _BAR, color=figures.FOR if r == 0 else figures.NEUTRAL)
            bars.text(p + 0.01, y, f"{p:.3f}", va="center", fontsize=8.5)
            weight = "bold" if k == measured.label.values[s] else "normal"
            words = _short(" ".join(names[k]).strip())
            page.text(_LEFT + _SIDE + 0.12, y, words, va="center", fontsize=8.5, fontweight=weight)
    bars.spines[["top", "right", "left"]].set_visible(False)
    bars.set_yticks([])
    bars.set_xticks(np.linspace(0, 1, 6))
    bars.tick_params(labelsize=8)
    bars.set_xlabel("probability that the network gives the class", fontsize=9)
    return figure


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return a row for each picture and rank."""
    import pandas as pd

    names, target = _names(measured), measured.target.values.ravel()
    samples, ranks = measured.target.shape
    columns = {"sample": np.repeat(measured.sample.values, ranks)}
    if "file" in measured:
        columns["file"] = np.repeat(measured.file.values, ranks)
    columns["rank"] = np.tile(measured["rank"].values, samples)
    if any(wordnet_id for wordnet_id, _ in names):
        columns["wordnet_id"] = np.array([names[k][0] for k in target], dtype=object)
    columns["name"] = np.array([names[k][1] for k in target], dtype=object)
    columns["target"] = target
    columns["probability"] = measured.probability.values.ravel()
    return pd.DataFrame(columns)


def _short(words: str) -> str:
    return words if len(words) <= 42 else f"{words[:41]}…"
