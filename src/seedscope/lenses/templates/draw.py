"""The figures of ``templates``: what a layer takes beside its weights, and what that resemblance is worth.

Pictures are drawn as pictures, other inputs as the rectangle of their number that is most square (128: 16×8, row by
row). Weights have one scale in a figure, symmetric around 0. Of colour pictures the weights of each channel stand
below one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    NEUTRAL,
    PALETTE,
    Above,
    Axis,
    Band,
    Bar,
    Beside,
    Dots,
    Facts,
    Grid,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    Words,
    board,
    centred,
    class_names,
    grey_or_rgb,
)
from seedscope.figures.mosaic import MapGrid
from seedscope.lenses.templates.readings import READINGS, RESEMBLES
from seedscope.lenses.templates.words import READING_WORDS, equal_steps

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NULLS = {
    "untrained": ("untrained", PALETTE[4]),
    "shuffled": ("winners shuffled", PALETTE[3]),
    "mixture": ("random mixtures of inputs", PALETTE[1]),
    "turned": ("turned: signs at random", PALETTE[2]),
}
_PAIRS, _SIDE = 5, 0.85  # of winners in a row, and of a picture, inches


def sheets(measured: xr.DataTree) -> Iterator[Sheet]:
    """Yield the five figures of each layer."""
    measured = measured.load()
    about, names = Facts.of(measured), class_names(measured)
    for layer, group in measured.children.items():
        own = group.to_dataset().assign_coords(step=measured.step)
        yield _winners(about, str(layer), own, names, measured.exhibit_label.values)
        yield _rows(about, str(layer), own)
        yield _nearest(about, str(layer), own, names)
        yield _readings(about, str(layer), own)
        yield _steps(about, str(layer), own)


def _winners(about: Facts, layer: str, own: xr.Dataset, names: list[str], label: np.ndarray) -> Sheet:
    """Show one input of each class beside the weights of the unit that wins it."""
    inputs, winner, weights = own.exhibit_input.values, own.exhibit_winner.values, own.weight.values
    r = own.exhibit_similarity.sel(measure="pearson").values
    scale = centred(weights[winner[winner >= 0]])
    tall = _SIDE * _tall(own)
    marks: list[Mark] = []
    for at, k in enumerate(label):
        row, column = divmod(at, _PAIRS)
        left, top = column * 2 * (_SIDE + 0.1), row * (tall + 0.55) + 0.42
        marks.append(_input(own, inputs[at], float(inputs.max()) or 1.0, left, top))
        marks.append(Words(left + _SIDE / 2, top - 0.04, f"class {names[k]}", size=8, stand="bottom"))
        if winner[at] < 0:
            said = "no unit\nis active"
        else:
            said = f"unit {winner[at]}\n{'no r' if np.isnan(r[at]) else f'r {r[at]:.2f}'}"
            marks.append(_weights(own, weights[winner[at]], scale, left + _SIDE + 0.05, top))
        marks.append(Words(left + 1.5 * _SIDE + 0.05, top - 0.04, said, size=8, stand="bottom"))
    rows, columns = -(-len(label) // _PAIRS), min(len(label), _PAIRS)
    bar = Bar(scale, "weight") if (winner >= 0).any() else None
    return Sheet(
        f"{layer}_winners",
        about,
        f"Inputs of {layer} beside the weights of the unit that wins",
        f"One probe picture of each class, as {layer} takes it, and beside it the weights of the unit with the largest "
        f"output; r is their Pearson correlation.{_gauge(layer, own)} All weights have one scale around 0."
        f"{_left_out(own)}",
        board(marks, max(6.0, columns * 2 * (_SIDE + 0.1)), rows * (tall + 0.55), bar),
        note=f"left: {_taken(own)}; right: weights",
        family="Inputs beside the weights of the unit that wins",
        mark=layer,
    )


def _rows(about: Facts, layer: str, own: xr.Dataset) -> Sheet:
    """Show all rows of a layer on one scale."""
    maps = _maps(own.weight.values, own["shape"].values)
    grid = MapGrid(*maps.shape)
    x, y = grid.axes("unit")
    scale = replace(centred(maps), absent="white")
    dead = int((~own.live).sum())
    never = f" {dead} of {len(maps)} units are never active or have no weights, and are drawn too." if dead else ""
    width, height = grid.size
    panel = Panel([Image(grid.tile(maps), scale)], x=x, y=y, width=width, height=height, bar=Bar(scale, "weight"))
    return Sheet(
        f"{layer}_rows",
        about,
        f"The {len(maps)} rows of {layer}, weights on {_taken(own)}",
        f"The weights of every unit of {layer}, on one scale around 0.{_gauge(layer, own)}{never}{grid.shared_words()}",
        panel,
        family="All rows",
        mark=layer,
    )


def _nearest(about: Facts, layer: str, own: xr.Dataset, names: list[str]) -> Sheet:
    """Show how near each row is to its nearest training input, beside the nulls, and the nearest pairs."""
    near = {"trained": own.nearest.sel(measure="pearson").values} | {
        str(name): own.null_nearest.sel(row_null=name, measure="pearson").values for name in own.row_null.values
    }
    probe = float(own.probe_nearest.sel(measure="pearson"))
    parts: list[Panel] = [_how_near(near, probe)]
    if len(own.best):
        parts.append(_pairs(own, near["trained"], names))
    return Sheet(
        f"{layer}_nearest",
        about,
        f"Rows of {layer} and their nearest training input",
        "Above: each dot is a row; where it lies says how well it correlates with the training input that is nearest "
        f"to it. Black: means. Dotted: {RESEMBLES}, "
        f"from where a row counts as resembling. Dashed: what unseen inputs reach ({probe:.2f}). Untrained: the same "
        "network at step 0. Mixtures: random sums of all training inputs. Turned: the rows with random signs along the "
        "inputs' principal directions. Below: the nearest rows, and the inputs that they are nearest to."
        f"{_left_out(own)}",
        Above(parts),
        _nearest_table(own),
        family="Rows and their nearest training input",
        mark=layer,
    )


def _how_near(near: dict[str, np.ndarray], probe: float) -> Panel:
    rng = np.random.default_rng(0)
    marks: list[Mark] = [Rule(RESEMBLES, NEUTRAL, ":", 1.2, across=False)]
    if np.isfinite(probe):
        marks.append(Rule(probe, NEUTRAL, "--", 1.2, across=False))
    lowest = 0.0
    for place, (name, every) in enumerate(near.items()):
        values = every[np.isfinite(every)]
        color = FOR if name == "trained" else _NULLS[name][1]
        spread = place + rng.uniform(-0.22, 0.22, len(values))
        marks.append(Dots(values, spread, color, ".", 4, 0.6))
        if len(values):
            marks.append(Line([values.mean()] * 2, [place - 0.36, place + 0.36], "black", width=1.5))
            lowest = min(lowest, float(values.min()) - 0.02)
    words = ["trained rows", *(_NULLS[name][0] for name in list(near)[1:])]
    return Panel(
        marks,
        x=Axis("Pearson correlation with the nearest training input, rows in the span", low=lowest, high=1.02),
        y=Axis(ticks=range(len(near)), names=words, low=len(near) - 0.4, high=-0.6, size=9),
        width=6.5,
        height=1.9,
        empty="" if np.isfinite(near["trained"]).any() else "no live row",
    )


def _pairs(own: xr.Dataset, r: np.ndarray, names: list[str]) -> Panel:
    best, inputs = own.best.values, own.best_input.values
    scale, reach = centred(own.weight.values[best]), float(inputs.max(initial=0)) or 1.0
    tall = _SIDE * _tall(own)
    marks: list[Mark] = [
        Words(0, 0.4 + tall / 2, "nearest\nrows", size=8, align="left"),
        Words(0, 0.7 + 1.5 * tall, "their\ninputs", size=8, align="left"),
    ]
    for at, unit in enumerate(best):
        left = 0.75 + at * (_SIDE + 0.1)
        marks += [
            Words(left + _SIDE / 2, 0.36, f"unit {unit}\nr {r[unit]:.2f}", size=8, stand="bottom"),
            _weights(own, own.weight.values[unit], scale, left, 0.4),
            Words(left + _SIDE / 2, 0.66 + tall, f"class {names[int(own.best_label[at])]}", size=8, stand="bottom"),
            _input(own, inputs[at], reach, left, 0.7 + tall),
        ]
    return board(marks, 0.75 + len(best) * (_SIDE + 0.1), 0.75 + 2 * tall)


def _nearest_table(own: xr.Dataset) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "unit": np.arange(own.sizes["unit"]),
            "live": own.live.values,
            "wins": own.wins.values,
            "nearest_pearson": own.nearest.sel(measure="pearson").values,
            "nearest_cosine": own.nearest.sel(measure="cosine").values,
        }
    )


def _readings(about: Facts, layer: str, own: xr.Dataset) -> Sheet:
    """Show the three readings of the claim over frames, by Pearson and by cosine, with their nulls."""
    outside = own.outside.values
    last = own.similarity.isel(frame=-1)
    return Sheet(
        f"{layer}_readings",
        about,
        f"Do the rows of {layer} come to resemble inputs?",
        f"Blue: similarity at some steps of the training, filled for rows of {layer} projected on the span of its "
        f"training inputs (rank {int(own['rank'][-1])} of {own.sizes['input']}), "
        "hollow for whole rows at the first and last step. Dashed: what nulls reach at the end of "
        f"training, choosing winner and nearest input in the same way. Dotted: {RESEMBLES}. Of the squared length "
        f"of the rows {_share(outside[0])} lies outside the span at step 0, "
        f"{_share(outside[-1])} at the end.{_left_out(own)}",
        Grid(
            [_reading(own, measure, reading) for measure in ("pearson", "cosine") for reading in READINGS],
            3,
            share_x=True,
            share_y="row",
            key=Key("below", columns=4),
        ),
        last.to_series().rename("similarity").reset_index()[["version", "measure", "reading", "similarity"]],
        family="Do rows come to resemble inputs?",
        mark=layer,
    )


def _reading(own: xr.Dataset, measure: str, reading: str) -> Panel:
    at = np.arange(own.sizes["frame"])
    found = own.similarity.sel(measure=measure)
    values = found.sel(version="in_span", reading=reading).values
    marks: list[Mark] = [
        Line(at, values, FOR, shape="o", size=4, label="trained, rows in the span"),
        Dots(at, found.sel(version="whole", reading=reading).values, FOR, "o", 8, filled=False, label="whole rows"),
    ]
    if reading == "class_mean":
        other = found.sel(version="in_span", reading="other_class_mean").values
        marks.append(Line(at, other, NEUTRAL, ":", shape="s", size=3, label="most similar other class"))
    for name, (words, color) in _NULLS.items():
        value = float(own.null_similarity.sel(measure=measure, reading=reading, null=name))
        if np.isfinite(value):
            marks.append(Rule(value, color, "--", 1.2, label=words))
    if measure == "pearson":
        marks.append(Rule(RESEMBLES, NEUTRAL, ":"))
    return Panel(
        marks,
        READING_WORDS[reading] if measure == "pearson" else "",
        equal_steps(own.step.values),
        Axis({"pearson": "Pearson correlation", "cosine": "cosine"}[measure]),
        width=2.7,
        height=1.9,
        empty="" if np.isfinite(values).any() else "no value",
    )


def _steps(about: Facts, layer: str, own: xr.Dataset) -> Sheet:
    """Show the argument's own steps over frames: who wins by cosine, and where the losers' products go."""
    spread = np.linalg.norm(own.weight.values[own.live.values], axis=1)
    lengths = f"The live rows' lengths run from {spread.min():.2f} to {spread.max():.2f}. " if len(spread) else ""
    fixed = " Centred over classes the losers' mean is a fixed share of the winner's; their size is not."
    return Sheet(
        f"{layer}_steps",
        about,
        f"Inner products of {layer}: who wins by them, and where those of the others go",
        "Left: how often the unit with the largest inner product is the one with the largest cosine, without and with "
        f"bias; by chance two independent winners agree as often as the dashed line says. {lengths}Middle: "
        "inner products of winners and of all other units. Right: mean size of the losers' products as a share of "
        "the winners'; the argument says that it goes to 0." + (fixed if own.attrs["is_head"] else ""),
        Beside([_who_wins(own), _products(own), _losers(own)]),
        family="Who wins by inner products, and where those of the others go",
        mark=layer,
    )


def _who_wins(own: xr.Dataset) -> Panel:
    at, agreement = np.arange(own.sizes["frame"]), own.agreement.values  # (frame, by, observed or by chance)
    return Panel(
        [
            Line(at, agreement[:, 0, 0], FOR, shape="o", size=4, label="largest product"),
            Line(at, agreement[:, 1, 0], MARK, shape="s", size=4, label="largest output (with bias)"),
            Line(at, agreement[:, 0, 1], AGAINST, "--", 1.1, label="by chance"),
        ],
        "is the winner that\nof the largest cosine?",
        equal_steps(own.step.values),
        Axis("share of probe pictures", low=-0.03, high=1.05),
        width=2.8,
        height=2.3,
        empty="" if np.isfinite(agreement).any() else "no row has weights",
        key=Key("below"),
    )


def _products(own: xr.Dataset) -> Panel:
    at = np.arange(own.sizes["frame"])
    raw = {str(part): own.products.sel(gauge="raw", part=part).values for part in own.part.values}
    marks: list[Mark] = [Rule(0, NEUTRAL)]
    if np.isfinite(raw["low"]).any():
        marks.append(Band(at, raw["low"], raw["high"], PALETTE[7], 0.2))
    marks += [
        Line(at, raw["winner"], PALETTE[6], shape="^", size=4, label="winners' mean product"),
        Line(at, raw["losers"], PALETTE[7], shape="v", size=4, label="losers' mean product, 5 % to 95 %"),
    ]
    return Panel(
        marks,
        "inner products w · x",
        equal_steps(own.step.values),
        Axis("product, raw rows without bias"),
        width=2.8,
        height=2.3,
        key=Key("below"),
    )


def _losers(own: xr.Dataset) -> Panel:
    at, size = np.arange(own.sizes["frame"]), own.products.sel(part="size")
    raw, centred_size, silent = size.sel(gauge="raw").values, size.sel(gauge="centred").values, own.silent.values
    marks: list[Mark] = [Line(at, raw, PALETTE[7], shape="o", size=4, label="losers' size, share of winners'")]
    if own.attrs["is_head"]:
        marks.append(Line(at, centred_size, PALETTE[7], "--", shape="o", size=4, label="… rows centred over classes"))
    if np.isfinite(silent).any():
        marks.append(Line(at, silent, NEUTRAL, shape="s", size=4, label="share of losers that the ReLU silences"))
    known = np.isfinite(raw).any()
    return Panel(
        marks,
        "do the losers go to 0?",
        equal_steps(own.step.values),
        Axis("share", low=0, high=max(1.05, 1.05 * float(np.nanmax(size.values))) if known else 1.05),
        width=2.8,
        height=2.3,
        empty="" if known else "no losers",
        key=Key("below"),
    )


def _maps(weights: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return rows (row, input) as maps (row, y, x); the channels of a picture below one another."""
    return weights.reshape(len(weights), -1, int(shape[-1]))


def _tall(own: xr.Dataset) -> float:
    """Return how tall a row is beside its width, as it is drawn."""
    _, height, width = _maps(own.weight.values[:1], own["shape"].values).shape
    return float(np.clip(height / width, 0.4, 2.5))


def _weights(own: xr.Dataset, row: np.ndarray, scale: Scale, left: float, top: float) -> Image:
    values = _maps(row[None], own["shape"].values)[0]
    return Image(values, scale, (left, left + _SIDE, top + _SIDE * _tall(own), top))


def _input(own: xr.Dataset, values: np.ndarray, reach: float, left: float, top: float) -> Image:
    """Show what a layer takes where its weights could stand: a picture, or numbers up to ``reach``."""
    shape, extent = own["shape"].values, (left, left + _SIDE, top + _SIDE * _tall(own), top)
    if len(shape) == 3:
        return Image(grey_or_rgb(values.reshape(shape)), extent=extent)
    return Image(values.reshape(shape), Scale(0, reach), extent)


def _taken(own: xr.Dataset) -> str:
    """Return what a layer takes, in words, with the shape that it is drawn in."""
    shape = own["shape"].values
    if len(shape) == 3:
        return f"pictures of {shape[1]}×{shape[2]}"
    return f"the {shape.prod()} outputs of {own.attrs['source']} as {shape[0]}×{shape[1]}"


def _gauge(layer: str, own: xr.Dataset) -> str:
    return f" Rows of {layer} are centred over classes." if own.attrs["is_head"] else ""


def _share(value: float) -> str:
    return "no share" if np.isnan(value) else f"{100 * value:.1f} %"


def _left_out(own: xr.Dataset) -> str:
    """Return what takes no part, in words."""
    units = own.sizes["unit"]
    counts = {
        f"of {units} units are not live (never active, or without weights)": int((~own.live).sum()),
        f"of {units} units never win": int((own.wins == 0).sum()),
        "probe pictures have no winner": int(own.unwon),
        "probe inputs are constant and have no Pearson correlation": int(own.constant),
    }
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return f" Left out where they have no value: {'; '.join(said)}." if said else ""
