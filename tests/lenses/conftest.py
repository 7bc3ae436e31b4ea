"""Replicas made of plain arrays, and a way to put one through a whole lens."""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from seedscope.data import exhibits, pictures
from seedscope.drawing import Animation, save
from seedscope.files.arrays import read_dataset, write_dataset
from seedscope.lenses import Replica


def make_replica(activation, weight, bias, label, *, names=None, image=None, shape=(1, 8, 8), places=None, logit=None):
    """Return a replica whose head weighs these activations; its probe samples are numbered from 100."""
    activation, weight, bias = (np.asarray(values, dtype=np.float64) for values in (activation, weight, bias))
    label = np.asarray(label)
    n = len(label)
    n_classes = max(2, len(weight))
    if image is None:
        image = np.random.default_rng(0).random((n, *shape))
    truth = {} if places is None else {"square_y": places[0], "square_x": places[1]}
    probe = pictures(image, label, "probe", **truth).assign_coords(sample=np.arange(100, 100 + n))
    if logit is None:
        logit = activation.reshape(n, -1) @ weight.T + bias
    inner = ("unit",) if activation.ndim == 2 else ("channel", "y", "x")
    return Replica(
        experiment="toy",
        seed=3,
        probe=probe,
        training=probe,
        activations={
            "fc1": xr.DataArray(activation, dims=("sample", *inner)),
            "logit": xr.DataArray(logit, dims=("sample", "target")),
        },
        weights={"fc2.weight": weight, "fc2.bias": bias},
        exhibits=100 + exhibits(label, 3),
        class_names=tuple(names or (str(k) for k in range(n_classes))),
        architecture=torch.nn.Identity,
    )


def make_random(*, n=60, units=12, classes=3, targets=None, dead=(), unseen=(), seed=0, feature_map=None, **options):
    """Return a random replica in which unit k helps class k a little."""
    rng = np.random.default_rng(seed)
    targets = targets or classes
    activation = np.clip(rng.normal(0.2, 1, (n, units)), 0, None)
    label = rng.choice([k for k in range(classes) if k not in unseen], n)
    weight = rng.normal(0, 1, (targets, units))
    bias = rng.normal(0, 0.3, targets)
    activation[np.arange(n), label % units] += 1.5
    activation[:, list(dead)] = 0
    if feature_map:
        activation = activation.reshape(n, *feature_map)
    return make_replica(activation, weight, bias, label, **options)


@pytest.fixture
def replica_of():
    return make_replica


@pytest.fixture
def random_replica():
    return make_random


@dataclass(frozen=True)
class Seen:
    """What came out of a lens: numbers as read back from disk, scalars, and the figures."""

    measured: xr.Dataset
    summary: dict
    drawings: dict


@pytest.fixture
def look(tmp_path):
    """Put a replica through a lens as ``analyze`` does; any warning is an error, and so is a figure hard to read.

    ``draw`` says which figures: all whose name starts with it.
    """

    def through(lens, replica, *, draw=""):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_dataset(tmp_path / "measured.nc", lens.measure(replica))
            with read_dataset(tmp_path / "measured.nc") as file:
                measured = file.load()
            summary = lens.summarize(measured)
            drawings = {}
            for drawing in () if draw is None else lens.draw(measured):
                if not drawing.name.startswith(draw):
                    continue
                assert drawing.name not in drawings
                save(drawing, tmp_path)
                check_saved(tmp_path / drawing.file, drawing)
                check_readable(drawing)
                drawings[drawing.name] = drawing
        return Seen(measured, summary, drawings)

    return through


@pytest.fixture
def readable(tmp_path):
    """Save drawings as ``compare`` does; any warning is an error, and so is a figure hard to read. Return their names.

    ``drawings`` is what makes them, so that its warnings count.
    """

    def of(drawings):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            names = []
            for drawing in drawings():
                save(drawing, tmp_path)
                check_saved(tmp_path / f"{drawing.name}.png", drawing)
                check_readable(drawing)
                names.append(drawing.name)
        return names

    return of


def check_saved(path, drawing):
    with Image.open(path) as image:
        assert np.ptp(np.asarray(image.convert("RGB"))) > 0
        if isinstance(drawing, Animation):
            assert image.info["comment"].decode() == f"{drawing.figure.get_suptitle()}\n{drawing.description}"
            return
        assert image.text["Title"] == drawing.figure.get_suptitle()
        assert image.text["Description"] == drawing.description


def check_readable(drawing):
    """Refuse text that is cut off at the border, tick labels that run into each other, and words for missing values.

    The figure has been saved, so everything is where it is seen.
    """
    figure = drawing.figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    whole = figure.bbox.padded(1)
    for words, box in texts(figure, renderer):
        assert "nan" not in words.split(), (drawing.name, words)
        assert whole.x0 <= box.x0, (drawing.name, words)
        assert box.x1 <= whole.x1, (drawing.name, words)
        assert whole.y0 <= box.y0, (drawing.name, words)
        assert box.y1 <= whole.y1, (drawing.name, words)
    for ax in figure.axes:
        for axis, edge in ((ax.xaxis, "x"), (ax.yaxis, "y")):
            boxes = [box for _, box in tick_labels(axis, renderer)] if ax.axison else []
            ends = sorted((getattr(box, f"{edge}0"), getattr(box, f"{edge}1")) for box in boxes)
            for (_, end), (start, _) in pairwise(ends):
                assert start >= end, (drawing.name, ax.get_title(), edge)


def tick_labels(axis, renderer):
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks():
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text():
            yield tick.label1.get_text(), tick.label1.get_window_extent(renderer)


def texts(figure, renderer):
    shown = list(figure.texts)
    shown += [figure._suptitle, *filter(None, (figure._supxlabel, figure._supylabel))]
    for ax in figure.axes:
        shown += [ax.title, *ax.texts]
        if ax.axison:
            shown += [ax.xaxis.label, ax.yaxis.label]
            for axis in (ax.xaxis, ax.yaxis):
                yield from tick_labels(axis, renderer)
    for text in shown:
        if text.get_visible() and text.get_text():
            yield text.get_text(), text.get_window_extent(renderer)
