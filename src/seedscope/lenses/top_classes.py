"""Which classes does the network find likeliest in each picture?

    p[s, k] = softmax over k of logit[s, k]; of one logit the sigmoid        :mod:`seedscope.formulas.decisions`
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

from seedscope.figures import (
    FOR,
    NEUTRAL,
    Axis,
    Bars,
    Beside,
    Facts,
    Image,
    Mark,
    Panel,
    Sheet,
    Words,
    board,
    grey_or_rgb,
)
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.names import imagenet_name
from seedscope.formulas.decisions import probabilities
from seedscope.lenses import Network, Replica

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_TOGETHER = 1024  # pictures whose logits are read at a time
_SIDE, _LINE, _GAP = 0.9, 0.26, 0.16  # of a picture, of a line of words, between pictures, inches
_WIDE, _LONGEST = 4.0, 4.0  # of pictures with their words, and of a bar, inches


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
        """Return ``target`` and ``probability`` (sample, rank), and what is shown, ``image`` (shown_sample, …)."""
        import xarray as xr

        logit = replica.activations["logit"]
        count = logit.sizes["sample"]
        found = [_likeliest(logit[at : at + _TOGETHER].values, self.top) for at in range(0, count, _TOGETHER)]
        first = replica.probe.isel(sample=slice(self.shown))
        variables = {
            "target": (("sample", "rank"), np.concatenate([target for target, _ in found])),
            "probability": (("sample", "rank"), np.concatenate([probability for _, probability in found])),
            "label": (("sample",), replica.probe.label.values),
            "image": (("shown_sample", "channel", "y", "x"), first.image.values),
        }
        if "file" in replica.probe:
            variables["file"] = (("sample",), replica.probe.file.values)
        return xr.Dataset(
            variables,
            coords={
                "sample": replica.probe.sample.values,
                "shown_sample": first.sample.values,
                "rank": np.arange(1, self.top + 1),
            },
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

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the pictures with their likeliest classes; the table has every picture."""
        measured = measured.load()
        classes, count, every = len(_names(measured)), measured.sizes["shown_sample"], measured.sizes["sample"]
        beyond = f" The first {count} of {every} pictures are shown; the table has all." if every > count else ""
        known = " The name of a picture's true class is bold." if (measured.label.values >= 0).any() else ""
        yield Sheet(
            "top_classes",
            Facts.of(measured),
            f"The {self.top} likeliest classes of each picture",
            f"The {self.top} classes to which the network gives the largest probability, of {classes} that it decides "
            f"among.{known}{beyond}",
            Beside([_pictures(measured), _bars(measured)], gap=0.1),
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


def _lines(measured: xr.Dataset) -> tuple[np.ndarray, float]:
    """Return the middle of each line of words (picture, rank), inches from the top, and the height of all."""
    top = measured.sizes["rank"]
    each = max(_SIDE, top * _LINE) + _GAP
    start = each * np.arange(measured.sizes["shown_sample"])
    return start[:, None] + (np.arange(top) + 0.5) * _LINE, len(start) * each - _GAP


def _pictures(measured: xr.Dataset) -> Panel:
    """Show each picture with the names of its likeliest classes."""
    names, (lines, height) = _names(measured), _lines(measured)
    marks: list[Mark] = []
    for s, image in enumerate(measured.image.values):
        upper, shape = lines[s, 0] - 0.5 * _LINE, image.shape[1:]
        tall, wide = _SIDE * min(1, shape[0] / shape[1]), _SIDE * min(1, shape[1] / shape[0])
        marks.append(Image(grey_or_rgb(image), extent=(0, wide, upper + tall, upper)))
        for y, k in zip(lines[s], measured.target.values[s], strict=True):
            words = _short(" ".join(names[k]).strip())
            marks.append(Words(_SIDE + 0.12, y, words, align="left", bold=k == measured.label.values[s]))
    return board(marks, _WIDE, height)


def _bars(measured: xr.Dataset) -> Panel:
    """Show a bar for each of the likeliest classes, at the height of its name."""
    lines, height = _lines(measured)
    marks: list[Mark] = []
    for rank, color in enumerate([FOR] + [NEUTRAL] * (lines.shape[1] - 1)):
        probability = measured.probability.values[: len(lines), rank]
        marks.append(Bars(lines[:, rank], probability, color, width=0.7 * _LINE, across=True))
        marks += [
            Words(float(p) + 0.01, y, f"{p:.3f}", align="left")
            for y, p in zip(lines[:, rank], probability, strict=True)
        ]
    x = Axis("probability that the network gives the class", np.linspace(0, 1, 6), low=0, high=1.12)
    return Panel(marks, x=x, y=Axis(ticks=(), low=height, high=0), width=1.12 * _LONGEST, height=height)


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
