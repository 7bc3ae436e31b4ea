"""Replicas made of plain arrays, and a way to put one through a whole lens."""

import json
import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from seedscope.data import exhibits, pictures
from seedscope.figures import Film
from seedscope.figures.renderer import FACTS, save
from seedscope.figures.renderer.layout import NOTE, laid_out
from seedscope.files.arrays import read_measured, write_measured
from seedscope.lenses import Replica
from seedscope.lenses.lens import measuring
from seedscope.seeds.together import together

torch.set_num_threads(1)  # of small networks: on a busy machine two threads wait for each other, 30 times as long


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
    """What came out of a lens: numbers as read back from disk, scalars, and the sheets by name."""

    measured: xr.Dataset | xr.DataTree
    summary: dict
    sheets: dict


@pytest.fixture
def look(tmp_path):
    """Put a replica through a lens as ``analyze`` does; any warning is an error.

    ``draw`` says which sheets are made: all whose name starts with it, or none. With ``rendered`` one of each family is
    written and looked at too (see :func:`check_readable`), which takes most of the time.
    """

    def through(lens, replica, *, draw="", rendered=False):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with measuring(lens, "toy") as blind:
                write_measured(tmp_path / "measured.nc", blind.measure(replica))
                with read_measured(tmp_path / "measured.nc") as file:
                    measured = file.load()
                summary = blind.summarize(measured)
            made = [] if draw is None else [sheet for sheet in lens.draw(measured) if sheet.name.startswith(draw)]
            sheets = {sheet.name: sheet for sheet in made}
            assert len(sheets) == len(made)
            kinds = {sheet.family or sheet.name: sheet for sheet in reversed(made)}
            for sheet in kinds.values() if rendered else ():
                check_rendered(sheet, tmp_path)
        return Seen(measured, summary, sheets)

    return through


@pytest.fixture
def compared(tmp_path):
    """Compare what a lens measured on several seeds as the stage does, from files; any warning is an error.

    Of the variables it is given those that the lens says it reads. With ``rendered`` its sheets are written and looked
    at.
    """

    def through(lens, measured, *, rendered=False):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            paths = {seed: tmp_path / f"seed-{seed}.nc" for seed in measured}
            for seed, path in paths.items():
                write_measured(path, measured[seed])
            comparison = lens.compare(together(paths, getattr(lens, "compares", None)))
            assert len({sheet.name for sheet in comparison.sheets}) == len(comparison.sheets)
            for sheet in comparison.sheets if rendered else ():
                check_rendered(sheet, tmp_path)
        return comparison

    return through


def check_rendered(sheet, folder):
    """Write a sheet; it must show something, carry its words, and be readable."""
    path, *_ = save(sheet, folder, "toy")
    with Image.open(path) as image:
        assert np.ptp(np.asarray(image.convert("RGB"))) > 0
        assert min(image.size) >= 100  # one that only says that there is nothing is the smallest
        assert max(image.size) <= 2400  # a page of many pictures is the longest
        facts = json.loads(image.info["comment"] if isinstance(sheet, Film) else image.text[FACTS])
        assert facts == sheet.facts("toy")
        if not isinstance(sheet, Film):
            assert image.text["Title"] == sheet.heading
            assert image.text["Description"] == sheet.description
    check_readable(sheet)


def check_readable(sheet):
    """Refuse words that are cut off at the border, that run into each other, or that stand for missing values."""
    longest = max(sheet.captions, key=len) if isinstance(sheet, Film) else None
    page, (x, y) = laid_out(sheet.heading, sheet.note, sheet.body, longest)
    page.write(x, y, longest or "", NOTE)
    tall, wide, _ = page.canvas.pixels.shape
    for said in page.canvas.said:
        assert "nan" not in said.words.split(), (sheet.name, said.words)
        assert -1 <= said.box.left <= said.box.right <= wide + 1, (sheet.name, said.words)
        assert -1 <= said.box.top <= said.box.bottom <= tall + 1, (sheet.name, said.words)
    upright = [said for said in page.around if said.turned in (0, 90)]  # boxes of slanted words say too little
    for one, other in combinations(upright, 2):
        assert not one.box.overlaps(other.box, slack=2), (sheet.name, one.words, other.words)
